r"""A ward in which doctors choose drugs by severity, with known effects on death.

Patient :math:`i` has a measured severity :math:`s` (standardised, such as an organ
failure score at admission), an age in decades from 65 years :math:`a` and a chronic
disease :math:`c` (0 or 1), and an unmeasured frailty :math:`u`. Doctors give drug
:math:`j` with the probability

.. math::
    \operatorname{logit} P(t_j = 1) =
    \alpha_j + \alpha^s_j s + \alpha^a_j a + \alpha^c_j c + h\, \alpha^u_j u ,

each drug for itself, so that a patient has none to six. With :math:`h = 0` all that
moved the doctors is measured. The organ function on the next day is :math:`m = \mu s +
\delta^\top t + \varepsilon`. The patient dies within 30 days with the probability

.. math::
    \operatorname{logit} P(y = 1) = \beta_0 + \beta_s s + \beta_a a + \beta_c c
    + \beta_u u + \beta_m m + \sum_j (\theta_j + \gamma_j s)\, t_j .

Severity, frailty and :math:`\varepsilon` are standard normal, age is uniform from 40 to
90 years, and all are independent.

A drug's effect is what it changes while all other drugs stay as given. Each patient has
one number :math:`v`, uniform from 0 to 1, and dies with whatever drugs make the
probability exceed :math:`v`; so both outcomes of each drug are known, of which a real
ward would show one (potential outcomes: Rubin 1974, doi:10.1037/h0037350). That one
:math:`v` serves for both is a convention on which no average depends.

Two variables come after the drugs and must not be adjusted for. ``next_day`` is
:math:`m`, on the way from drug to death (a mediator). ``transferred`` (to intensive
care) is a consequence of a drug and of frailty (a collider) and has itself no
consequence.

Nothing here says anything about a real drug: the names are letters, the numbers made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd


class Drug(NamedTuple):
    """What moves doctors to give a drug, and what it does; all on the logit scale."""

    base: float  # how often it is given
    severity: float  # more of it by severity, per standard deviation
    age: float  # by age, per decade
    chronic: float  # with a chronic disease
    frailty: float  # by frailty, per standard deviation, times ``hidden``
    effect: float  # on death, at mean severity, not through the next day
    modified: float  # change of that effect per standard deviation of severity
    next_day: float  # on the next day's organ function (higher is worse)


DRUGS: dict[str, Drug] = {
    # Does nothing, given to the sick; leads to transfer.
    "A": Drug(-0.9, 1.0, 0.1, 0.2, 0.9, 0.0, 0.0, 0.0),
    # Helps, half of it through the next day; given to the sick.
    "B": Drug(-1.0, 1.5, 0.2, 0.4, 1.0, -0.3, 0.0, -0.6),
    # Harms, given to those who are not very sick.
    "C": Drug(0.6, -1.3, -0.2, -0.4, -0.8, 0.45, 0.0, 0.0),
    # Does nothing, given to most whatever they have.
    "D": Drug(1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    # Helps the sick, harms the others.
    "E": Drug(0.2, 0.6, 0.0, 0.3, 0.6, 0.1, -0.6, 0.0),
    # Helps, given to nobody but the sickest: no overlap.
    "F": Drug(-5.0, 3.5, 0.0, 0.0, 0.7, -0.6, 0.0, 0.0),
}

# Of death: intercept; per standard deviation, decade, disease, standard deviation.
INTERCEPT, SEVERITY, AGE, CHRONIC, FRAILTY = -1.9, 0.9, 0.3, 0.5, 0.9
NEXT_DAY = 0.5  # of death, per standard deviation of noise of the next day
PERSISTS = 0.6  # next day's organ function per standard deviation of severity
YOUNGEST, OLDEST, MIDDLE = 40.0, 90.0, 65.0  # years
SHARE_CHRONIC = 0.35
# Transfer: intercept, drug A, and per standard deviation of frailty.
TRANSFER, TRANSFER_A, TRANSFER_FRAILTY = -1.5, 2.0, 1.5


@dataclass(frozen=True, eq=False)
class SimulatedWard:
    """Patients, their drugs and outcomes, and what no real ward would know.

    Attributes
    ----------
    patients : DataFrame
        Measured before any drug: ``severity`` (standard deviations), ``age`` (years),
        ``chronic`` (0 or 1).
    later : DataFrame
        Measured after: ``next_day`` (a mediator of drug B; higher is worse) and
        ``transferred`` (0 or 1; a collider of drug A and frailty).
    drugs : Index of str, shape (m,)
        The names of the columns below.
    given : ndarray of int8, shape (n, m)
        1 where a patient got a drug.
    died : ndarray of int8, shape (n,)
        1 for death within 30 days.
    frailty : ndarray of float64, shape (n,)
        Truth: in standard deviations.
    propensity : ndarray of float64, shape (n, m)
        Truth: the probability that the doctors give a drug.
    risks : ndarray of float64, shape (n, m, 2)
        Truth: the probability of death without and with a drug, all others as given.
    outcomes : ndarray of int8, shape (n, m, 2)
        Truth: what happens without and with it. ``died`` is the one of ``given``.
    """

    patients: pd.DataFrame
    later: pd.DataFrame
    drugs: pd.Index
    given: np.ndarray
    died: np.ndarray
    frailty: np.ndarray
    propensity: np.ndarray
    risks: np.ndarray
    outcomes: np.ndarray

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.died)

    def __repr__(self) -> str:
        return f"<simulated ward: {len(self):,} patients × {len(self.drugs)} drugs>"

    @property
    def effects(self) -> np.ndarray:
        """Truth: each drug's average effect on these patients, shape (m,).

        A risk difference, with the drug minus without: below zero it saves lives.
        """
        return self.effects_among(np.ones(len(self), bool))

    def effects_among(self, chosen: np.ndarray) -> np.ndarray:
        """Return each drug's true average effect on some patients, shape (m,).

        Parameters
        ----------
        chosen : ndarray of bool, shape (n,)
            Who counts.

        Raises
        ------
        ValueError
            If it is no mask of the patients or chooses nobody.
        """
        chosen = np.asarray(chosen)
        if chosen.dtype != bool or chosen.shape != self.died.shape:
            raise ValueError(
                f"chosen has the type {chosen.dtype} and the shape {chosen.shape}; a "
                f"boolean mask of the {len(self)} patients is needed"
            )
        if not chosen.any():
            raise ValueError("chosen selects no patient; an average needs at least one")
        return (self.risks[chosen, :, 1] - self.risks[chosen, :, 0]).mean(axis=0)


def make(
    *, patients: int = 20_000, seed: int = 0, hidden: float = 0.0
) -> SimulatedWard:
    """Draw a ward.

    Parameters
    ----------
    patients : int
        At least 1.
    seed : int
        The same seed gives the same patients. Their severity, age, disease and frailty
        do not depend on ``hidden``.
    hidden : float
        How much the unmeasured frailty moves the doctors, from 0 on: 0 not at all, 1
        nearly as much as the measured severity (drug F: much less; drug D: never).

    Raises
    ------
    ValueError
        If ``patients`` is below 1, or ``hidden`` negative or not finite.
    """
    if patients < 1:
        raise ValueError(f"patients is {patients}; at least 1 is needed")
    if not (np.isfinite(hidden) and hidden >= 0):
        raise ValueError(f"hidden is {hidden}; it must be 0 or more, and finite")
    rng = np.random.default_rng([seed, 7])
    severity, frailty, noise = rng.normal(size=(3, patients))
    age = rng.uniform(YOUNGEST, OLDEST, patients)
    chronic = (rng.random(patients) < SHARE_CHRONIC).astype(np.int8)
    decades = (age - MIDDLE) / 10
    table = np.array(list(DRUGS.values()))  # (m, 8), columns as in `Drug`
    causes = np.column_stack(
        [np.ones(patients), severity, decades, chronic, hidden * frailty]
    )
    propensity = _expit(causes @ table[:, :5].T)  # (n, m)
    given = (rng.random(propensity.shape) < propensity).astype(np.int8)

    effect, modified, following = table[:, 5:].T
    # What each drug adds to the logit of death, on both ways, and what all add.
    adds = effect + modified * severity[:, None] + NEXT_DAY * following  # (n, m)
    without_drugs = (
        INTERCEPT
        + (SEVERITY + NEXT_DAY * PERSISTS) * severity
        + AGE * decades
        + CHRONIC * chronic
        + FRAILTY * frailty
        + NEXT_DAY * noise
    )
    others = (given * adds).sum(axis=1)[:, None] - given * adds  # (n, m)
    without = without_drugs[:, None] + others
    risks = _expit(np.stack([without, without + adds], axis=2))  # (n, m, 2)
    uniform = rng.random(patients)
    died = uniform < _expit(without_drugs + (given * adds).sum(axis=1))
    outcomes = uniform[:, None, None] < risks

    moved = TRANSFER + TRANSFER_A * given[:, 0] + TRANSFER_FRAILTY * frailty
    later = pd.DataFrame(
        {
            "next_day": PERSISTS * severity + given @ following + noise,
            "transferred": (rng.random(patients) < _expit(moved)).astype(np.int8),
        }
    )
    measured = pd.DataFrame({"severity": severity, "age": age, "chronic": chronic})
    return SimulatedWard(
        measured,
        later,
        pd.Index(list(DRUGS), name="drug"),
        given,
        died.astype(np.int8),
        frailty,
        propensity,
        risks,
        outcomes.astype(np.int8),
    )


def _expit(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))
