"""The benchmarks of Part 4: no leak between parts, and results that are whole."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from medlib.benchmarks import neighbours, recommendation, visits
from medlib.data import load
from medlib.data import visits as visit_data
from medlib.data.simulate.interactions import make
from medlib.evaluation import ranking

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def data():
    """A simulated unit in the form of the benchmark's data."""
    unit = make(stays=400, seed=5)
    about = pd.DataFrame(
        {
            "patient": unit.cohort["patient_id"].to_numpy(),
            "hospital": unit.cohort["hospital_id"].astype(str).to_numpy(),
            "ward": unit.cohort["hospital_id"].astype(str).to_numpy(),
            "unit": unit.cohort["unit"].to_numpy(),
            "diagnosis": None,
            "diagnosis_group": None,
            "age": unit.cohort["age"].to_numpy(),
        },
        index=pd.Index(unit.cohort["stay_id"], name="stay_id"),
    )
    return recommendation.Source(unit.events, unit.cohort, about)


def pairs(matrix):
    return set(zip(*(index.tolist() for index in matrix.nonzero()), strict=True))


def test_what_is_hidden_at_random_is_in_nothing_that_is_learned_from(data):
    task = recommendation.random_task(data, 0)
    hidden = pairs(task.test.wanted)
    assert hidden and task.same
    for part in (task.choose, task.tuning, *task.learn):
        for matrix in (part.stays.baskets, part.wanted, part.complete):
            assert not hidden & pairs(matrix)
    # What a choice is judged by is in nothing that it was learned from.
    assert not pairs(task.choose.complete) & pairs(task.tuning.wanted)
    drawn = {frozenset(pairs(part.wanted)) for part in (*task.learn, task.choose)}
    assert len(drawn) == recommendation.DRAWS + 1


@pytest.mark.parametrize("protocol", ["time", "hospitals"])
def test_no_patient_and_no_hospital_is_on_both_sides(data, protocol):
    asked = []
    for task in recommendation.tasks(protocol, data, 0):
        sides = [set(task.learn[0].patients), set(task.test.patients)]
        assert not sides[0] & sides[1]
        assert not set(task.choose.patients) & set(task.tuning.patients)
        homes = [
            set(part.stays.groups["hospital"]) for part in (task.learn[0], task.test)
        ]
        assert bool(homes[0] & homes[1]) == (protocol == "time")
        assert not (task.test.stays.baskets.multiply(task.test.wanted)).nnz
        asked += task.test.stays.groups.index.tolist()
    assert sorted(asked) == sorted(data.cohort["stay_id"])  # each stay once


def test_cold_patients_have_nothing_and_cold_items_are_nowhere(data):
    first = next(recommendation.tasks("admission", data, 0))
    assert first.test.stays.baskets.nnz == 0
    assert pairs(first.test.wanted) == pairs(first.test.complete)
    task = next(recommendation.tasks("new_items", data, 0))
    cold = task.open_items
    assert 0 < cold.sum() < len(cold)
    for part in (task.choose, task.tuning, *task.learn):
        for matrix in (part.stays.baskets, part.wanted, part.complete):
            assert not matrix[:, cold].nnz
    assert not task.test.stays.baskets[:, cold].nnz
    assert task.test.wanted.nnz and not task.test.wanted[:, ~cold].nnz


def test_what_goes_on_is_what_is_charted_after_the_first_day(data):
    task = next(recommendation.tasks("going_on", data, 0))
    index_time = data.cohort.set_index("stay_id")["index_time"]
    after = data.events["time"] > data.events["subject_id"].map(index_time)
    charted = set(
        data.events[after][["subject_id", "code"]].itertuples(index=False, name=None)
    )
    rows, items = task.test.wanted.nonzero()
    stays = task.test.stays.groups.index
    found = {(stays[r], task.items[i]) for r, i in zip(rows, items, strict=True)}
    assert found == {(s, c) for s, c in charted if s in stays and c in task.items}


@pytest.mark.parametrize("protocol", ["random", "time"])
@pytest.mark.parametrize(
    "method", ["later_popularity", "hospital_popularity", "user_cosine", "ease"]
)
def test_methods_beat_an_order_by_chance(data, protocol, method):
    divisions = list(itertools.islice(recommendation.tasks(protocol, data, 1), 1))
    record, table = recommendation.measure(method, divisions, 1)
    task = divisions[0]
    noise = np.random.default_rng(0).random(task.test.wanted.shape)
    lists = recommendation.lists_of(noise, task.test, task)
    chance = np.nanmean(ranking.ndcg(lists, task.test.wanted, 10))
    assert record["ndcg@10"] > 1.2 * chance
    assert record["ndcg@10"] == pytest.approx(table["ndcg@10"].mean(), abs=1e-5)
    assert len(table) == np.count_nonzero(np.diff(task.test.wanted.indptr))


