"""Results files are written whole, resumed, and never overwritten when odd."""

import itertools
import json

import pytest

from medlib.benchmarks import convolution, report
from medlib.benchmarks.__main__ import RESULTS, main


def test_convolution_writes_records_and_agrees_with_scipy(tmp_path, monkeypatch):
    monkeypatch.setattr(convolution, "REPEATS", 1)
    assert main(["convolution", "--results", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "convolution.json").read_text())
    assert document["benchmark"] == "convolution"
    for record in document["records"]:
        assert record["largest_difference"] < 1e-12
        assert record["code_version"] == report.code_version(convolution.MODULES)


def test_committed_convolution_results_come_from_the_current_code():
    records = report.read(RESULTS / "convolution.json")
    current = report.code_version(convolution.MODULES)
    assert records, "run `make benchmarks`"
    assert {record["code_version"] for record in records} == {current}


def test_committed_imaging_results_come_from_the_current_code():
    from medlib.benchmarks import imaging

    records = report.read(RESULTS / "imaging.json")
    assert records, "run `make benchmarks`"
    for record in records:
        assert imaging.is_current(record), (record["dataset"], record["method"])


def test_records_of_other_code_or_settings_are_not_current():
    from medlib.benchmarks import imaging

    record = {
        "dataset": "retinamnist",
        "method": "ensemble",
        "settings": imaging.settings("retinamnist", "ensemble"),
        "code_version": report.code_version(imaging.MODULES["ensemble"]),
    }
    assert imaging.is_current(record)
    for change in (
        {"code_version": "0"},
        {"settings": record["settings"] | {"epochs": 1}},
        {"method": "first_cnn"},
        {"method": "a method of long ago"},
        {"dataset": "another"},
    ):
        assert not imaging.is_current(record | change), change


def test_the_convolution_is_at_most_twice_as_slow_as_scipy_where_it_was_measured():
    records = report.read(RESULTS / "convolution.json")
    case = next(r for r in records if (r["image_side"], r["kernel_side"]) == (512, 3))
    assert case["ratio"] <= 2


def test_imaging_results_hold_five_seeds_of_everything():
    from medlib.benchmarks import imaging

    found = {
        (r["dataset"], r["method"], r["seed"])
        for r in report.read(RESULTS / "imaging.json")
    }
    assert found == set(
        itertools.product(imaging.EPOCHS, imaging.MODULES, imaging.SEEDS)
    )


def test_stored_imaging_scores_give_the_stored_metrics():
    from medlib.benchmarks import imaging
    from medlib.data import load
    from medlib.evaluation import metrics

    path = RESULTS / "imaging.json"
    scores = imaging.read_scores(imaging.scores_path(path))
    records = report.read(path)
    assert len(scores) == len(records)
    sets = {name: load(name) for name in imaging.EPOCHS}
    if {data.provenance.kind for data in sets.values()} != {"real"}:
        pytest.skip("the real test labels are not at hand")
    for record in records:
        labels = sets[record["dataset"]].test.labels
        stored = scores[
            imaging.key(record["dataset"], record["method"], record["seed"])
        ]
        assert metrics.auc(labels, stored) == pytest.approx(record["auc"], abs=2e-5)
        accuracy = metrics.accuracy(labels, stored)
        assert accuracy == pytest.approx(record["accuracy"], abs=1e-5)


def test_every_method_is_compared_with_the_given_network_on_the_same_cases():
    from medlib.benchmarks import imaging

    document = json.loads((RESULTS / "imaging.json").read_text())
    found = {(c["dataset"], c["method"], c["metric"]) for c in document["comparisons"]}
    others = set(imaging.MODULES) - {imaging.BASELINE}
    assert found == set(itertools.product(imaging.EPOCHS, others, imaging.METRICS))
    for row in document["comparisons"]:
        assert row["low"] <= row["difference"] <= row["high"] and row["seeds"] == 5


def test_an_odd_results_file_is_kept(tmp_path):
    path = tmp_path / "imaging.json"
    path.write_text("{not json")
    with pytest.raises(ValueError, match="move it away"):
        report.read(path)
    assert path.read_text() == "{not json"


def test_a_failed_write_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "imaging.json"
    report.write(path, "imaging", [{"a": 1}])

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        report.write(path, "imaging", [{"a": 2}])
    assert report.read(path) == [{"a": 1}]
    assert not list(tmp_path.glob("*.new"))


def test_imaging_records_and_resumes(tmp_path, monkeypatch, capsys):
    from medlib.benchmarks import imaging
    from medlib.data import load
    from medlib.models import ensemble

    monkeypatch.setattr(
        imaging, "load", lambda name, source: load(name, source="practice")
    )
    monkeypatch.setitem(imaging.EPOCHS, "breastmnist", 1)
    path = tmp_path / "imaging.json"
    monkeypatch.setitem(
        imaging.RECIPES, "breastmnist", ensemble.Recipe(epochs=1, members=1, width=2)
    )
    imaging.run(path, ["breastmnist"], ["first_cnn", "ensemble"], [0])
    record = report.read(path)[0]
    expected = (
        "dataset split method seed auc accuracy sensitivity specificity brier ece"
    )
    expected += " parameters train_seconds inference_ms peak_memory_mb device backend"
    expected += " versions data_sha256 code_version"
    assert set(expected.split()) <= set(record)
    compared = json.loads(path.read_text())["comparisons"]
    assert [(c["method"], c["metric"]) for c in compared] == [
        ("ensemble", "auc"),
        ("ensemble", "accuracy"),
    ]
    scores = imaging.read_scores(imaging.scores_path(path))
    assert set(scores) == {"breastmnist/first_cnn/0", "breastmnist/ensemble/0"}
    before = path.read_bytes()
    imaging.run(path, ["breastmnist"], ["first_cnn"], [0])
    assert "0 to do" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_a_benchmark_never_uses_a_practice_set(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDLIB_DATA_DIR", raising=False)
    monkeypatch.setattr("medlib.data.store.is_reachable", lambda _: False)
    arguments = ["imaging", "--results", str(tmp_path), "--datasets", "breastmnist"]
    assert main(arguments) == 1
    assert "cannot be reached" in capsys.readouterr().err
