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

from course_book import assets, fragments, measurements, pages, treatments

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
    for name in ("book", "results"):
        (tmp_path / name).mkdir()
    shutil.copy(book.ROOT / "book/published.yml", tmp_path / "book")
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


def fold(number, method, auc, **changed):
    values = {
        "split": "by patient", "method": method, "fold": number, "auc": auc,
        "average_precision": 0.2, "brier": 0.09, "accuracy": 0.888, "auc_alive": 0.6,
        "parameters": None, "seconds": 9.6, "device": "CPU", "backend": "tensorflow",
        "versions": {"tensorflow": "2.0"}, "code_version": "1+abc",
    }  # fmt: skip
    return values | changed


def test_readmission_gives_mean_and_spread_over_folds_and_keeps_traps_apart(root):
    records = [fold(i, "boosting", auc) for i, auc in enumerate(AUCS)]
    records += [fold(0, "twice before", 0.999, split="other")]
    store(root, records, "readmission")
    text = measurements.readmission(root).replace("\N{NO-BREAK SPACE}", " ")
    honest, _, traps = text.partition("evaluated wrongly")
    assert (
        f"| `boosting` | 3 | {np.mean(AUCS):.3f} ± {np.std(AUCS, ddof=1):.3f}" in honest
    )
    assert "twice before" not in honest and "| `twice before` | 1 | 0.999 |" in traps
    assert "Measured 2026-01-02; code 1+abc" in honest


@pytest.mark.parametrize(
    ("auc", "precision", "network", "said"),
    [
        (0.6816, 0.2336, 0.6721, "AUC 0.682: reached by `trees`; average precision "
         "0.234: reached by `trees`; `mlp` within 0.01 of that AUC: yes"),
        (0.6784, 0.2289, 0.6714, "AUC 0.682: missed by 0.004; average precision "
         "0.234: missed by 0.005; `mlp` within 0.01 of that AUC: no"),
    ],
)  # fmt: skip
def test_readmission_marks_follow_the_numbers(root, auc, precision, network, said):
    records = [
        fold(0, "trees", auc, average_precision=precision),
        fold(0, "mlp", network),
    ]
    store(root, records, "readmission")
    assert said in measurements.readmission(root)


def test_readmission_shows_differences_and_groups(root):
    rows = [
        {"method": "mlp", "against": "trees", "metric": metric,
         "difference": -0.0072, "low": -0.01, "high": -0.004}
        for metric in ("auc", "average_precision")
    ]  # fmt: skip
    group = {
        "method": "trees", "column": "age", "group": "under 50", "cases": 15969,
        "prevalence": 0.1083,
        "mean_risk": 0.1078, "auc": 0.7356, "low": 0.7212, "high": 0.7492,
        "sensitivity": 0.4769, "flagged": 0.192,
    }  # fmt: skip
    store(root, [fold(0, "trees", 0.68)], "readmission", comparisons=rows,
          subgroups=[group])  # fmt: skip
    text = measurements.readmission(root)
    assert "### `trees` by age, sex and ethnic group" in text
    cell = "-0.007 [-0.010, -0.004]"
    assert f"| `mlp` | {cell} | {cell} |" in text
    assert (
        "| age | under 50 | 15,969 | 10.8% | 10.8% | 0.736 [0.721, 0.749] | 19.2% "
        "| 47.7% |"
    ) in text


def test_text_gives_spread_over_seeds_and_each_class(root):
    records = [
        {"method": "cnn", "seed": seed, "accuracy_test1": 0.7, "macro_f1_test1": f1,
         "accuracy_test2": 0.6, "macro_f1_test2": 0.4, "parameters": 12_345,
         "seconds": 7.4, "device": "CPU", "code_version": "1+abc"}
        for seed, f1 in enumerate((0.3, 0.5))
    ]  # fmt: skip
    row = {"class": "LABS", "train": 2, "test": 2, "cnn": 0.1667}
    store(root, records, "text", classes=[row])
    text = measurements.text(root).replace("\N{NO-BREAK SPACE}", " ")
    assert "| `cnn` | 2 | 0.700 ± 0.000 | 0.400 ± 0.141 |" in text
    assert "12,345" in text
    assert "| LABS | 2 | 2 | 0.17 |" in text


