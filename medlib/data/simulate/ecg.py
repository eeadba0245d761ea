r"""Electrocardiogram: the dynamical model of McSharry, Clifford, Tarassenko and Smith.

IEEE Transactions on Biomedical Engineering 50(3):289, 2003,
doi:10.1109/TBME.2003.808805. A point runs round the unit circle, once each beat; the
waves P, Q, R, S and T push the trajectory up or down as it passes their angles:

.. math:: \dot z = -\sum_i a_i\, \Delta\theta_i
   \exp\Bigl(-\frac{\Delta\theta_i^2}{2 b_i^2}\Bigr) - (z - z_0(t))

with :math:`\Delta\theta_i = \theta - \theta_i` wrapped to half a turn either way and
:math:`z_0` a slow drift with respiration. Given the angle the equation is linear in
:math:`z`, so it is integrated as a first-order filter. The time between beats varies
with a spectrum of two peaks, at 0.1 Hz (Mayer waves) and 0.25 Hz (respiration).
"""

from __future__ import annotations

import numpy as np
from scipy import signal

RATE = 360.0  # Hz
LENGTH = 650_000  # samples
# Angles, strengths and widths of P, Q, R, S, T: Table I of the paper.
ANGLES = np.array([-1 / 3, -1 / 12, 0, 1 / 12, 1 / 2]) * np.pi
STRENGTHS = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
WIDTHS = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
# The second lead sees the same heart from elsewhere: larger S, smaller R.
STRENGTHS_SECOND = np.array([0.8, -2.0, 18.0, -14.0, 0.9])
# A ventricular premature beat: no P wave, broad QRS, inverted T.
STRENGTHS_V = np.array([0.0, 0.0, 16.0, -6.0, -1.6])
WIDTHS_V = np.array([0.25, 0.2, 0.24, 0.2, 0.4])
MEAN_RR = 0.7938  # s: record 100 has 2,273 beats in 30 min and 5.6 s
SD_RR = 0.03  # s
LF, HF, LF_HF_RATIO, PEAK_WIDTH = 0.1, 0.25, 0.5, 0.01  # Hz, Hz, -, Hz
DRIFT = 0.005  # model units, at the rate of respiration
PREMATURE = 0.8  # a premature beat comes after this share of the usual time
ATRIAL, VENTRICULAR = 33, 1  # as many as record 100 holds
RANGE = (-0.4, 1.2)  # mV, the range that the paper scales to
NOISE = 0.01  # mV


def intervals(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return times between beats in seconds, shape (count,).

    Their spectrum is the sum of two Gaussian peaks with random phases.
    """
    frequency = np.fft.rfftfreq(count, d=MEAN_RR)

    def peak(centre: float, power: float) -> np.ndarray:
        return power * np.exp(-((frequency - centre) ** 2) / (2 * PEAK_WIDTH**2))

    power = peak(LF, LF_HF_RATIO) + peak(HF, 1.0)
    phases = np.exp(2j * np.pi * rng.random(len(power)))
    series = np.fft.irfft(np.sqrt(power) * phases, n=count)
    return MEAN_RR + SD_RR * series / series.std()


def lead(
    angle: np.ndarray,
    strengths: np.ndarray,
    widths: np.ndarray,
    drift: np.ndarray,
) -> np.ndarray:
    """Integrate the model over given angles.

    Parameters
    ----------
    angle : ndarray, shape (n,)
        Angle of the trajectory in radians, -π to π, sampled at `RATE`.
    strengths, widths : ndarray, shape (n, 5)
        Of the five waves at each sample.
    drift : ndarray, shape (n,)
        The baseline :math:`z_0`.

    Returns
    -------
    ndarray, shape (n,)
        z, in the model's units.
    """
    delta = (angle[:, None] - ANGLES + np.pi) % (2 * np.pi) - np.pi
    push = -np.sum(strengths * delta * np.exp(-(delta**2) / (2 * widths**2)), axis=1)
    step = 1 / RATE
    return signal.lfilter([step], [1, step - 1], push + drift)


def record(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return a record with the form of MIT-BIH record 100.

    Returns
    -------
    dict of str to ndarray
        ``signal`` (650000, 2) in millivolts, ``beats`` sample indices of the R peaks,
        ``symbols`` N, A or V for each.
    """
    count = int(LENGTH / RATE / MEAN_RR) + 40
    rr = intervals(count, rng)
    chosen = rng.choice(np.arange(5, count - 45), ATRIAL + VENTRICULAR, replace=False)
    kinds = np.full(count, "N", dtype="<U1")
    kinds[chosen] = ["A"] * ATRIAL + ["V"] * VENTRICULAR
    early = kinds != "N"
    rr[np.flatnonzero(early)] *= PREMATURE
    rr[np.flatnonzero(early) + 1] *= 2 - PREMATURE  # the pause that follows
    peaks = np.cumsum(rr)  # seconds; beat k has its R peak here
    time = np.arange(LENGTH) / RATE
    # The angle is 0 at an R peak and runs evenly to the next.
    turns = np.interp(time, np.concatenate([[0], peaks]), np.arange(count + 1))
    nearest = np.clip(np.round(turns).astype(int) - 1, 0, count - 1)
    angle = (turns - np.round(turns)) * 2 * np.pi
    ventricular = (kinds[nearest] == "V")[:, None]
    widths = np.where(ventricular, WIDTHS_V, WIDTHS)
    drift = DRIFT * np.sin(2 * np.pi * HF * time)
    leads = []
    for strengths in (STRENGTHS, STRENGTHS_SECOND):
        chosen_strengths = np.where(ventricular, STRENGTHS_V, strengths)
        z = lead(angle, chosen_strengths, widths, drift)
        low, high = np.quantile(z, [0.0005, 0.9995])
        z = RANGE[0] + (z - low) / (high - low) * (RANGE[1] - RANGE[0])
        leads.append(z + rng.normal(0, NOISE, LENGTH))
    inside = np.flatnonzero((peaks > 0.2) & (peaks < time[-1] - 0.2))
    beats = np.round(peaks[inside] * RATE).astype(np.int64)
    # The wave lags a little behind its angle: annotate the highest sample nearby.
    window = np.arange(-18, 19)
    shape = leads[0][beats[:, None] + window]
    beats = beats + window[np.argmax(shape, axis=1)]
    return {
        "signal": np.stack(leads, axis=1),
        "beats": beats,
        "symbols": kinds[inside],
    }