def test_without_a_place_nothing_of_it_is_told(data, monkeypatch):
    told = []

    class Spy:
        def __init__(self, *_, parts, **__):
            self.parts = parts

        def fit(self, examples, complete, patients):
            told.extend(examples[0][0].groups)
            return self

        def scores(self, stays):
            told.extend(stays.groups)
            return stays.baskets.toarray()

    monkeypatch.setattr(recommendation, "Fusion", Spy)
    task = next(recommendation.tasks("time", data, 0))
    recommendation.fusion(task, 0, "place")
    assert told and not set(told) & set(recommendation.PLACE)
    told.clear()
    recommendation.fusion(task, 0)
    assert set(recommendation.PLACE) <= set(told)


def test_folds_inside_the_fusion_part_what_the_protocol_parts(data, monkeypatch):
    asked = {}

    class Spy:
        def __init__(self, *_, **__):
            pass

        def fit(self, examples, complete, patients):
            asked["whose"] = patients
            return self

        def scores(self, stays):
            return stays.baskets.toarray()

    monkeypatch.setattr(recommendation, "Fusion", Spy)
    for protocol in ("time", "hospitals", "random"):
        task = next(recommendation.tasks(protocol, data, 0))
        recommendation.fusion(task, 0)
        learn = task.learn[0]
        expected = {
            "time": learn.patients,
            "hospitals": learn.stays.groups["hospital"],
            "random": range(len(learn.patients)),
        }[protocol]
        assert list(asked["whose"]) == list(expected)


def test_a_stays_value_is_its_mean_and_patients_are_drawn_whole(monkeypatch):
    monkeypatch.setattr(recommendation, "PLAN", {"time": ("ease", recommendation.BEST)})
    names = len(recommendation.AT) * len(recommendation.MEASURES)
    stored, records = {}, []
    for method, seed, value in (
        ("ease", 10, 0.1), ("ease", 11, 0.3), ("fusion", 10, 0.5), ("fusion", 11, 0.5),
        ("fusion", 12, 0.9),  # a seed that the other lacks is not compared
    ):  # fmt: skip
        about = {"protocol": "time", "method": method, "seed": seed}
        name = recommendation.key(about)
        stored[f"{name}/values"] = np.full((3, names), value)
        stored[f"{name}/stays"] = np.array([7, 8, 9])
        records.append(about | {"coverage@5": 0.2, "coverage@10": 0.4})
    patients = pd.Series(["a", "a", "b"], [7, 8, 9])
    summaries, comparisons = recommendation.compare(records, stored, patients)
    ease = next(row for row in summaries if row["method"] == "ease")
    assert ease["ndcg@10"] == [0.2, 0.2, 0.2] and ease["coverage@10"] == 0.4
    found = {(c["against"], c["metric"]): c["difference"] for c in comparisons}
    assert found == {("ease", "ndcg@10"): 0.3, ("ease", "recall@10"): 0.3}


def test_unknown_methods_are_refused(data):
    task = next(recommendation.tasks("time", data, 0))
    with pytest.raises(ValueError, match="method is 'magic'"):
        recommendation.found_by("magic", task, 0)
    with pytest.raises(ValueError, match="method is 'magic'"):
        visits.scores("magic", *[None] * 2, 1.0)


@pytest.fixture(scope="module")
def stays():
    """Visits of the MIMIC demo's practice set."""
    records = load("mimic-iv-demo", source="practice")
    return visit_data.from_prescriptions(records)


def test_visits_are_asked_about_by_models_of_other_patients(stays, monkeypatch):
    seen = []
    true = visits.scores

    def spied(method, train, ask, strength):
        seen.append((set(train.patient), set(ask.patient)))
        return true(method, train, ask, strength)

    monkeypatch.setattr(visits, "scores", spied)
    found, sets = visits.proposals(stays, "copy", 1.0)
    assert len(seen) == 2 * visits.FOLDS
    assert all(not train & ask for train, ask in seen)
    # Copying proposes the drugs of the visit before, whatever the threshold.
    before = stays.before[np.flatnonzero(stays.number > 0)].toarray() > 0
    assert np.array_equal(sets, before) and np.array_equal(found > 0, before)


