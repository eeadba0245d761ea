"""Results files are written whole, resumed, and never overwritten when odd."""

import itertools
import json

import numpy as np
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
    scores = report.read_arrays(report.scores_path(path))
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


def test_committed_event_stream_results_come_from_the_current_code():
    from medlib.benchmarks import records_etl

    records = report.read(RESULTS / "records_etl.json")
    assert records, "run `make benchmarks`"
    current = report.code_version(records_etl.MODULES)
    assert {record["code_version"] for record in records} == {current}


def test_event_streams_stay_within_memory_and_grow_with_the_patients():
    records = report.read(RESULTS / "records_etl.json")
    assert max(record["peak_memory_mb"] for record in records) <= 4000
    copied = {r["copies"]: r for r in records if r["dataset"] == "mimic-iv-demo"}
    for copies, record in copied.items():
        assert record["subjects"] == 100 * copies
        assert record["events"] == copies * copied[1]["events"]
        assert record["cpu_seconds"] <= copies * copied[1]["cpu_seconds"]


def test_a_hospital_is_replicated_with_fresh_keys_and_the_same_events(tmp_path):
    import pandas as pd

    from medlib.benchmarks import records_etl
    from medlib.data import find, load
    from medlib.data.records import mimic, open_folder

    records = load("mimic-iv-demo", source="practice")
    keys = {"subject_id", "hadm_id", "stay_id", "labevent_id"}
    for name in set(records.paths) & {s.table for s in mimic.SOURCES} | {"patients"}:
        records_etl.replicate(records.paths[name], tmp_path, 3, keys)
    one = records.events().execute()
    three = open_folder(find("mimic-iv-demo"), tmp_path).events().execute()
    assert len(three) == 3 * len(one)
    assert three["subject_id"].nunique() == 3 * one["subject_id"].nunique()
    copy = three["subject_id"] // records_etl.STEP
    for index in range(3):
        part = three[copy == index].assign(
            subject_id=lambda frame: frame["subject_id"] % records_etl.STEP
        )
        pd.testing.assert_frame_equal(
            *(f.sort_values(list(f), ignore_index=True) for f in (part, one))
        )


def test_only_the_features_learn_from_validation_images():
    from medlib.benchmarks import imaging
    from medlib.data import load

    data = load("breastmnist", source="practice")
    for method in imaging.MODULES:
        seen = imaging.learned_from(data, method)
        kept = len(data.val) if method == "features" else 0
        assert len(seen) == len(data.train) + kept
        assert imaging.new_cases(data, method).shape == (len(data.test),)


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


@pytest.mark.slow
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
    scores = report.read_arrays(report.scores_path(path))
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
    for chosen in (arguments, ["records_etl", "--results", str(tmp_path)]):
        assert main(chosen) == 1
        assert "cannot be reached" in capsys.readouterr().err


