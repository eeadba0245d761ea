"""What the book generates: numbers against an independent truth, gaps said plainly."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from sphinx.errors import ExtensionError

from tools import book

sys.path.insert(0, str(book.ROOT / "book/_extensions"))

from course_book import assets, fragments, measurements, openers, pages

AUCS = [0.91, 0.93, 0.88]


def record(seed, auc, **changed):
    values = {
        "dataset": "breastmnist", "split": "official", "method": "net", "seed": seed,
        "auc": auc, "accuracy": 0.8, "sensitivity": 0.5, "specificity": 0.9,
        "parameters": 12_345, "train_seconds": 9.6, "device": "CPU",
        "backend": "tensorflow", "versions": {"tensorflow": "2.0"},
        "code_version": "1+abc",
    }  # fmt: skip
    return values | changed


@pytest.fixture
def root(tmp_path):
    for name in ("book", "results", "notebooks"):
        (tmp_path / name).mkdir()
    for name in ("published.yml", "course.yml"):
        shutil.copy(book.ROOT / "book" / name, tmp_path / "book")
    return tmp_path


def store(root, records, name="imaging", **others):
    stored = {"benchmark": name, "date": "2026-01-02", "records": records, **others}
    (root / f"results/{name}.json").write_text(json.dumps(stored))


def test_imaging_gives_mean_and_spread_over_seeds(root):
    store(root, [record(seed, auc) for seed, auc in enumerate(AUCS)])
    text = measurements.imaging(root, root).replace("\N{NO-BREAK SPACE}", " ")
    assert f"{np.mean(AUCS):.3f} ± {np.std(AUCS, ddof=1):.3f}" in text
    assert "| `net` | 3 |" in text
    assert "12,345" in text
    assert "Measured 2026-01-02; code 1+abc; CPU; tensorflow 2.0." in text
    assert "BreastMNIST: ours" in text
    assert "RetinaMNIST: ours" not in text


def test_marks_are_reached_or_missed_as_the_numbers_say(root):
    store(root, [record(0, 0.9186, accuracy=0.87), record(1, 0.9186, accuracy=0.85)])
    text = measurements.imaging(root, root)
    # The means are 0.919 and 0.860; the marks for BreastMNIST are 0.919 and 0.865.
    assert "AUC 0.919: reached; accuracy 0.865: missed by 0.005" in text
    assert "at most 1.1 million parameters: kept; at most 15 minutes" in text
    store(root, [record(0, 0.9, parameters=1_100_001, train_seconds=901)])
    text = measurements.imaging(root, root)
    assert "AUC 0.919: missed by 0.019" in text
    assert text.count("exceeded") == 2


def test_differences_stand_with_their_intervals(root):
    rows = [
        {"dataset": "breastmnist", "method": "net", "against": "first",
         "metric": metric, "difference": 0.0314, "low": -0.01, "high": 0.07}
        for metric in ("auc", "accuracy")
    ]  # fmt: skip
    store(root, [record(0, 0.9)], comparisons=rows)
    text = measurements.imaging(root, root)
    assert "Minus `first` on the same test cases" in text
    cell = "+0.031 [-0.010, +0.070]"
    assert f"| `net` | {cell} | {cell} |" in text


def test_other_splits_stay_out(root):
    store(root, [record(0, 0.9), record(1, 0.1, split="another")])
    assert "| `net` | 1 | 0.900 |" in measurements.imaging(root, root)


def test_picture_says_what_it_shows_and_is_the_same_each_time(root):
    store(root, [record(0, 0.9)])
    text = measurements.imaging(root, root)
    assert ":alt: Test AUC against number of parameters" in text
    assert "net 0.900" in text
    first = (root / "quality.svg").read_text()
    assert "our best 0.900, best published 0.919" in first
    (root / "quality.svg").unlink()
    measurements.imaging(root, root)
    assert (root / "quality.svg").read_text() == first


@pytest.mark.parametrize("name", ["imaging", "convolution"])
def test_nothing_stored_is_said_plainly(root, name):
    make = {
        "imaging": lambda: measurements.imaging(root, root),
        "convolution": lambda: measurements.convolution(root),
    }[name]
    said = f"Nothing is stored here yet. `python -m medlib.benchmarks {name}`"
    assert said in make()
    store(root, [], name)
    assert said in make()


@pytest.mark.parametrize("content", ['{"records": [', "[]", '{"date": 1}'])
def test_broken_results_name_file_and_remedy(root, content):
    (root / "results/imaging.json").write_text(content)
    with pytest.raises(
        ExtensionError, match=r"results/imaging\.json.*benchmarks imaging"
    ):
        measurements.imaging(root, root)


def test_convolution_table_leaves_out_what_is_the_same_for_all(root):
    store(root, [{"image_side": 512, "ratio": 0.81234, "device": "CPU",
                  "code_version": "1", "versions": {}}], "convolution")  # fmt: skip
    text = measurements.convolution(root)
    assert "| image side | ratio |" in text
    assert "| 512 | 0.812 |" in text


def test_published_numbers_are_the_sources():
    # Yang et al. 2023, Table 3, first and last row, by hand.
    groups = yaml.safe_load((book.ROOT / "book/published.yml").read_text("utf-8"))
    rows = measurements.published_rows(groups[0])
    assert rows[2] == (
        "| ResNet-18 (28 px) | 0.944 / 0.854 | 0.901 / 0.863 | 0.717 / 0.524 |"
    )
    assert rows[-1] == (
        "| Google AutoML Vision | 0.991 / 0.946 | 0.919 / 0.861 | 0.750 / 0.531 |"
    )


def test_map_links_the_lessons_that_exist_and_no_others(root):
    openers_only = fragments.course_map(root)
    assert 'href="../notebooks/' not in openers_only
    parts = yaml.safe_load((root / "book/course.yml").read_text("utf-8"))
    parts = parts["parts"] if isinstance(parts, dict) else parts
    expected = sum("opener" in part for part in parts)
    assert expected >= 2
    assert openers_only.count("<a ") == openers_only.count('href="../book/') == expected
    lesson = root / "notebooks/1_maths/1_convolution.ipynb"
    lesson.parent.mkdir()
    lesson.touch()
    html = fragments.course_map(root)
    assert html.count('href="../notebooks/') == 1
    assert 'href="../notebooks/1_maths/1_convolution.html"' in html


def lesson_file(root, name, header, run):
    path = root / f"notebooks/1_maths/{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    cells = [{"cell_type": "markdown", "source": ["# A lesson\n", "\n", header]}]
    path.write_text(json.dumps({"cells": cells, "metadata": {"medlib": {"run": run}}}))


def test_opener_lists_the_lessons_with_what_they_cost(root):
    run = {"seconds": 8.6, "peak_memory_mb": 1040}
    lesson_file(root, "1_convolution", "**Reading** 35 min · **Running** 14 s", run)
    lesson_file(root, "2_activations", "**Reading** 50 min · **Running** 9 s", run)
    lines = openers.part(root, 1).splitlines()
    assert lines[2].startswith("| [1.1 Convolution](../notebooks/1_maths/1_conv")
    assert lines[2].endswith("| 35 min | 9 s | 1.0 GB |")
    assert lines[4] == (
        "| 1.3 Losses | What number should training make small? | planned | | |"
    )
    # 85 minutes are an hour and a half, 17.2 seconds are 17.
    assert lines[-1] == "| **together** | 2 lessons | about 1.5 h | 17 s | |"


@pytest.mark.parametrize(
    ("header", "run"),
    [
        ("**Running** 14 s", {"seconds": 8, "peak_memory_mb": 1}),
        ("**Reading** 35 min", {"seconds": 8}),
    ],
)
def test_opener_names_the_lesson_that_lacks_its_costs(root, header, run):
    lesson_file(root, "1_convolution", header, run)
    with pytest.raises(ExtensionError, match=r"1_convolution\.ipynb has no reading"):
        openers.part(root, 1)


def test_data_table_marks_the_disease():
    text = fragments.datasets(book.ROOT)
    assert "0 = malignant *(disease)*, 1 = normal or benign" in text


def test_how_to_run_follows_the_repository_address():
    theme = {
        "repository_url": "https://github.com/some-hospital/teaching",
        "repository_branch": "stable",
        "launch_buttons": {
            "colab_url": "https://colab",
            "binderhub_url": "https://hub",
        },
    }
    text = fragments.how_to_run(theme)
    assert "https://colab/github/some-hospital/teaching/blob/stable/notebooks/" in text
    assert "https://hub/v2/gh/some-hospital/teaching/stable" in text
    assert "cd teaching\n" in text


def test_unchanged_fragment_is_not_written_again(tmp_path):
    path = tmp_path / "part.md"
    measurements.write_if_changed(path, "one\n")
    before = path.stat().st_mtime_ns
    measurements.write_if_changed(path, "one\n")
    assert path.stat().st_mtime_ns == before
    measurements.write_if_changed(path, "two\n")
    assert path.read_text() == "two\n"


def test_description_ends_at_a_word():
    assert pages.description("short  and\nplain") == "short and plain"
    text = pages.description("word, " * 100)
    assert len(text) <= pages.DESCRIPTION_LENGTH
    assert text.endswith("word…")


def test_icon_script_is_dropped_and_nothing_else():
    html = '<link href="a.css"/><script defer src="x/fontawesome.js?d=1"></script><p>'
    assert pages.without_icon_script(html) == '<link href="a.css"/><p>'


def test_missing_mathjax_package_is_named(monkeypatch):
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExtensionError, match=assets.MATHJAX_PACKAGE):
        assets.mathjax_folder()


def test_builds_without_tensorflow_and_pandas():
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None, pandas=None, "
        "seaborn=None, sklearn=None, scipy=None); "
        "sys.path[:0] = sys.argv[1:]; import course_book; "
        "from course_book import fragments; from pathlib import Path; "
        "fragments.datasets(Path(sys.argv[2]))"
    )
    arguments = [str(book.ROOT / "book/_extensions"), str(book.ROOT)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
