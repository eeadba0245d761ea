"""What reasons add sums to the score, and equals what is calculated by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from medlib.models import recommend as rec
from medlib.models.recommend import reasons as why
from medlib.models.recommend.reasons import Reason, explain

# Four patients, three items, and one item that nobody has.
HAND = sparse.csr_array(
    np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]], dtype="f4")
)
EMPTY = sparse.csr_array((1, 4), dtype="f4")
TERMS = np.array([[1, 0, 2], [0, 1, 0], [1, 1, 0], [0, 1, 1]], dtype="f4")
MODELS = {
    "items": rec.ItemNeighbours,
    "items, few, mean": lambda: rec.ItemNeighbours(2, "jaccard", mean=True),
    "items, adjusted": lambda: rec.ItemNeighbours(metric="adjusted"),
    "users": rec.UserNeighbours,
    "users, few": lambda: rec.UserNeighbours(2, "jaccard"),
    "users, adjusted": lambda: rec.UserNeighbours(metric="adjusted"),
    "als": lambda: rec.AlternatingLeastSquares(3, rounds=3, alpha=2.0),
    "ease": lambda: rec.Ease(2.0),
    "content": lambda: rec.Content(TERMS),
}


def basket(*counts):
    return sparse.csr_array(np.array([counts], dtype="f4"))


def adds(reasons):
    return {reason.which: pytest.approx(reason.adds) for reason in reasons}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_what_reasons_add_sums_to_the_score(name, seed):
    rng = np.random.default_rng(seed)
    history = sparse.csr_array(rng.integers(0, 3, (9, 4)) * (rng.random((9, 4)) < 0.5))
    mine = sparse.csr_array(rng.integers(0, 3, (1, 4)) * (rng.random((1, 4)) < 0.6))
    model = MODELS[name]().fit(history)
    scores = model.scores(mine)[0]
    for item in range(4):
        found = model.reasons(mine, item)
        total = sum(reason.adds for reason in found)
        assert total == pytest.approx(scores[item], abs=1e-5)
        sizes = [abs(reason.adds) for reason in found]
        assert sizes == sorted(sizes, reverse=True)
        kinds = {reason.kind for reason in found}
        assert len(kinds) <= 1, "popularity stands alone"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 2.0]))
def test_terms_and_features_sum_to_the_score(seed, weight):
    rng = np.random.default_rng(seed)
    history = sparse.csr_array((rng.random((9, 4)) < 0.4).astype("f4"))
    what = rng.random((10, 3)) * (rng.random((10, 3)) < 0.5)
    model = rec.Content(TERMS, weight).fit(history, what[:9])
    mine = sparse.csr_array((rng.random((1, 4)) < 0.4).astype("f4"))
    scores = model.scores(mine, what[9:])[0]
    for item in range(4):
        found = model.reasons(mine, item, what[9:])
        total = sum(reason.adds for reason in found)
        assert total == pytest.approx(scores[item], abs=1e-5)
        assert all(reason.shared for reason in found if reason.kind == "term")


def test_similar_patients_by_hand():
    model = rec.UserNeighbours(k=2).fit(HAND)
    # As in the scores by hand: patient 3 is the same, patient 2 shares one of two.
    near = 1 / np.sqrt(2)
    found = model.reasons(basket(0, 0, 1, 0), 0)
    assert found == [
        Reason("patient", 2, pytest.approx(near / (1 + near)), (2,)),
        Reason("patient", 3, 0.0, (2,)),
    ]
    # Rows of the fit: patient 0 is like 1, who is the same, and like 2 (1/2).
    found = model.reasons(HAND[[0]], 1, row=0)
    assert adds(found) == {1: 1 / 1.5, 2: 0}
    assert found[0].shared == (0, 1)
    scores = model.scores(HAND, same=True)
    assert sum(reason.adds for reason in found) == pytest.approx(scores[0, 1])


def test_neighbours_without_an_item_leave_popularity():
    model = rec.UserNeighbours(metric="adjusted").fit(
        sparse.csr_array(np.array([[0, 0, 0], [1, 1, 1], [1, 1, 0]], dtype="f4"))
    )
    mine = basket(0, 0, 1)
    total = sum(reason.adds for reason in model.reasons(mine, 0))
    assert total == pytest.approx(model.scores(mine)[0, 0])
    alone = rec.UserNeighbours().fit(HAND)
    assert alone.reasons(basket(0, 0, 0, 1), 0) == [Reason("popularity", 0, 0.75)]


def test_ease_by_hand():
    # Two items, λ = 1: X'X + I = [[4, 2], [2, 3]], inverse [[3, -2], [-2, 4]] / 8, and
    # B12 = -P12 / P22 = 2 / 4, B21 = 2 / 3.
    x = sparse.csr_array(np.array([[1, 1], [1, 1], [1, 0]], dtype="f4"))
    model = rec.Ease(1.0).fit(x)
    assert model.reasons(basket(2, 0), 1) == [Reason("item", 0, pytest.approx(1.0))]
    assert model.reasons(basket(0, 1), 0) == [Reason("item", 1, pytest.approx(2 / 3))]
    # An item that never comes with another speaks against it, once a third joins both.
    x = sparse.csr_array(np.array([[1, 0, 1], [0, 1, 1]] * 9, dtype="f4"))
    found = rec.Ease(1.0).fit(x).reasons(basket(1, 0, 1), 1)
    assert [reason.which for reason in found if reason.adds < 0] == [0]


def test_factors_see_similarities_of_a_dense_closed_form():
    rng = np.random.default_rng(4)
    x = sparse.csr_array(rng.integers(0, 3, (12, 6)) * (rng.random((12, 6)) < 0.5))
    model = rec.AlternatingLeastSquares(2, regularisation=0.3, alpha=1.5).fit(x)
    mine = np.array([2, 0, 1, 0, 0, 1])
    # Hu, Koren and Volinsky, section 5, with every item of the catalogue in C.
    c, y = 1 + 1.5 * mine, model.items
    w = np.linalg.inv(y.T @ np.diag(c) @ y + 0.3 * np.eye(2))
    expected = {j: c[j] * y[3] @ w @ y[j] for j in (0, 2, 5)}
    assert adds(model.reasons(basket(*mine), 3)) == expected


def test_shared_terms_and_features_by_hand():
    patients = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype="f4")
    model = rec.Content(TERMS, weight=0.5).fit(HAND, patients)
    # The basket's profile is (1, 1, 2) and item 3, which is new, is (0, 1, 1): 1 + 2
    # over √6·√2. Item 0 was had by patients (2, 1): 1 / √5, half of it.
    mine = basket(1, 1, 0, 0)
    found = model.reasons(mine, 3, patients[2:3])
    assert found == [
        Reason("term", 2, pytest.approx(2 / np.sqrt(12)), (0,)),
        Reason("term", 1, pytest.approx(1 / np.sqrt(12)), (1,)),
    ]
    found = model.reasons(EMPTY, 0, patients[2:3])
    assert found == [Reason("feature", 1, pytest.approx(0.5 / np.sqrt(5)))]
    # Without basket and features popularity is left, with a basket the terms are.
    assert model.reasons(EMPTY, 0, np.zeros((1, 2))) == [Reason("popularity", 0, 0.75)]
    assert model.reasons(mine, 3, np.zeros((1, 2)))[0].kind == "term"
    with pytest.raises(ValueError, match="patients is needed in fit and in scores"):
        model.reasons(mine, 3)


def test_parts_of_a_blend_by_hand():
    parts = {"a": np.array([[0, 5, 5, 20.0]]), "b": np.array([[1, 3, 2, 0.0]])}
    blend = rec.Blend({"a": 2, "b": 1}, "minmax")
    assert why.of_blend(blend, parts, 1) == [
        Reason("part", "b", 1.0, place=1),
        Reason("part", "a", 0.5, place=2),
    ]
    found = why.of_blend(blend, parts, 1, basket(0, 0, 0, 1))
    assert [reason.place for reason in found] == [1, 1]
    for scale in ("ranks", "minmax"):
        blend = rec.Blend({"a": 2, "b": 1}, scale)
        for item, score in enumerate(blend.scores(parts)[0]):
            total = sum(reason.adds for reason in why.of_blend(blend, parts, item))
            assert total == pytest.approx(score)
    with pytest.raises(ValueError, match="parts has 2 rows"):
        two = {name: np.vstack([part, part]) for name, part in parts.items()}
        why.of_blend(blend, two, 0)
    with pytest.raises(ValueError, match="item is 4"):
        why.of_blend(blend, parts, 4)


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_basket_has_popularity_and_bad_arguments_are_named(name):
    model = MODELS[name]().fit(HAND)
    assert model.reasons(EMPTY, 1) == [Reason("popularity", 1, 0.5)]
    for item in (-1, 4):
        with pytest.raises(ValueError, match=f"item is {item}; one row and an item"):
            model.reasons(basket(1, 0, 0, 0), item)
    with pytest.raises(ValueError, match="basket has 2 rows"):
        model.reasons(HAND[:2], 0)
    with pytest.raises(ValueError, match="basket has 3 columns; 4 are needed"):
        model.reasons(HAND[:1, :3], 0)
    with pytest.raises(ValueError, match="basket holds NaN"):
        model.reasons(basket(np.nan, 0, 0, 0), 0)


def test_popularity_and_rows_that_are_not_there_are_refused():
    assert why.by_popularity(np.array([0.5, 0.25]), 1) == [
        Reason("popularity", 1, 0.25)
    ]
    with pytest.raises(ValueError, match="item is 2; an item from 0 to 1"):
        why.by_popularity(np.array([0.5, 0.25]), 2)
    with pytest.raises(ValueError, match="row is 4; one from 0 to 3"):
        rec.UserNeighbours().fit(HAND).reasons(HAND[[0]], 1, row=4)


NAMES = {"item": ["ab", "cd", "ef", "gh"], "term": ["shock"], "feature": ["sepsis"]}


def test_lines_say_what_adds_how_much():
    found = [
        Reason("term", 0, 0.5, (0, 2)),
        Reason("feature", 0, 0.25),
        Reason("item", 1, -0.125),
    ]
    assert explain(found, NAMES) == [
        "+0.500 because of 'shock', as in ab, ef",
        "+0.250 because of 'sepsis', as in others who had it",
        "-0.125 in spite of cd",
    ]
    assert explain(found, {}, top=1) == [
        "+0.500 because of 'term 0', as in item 0, item 2",
        "+0.125 from 2 more",
    ]
    similar = [
        Reason("patient", 9, 0.5, (0, 3)),
        Reason("patient", 4, 0.25, (3,)),
        Reason("patient", 7, 0.0, (1,)),
    ]
    line = "+0.750 because 2 of 3 similar patients had it; shared: gh, ab"
    assert explain(similar, NAMES) == [line]
    many = [Reason("term", 0, 1.0, (3, 0, 1, 2))]
    line = "+1.000 because of 'shock', as in gh, ab and 2 more"
    assert explain(many, NAMES) == [line]
    assert explain([Reason("popularity", 1, 0.5)], NAMES) == [
        "+0.500 because 50% of all patients had it"
    ]
    assert explain([Reason("popularity", 1, 0.004)], NAMES) == [
        "+0.004 because 0.4% of all patients had it"
    ]
    assert explain([Reason("part", "EASE", 0.5, place=3)], NAMES) == [
        "+0.500 because 'EASE' has it at place 3"
    ]
    assert explain([], NAMES) == ["nothing speaks for it: the score is zero"]
    nobody = [Reason("patient", 4, 0.0)]
    assert explain(nobody, NAMES) == ["+0.000 because 0 of 1 similar patients had it"]


def test_bad_lines_are_refused():
    with pytest.raises(ValueError, match="top is 0"):
        explain([Reason("item", 0, 1.0)], NAMES, top=0)
    with pytest.raises(ValueError, match=r"names\['item'\] has 4 names; item 4 has"):
        explain([Reason("item", 4, 1.0)], NAMES)