@pytest.mark.slow
def test_pretraining_records_resumes_and_compares(tmp_path, monkeypatch, capsys):
    from medlib.benchmarks import pretraining
    from medlib.data import load
    from medlib.models.pretraining import Recipe

    monkeypatch.setattr(
        pretraining, "load", lambda name, source: load(name, source="practice")
    )
    tiny = Recipe(epochs=1, width=2)
    monkeypatch.setattr(pretraining, "SOURCES", {"breastmnist": ("noise",)})
    monkeypatch.setattr(pretraining, "RECIPES", {"noise": tiny})
    monkeypatch.setattr(pretraining, "NOISE_IMAGES", 16)
    monkeypatch.setattr(pretraining, "SHARES", (0.05,))
    monkeypatch.setattr(pretraining, "TRAINING", {"steps": 1, "batch_size": 4})
    path = tmp_path / "pretraining.json"
    pretraining.run(path, ["breastmnist"], [0, 1])
    document = json.loads(path.read_text())
    found = [(r["method"], r["source"], r["seed"]) for r in document["records"]]
    pairs = [("pixels", ""), ("scratch", ""), ("frozen", "noise")]
    pairs.append(("fine-tuned", "noise"))
    assert found == [(*pair, seed) for pair in pairs for seed in (0, 1)]
    assert all(pretraining.is_current(record) for record in document["records"])
    compared = [(c["method"], c["seeds"]) for c in document["comparisons"]]
    assert compared == [("pixels", 2), ("frozen", 2), ("fine-tuned", 2)]
    before = path.read_bytes()
    pretraining.run(path, ["breastmnist"], [0, 1])
    assert "0 to do" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_paired_differences_follow_the_auc_of_scikit_learn():
    import numpy as np

    from medlib.benchmarks import pretraining
    from medlib.evaluation import metrics

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    theirs = np.round(rng.random((4, 80)), 2)  # with ties
    ours = theirs + 0.3 * labels
    expected = [[metrics.auc(labels, run) for run in runs] for runs in (ours, theirs)]
    assert np.allclose(pretraining.aucs(labels, ours), expected[0])
    found = pretraining.paired_difference(labels, ours, theirs, n_resamples=200)
    assert found.estimate == pytest.approx(np.mean(np.subtract(*expected)))
    assert 0 < found.low < found.estimate < found.high
    same = pretraining.paired_difference(labels, ours, ours, n_resamples=10)
    assert (same.low, same.estimate, same.high) == (0, 0, 0)


def test_committed_pretraining_results_are_whole_and_current():
    from medlib.benchmarks import pretraining

    document = json.loads((RESULTS / "pretraining.json").read_text())
    for record in document["records"]:
        assert pretraining.is_current(record), pretraining.identity(record)
    found = {pretraining.identity(record) for record in document["records"]}
    assert found == {
        (dataset, *pair, share, seed)
        for dataset in pretraining.SOURCES
        for pair in pretraining.methods(dataset)
        for share in pretraining.SHARES
        for seed in pretraining.SEEDS
    }
    for row in document["comparisons"]:
        assert row["low"] <= row["difference"] <= row["high"] and row["seeds"] == 5


def test_stored_pretraining_scores_give_the_stored_auc():
    from medlib.benchmarks import pretraining
    from medlib.data import load

    path = RESULTS / "pretraining.json"
    scores = report.read_arrays(report.scores_path(path))
    sets = {name: load(name) for name in pretraining.SOURCES}
    if {data.provenance.kind for data in sets.values()} != {"real"}:
        pytest.skip("the real test labels are not at hand")
    for record in report.read(path):
        stored = scores[pretraining.key(*pretraining.identity(record))]
        labels = sets[record["dataset"]].test.labels
        auc = pretraining.aucs(labels, stored[None])[0]
        assert auc == pytest.approx(record["auc"], abs=2e-5)


@pytest.fixture
def tiny_full_size(monkeypatch):
    from medlib.benchmarks import full_size

    monkeypatch.setattr(full_size, "SIDE", 56)
    kept = {name: full_size.NETWORKS[name] for name in ("flat", "pooled")}
    monkeypatch.setattr(full_size, "NETWORKS", kept)
    monkeypatch.setattr(full_size, "PAIRS", (("pooled", "flat"), ("flat", "logistic")))
    monkeypatch.setattr(full_size, "EPOCHS", 1)
    monkeypatch.setattr(full_size, "TRAIN_IMAGES", 32)
    monkeypatch.setattr(full_size, "STEPS", (("pooled", "adam", "float32"),))
    from medlib.data import DataUnavailable, load

    practice = load("breastmnist", source="practice", size=56)

    def only_practice(name, *, source, size):
        if source == "real":
            raise DataUnavailable("the file is not on this machine. Connect")
        return practice

    monkeypatch.setattr(full_size, "load", only_practice)
    return full_size


