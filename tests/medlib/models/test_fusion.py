"""The fusion: evidence by hand, nothing learned from those who are asked about."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from medlib.data import interactions
from medlib.data.simulate.interactions import make
from medlib.evaluation import ranking
from medlib.models import recommend as models
from medlib.models.recommend import fusion
from medlib.models.recommend.fusion import PARTS, Evidence, Fusion, Stays

ITEMS = ["T//a", "T//a|b", "T//a|b|c", "T//a|b|d", "T//e|b"]
FAST = {"rounds": 20, "folds": 3, "negatives": 0.5}


def csr(rows: list[list[int]]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


@pytest.fixture
def evidence() -> Evidence:
    """Four stays in two hospitals; what they had first, and what they then got."""
    baskets = csr([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]])
    targets = csr([[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    groups = pd.DataFrame({"hospital": ["x", "x", "y", None]})
    parts = [p for p in PARTS if p != "content"]
    made = Evidence(ITEMS, parts=parts)
    stays = Stays(baskets, groups, np.array([[50.0], [60], [70], [np.nan]]))
    return made.fit([(stays, targets)], csr((baskets + targets).toarray().tolist()))


def ask(groups: list[str | None], baskets: list[list[int]]) -> Stays:
    numbers = np.full((len(baskets), 1), 40.0)
    return Stays(csr(baskets), pd.DataFrame({"hospital": groups}), numbers)


def test_shares_and_rates_by_hand(evidence: Evidence) -> None:
    found = evidence.of(ask(["x"], [[0, 0, 0, 0, 0]]))
    # 2 of 4 had the first item, 2 the second, 2 the third, 1 the fourth, 1 the fifth.
    shares = np.array([2, 2, 2, 1, 1]) / 4
    assert np.allclose(found["popularity"][0], shares)
    # The second item: three did not have it before, one of them then got it.
    assert found["rate"][0, 1] == pytest.approx((1 + 3 * 0.5) / (3 + 3))
    # Hospital x, two stays: both had the first item, both the second.
    assert found["hospital: share"][0, 0] == pytest.approx((2 + 3 * 0.5) / (2 + 3))
    assert found["hospital: size"][0, 0] == 2
    rate = (1 + 3 * found["rate"][0, 1]) / (1 + 3)
    assert found["hospital: rate"][0, 1] == pytest.approx(rate)


def test_a_new_group_has_the_overall_share(evidence: Evidence) -> None:
    found = evidence.of(ask(["new", None], [[0, 0, 0, 0, 0]] * 2))
    assert np.allclose(found["hospital: share"][0], found["popularity"][0])
    assert np.allclose(found["hospital: rate"][0], found["rate"][0])
    assert found["hospital: size"][:, 0].tolist() == [0, 1]  # missing is a group


def test_hierarchy_by_hand(evidence: Evidence) -> None:
    found = evidence.of(ask(["x"], [[1, 0, 1, 0, 0]]))  # has a and a|b|c
    assert found["depth"][0].tolist() == [1, 2, 3, 3, 2]
    assert found["in basket: same level 1"][0].tolist() == [1, 2, 1, 2, 0]
    assert found["in basket: same level 2"][0].tolist() == [0, 1, 0, 1, 0]
    assert found["in basket: same parent"][0].tolist() == [0, 0, 0, 1, 0]
    assert found["in basket: above"][0].tolist() == [0, 1, 1, 1, 0]
    assert found["in basket: below"][0].tolist() == [1, 1, 0, 0, 0]
    assert found["basket size"][0].tolist() == [2] * 5
    assert found["number 0"][0].tolist() == [40] * 5


def test_strongest_rule_by_hand(evidence: Evidence) -> None:
    found = evidence.of(ask(["x"], [[1, 0, 0, 0, 0]]))
    # Both stays with the first item had the second: 2 / (2 + 5).
    assert found["items: strongest"][0, 1] == pytest.approx(2 / 7)
    empty = evidence.of(ask(["x"], [[0, 0, 0, 0, 0]]))
    assert np.allclose(empty["items: strongest"], empty["popularity"])


def test_recommenders_are_those_of_the_package(evidence: Evidence) -> None:
    stays = ask(["x", "y"], [[1, 0, 0, 0, 0], [0, 0, 1, 1, 0]])
    found = evidence.of(stays)
    complete = csr(evidence.complete.tolist())
    for name, model in (
        ("ease", models.Ease()),
        ("items", models.ItemNeighbours()),
        ("users", models.UserNeighbours()),
    ):
        assert np.allclose(found[name], model.fit(complete).scores(stays.baskets))


def test_content_is_the_summed_cosine() -> None:
    profiles = csr([[1, 0], [0, 1], [1, 0], [0, 0], [0, 1]])
    made = Evidence(ITEMS, profiles, ["content"])
    seen = csr([[1, 1, 0, 0, 0]])
    made.fit([(Stays(seen), csr([[0, 0, 1, 0, 0]]))], seen)
    assert made.of(Stays(seen))["content"][0].tolist() == [0, 0, 1, 0, 1]


@pytest.fixture(scope="module")
def unit():
    """A simulated unit, split by time; train and held-out rows."""
    made = make(stays=500, seed=3)
    split = interactions.split_by_time(made.events, made.cohort, seed=0)
    stays = Stays(
        split.known.matrix,
        made.cohort[["hospital_id", "unit"]],
        made.cohort[["age"]].to_numpy(),
    )
    return made, split, stays


def trained(unit, seed: int = 0, **others) -> Fusion:
    made, split, stays = unit
    rows = np.flatnonzero(split.split != "held_out")
    profiles = interactions.item_content(split.known.items).matrix
    model = Fusion(split.known.items, profiles, seed=seed, **{**FAST, **others})
    examples = [(stays.take(rows), split.later.matrix[rows])]
    patients = made.cohort["patient_id"].to_numpy()[rows]
    return model.fit(examples, split.everything.matrix[rows], patients)


def test_better_than_popularity_and_no_better_than_the_truth(unit) -> None:
    made, split, stays = unit
    rows = split.rows("held_out")
    known, later = split.known.matrix[rows], split.later.matrix[rows]
    scores = trained(unit, rounds=60).scores(stays.take(rows))
    train = split.everything.matrix[split.split != "held_out"]
    popular = models.Popularity().fit(train).scores(known)
    order = made.items.get_indexer(split.known.items)
    best = made.probability[np.ix_(rows, order)]
    fused, common, ideal = (
        np.nanmean(ranking.ndcg(models.recommend(found, known), later, 10))
        for found in (scores, popular, best)
    )
    assert common + 0.05 < fused < ideal


def test_what_is_in_the_basket_is_never_recommended(unit) -> None:
    _, split, stays = unit
    asked = stays.take(split.rows("held_out"))
    scores = trained(unit).scores(asked)
    had = (asked.baskets > 0).toarray()
    assert (scores[had] == -np.inf).all() and np.isfinite(scores[~had]).all()


def test_the_same_seed_gives_the_same_scores(unit) -> None:
    asked = unit[2].take(np.arange(20))
    first, second, other = (trained(unit, seed).scores(asked) for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_evidence_never_comes_from_the_patient(monkeypatch) -> None:
    """An item that one patient alone had is unknown to the parts asked about them."""
    count = 12
    had = np.zeros((count, 5), np.float32)
    had[:, 0] = 1
    wanted = np.zeros((count, 5), np.float32)
    wanted[:, 1] = 1
    wanted[[4, 5], 3] = 1  # two stays of one patient
    patients = np.array([0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11])
    whole = fusion._table

    def spied(evidence, pairs):
        rows = np.flatnonzero(pairs[:, 3])
        shares.extend(evidence["popularity"][rows, 3])
        return whole(evidence, pairs)

    shares: list[float] = []
    monkeypatch.setattr(fusion, "_table", spied)
    model = Fusion(ITEMS, parts=["popularity"], folds=4, rounds=1)
    stays = Stays(csr(had.tolist()))
    model.fit(
        [(stays, csr(wanted.tolist()))], csr((had + wanted).tolist()), patients
    )  # all stays have a target, so all are asked about once
    assert len(shares) == count
    # The fold that holds both stays of the patient sees a share of zero.
    assert np.isclose(min(shares), 0) and max(shares) > 0


def test_several_examples_and_few_negatives(unit) -> None:
    _, split, stays = unit
    rows = np.flatnonzero(split.split != "held_out")
    known = split.everything.take(rows)
    patients = np.arange(len(rows))
    drawn = [interactions.hold_out(known, seed=seed) for seed in (1, 2)]
    about = stays.take(rows)
    examples = [
        (Stays(seen.matrix, about.groups, about.numbers), hidden.matrix)
        for seen, hidden in drawn
    ]
    model = Fusion(known.items, parts=["popularity", "groups", "ease"], **FAST)
    scores = model.fit(examples, known.matrix, patients).scores(examples[0][0])
    found = ranking.ndcg(models.recommend(scores), drawn[0][1].matrix, 10)
    popular = models.Popularity().fit(known.matrix).scores(drawn[0][0].matrix)
    common = models.recommend(popular, drawn[0][0].matrix)
    assert np.nanmean(found) > np.nanmean(ranking.ndcg(common, drawn[0][1].matrix, 10))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"parts": ["magic"]}, "magic"),
        ({"parts": []}, "empty"),
        ({"parts": ["content"]}, "profiles"),
        ({"parts": ["popularity"], "folds": 1}, "folds is 1"),
        ({"parts": ["popularity"], "rounds": 0}, "rounds is 0"),
        ({"parts": ["popularity"], "learning_rate": 0}, "learning_rate is 0"),
        ({"parts": ["popularity"], "negatives": 0}, "negatives is 0"),
        ({"profiles": csr([[1.0]])}, "1 rows for 5 items"),
    ],
)
def test_wrong_settings_are_refused(what: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fusion(ITEMS, **what)


def test_wrong_data_are_refused() -> None:
    seen, wanted = csr([[1, 0, 0, 0, 0]] * 4), csr([[0, 1, 0, 0, 0]] * 4)
    model = Fusion(ITEMS, parts=["popularity"], folds=2, rounds=1)
    who = np.arange(4)
    with pytest.raises(ValueError, match="nothing to learn"):
        model.fit([(Stays(seen), csr([[0] * 5] * 4))], seen, who)
    with pytest.raises(ValueError, match="one is needed"):
        model.fit([(Stays(seen), csr([[0, 1, 0, 0, 0]]))], seen, who)
    with pytest.raises(ValueError, match="2 folds need as many"):
        model.fit([(Stays(seen), wanted)], seen, np.zeros(4))
    with pytest.raises(ValueError, match=r"shape \(3,\) for 4 stays"):
        model.fit([(Stays(seen), wanted)], seen, np.arange(3))
    with pytest.raises(ValueError, match="examples is empty"):
        model.fit([], seen, who)
    with pytest.raises(ValueError, match="groups has the shape"):
        Stays(seen, pd.DataFrame({"hospital": ["x"]}))
    model.fit([(Stays(seen), wanted)], csr([[1, 1, 0, 0, 0]] * 4), who)
    with pytest.raises(ValueError, match="3 columns; 5 are"):
        model.scores(Stays(csr([[1, 0, 0]])))


def test_nobody_is_asked_about() -> None:
    seen, wanted = csr([[1, 0, 0, 0, 0]] * 4), csr([[0, 1, 0, 0, 0]] * 4)
    model = Fusion(ITEMS, parts=["popularity", "items"], folds=2, rounds=1)
    model.fit([(Stays(seen), wanted)], csr([[1, 1, 0, 0, 0]] * 4), np.arange(4))
    nobody = sparse.csr_array((0, 5), dtype=np.float32)
    assert model.scores(Stays(nobody)).shape == (0, 5)
    everything = Stays(csr([[1] * 5]))
    assert (model.scores(everything) == -np.inf).all()
