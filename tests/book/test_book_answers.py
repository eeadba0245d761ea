"""Questions and open ends: numbers against an independent truth, links that lead."""

import json
import re
import sys

import numpy as np
import pytest
from sphinx.errors import ExtensionError

from tools import book

sys.path.insert(0, str(book.ROOT / "book/_extensions"))

from course_book import answers

PAGES = {
    name: (book.ROOT / f"book/{name}.md").read_text(encoding="utf-8")
    for name in ("faq", "next")
}
AUCS = [0.61, 0.64, 0.69]


def comparison(difference, low, high, **where):
    return where | {"difference": difference, "low": low, "high": high}


@pytest.fixture
def store(tmp_path):
    (tmp_path / "results").mkdir()

    def write(name, **fields):
        stored = {"date": "2026-01-02", "records": [], **fields}
        (tmp_path / f"results/{name}.json").write_text(json.dumps(stored))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.02, "ahead"),
        (-0.02, -0.001, "behind"),
        (-0.02, 0.02, "no difference shown"),
        (0.0, 0.02, "no difference shown"),
        (-0.02, 0.0, "no difference shown"),
    ],
)
def test_verdict_follows_from_the_interval(low, high, said):
    text = answers.verdict(comparison((low + high) / 2, low, high))
    assert text.endswith(f", {said}")
    assert f"[{low:+.3f},\N{NO-BREAK SPACE}{high:+.3f}]" in text


def hospital_table():
    """Give records and comparisons of the readmission benchmark."""
    records = [
        {"split": "by patient", "method": method, "auc": auc - less}
        for method, less in (("logistic", 0.02), ("boosting", 0), ("mlp", 0.01))
        for auc in AUCS
    ]
    comparisons = [
        comparison(-0.02, -0.03, -0.01, method=method, against="boosting", metric="auc")
        for method in ("mlp", "logistic_counts")
    ]
    return {"records": records, "comparisons": comparisons}


def test_answer_gives_mean_and_spread_over_folds(store):
    root = store("readmission", **hospital_table())
    text = answers.answer(root, "tables").replace("\N{NO-BREAK SPACE}", " ")
    spread = f"{np.mean(AUCS):.3f} ± {np.std(AUCS, ddof=1):.3f}"
    assert f"boosted trees {spread}" in text
    assert f"the network {np.mean(AUCS) - 0.01:.3f}" in text
    assert "Network minus trees -0.020 [-0.030, -0.010], behind." in text


def test_best_images_are_those_with_the_highest_mean(store):
    records = [
        {"dataset": dataset, "split": "official", "method": method, "auc": auc}
        for dataset in ("pneumoniamnist", "breastmnist", "retinamnist")
        for method, aucs in (("first_cnn", [0.7, 0.8]), ("other", [0.6, 0.95]))
        for auc in aucs
    ]
    comparisons = [
        comparison(0.025, -0.1, 0.1, dataset=dataset, method="other", metric="auc")
        for dataset in ("pneumoniamnist", "breastmnist", "retinamnist")
    ]
    root = store("imaging", records=records, comparisons=comparisons)
    text = answers.answer(root, "images").replace("\N{NO-BREAK SPACE}", " ")
    spread = f"{np.mean([0.6, 0.95]):.3f} ± {np.std([0.6, 0.95], ddof=1):.3f}"
    assert text.count(f"| `other` {spread} | +0.025 [-0.100, +0.100] |") == 3


def test_what_was_not_measured_says_how_to_measure_it(tmp_path):
    for name, (benchmark, _) in answers.ANSWERS.items():
        text = answers.answer(tmp_path, name)
        assert f"python -m medlib.benchmarks {benchmark}" in text


def test_measurement_without_the_method_fails_with_what_it_sought(store):
    stored = hospital_table()
    stored["records"] = [r for r in stored["records"] if r["method"] != "mlp"]
    root = store("readmission", **stored)
    with pytest.raises(ExtensionError, match=r"'method': 'mlp'.*measure it again"):
        answers.answer(root, "tables")


@pytest.mark.parametrize("name", answers.ANSWERS)
def test_every_answer_is_made_from_the_stored_measurements(name):
    text = answers.answer(book.ROOT, name)
    assert text.startswith("**Measured** ([Results](results.md)). ")
    assert re.search(r"\d", text)
    assert "nan" not in text


def test_every_answer_stands_on_a_page_and_nothing_else_is_included():
    found = re.findall(r"^```\{include\} (\S+)$", "".join(PAGES.values()), re.MULTILINE)
    assert set(found) == {f"_generated/answer_{name}.md" for name in answers.ANSWERS}


@pytest.mark.parametrize("name", PAGES)
def test_no_measured_number_is_typed(name):
    """A measured number has decimals; years, sizes and lesson numbers have not."""
    links = r"<a [^>]*>.*?</a>|\[[^\]]*\]\([^)]*\)"
    lines = [line for line in PAGES[name].splitlines() if not line.startswith("#")]
    prose = re.sub(links, "", "\n".join(lines))
    decimals = set(re.findall(r"\d*\.\d+", prose))
    assert decimals <= {"99.98"}  # of the study that is cited there


def test_answers_are_short():
    answered = re.split(r"^#+ .*$", PAGES["faq"], flags=re.MULTILINE)[2:]
    plain = (re.sub(r"<[^>]*>|\{\w+(:\w)?\}`[^`]*`|```.*", "", a) for a in answered)
    assert max(len(text.split()) for text in plain) <= 200