@pytest.mark.slow
def test_full_size_records_compares_and_resumes(tmp_path, tiny_full_size, capsys):
    full_size, path = tiny_full_size, tmp_path / "full_size.json"
    full_size.run(path, seeds=[0])
    said = capsys.readouterr().out
    assert "no real images of 56 pixels: the file is not on this machine\n" in said
    document = json.loads(path.read_text())
    methods = [record["method"] for record in document["records"]]
    assert methods == ["logistic", "flat", "pooled"]
    for record in document["records"]:
        assert 0 <= record["auc"] <= 1 and 0 <= record["train_auc"] <= 1
        assert full_size.is_current(record)
    pairs = [(row["method"], row["against"]) for row in document["comparisons"]]
    assert pairs == list(full_size.PAIRS)
    step = document["steps"][0]
    assert step["peak_memory_mb"] > step["added_mb"] > 0 < step["step_seconds"]
    full_size.run(path, seeds=[0])
    assert "AUC" not in capsys.readouterr().out, "nothing is trained twice"
    again = json.loads(path.read_text())
    assert again["records"] == document["records"]
    assert again["comparisons"] == document["comparisons"]


@pytest.mark.parametrize("method", ["flat", "pooled", "deeper"])
def test_full_size_counts_parameters_as_keras_does(method):
    from medlib.benchmarks import full_size

    model = full_size.build(method, 112, "sgd", 0.1)
    assert full_size.parameters_of(method, 112) == model.count_params()


def test_full_size_batches_hold_every_image_once_with_its_label():
    from medlib.benchmarks import full_size

    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    batches = full_size.Batches(images, np.arange(10), batch_size=4, seed=0)
    orders = []
    for _ in range(2):
        # By index, as `fit` does: old versions of Keras have no end in a plain loop.
        found = [batches[i] for i in range(len(batches))]
        assert [len(labels) for _, labels in found] == [4, 4, 2]
        x, y = (np.concatenate(part) for part in zip(*found, strict=True))
        assert x.shape == (10, 1, 1, 3) and x.dtype == np.float32
        assert np.array_equal(np.rint(x[:, 0, 0, 2] * 255), y)
        assert sorted(y) == list(range(10))
        orders.append(list(y))
        batches.on_epoch_end()
    assert orders[0] != orders[1]


def test_committed_full_size_results_are_current_and_hold_every_method():
    from medlib.benchmarks import full_size

    document = json.loads((RESULTS / "full_size.json").read_text())
    for record in document["records"]:
        assert full_size.is_current(record), full_size.key(record)
    found = {
        (r["method"], r["seed"]) for r in document["records"] if r["data"] == "practice"
    }
    expected = set(itertools.product(full_size.NETWORKS, full_size.SEEDS))
    assert found == expected | {(full_size.BASELINE, 0)}
    current = report.code_version(full_size.STEP_MODULES)
    assert {step["code_version"] for step in document["steps"]} == {current}
    measured = [
        (s["method"], s["optimiser"], s["precision"]) for s in document["steps"]
    ]
    assert measured == list(full_size.STEPS)
    for row in document["comparisons"]:
        assert row["low"] <= row["difference"] <= row["high"]
    for record in document["records"]:
        if record["method"] in full_size.NETWORKS:
            expected = full_size.parameters_of(record["method"], full_size.SIDE)
            assert record["parameters"] == expected


def test_committed_readmission_results_are_whole_and_from_the_current_code():
    from medlib.benchmarks import readmission

    document = json.loads((RESULTS / "readmission.json").read_text())
    found = {(r["method"], r["fold"]) for r in document["records"]}
    methods = set(readmission.SETTINGS)
    assert found == set(itertools.product(methods, range(readmission.FOLDS)))
    assert all(readmission.is_current(record) for record in document["records"])
    others = methods - {"always_no", readmission.BASELINE, *readmission.TRAPS}
    compared = {(c["method"], c["metric"]) for c in document["comparisons"]}
    assert compared == set(itertools.product(others, ("auc", "average_precision")))
    for row in document["comparisons"]:
        assert row["low"] <= row["difference"] <= row["high"]
    columns = {row["column"] for row in document["subgroups"]}
    assert columns == set(readmission.SUBGROUPS)


