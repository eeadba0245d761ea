"""A ward with known effects, against hand calculation, quadrature and scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from medlib.data.simulate import indication
from medlib.data.simulate.indication import DRUGS, SimulatedWard, make

HELPS, HARMS = ("B", "F"), ("C",)


@pytest.fixture(scope="module")
def ward() -> SimulatedWard:
    return make(patients=120_000, seed=3)


@pytest.fixture(scope="module")
def confounded() -> SimulatedWard:
    """Doctors also see a frailty that nobody wrote down."""
    return make(patients=120_000, seed=3, hidden=1.0)


def _measured(ward: SimulatedWard, *more: np.ndarray) -> np.ndarray:
    decades = (ward.patients["age"] - 65) / 10
    return np.column_stack(
        [ward.patients["severity"], decades, ward.patients["chronic"], *more]
    )


def _weighted(ward: SimulatedWard, drug: str, features: np.ndarray) -> float:
    """Inverse probability weighting with scikit-learn's propensity."""
    given = ward.given[:, ward.drugs.get_loc(drug)] == 1
    model = LogisticRegression(C=1e6).fit(features, given)
    chance = model.predict_proba(features)[:, 1]
    with_drug = np.average(ward.died[given], weights=1 / chance[given])
    without = np.average(ward.died[~given], weights=1 / (1 - chance[~given]))
    return float(with_drug - without)


def _standardised(ward: SimulatedWard, drug: str, features: np.ndarray) -> float:
    """Predict everybody's death with and without the drug, and average."""
    given = ward.given[:, ward.drugs.get_loc(drug)]

    def inputs(treated: np.ndarray | float) -> np.ndarray:
        column = np.broadcast_to(treated, given.shape)
        return np.column_stack([features, column, column * features[:, 0]])

    model = LogisticRegression(C=1e6).fit(inputs(given), ward.died)
    chances = [model.predict_proba(inputs(t))[:, 1].mean() for t in (0.0, 1.0)]
    return float(chances[1] - chances[0])


def _raw(ward: SimulatedWard, drug: str) -> float:
    given = ward.given[:, ward.drugs.get_loc(drug)] == 1
    return float(ward.died[given].mean() - ward.died[~given].mean())


def _true(ward: SimulatedWard, drug: str) -> float:
    return float(ward.effects[ward.drugs.get_loc(drug)])


