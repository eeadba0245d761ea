"""Intervals over whole groups, beside the ordinary bootstrap and a known answer."""

import numpy as np
import pytest

from medlib.evaluation import metrics
from medlib.evaluation.grouped import grouped_bootstrap


def mean_score(_, scores):
    return float(scores.mean())


def test_groups_of_one_give_the_standard_error_of_a_mean():
    rng = np.random.default_rng(0)
    scores, labels = rng.random(400), np.zeros(400, int)
    found = grouped_bootstrap(
        mean_score, labels, scores, np.arange(400), n_resamples=2000
    )
    half = 1.96 * scores.std(ddof=1) / 20
    assert found.estimate == pytest.approx(scores.mean())
    assert found.high - found.estimate == pytest.approx(half, rel=0.15)
    assert found.estimate - found.low == pytest.approx(half, rel=0.15)


def test_copies_of_patients_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    scores, labels = rng.random(100), np.zeros(500, int)
    copies, patients = np.tile(scores, 5), np.tile(np.arange(100), 5)
    by_patient = grouped_bootstrap(mean_score, labels, copies, patients)
    by_row = grouped_bootstrap(mean_score, labels, copies, np.arange(500))
    # Five copies of each patient hold no news: the width is that of 100 cases.
    ratio = (by_patient.high - by_patient.low) / (by_row.high - by_row.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.2)


def test_the_difference_is_paired():
    rng = np.random.default_rng(2)
    labels = np.arange(200) % 2
    scores = np.clip(0.3 * labels + rng.random(200) * 0.7, 0, 1)
    groups = rng.integers(0, 50, 200)
    same = grouped_bootstrap(metrics.auc, labels, scores, groups, scores)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    worse = grouped_bootstrap(metrics.auc, labels, scores, groups, rng.random(200))
    assert worse.estimate > 0


def test_the_same_seed_gives_the_same_interval():
    labels, scores = np.arange(50) % 2, np.linspace(0, 1, 50)
    groups = np.repeat(np.arange(10), 5)
    one, other = (
        grouped_bootstrap(mean_score, labels, scores, groups, seed=4) for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"groups": np.zeros(6, int)}, "a single group"),
        ({"groups": np.arange(5)}, "groups 5"),
        ({"n_resamples": 0}, "n_resamples is 0"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"scores_b": np.zeros(3)}, "all must be as many"),
    ],
)
def test_bad_arguments_are_named(changes, complaint):
    arguments = {
        "metric": mean_score, "labels": np.arange(6) % 2, "scores_a": np.zeros(6),
        "groups": np.arange(6),
    }  # fmt: skip
    with pytest.raises(ValueError, match=complaint):
        grouped_bootstrap(**(arguments | changes))