def test_death_in_hospital_gives_intervals_and_differences_from_apache(root):
    names = ("auc", "average_precision", "brier", "calibration_error")
    row = {"method": "apache_iva", "seed": 0, "device": "CPU", "code_version": "1+abc"}
    summaries = [
        {"method": method, "metric": name, "seeds": seeds, "mean": value / 10,
         "low": value / 20, "high": value / 5, "sd": 0.0}
        for method, seeds in (("apache_iva", 1), ("pretrained", 5))
        for value, name in enumerate(names, start=1)
    ]  # fmt: skip
    rows = [
        {"method": "pretrained", "against": against, "metric": name,
         "difference": difference, "low": -0.01, "high": 0.05}
        for against, difference in (("apache_iva", 0.02), ("transformer", 0.03))
        for name in names
    ]  # fmt: skip
    store(root, [row], "records", summaries=summaries, comparisons=rows)
    text = measurements.mortality(root)
    intervals = "0.100 [0.050, 0.200] | 0.200 [0.100, 0.400]"
    assert f"| `apache_iva` | 1 | {intervals}" in text
    assert f"| `pretrained` | 5 | {intervals}" in text
    one, other = text.split("Minus `apache_iva`")[1].split("Minus `transformer`")
    assert one.count("+0.020 [-0.010, +0.050]") == 4
    assert other.count("+0.030 [-0.010, +0.050]") == 4


NOTHING_STORED = {
    "imaging": lambda root: measurements.imaging(root, root),
    "full_size": measurements.full_size,
    "pretraining": lambda root: measurements.pretraining(root, root),
    "records": measurements.mortality,
    "readmission": measurements.readmission,
    "text": measurements.text,
    "convolution": measurements.convolution,
    "records_etl": measurements.records_etl,
    "recommendation": treatments.recommendation,
    "visits": treatments.visits,
    "neighbours": lambda root: treatments.neighbours(root, root),
}


@pytest.mark.parametrize("name", NOTHING_STORED)
def test_nothing_stored_is_said_plainly(root, name):
    said = f"Nothing is stored here yet. `python -m medlib.benchmarks {name}`"
    assert said in NOTHING_STORED[name](root)
    store(root, [], name)
    assert said in NOTHING_STORED[name](root)


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


def test_event_streams_say_whether_memory_and_time_kept_their_marks(root):
    same = {"subjects": 100, "events": 252_945, "device": "CPU", "code_version": "1"}
    rows = [
        same | {"dataset": "mimic-iv-demo", "copies": copies, "seconds": 7,
                "cpu_seconds": seconds,
                "peak_memory_mb": memory}
        for copies, seconds, memory in ((1, 5., 300), (10, 40., 900), (100, 500., 4100))
    ]  # fmt: skip
    store(root, rows, "records_etl")
    text = measurements.records_etl(root)
    assert "| `mimic-iv-demo` | 10 | 100 | 252,945 | 7.0 | 40.0 | 900 |" in text
    assert "4 GB of memory: exceeded" in text
    assert "10 times the patients take 8.0 times the processor time (kept)" in text
    assert "10 times the patients take 12.5 times the processor time (missed)" in text


def label_record(seed, auc, **changed):
    values = record(seed, auc) | {
        "method": "scratch", "source": "", "share": 0.1, "labels": 55,
    }  # fmt: skip
    return values | changed