def test_the_filter_takes_what_a_rule_names_and_counts_it():
    items = pd.Index(["WARFARIN", "IBUPROFEN", "PARACETAMOL"])
    sets = np.array([[True, True, True], [True, False, True]])
    scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
    left, taken = visits.filtered(sets, scores, items, [frozenset()] * 2)
    assert left.tolist() == [[True, False, True], [True, False, True]]
    assert taken == {"removed": 1, "visits_changed": 1}
    assert visits.rate_of(left, items)["interaction_rate"] is None  # rightly zero
    found = visits.rate_of(sets, items)
    assert found == {"interaction_rate": 0.25, "alarm": None}


def test_simulated_interactions_are_as_described():
    made = neighbours.simulated(4000)
    assert made.shape == (4000, neighbours.ITEMS)
    assert made.has_canonical_format and (made.data == 1).all()
    assert np.diff(made.indptr).mean() == pytest.approx(neighbours.BASKET, rel=0.05)
    often = np.asarray(made.sum(axis=0))
    assert often[:10].mean() / often[450:550].mean() == pytest.approx(
        550 / 54.5, rel=0.35
    )


def test_every_method_finds_the_same_neighbours():
    """What is timed is the same work: the libraries' weights agree with ours."""
    pytest.importorskip("implicit")
    made = neighbours.simulated(20_000)
    ours = neighbours.ours(made).weights.toarray()
    theirs = neighbours.implicit(made).similarity.toarray()
    counts = neighbours.scipy_product(made).toarray()
    assert np.allclose(counts, counts.T)
    np.fill_diagonal(theirs, 0)
    # implicit counts an item as its own neighbour, so it has one other fewer.
    both = (ours > 0) & (theirs > 0)
    assert both.sum() >= 0.95 * (theirs > 0).sum()
    assert np.allclose(ours[both], theirs[both], atol=1e-5)
    norms = np.sqrt(np.diag(counts))
    cosine = counts / np.outer(norms, norms)
    assert np.allclose(ours[ours > 0], cosine[ours > 0], atol=1e-5)


def test_committed_recommendation_results_are_whole_and_current():
    document = json.loads((RESULTS / "recommendation.json").read_text())
    found = {(r["protocol"], r["method"], r["seed"]) for r in document["records"]}
    assert found == {
        (protocol, method, seed)
        for protocol, methods in recommendation.PLAN.items()
        for method in methods
        for seed in recommendation.seeds_of(protocol, method)
    }
    assert all(recommendation.is_current(record) for record in document["records"])
    ahead = {
        (c["protocol"], c["method"], c["against"]) for c in document["comparisons"]
    }
    leaders = {
        (protocol, recommendation.leader_of(protocol, method), method)
        for protocol, methods in recommendation.PLAN.items()
        if recommendation.BEST in methods
        for method in methods
    }
    assert ahead == {row for row in leaders if row[1] != row[2]}


def test_committed_recommendation_means_follow_from_the_stored_values():
    from medlib.benchmarks import report

    path = RESULTS / "recommendation.json"
    document = json.loads(path.read_text())
    stored = report.read_arrays(report.scores_path(path))
    for record in document["records"]:
        values = stored[f"{recommendation.key(record)}/values"]
        names = [f"{m}@{k}" for k in recommendation.AT for m in recommendation.MEASURES]
        assert values.shape == (record["stays"], len(names))
        for name, value in zip(names, np.nanmean(values, axis=0), strict=True):
            assert record[name] == pytest.approx(value, abs=2e-5)


@pytest.mark.parametrize(("name", "module"), [("visits", visits),
                                              ("neighbours", neighbours)])  # fmt: skip
def test_committed_results_come_from_the_current_code(name, module):
    from medlib.benchmarks import report

    document = json.loads((RESULTS / f"{name}.json").read_text())
    version = report.code_version(module.MODULES)
    assert {r["code_version"] for r in document["records"]} == {version}
    methods = {r["method"] for r in document["records"]}
    assert methods == set(module.METHODS)


def test_committed_neighbours_stand_at_the_size_that_was_asked_for():
    document = json.loads((RESULTS / "neighbours.json").read_text())
    largest = [r for r in document["records"] if r["patients"] == 1_000_000]
    assert {r["method"] for r in largest} == set(neighbours.METHODS)
    assert all(abs(r["interactions"] - 20e6) < 0.5e6 for r in largest)


def test_joined_parts_keep_their_stays_together(data):
    task = next(recommendation.tasks("time", data, 0))
    whole = recommendation.joined(task.choose, task.tuning)
    assert (whole.complete != task.learn[0].complete).nnz == 0
    assert whole.stays.groups.index.tolist() == (
        task.choose.stays.groups.index.tolist()
        + task.tuning.stays.groups.index.tolist()
    )
    empty = replace(
        task.choose, wanted=sparse.csr_array(task.choose.wanted.shape)
    ).take(np.arange(3))
    assert len(empty.stays) == 3 and empty.wanted.nnz == 0