def _integrated(drug: str) -> tuple[float, float]:
    """Frequency and effect in an endless ward without hidden confounding.

    Sums over the other drugs (32 ways) and integrates severity, age and the two noises
    that only death knows (together one normal variable) by Gauss' rules.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    ages, parts = np.polynomial.legendre.leggauss(6)
    s, a, c, z = (
        grid.ravel()
        for grid in np.meshgrid(points, ages * 2.5, [0, 1], points, indexing="ij")
    )
    probability = np.einsum(
        "i,j,k,l->ijkl", weights, parts / 2, [0.65, 0.35], weights
    ).ravel()
    chance = {
        name: special.expit(d.base + d.severity * s + d.age * a + d.chronic * c)
        for name, d in DRUGS.items()
    }
    logit = -1.9 + (0.9 + 0.5 * 0.6) * s + 0.3 * a + 0.5 * c + np.hypot(0.9, 0.5) * z
    adds = {
        name: d.effect + d.modified * s + 0.5 * d.next_day for name, d in DRUGS.items()
    }
    others = [name for name in DRUGS if name != drug]
    effect = 0.0
    for given in itertools.product((0, 1), repeat=len(others)):
        likely, base = probability.copy(), logit.copy()
        for name, t in zip(others, given, strict=True):
            likely *= chance[name] if t else 1 - chance[name]
            base += t * adds[name]
        effect += likely @ (special.expit(base + adds[drug]) - special.expit(base))
    return float(probability @ chance[drug]), float(effect)


def test_shapes_and_columns() -> None:
    ward = make(patients=50, seed=1)
    assert len(ward) == 50
    assert list(ward.drugs) == list("ABCDEF")
    assert list(ward.patients) == ["severity", "age", "chronic"]
    assert list(ward.later) == ["next_day", "transferred"]
    assert ward.given.shape == ward.propensity.shape == (50, 6)
    assert ward.risks.shape == ward.outcomes.shape == (50, 6, 2)
    assert set(np.unique(ward.given)) == set(np.unique(ward.died)) == {0, 1}
    assert ward.patients["age"].between(40, 90).all()
    assert "50 patients × 6 drugs" in repr(ward)


def test_the_same_seed_gives_the_same_ward_and_another_another() -> None:
    first, again, other = (make(patients=200, seed=seed) for seed in (5, 5, 6))
    for name in ("given", "died", "frailty", "propensity", "risks", "outcomes"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert first.patients.equals(again.patients)
    assert first.later.equals(again.later)
    assert not np.array_equal(first.frailty, other.frailty)


def test_hidden_moves_doctors_and_nothing_else() -> None:
    open_, secret = (make(patients=500, seed=2, hidden=h) for h in (0.0, 1.5))
    assert open_.patients.equals(secret.patients)
    assert np.array_equal(open_.frailty, secret.frailty)
    changed = (open_.propensity != secret.propensity).any(axis=0)
    assert changed.tolist() == [True, True, True, False, True, True]


def test_one_patient_by_hand() -> None:
    ward = make(patients=30, seed=4, hidden=0.5)
    for i in range(30):
        s, age, c = ward.patients.iloc[i]
        a, u, t = (age - 65) / 10, ward.frailty[i], ward.given[i]
        # Drug B, written out.
        logit = -1.0 + 1.5 * s + 0.2 * a + 0.4 * c + 0.5 * 1.0 * u
        assert ward.propensity[i, 1] == pytest.approx(1 / (1 + math.exp(-logit)))
        # The next day's noise is what drug B and severity leave over.
        m = ward.later["next_day"][i]
        noise = m - 0.6 * s + 0.6 * t[1]
        base = -1.9 + 0.9 * s + 0.3 * a + 0.5 * c + 0.9 * u
        base += 0.45 * t[2] + (0.1 - 0.6 * s) * t[4] - 0.6 * t[5]
        for given in (0, 1):
            following = 0.6 * s - 0.6 * given + noise
            logit = base - 0.3 * given + 0.5 * following
            risk = 1 / (1 + math.exp(-logit))
            assert ward.risks[i, 1, given] == pytest.approx(risk)


def test_what_happened_is_one_of_both_outcomes(confounded: SimulatedWard) -> None:
    rows = np.arange(len(confounded))
    for column in range(6):
        shown = confounded.outcomes[rows, column, confounded.given[:, column]]
        assert np.array_equal(shown, confounded.died)
    # A drug without effect changes nobody's outcome.
    for drug in "AD":
        column = confounded.drugs.get_loc(drug)
        assert np.array_equal(
            confounded.outcomes[:, column, 0], confounded.outcomes[:, column, 1]
        )
    sampled = (confounded.outcomes[:, :, 1] - 0.0 - confounded.outcomes[:, :, 0]).mean(
        axis=0
    )
    assert sampled == pytest.approx(confounded.effects, abs=0.004)


@pytest.mark.parametrize("drug", list(DRUGS))
def test_frequency_and_effect_against_integrals(ward: SimulatedWard, drug: str) -> None:
    column = ward.drugs.get_loc(drug)
    frequency, effect = _integrated(drug)
    assert ward.given[:, column].mean() == pytest.approx(frequency, abs=0.006)
    assert ward.effects[column] == pytest.approx(effect, abs=0.001)


def test_known_directions(ward: SimulatedWard) -> None:
    assert all(_true(ward, drug) < -0.05 for drug in HELPS)
    assert all(_true(ward, drug) > 0.05 for drug in HARMS)
    assert _true(ward, "A") == _true(ward, "D") == 0
    sick = ward.patients["severity"].to_numpy() > 0.5
    mild = ward.patients["severity"].to_numpy() < -0.5
    column = ward.drugs.get_loc("E")
    assert ward.effects_among(sick)[column] < -0.05
    assert ward.effects_among(mild)[column] > 0.05
    both = (
        ward.effects_among(sick) * sick.mean()
        + ward.effects_among(~sick) * (~sick).mean()
    )
    assert both == pytest.approx(ward.effects)


def test_raw_outcomes_mislead(ward: SimulatedWard) -> None:
    for drug in HELPS:
        assert _raw(ward, drug) > 0.01, "helps, but looks harmful"
    assert _raw(ward, "C") < -0.01, "harms, but looks helpful"
    assert _raw(ward, "A") > 0.04, "does nothing, but looks harmful"
    # Given to anybody, as in a trial.
    assert _raw(ward, "D") == pytest.approx(_true(ward, "D"), abs=0.01)


@pytest.mark.parametrize("drug", list("ABCDE"))
def test_adjusting_for_what_moved_the_doctors_finds_the_truth(
    ward: SimulatedWard, drug: str
) -> None:
    features = _measured(ward)
    truth = _true(ward, drug)
    assert _weighted(ward, drug, features) == pytest.approx(truth, abs=0.012)
    # The outcome model lacks the frailty, which bends the curve a little.
    assert _standardised(ward, drug, features) == pytest.approx(truth, abs=0.008)


def test_the_error_of_weighting_shrinks_with_the_ward() -> None:
    def error(patients: int) -> float:
        wards = [make(patients=patients, seed=seed) for seed in range(8)]
        return float(
            np.mean(
                [abs(_weighted(w, "A", _measured(w)) - _true(w, "A")) for w in wards]
            )
        )

    assert error(40_000) < error(1_000) / 3


@pytest.mark.parametrize("drug", list("ABCE"))
def test_a_hidden_cause_stays_until_it_is_measured(
    confounded: SimulatedWard, drug: str
) -> None:
    truth = _true(confounded, drug)
    assert abs(_weighted(confounded, drug, _measured(confounded)) - truth) > 0.04
    features = _measured(confounded, confounded.frailty)
    assert _weighted(confounded, drug, features) == pytest.approx(truth, abs=0.012)
    assert _standardised(confounded, drug, features) == pytest.approx(truth, abs=0.008)


def test_weights_by_the_true_propensity_count_everybody(ward: SimulatedWard) -> None:
    overlap = list(map(ward.drugs.get_loc, "ABCDE"))
    given, chance = ward.given[:, overlap], ward.propensity[:, overlap]
    assert (given / chance).mean(axis=0) == pytest.approx(np.ones(5), abs=0.05)
    assert ((1 - given) / (1 - chance)).mean(axis=0) == pytest.approx(
        np.ones(5), abs=0.05
    )


def test_drug_f_has_no_overlap(ward: SimulatedWard) -> None:
    chance = ward.propensity[:, ward.drugs.get_loc("F")]
    assert (chance < 0.01).mean() > 0.4
    treated = ward.given[:, ward.drugs.get_loc("F")] == 1
    weights = 1 / chance[treated]
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert effective < 0.1 * treated.sum()
    assert np.ptp(ward.propensity[:, ward.drugs.get_loc("D")]) == 0


def test_adjusting_for_the_mediator_hides_half_of_drug_b(ward: SimulatedWard) -> None:
    total = _standardised(ward, "B", _measured(ward))
    direct = _standardised(ward, "B", _measured(ward, ward.later["next_day"]))
    assert 0.35 < direct / total < 0.6


def test_adjusting_for_the_collider_makes_an_effect(ward: SimulatedWard) -> None:
    right = _standardised(ward, "A", _measured(ward))
    wrong = _standardised(ward, "A", _measured(ward, ward.later["transferred"]))
    assert abs(right) < 0.008
    assert wrong < -0.03
    # Transfer depends on drug A and frailty, not on death or severity.
    known = np.column_stack([ward.given[:, 0], ward.frailty, _measured(ward)])
    model = LogisticRegression(C=1e6).fit(known, ward.later["transferred"])
    assert model.intercept_[0] == pytest.approx(indication.TRANSFER, abs=0.06)
    assert model.coef_[0] == pytest.approx([2.0, 1.5, 0, 0, 0], abs=0.06)


@pytest.mark.parametrize("patients", [0, -3])
def test_refuses_an_empty_ward(patients: int) -> None:
    with pytest.raises(ValueError, match=f"patients is {patients}"):
        make(patients=patients)


@pytest.mark.parametrize("hidden", [-0.1, math.nan, math.inf])
def test_refuses_an_impossible_strength(hidden: float) -> None:
    with pytest.raises(ValueError, match="hidden is"):
        make(patients=10, hidden=hidden)


def test_effects_among_refuses_what_is_no_mask() -> None:
    ward = make(patients=10)
    with pytest.raises(ValueError, match="boolean mask of the 10 patients"):
        ward.effects_among(np.arange(10))
    with pytest.raises(ValueError, match="boolean mask of the 10 patients"):
        ward.effects_among(np.ones(9, bool))
    with pytest.raises(ValueError, match="selects no patient"):
        ward.effects_among(np.zeros(10, bool))