def test_pretraining_gives_a_row_for_each_method_and_its_differences(root):
    tuned = {"method": "fine-tuned", "source": "pneumoniamnist"}
    records = [label_record(seed, auc) for seed, auc in enumerate(AUCS)]
    records += [label_record(0, 0.95, share=1.0, labels=546)]
    records += [label_record(seed, auc - 0.1, **tuned) for seed, auc in enumerate(AUCS)]
    row = {"dataset": "breastmnist", **tuned, "share": 0.1, "against": "scratch"}
    row |= {"metric": "auc", "difference": -0.1, "low": -0.2, "high": 0.01}
    store(root, records, "pretraining", comparisons=[row])
    text = measurements.pretraining(root, root).replace("\N{NO-BREAK SPACE}", " ")
    middle = f"{np.mean(AUCS):.3f} ± {np.std(AUCS, ddof=1):.3f}"
    assert "| method | 55 labels | 546 labels |" in text
    assert f"| from scratch | {middle} | 0.950 |" in text
    assert "| fine-tuned, chest X-rays | 0.807 ± 0.025 | – |" in text
    assert "AUC minus `scratch` on the same labels" in text
    assert "| fine-tuned, chest X-rays | -0.100 [-0.200, +0.010] |" in text
    assert ":alt: Test AUC against number of labels" in text
    picture = (root / "labels.svg").read_text()
    assert "BreastMNIST: with 55 labels, from scratch has the highest mean" in picture
    (root / "labels.svg").unlink()
    measurements.pretraining(root, root)
    assert (root / "labels.svg").read_text() == picture


def test_the_interval_of_a_mean_is_students():
    from scipy import stats

    values = [0.91, 0.93, 0.88, 0.9, 0.95]
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert np.isclose(measurements.half_interval(values), (high - low) / 2, rtol=1e-3)
    assert measurements.half_interval([0.9]) == 0
    for freedom, quantile in measurements.STUDENT.items():
        assert np.isclose(stats.t.ppf(0.975, freedom), quantile, atol=1e-3)


def test_full_size_gives_spread_differences_and_steps(root):
    common = {
        "data": "practice", "parameters": 88_700_994, "seconds_per_epoch": 20.04,
        "settings": {"train_images": 300, "epochs": 5}, "device": "CPU",
        "versions": {}, "code_version": "1+abc",
    }  # fmt: skip
    records = [
        common | {"method": "flat", "seed": seed, "auc": auc, "train_auc": 1.0,
                  "peak_memory_mb": 3000}
        for seed, auc in enumerate(AUCS)
    ]  # fmt: skip
    records.append(
        common
        | {"method": "logistic", "seed": 0, "auc": 0.7, "train_auc": 0.8,
           "peak_memory_mb": None}
    )  # fmt: skip
    rows = [{"data": "practice", "method": "flat", "against": "logistic",
             "difference": 0.2, "low": 0.1, "high": 0.3}]  # fmt: skip
    steps = [{"method": "flat", "optimiser": "adam", "precision": "float32",
              "batch_size": 32, "estimated_mb": 1848, "peak_memory_mb": 3200,
              "step_seconds": 1.234, "step_seconds_low": 1.2,
              "step_seconds_high": 1.3}]  # fmt: skip
    store(root, records, "full_size", comparisons=rows, steps=steps)
    text = measurements.full_size(root).replace("\N{NO-BREAK SPACE}", " ")
    assert "Trained on 300 images of the practice set, 5 epochs" in text
    cell = f"{np.mean(AUCS):.3f} ± {np.std(AUCS, ddof=1):.3f}"
    assert f"| `flat` | 3 | {cell} | 1.000 ± 0.000 | 88,700,994 |" in text
    assert "| `logistic` | 1 | 0.700 | 0.800 | 88,700,994 | 20.0 | – |" in text
    assert "| `flat` minus `logistic` | +0.200 [+0.100, +0.300] |" in text
    assert "| `flat` | adam | float32 | 1,848 | 3,200 | 1.23 [1.20, 1.30] |" in text


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


