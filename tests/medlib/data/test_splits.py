"""Splits never part what belongs together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlib.data import splits

GROUPS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6), st.booleans()),
    min_size=1,
    max_size=80,
)


@settings(deadline=None)
@given(GROUPS)
def test_tied_cases_are_those_that_a_path_joins(rows):
    patient, hospital, _ = (np.array(column) for column in zip(*rows, strict=True))
    found = splits.tied(patient, hospital)
    reached = np.eye(len(rows), dtype=bool)
    step = (patient[:, None] == patient) | (hospital[:, None] == hospital)
    for _ in rows:  # the longest path has fewer steps than there are cases
        reached = reached @ step
    assert np.array_equal(found[:, None] == found, reached)


@settings(deadline=None)
@given(GROUPS, st.integers(2, 4), st.integers(0, 5))
def test_folds_never_part_a_patient_or_a_hospital(rows, count, seed):
    patient, hospital, label = (np.array(column) for column in zip(*rows, strict=True))
    groups = len(np.unique(splits.tied(patient, hospital)))
    if min(groups, max(np.sum(label), np.sum(~label))) < count:
        with pytest.raises(ValueError, match="cannot make"):
            splits.folds(label, patient, hospital, count=count, seed=seed)
        return
    fold = splits.folds(label, patient, hospital, count=count, seed=seed)
    assert set(fold) <= set(range(count)) and len(fold) == len(rows)
    for group in (patient, hospital):
        for name in np.unique(group):
            assert len(set(fold[group == name])) == 1


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 20))
def test_meds_splits_have_about_the_parts_asked_for(seed):
    rng = np.random.default_rng(seed)
    patient, label = rng.integers(0, 700, 1000), rng.random(1000) < 0.1
    split = splits.assign(label, patient, seed=seed)
    assert set(split) == {"train", "tuning", "held_out"}
    for name, part in zip(splits.NAMES, (0.7, 0.1, 0.2), strict=True):
        chosen = split == name
        assert abs(chosen.mean() - part) < 0.03
        assert abs(label[chosen].mean() - label.mean()) < 0.06
        assert not set(patient[chosen]) & set(patient[~chosen])
    assert np.array_equal(split, splits.assign(label, patient, seed=seed))


def test_a_split_that_parts_a_patient_is_refused():
    with pytest.raises(ValueError, match="'b' is in held_out and train"):
        splits.check(["train", "train", "held_out"], ["a", "b", "b"])
    splits.check(["train", "train", "held_out"], ["a", "a", "b"])
    splits.check([], [])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: splits.tied(), "at least one group"),
        (lambda: splits.tied([1, 2], [1]), "have the shapes"),
        (lambda: splits.tied(["a", None]), "has no group"),
        (lambda: splits.tied([1.0, np.nan]), "has no group"),
        (lambda: splits.folds([0], [1, 2]), "1 labels for 2 cases"),
        (lambda: splits.folds([0, 1], [1, 2], count=1), "at least 2 folds"),
        (lambda: splits.assign([0, 1], [1, 2], parts=(0, 1, 1)), "train at least 1"),
        (lambda: splits.check([0, 1], [1]), "1 groups for 2 cases"),
    ],
)
def test_odd_arguments_are_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