def test_stored_risks_give_the_stored_readmission_metrics():
    from sklearn.metrics import roc_auc_score

    from medlib.benchmarks import readmission
    from medlib.data import load

    path = RESULTS / "readmission.json"
    data = load("uci-diabetes-130")
    if data.provenance.kind != "real":
        pytest.skip("the real outcomes are not at hand")
    scores = readmission.read_scores(report.scores_path(path))
    place = readmission.folds(data.groups.to_numpy())
    early = (data.target == readmission.DISEASE).to_numpy()
    for record in report.read(path):
        if record["method"] in readmission.TRAPS:
            continue
        test = place == record["fold"]
        area = roc_auc_score(early[test], scores[record["method"]][test])
        assert area == pytest.approx(record["auc"], abs=2e-4)


def test_folds_keep_patients_whole_and_are_about_equal():
    from medlib.benchmarks import readmission

    groups = np.random.default_rng(0).integers(0, 500, 2000)
    place = readmission.folds(groups)
    assert set(place) == set(range(readmission.FOLDS))
    assert all(len(set(place[groups == g])) == 1 for g in np.unique(groups))
    assert np.array_equal(place, readmission.folds(groups))
    patients = [len(np.unique(groups[place == f])) for f in range(readmission.FOLDS)]
    assert max(patients) - min(patients) <= 1


def test_oversamplers_add_what_they_say():
    from medlib.benchmarks import readmission

    rng = np.random.default_rng(0)
    table, labels = rng.normal(size=(60, 3)), (np.arange(60) < 12).astype(int)
    twice, marked = readmission.duplicated(table, labels, rng)
    assert np.bincount(marked).tolist() == [48, 48]
    rare = {tuple(row) for row in table[:12]}
    assert all(tuple(row) in rare for row in twice[60:])
    made, marked = readmission.synthetic(table, labels, rng)
    assert np.bincount(marked).tolist() == [48, 48]
    # Every invented point lies on a line between two rare ones.
    for point in made[60:]:
        ends = [
            (a, b) for a, b in itertools.permutations(table[:12], 2)
            if np.isclose(
                np.linalg.norm(point - a) + np.linalg.norm(point - b),
                np.linalg.norm(a - b),
            )
        ]  # fmt: skip
        assert ends


def test_the_average_is_that_of_the_log_odds():
    from medlib.benchmarks import readmission

    odds = np.array([[1 / 4], [4.0]])
    assert readmission.average(odds / (1 + odds))[0] == pytest.approx(0.5)


def test_risks_survive_their_storage(tmp_path):
    from medlib.benchmarks import readmission

    risks = np.array([0.0, 0.123456, 1.0, np.nan])
    readmission.write_scores(tmp_path / "s.npz", {"a": risks})
    again = readmission.read_scores(tmp_path / "s.npz")["a"]
    assert np.isnan(again[3]) and np.allclose(again[:3], risks[:3], atol=1e-5)


def test_committed_text_results_are_whole_and_from_the_current_code():
    from medlib.benchmarks import text

    document = json.loads((RESULTS / "text.json").read_text())
    found = [(r["method"], r["seed"]) for r in document["records"]]
    assert found == [(m, s) for m in text.METHODS for s in text.seeds_of(m)]
    assert all(text.is_current(record) for record in document["records"])
    scores = report.read_arrays(report.scores_path(RESULTS / "text.json"))
    assert set(scores) == {text.key(*pair) for pair in found}
    assert len(document["classes"]) == 20
    assert sum(row["test"] for row in document["classes"]) == 400
    for row in document["comparisons"]:
        assert row["low"] <= row["difference"] <= row["high"]


def test_macro_f1_is_the_mean_worked_by_hand():
    from medlib.benchmarks import text

    labels = np.array([0, 0, 0, 1, 2])
    scores = np.eye(4)[[0, 0, 1, 1, 0]]
    # F1: class 0 2·2/(3+3), class 1 2·1/(1+2), classes 2 and 3 none.
    assert text.macro_f1(labels, scores) == pytest.approx((2 / 3 + 2 / 3) / 4)
    weights = text.class_weights(labels, 4)
    assert weights[1] / weights[0] == pytest.approx(np.sqrt(3))
    assert weights[labels].mean() == pytest.approx(1)