def test_recommendation_shows_marks_leads_and_parts(root):
    about = {"stays": 10, "coverage@10": 0.25, "novelty@10": [3.5, 3, 4]}

    def row(method, ndcg):
        measured = {
            name: [ndcg, ndcg - 0.02, ndcg + 0.02]
            for name in ("ndcg@10", "ndcg@5", "recall@10", "map@10")
        }
        return {"protocol": "random", "method": method, **about, **measured}

    def lead(method, against):
        return [
            {"protocol": "random", "method": method, "against": against,
             "metric": metric, "difference": 0.04, "low": 0.01, "high": 0.07}
            for metric in ("ndcg@10", "recall@10")
        ]  # fmt: skip

    store(
        root, [record(0, 0.5)], "recommendation",
        summaries=[row("ease", 0.25), row("fusion_averaged", 0.29)],
        comparisons=lead("fusion_averaged", "ease")
        + lead("fusion", "fusion without users"),
    )  # fmt: skip
    text = treatments.recommendation(root)
    assert "more than 0.257: reached; the aim of 0.300: missed by 0.010" in text
    assert "| `fusion_averaged` | 10 | 0.290 [0.270, 0.310] | 0.290 |" in text
    assert text.index("| `fusion_averaged` |") < text.index(
        "| `ease` |"
    )  # the best first
    assert "| `ease` | +0.040 [+0.010, +0.070] |" in text
    assert "`fusion_averaged` minus the others, with 95 %" in text
    assert "gives: `fusion` minus it without, with" in text
    assert "| `users` | +0.040" in text


def test_visits_tell_an_alarm_from_a_rate(root):
    shared = {"dataset": "mimic-iv-demo", "split": "folds", "size": 4.0,
              "jaccard_filtered": 0.3, "removed": 12, "device": "CPU",
              "code_version": "1+abc"}  # fmt: skip
    measured = {name: [0.4, 0.3, 0.5] for name in ("jaccard", "f1", "pr_auc")}
    rows = [
        shared | measured | {"method": "copy", "interaction_rate": 0.0044},
        shared | measured | {"method": "popularity", "interaction_rate": None},
    ]
    facts = {"dataset": "mimic-iv-demo", "visits": 9, "judged": 5, "drugs": 7,
             "interaction_rate": 0.0047, "pairs": 1000, "clashing": 5}  # fmt: skip
    paired = [
        {"dataset": "mimic-iv-demo", "method": "popularity", "against": "copy",
         "metric": metric, "difference": -0.1, "low": -0.2, "high": -0.05}
        for metric in ("jaccard", "f1", "pr_auc")
    ]  # fmt: skip
    store(root, rows, "visits", summaries=[facts], comparisons=paired)
    text = treatments.visits(root)
    assert "5 clash with a rule: an interaction rate of 0.0047" in text
    assert "| 4.0 | 0.0044 | 0.300 | 12 |" in text
    assert "| 4.0 | alarm | 0.300 | 12 |" in text
    assert "| `popularity` | -0.100 [-0.200, -0.050] |" in text


def test_neighbours_say_which_marks_are_kept(root):
    def row(method, seconds, **others):
        return {"method": method, "library_version": "1.0", "patients": 1_000_000,
                "interactions": 20_000_000, "seconds": seconds, "slowest": seconds,
                "peak_memory_mb": 1500, "device": "CPU", "code_version": "1+abc",
                **others}  # fmt: skip

    waits = {"one_patient_ms": 6.0, "one_patient_slowest_ms": 9.0}
    rows = [row("ours", 0.8, **waits), row("implicit", 5.0)]
    store(root, rows, "neighbours")
    text = treatments.neighbours(root, root)
    assert "no slower than similaripy: not measured" in text
    assert "no slower than implicit: kept" in text
    assert "below one second: kept" in text
    assert "in under 5 ms: missed" in text
    assert "At 1,000,000 patients: ours 0.80 s; implicit 5.00 s." in text
    assert (root / "neighbours.svg").read_text().count("<path") > 2
