"""Results files are written whole, resumed, and never overwritten when odd."""

import importlib
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


@pytest.mark.parametrize("name", ["convolution", "imaging"])
def test_committed_results_come_from_the_current_code(name):
    records = report.read(RESULTS / f"{name}.json")
    module = importlib.import_module(f"medlib.benchmarks.{name}")
    current = report.code_version(module.MODULES)
    assert records, "run `make benchmarks`"
    assert {record["code_version"] for record in records} == {current}


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
        itertools.product(imaging.EPOCHS, imaging.METHODS, imaging.SEEDS)
    )


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

    monkeypatch.setattr(
        imaging, "load", lambda name, source: load(name, source="practice")
    )
    monkeypatch.setitem(imaging.EPOCHS, "breastmnist", 1)
    path = tmp_path / "imaging.json"
    imaging.run(path, ["breastmnist"], ["first_cnn"], [0])
    record = report.read(path)[0]
    expected = (
        "dataset split method seed auc accuracy sensitivity specificity brier ece"
    )
    expected += " parameters train_seconds inference_ms peak_memory_mb device backend"
    expected += " versions data_sha256 code_version"
    assert set(expected.split()) <= set(record)
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
