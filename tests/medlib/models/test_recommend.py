"""Recommenders agree with scikit-learn, implicit, closed forms and hand calculation."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import cosine_similarity

from medlib import runtime
from medlib.models import recommend as rec
from medlib.models.recommend import neighbours
from medlib.models.recommend.reasons import Reason

# Four patients, three items, and one item that nobody has.
HAND = sparse.csr_array(
    np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]], dtype="f4")
)
EMPTY = sparse.csr_array((1, 4), dtype="f4")


def random_interactions(patients=60, items=20, density=0.2, seed=0, counts=False):
    rng = np.random.default_rng(seed)
    there = rng.random((patients, items)) < density
    size = rng.integers(1, 5, there.shape) if counts else 1
    return sparse.csr_array((there * size).astype("f4"))


@pytest.mark.parametrize("counts", [False, True])
def test_similarities_equal_scikit_learns(counts):
    x = random_interactions(counts=counts)
    others = random_interactions(30, seed=1, counts=counts)
    for rows, columns in ((x, others), (x.T.tocsr(), x.T.tocsr())):
        a, b = rows.toarray(), columns.toarray()
        found = rec.similarity(rows, columns)
        assert np.allclose(found, cosine_similarity(a, b), atol=1e-6)
        jaccard = 1 - pairwise_distances(a > 0, b > 0, metric="jaccard")
        assert np.allclose(rec.similarity(rows, columns, metric="jaccard"), jaccard)
        mean = b.mean(axis=0)
        adjusted = cosine_similarity(a - mean, b - mean)
        found = rec.similarity(rows, columns, metric="adjusted")
        assert np.allclose(found, adjusted, atol=1e-5)


def test_similarities_by_hand():
    items = sparse.csr_array(HAND.T)
    cosine = rec.similarity(items)
    assert cosine[0, 1] == pytest.approx(2 / np.sqrt(3 * 2))
    assert cosine[0, 2] == pytest.approx(1 / np.sqrt(3 * 2))
    assert not cosine[3].any()
    jaccard = rec.similarity(items, metric="jaccard")
    assert jaccard[0].tolist() == pytest.approx([1, 2 / 3, 1 / 4, 0])
    same = sparse.csr_array(np.ones((3, 2), dtype="f4"))
    assert not rec.similarity(same, metric="adjusted").any()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_nearest_keeps_the_first_k_of_a_stable_sort(k, seed):
    values = np.random.default_rng(seed).integers(-1, 4, (5, 7)) / 4
    expected = np.zeros_like(values)
    for row, kept in zip(values, expected, strict=True):
        order = sorted(range(7), key=lambda j: (-row[j], j))[:k]
        kept[order] = np.maximum(row[order], 0)
    assert np.array_equal(rec.nearest(values, k).toarray(), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_co_occurrences_equal_the_matrix_product(threads, monkeypatch):
    x = random_interactions(counts=True)
    x = sparse.csr_array(sparse.vstack([x, sparse.csr_array((5, 20), dtype="f4")]))
    there = (x.toarray() > 0).astype(int)
    assert np.array_equal(rec.co_occurrence(x, threads), there.T @ there)
    monkeypatch.setattr(neighbours, "numba", None)
    assert np.array_equal(rec.co_occurrence(x, threads), there.T @ there)


def test_item_neighbours_by_hand():
    model = rec.ItemNeighbours(k=1, metric="jaccard").fit(HAND)
    # Neighbours: 0 → 1 (2/3), 1 → 0 (2/3), 2 → 0 (1/4), 3 → none.
    basket = sparse.csr_array(np.array([[1, 0, 0, 0]], dtype="f4"))
    assert model.scores(basket)[0].tolist() == pytest.approx([0, 2 / 3, 1 / 4, 0])
    assert model.reasons(basket, 1) == [Reason("item", 0, pytest.approx(2 / 3))]
    assert model.reasons(basket, 3) == []
    mean = rec.ItemNeighbours(k=2, metric="jaccard", mean=True).fit(HAND)
    # Item 0: (2/3 · x1 + 1/4 · x2) / (2/3 + 1/4).
    basket = sparse.csr_array(np.array([[0, 1, 0, 0]], dtype="f4"))
    assert mean.scores(basket)[0, 0] == pytest.approx((2 / 3) / (11 / 12))


def test_item_neighbours_of_counts_and_of_ones_follow_one_definition():
    for x in (random_interactions(), random_interactions(counts=True)):
        model = rec.ItemNeighbours(k=5).fit(x)
        alike = cosine_similarity(x.T.toarray())
        np.fill_diagonal(alike, 0)
        weights = rec.nearest(np.round(alike, 6), 5)
        assert np.allclose(model.weights.toarray(), weights.toarray(), atol=2e-6)
        full = np.diff(x.indptr) > 0  # an empty basket is scored by popularity
        expected = x @ weights.toarray().T
        assert np.allclose(model.scores(x)[full], expected[full], atol=1e-4)


def test_item_neighbours_equal_those_of_implicit():
    implicit = pytest.importorskip("implicit.nearest_neighbours")
    x = random_interactions(200, 30)
    theirs = implicit.CosineRecommender(K=30, num_threads=1)
    theirs.fit(sparse.csr_matrix(x), show_progress=False)
    expected = theirs.similarity.toarray()
    np.fill_diagonal(expected, 0)
    ours = rec.ItemNeighbours(k=30).fit(x).weights.toarray()
    assert np.allclose(ours, expected, atol=1e-6)


def test_user_neighbours_by_hand():
    model = rec.UserNeighbours(k=2).fit(HAND)
    basket = sparse.csr_array(np.array([[0, 0, 1, 0]], dtype="f4"))
    # Patient 3 is the same (1), patient 2 shares one of two (1/√2).
    near = 1 / np.sqrt(2)
    expected = [near / (1 + near), 0, 1, 0]
    assert model.scores(basket)[0].tolist() == pytest.approx(expected)
    others = model.neighbours(HAND, same=True).toarray()
    assert not np.diag(others).any() and others[0, 1] == pytest.approx(1)


MODELS = {
    "popularity": rec.Popularity,
    "items": rec.ItemNeighbours,
    "adjusted": lambda: rec.ItemNeighbours(metric="adjusted"),
    "users": rec.UserNeighbours,
    "users, adjusted": lambda: rec.UserNeighbours(metric="adjusted"),
    "als": lambda: rec.AlternatingLeastSquares(3, rounds=2),
    "ease": rec.Ease,
    "content": lambda: rec.Content(np.eye(4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_edge_cases_of_every_model(name):
    model = MODELS[name]().fit(HAND)
    assert model.scores(EMPTY)[0].tolist() == pytest.approx([0.75, 0.5, 0.5, 0])
    assert model.scores(EMPTY[:0]).shape == (0, 4)
    assert model.scores(HAND).dtype == np.float32
    parts = np.vstack([model.scores(HAND[[i]]) for i in range(4)])
    assert np.allclose(model.scores(HAND), parts, atol=1e-6)
    for few in (HAND[:1], EMPTY):  # one patient; nothing at all
        assert np.isfinite(MODELS[name]().fit(few).scores(HAND)).all()
    with pytest.raises(ValueError, match="interactions has shape"):
        MODELS[name]().fit(EMPTY[:0])
    with pytest.raises(ValueError, match="baskets has 3 columns; 4 are needed"):
        model.scores(HAND[:, :3])
    for value, words in ((np.nan, "NaN"), (-1, "negative")):
        bad = HAND.copy()
        bad.data[0] = value
        with pytest.raises(ValueError, match=f"interactions holds.*{words}"):
            MODELS[name]().fit(bad)


def test_duplicates_are_added_up_and_the_argument_is_left_alone():
    doubled = sparse.csr_array(
        (np.ones(3, "f4"), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 4)
    )
    copy = rec.Copy().fit(HAND)
    assert copy.scores(doubled).tolist() == [[1, 0, 2, 0]]
    assert doubled.indices.tolist() == [2, 0, 2]


def test_popularity_of_units():
    model = rec.UnitPopularity(prior=0).fit(HAND, np.array(["a", "a", "b", "b"]))
    found = model.scores(HAND[:3], np.array(["a", "b", "new"]))
    assert found.tolist() == [[1, 1, 0, 0], [0.5, 0, 1, 0], [0.75, 0.5, 0.5, 0]]
    pulled = rec.UnitPopularity(prior=2).fit(HAND, np.array(list("aabb")))
    assert pulled.scores(EMPTY, ["a"])[0, 0] == pytest.approx((2 + 2 * 0.75) / 4)
    with pytest.raises(ValueError, match="units has shape"):
        model.scores(HAND, np.array(["a"]))


def test_lists_leave_out_what_is_known_and_break_ties_by_index():
    scores = np.array([[1.0, 3, 3, 2], [0, 0, 0, -np.inf], [1, 1, 1, 1]])
    known = sparse.csr_array(np.array([[0, 1, 0, 0], [0] * 4, [1] * 4]))
    assert rec.recommend(scores, known, 2).tolist() == [[2, 3], [0, 1], [-1, -1]]
    assert rec.recommend(scores, known, 5)[0].tolist() == [2, 3, 0, -1, -1]
    assert rec.recommend(scores)[1].tolist() == [0, 1, 2] + [-1] * 7
    with pytest.raises(ValueError, match="NaN"):
        rec.recommend(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="known has 1 rows"):
        rec.recommend(scores, EMPTY)
    with pytest.raises(ValueError, match="n is 0"):
        rec.recommend(scores, n=0)


def test_a_half_step_equals_the_dense_closed_form():
    x = random_interactions(counts=True)
    y = np.random.default_rng(1).normal(size=(20, 4))
    found = rec.solve_factors(x, y, regularisation=0.3, alpha=2.0)
    for row, expected in zip(x.toarray(), found, strict=True):
        c = np.diag(1 + 2.0 * row)
        left = y.T @ c @ y + 0.3 * np.eye(4)
        assert np.allclose(np.linalg.solve(left, y.T @ c @ (row > 0)), expected)


def test_factors_equal_those_of_implicit_and_the_objective_falls():
    als = pytest.importorskip("implicit.cpu.als")
    x = random_interactions(counts=True)
    start = np.random.default_rng(3).normal(0, 0.1, (20, 4))
    theirs = als.AlternatingLeastSquares(
        4, 0.5, dtype=np.float64, use_cg=False, iterations=6, num_threads=1
    )
    theirs.item_factors = start.copy()
    theirs.user_factors = np.zeros((60, 4))
    # There a value is the confidence itself.
    confidence = sparse.csr_matrix(x)
    confidence.data = 1 + 2 * confidence.data
    theirs.fit(confidence, show_progress=False)
    how = {"regularisation": 0.5, "alpha": 2.0}
    ours = rec.AlternatingLeastSquares(4, rounds=6, **how).fit(x, start)
    assert np.allclose(ours.items, theirs.item_factors, atol=1e-4)
    assert np.allclose(ours.patients, theirs.user_factors, atol=1e-4)
    dense, guesses = x.toarray(), ours.patients @ ours.items.T
    by_hand = np.sum((1 + 2 * dense) * ((dense > 0) - guesses) ** 2)
    by_hand += 0.5 * (np.sum(ours.patients**2) + np.sum(ours.items**2))
    assert ours.objective(x) == pytest.approx(by_hand)
    once = rec.AlternatingLeastSquares(4, rounds=1, **how).fit(x, start)
    assert ours.objective(x) < once.objective(x)


def test_ease_is_the_minimum_that_an_optimiser_finds():
    x = random_interactions(30, 5, 0.4)
    dense, free = x.toarray().astype(float), ~np.eye(5, dtype=bool)

    def loss(values):
        b = np.zeros((5, 5))
        b[free] = values
        error = dense @ b - dense
        slope = 2 * (dense.T @ error + 3.0 * b)
        return np.sum(error**2) + 3.0 * np.sum(b**2), slope[free]

    found = optimize.minimize(loss, np.zeros(20), jac=True, tol=1e-12)
    weights = rec.Ease(3.0).fit(x).weights
    assert np.allclose(weights[free], found.x, atol=1e-5)
    assert not np.diag(weights).any()


def test_content_reaches_new_items_and_new_patients():
    profiles = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], dtype="f4")
    patients = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype="f4")
    model = rec.Content(profiles, weight=0.5).fit(HAND, patients)
    basket = sparse.csr_array(np.array([[0, 1, 0, 0]], dtype="f4"))
    none = np.zeros((1, 2))
    alike = [0, 1, 1 / np.sqrt(2), 1]  # the last item is new
    assert model.scores(basket, none)[0].tolist() == pytest.approx(alike)
    own = model.scores(EMPTY, np.array([[0, 1]]))[0]
    # Item 0 was had by patients (1, 0), (1, 0) and (0, 1): (2, 1).
    assert own.tolist() == pytest.approx([0.5 / np.sqrt(5), 0, 0.5, 0])
    with pytest.raises(ValueError, match="patients is needed in fit and in scores"):
        model.scores(basket)
    with pytest.raises(ValueError, match="patients has 1 rows"):
        model.scores(HAND, none)


def test_blends_by_hand():
    parts = {"a": np.array([[0, 5, 5, 20.0]]), "b": np.array([[1, 1, 1, 1.0]])}
    ranks = rec.Blend({"a": 2, "b": 1}).scores(parts)
    assert ranks[0].tolist() == pytest.approx([0, 1, 1, 2])
    spread = rec.Blend({"a": 2, "b": 1}, "minmax").scores(parts)
    assert spread[0].tolist() == pytest.approx([0, 0.5, 0.5, 2])
    with pytest.raises(ValueError, match="parts names a; a, b are needed"):
        rec.Blend({"a": 2, "b": 1}).scores({"a": parts["a"]})
    with pytest.raises(ValueError, match="weights"):
        rec.Blend({"a": 0})
    with pytest.raises(ValueError, match=r"parts\['a'\] holds NaN"):
        rec.Blend({"a": 1}).scores({"a": np.array([[np.nan]])})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rec.ItemNeighbours(0), "k is 0"),
        (lambda: rec.UserNeighbours(metric="dice"), "metric is 'dice'"),
        (lambda: rec.AlternatingLeastSquares(0), "factors is 0"),
        (lambda: rec.AlternatingLeastSquares(alpha=0), "alpha is 0"),
        (lambda: rec.Ease(-1), "regularisation is -1"),
        (lambda: rec.UnitPopularity(-1), "prior is -1"),
        (lambda: rec.co_occurrence(HAND, 0), "threads is 0"),
        (lambda: rec.nearest(np.full((2, 2), np.nan), 1), "similarities holds NaN"),
        (lambda: rec.Popularity().fit(np.ones(3)), "interactions has 1 dimensions"),
        (lambda: rec.two_tower(0, np.eye(2)), "patient_features is 0"),
        (lambda: rec.two_tower(1, np.ones(2)), "item_features has shape"),
    ],
)
def test_bad_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def tower_data(count=400, seed=0):
    """Return patients whose one feature says which half of six items they get."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, count)
    patients = np.stack([side, 1 - side], axis=1).astype("f4")
    wanted = np.zeros((count, 6), dtype="f4")
    wanted[np.arange(count), 3 * side + rng.integers(0, 3, count)] = 1
    return patients, sparse.csr_array((count, 6), dtype="f4"), sparse.csr_array(wanted)


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_two_towers_learn_what_a_feature_tells(loss):
    runtime.seed_everything(0)
    model = rec.two_tower(2, np.eye(6), size=4, hidden=8)
    losses = rec.fit(
        model,
        tower_data(),
        tower_data(200, 1),
        loss=loss,
        epochs=12,
        learning_rate=0.05,
    )
    assert len(losses) == 12
    patients, baskets, _ = tower_data(50, 2)
    lists = rec.recommend(rec.predict(model, patients, baskets), n=3)
    assert np.array_equal(lists // 3, np.tile(patients[:, :1], 3))
    if loss == "softmax":  # three items are equally likely
        assert min(losses) == pytest.approx(np.log(3), abs=0.05)
    kept = model.evaluate(
        {"patient": tower_data(200, 1)[0], "basket": np.zeros((200, 6))},
        tower_data(200, 1)[2].toarray(),
        verbose=0,
    )
    assert kept == pytest.approx(min(losses), rel=1e-3)


def test_two_towers_can_be_saved_and_have_the_parameters_counted_by_hand(tmp_path):
    model = rec.two_tower(2, np.eye(6, 5), size=4, hidden=8)
    by_hand = (8 * 8 + 8) + (8 * 4 + 4) + (5 * 4 + 4) + 6 * 4 + 6
    assert model.count_params() == by_hand
    model.save(tmp_path / "towers.keras")
    again = keras.saving.load_model(tmp_path / "towers.keras")
    patients, baskets, _ = tower_data(5)
    first, second = (rec.predict(m, patients, baskets) for m in (model, again))
    assert np.allclose(first, second)
    assert rec.predict(model, patients[:0], baskets[:0]).shape == (0, 6)
    with pytest.raises(ValueError, match="train has no patient with a target"):
        rec.fit(model, (patients, baskets, baskets), tower_data(5))


def backend_scores():
    """Return the backend and a model's scores; the weights never depend on it."""
    rng = np.random.default_rng(0)
    model = rec.two_tower(3, rng.normal(size=(7, 5)))
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    patients = rng.normal(size=(9, 3))
    baskets = sparse.csr_array((rng.random((9, 7)) < 0.4).astype("f4"))
    scores = rec.predict(model, patients, baskets).tolist()
    data = (patients, baskets, baskets)
    assert np.isfinite(rec.fit(model, data, data, epochs=1)).all()
    return keras.backend.backend(), scores


BACKEND_SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_recommend
print(json.dumps(test_recommend.backend_scores()))
"""


def test_both_backends_give_the_same_scores_for_the_same_weights_and_train(on_backend):
    pytest.importorskip("jax")
    here, expected = backend_scores()
    other = "tensorflow" if here == "jax" else "jax"
    scores = on_backend(other, BACKEND_SCRIPT, str(Path(__file__).parent))
    assert np.ptp(expected) > 0.1
    assert np.allclose(scores, expected, atol=1e-4)


def test_later_popularity_by_hand():
    baskets = sparse.csr_array(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]], "f4"))
    later = sparse.csr_array(np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], "f4"))
    model = rec.LaterPopularity().fit(baskets, later)
    # Item 0: one of the one without it; item 1: one of three; item 2: one of two.
    assert np.allclose(model.shares, [1, 1 / 3, 1 / 2])
    assert np.allclose(model.scores(baskets[[0]]), [[1, 1 / 3, 1 / 2]])
    everybody = sparse.csr_array(np.ones((2, 3), "f4"))
    nothing = sparse.csr_array((2, 3), dtype="f4")
    assert not rec.LaterPopularity().fit(everybody, nothing).shares.any()
    with pytest.raises(ValueError, match="patient 0 has item 0"):
        rec.LaterPopularity().fit(baskets, baskets)
    with pytest.raises(ValueError, match=r"baskets has \(3, 3\), later \(2, 3\)"):
        rec.LaterPopularity().fit(baskets, nothing)
