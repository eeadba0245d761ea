"""The records benchmark divides no hospital and no patient, and combines as it says."""

import numpy as np
import pandas as pd
import pytest

from medlib.benchmarks import records, report
from medlib.benchmarks.__main__ import RESULTS


def cohort():
    return pd.DataFrame(
        {
            "hospital_id": [1, 1, 2, 3, 3, 4],
            "patient_id": ["a", "b", "b", "c", "d", "e"],  # b was in two hospitals
        }
    )


def test_hospitals_that_share_a_patient_are_one_group():
    groups = records.groups_of(cohort())
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4]
    assert len({groups[0], groups[3], groups[5]}) == 3


def test_folds_divide_no_group_and_hold_every_stay_once():
    rng = np.random.default_rng(0)
    task = records.Task.__new__(records.Task)
    task.groups = rng.integers(0, 30, 400)
    task.died = rng.integers(0, 2, 400)
    rows = np.sort(rng.choice(400, 300, replace=False))
    folds = task.divide(rows, 5, 0)
    assert np.array_equal(np.sort(np.concatenate([f for _, f in folds])), rows)
    for rest, fold in folds:
        assert not set(task.groups[rest]) & set(task.groups[fold])
        assert np.array_equal(np.sort(np.concatenate([rest, fold])), rows)


def test_probabilities_are_combined_by_their_mean_log_odds():
    one, other = np.array([0.5, 0.9, 0.0]), np.array([0.5, 0.5, 0.5])
    # odds 9 and 1: their geometric mean is 3, so the probability 3/4
    assert records.combined([one, other])[:2] == pytest.approx([0.5, 0.75])
    assert 0 < records.combined([one, other])[2] < 0.01


def test_the_calibration_error_is_worked_by_hand():
    died = np.array([0] * 9 + [1] + [1] * 5 + [0] * 5)
    scores = np.array([0.15] * 10 + [0.75] * 10)
    # shares 0.1 and 0.5: gaps 0.05 and 0.25, each over half of the stays
    assert records.calibration_error(died, scores) == pytest.approx(0.15)


def test_only_networks_have_several_seeds():
    assert records.seeds_of("bag_logistic", (0, 1)) == (0,)
    assert records.seeds_of("lstm", (0, 1)) == (0, 1)
    for name, members in records.MEMBERS.items():
        assert list(records.SETTINGS[name]["members"]) == list(members)
        assert not set(members) & set(records.NETWORKS)


RESULTS_FILE = RESULTS / "records.json"


def test_committed_results_come_from_the_current_code():
    stored = report.read(RESULTS_FILE)
    assert stored, "run `python -m medlib.benchmarks records`"
    for record in stored:
        assert records.is_current(record), (record["method"], record["seed"])


def test_stored_scores_belong_to_the_records_and_apache_scores_as_known():
    stored = {(r["method"], r["seed"]): r for r in report.read(RESULTS_FILE)}
    apache = stored[records.BASELINE, 0]
    assert (apache["stays"], apache["deaths"]) == (1683, 139)
    measured = [apache[name] for name in ("auc", "average_precision", "brier")]
    assert measured == pytest.approx([0.862, 0.411, 0.0614], abs=5e-4)
    with np.load(RESULTS / "records_scores.npz", allow_pickle=False) as scores:
        assert set(scores.files) == {f"{method}/{seed}" for method, seed in stored}
        for name in scores.files:
            assert scores[name].shape == (1683,)
            assert ((scores[name] > 0) & (scores[name] < 1)).all()
