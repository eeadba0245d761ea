"""Signals: an electrocardiogram in the format of PhysioNet's waveform databases.

The reader covers what record 100 of the MIT-BIH database uses: signal format 212 and
the MIT annotation format, both described in the WFDB documentation
(https://physionet.org/physiotools/wag/). The ``wfdb`` package reads far more, but asks
for newer versions of other packages than Colab ships; the tests compare with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medlib.data import provenance, store
from medlib.data.catalogue import Dataset
from medlib.data.errors import CorruptData
from medlib.data.provenance import Provenance

# Annotation codes of the MIT format that mark beats (WFDB documentation, ecgcodes.h).
BEATS = {1: "N", 4: "a", 5: "V", 6: "F", 7: "J", 8: "A", 9: "S", 10: "E", 11: "j"}
BEATS |= {2: "L", 3: "R", 12: "/", 13: "Q", 34: "e", 35: "n", 38: "f", 41: "r"}
SKIP, NUM, SUB, CHN, AUX = 59, 60, 61, 62, 63
# PhysioNet's record 100 is sampled at 360 Hz.
PRACTICE_RATE = 360.0


@dataclass(frozen=True)
class Ecg:
    """A multi-lead electrocardiogram with annotated beats.

    Attributes
    ----------
    info : Dataset
        The catalogue's entry.
    signal : ndarray of float64, shape (n, leads)
        Millivolts.
    sampling_rate : float
        Hertz.
    leads : tuple of str
        Names of the leads.
    beats : ndarray of int64, shape (beats,)
        Sample index of each annotated beat.
    symbols : ndarray of str, shape (beats,)
        Kind of each beat: N normal, A atrial premature, V ventricular premature, …
    provenance : Provenance
        Where the signal came from.
    """

    info: Dataset
    signal: np.ndarray
    sampling_rate: float
    leads: tuple[str, ...]
    beats: np.ndarray
    symbols: np.ndarray
    provenance: Provenance

    def __repr__(self) -> str:
        minutes = len(self.signal) / self.sampling_rate / 60
        leads = ", ".join(self.leads)
        return (
            f"<{self.info.title}: {minutes:.0f} min, {leads}, {len(self.beats)} beats>"
        )


@dataclass(frozen=True)
class Header:
    """What a header file says.

    Sampling rate in hertz and length in samples; for each lead its name, gain (units
    per millivolt), baseline (units) and 16-bit sum of all samples.
    """

    sampling_rate: float
    length: int
    leads: tuple[str, ...]
    gains: np.ndarray
    baselines: np.ndarray
    sums: np.ndarray


def read_header(path: Path) -> Header:
    """Read a header file; raise `CorruptData` if it is not one of format 212."""
    lines = [
        line.split()
        for line in path.read_text(encoding="ascii", errors="replace").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    try:
        _, count, rate, length = lines[0][:4]
        signals = lines[1 : 1 + int(count)]
        if len(signals) != int(count) or any(row[1] != "212" for row in signals):
            raise ValueError("its signals are not in format 212")
        table = np.array([[float(row[i]) for i in (2, 4, 6)] for row in signals])
        leads = tuple(row[8] for row in signals)
        return Header(float(rate), int(length), leads, *table.T)
    except (ValueError, IndexError) as error:
        raise CorruptData(
            f"{path} is not a header of format 212 ({error}). Delete it and load again."
        ) from error


def unpack_212(content: bytes) -> np.ndarray:
    """Unpack 12-bit two's-complement samples, two in three bytes.

    Parameters
    ----------
    content : bytes
        Length a multiple of three.

    Returns
    -------
    ndarray of int64, shape (2 * len(content) // 3,)
        The samples, leads interleaved.
    """
    first, middle, last = np.frombuffer(content, np.uint8).reshape(-1, 3).T.astype(int)
    low = first | (middle & 0x0F) << 8
    high = last | (middle & 0xF0) << 4
    samples = np.stack([low, high], axis=1).reshape(-1)
    return np.where(samples >= 2048, samples - 4096, samples)


def read_annotations(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return sample indices and symbols of the beats in an MIT annotation file.

    Each 16-bit word holds a code (6 bits) and the samples since the last annotation
    (10 bits); codes above 58 carry longer intervals or text.
    """
    words = np.frombuffer(content[: len(content) // 2 * 2], "<u2").astype(int)
    indices, symbols = [], []
    sample = position = 0
    while position < len(words) and words[position] != 0:
        code, value = words[position] >> 10, words[position] & 0x3FF
        position += 1
        if code == SKIP:  # a 32-bit interval in the next two words, high word first
            sample += (words[position] << 16) + words[position + 1]
            position += 2
        elif code == AUX:  # text of so many bytes, padded to whole words
            position += (value + 1) // 2
        elif code not in (NUM, SUB, CHN):
            sample += value
            if code in BEATS:
                indices.append(sample)
                symbols.append(BEATS[code])
    return np.array(indices, dtype=np.int64), np.array(symbols, dtype="<U1")


def read_record(header: Path, data: Path, annotations: Path) -> dict[str, object]:
    """Read a record and check it against the sums that its header holds.

    Returns
    -------
    dict
        The fields of `Ecg` that come from the files.

    Raises
    ------
    CorruptData
        If the signal file is truncated or its samples do not add up.
    """
    head = read_header(header)
    content = data.read_bytes()
    leads = len(head.leads)
    if len(content) != head.length * leads * 3 // 2:
        raise CorruptData(
            f"{data} has {len(content)} bytes, not {head.length * leads * 3 // 2}: it "
            "is truncated. Delete it and load again."
        )
    samples = unpack_212(content).reshape(-1, leads)
    if np.any((samples.sum(axis=0) - head.sums) % 65_536):
        raise CorruptData(
            f"{data}: the samples do not add up to the sums in {header.name}. Delete "
            "both and load again."
        )
    beats, symbols = read_annotations(annotations.read_bytes())
    return {
        "signal": (samples - head.baselines) / head.gains,
        "sampling_rate": head.sampling_rate,
        "leads": head.leads,
        "beats": beats,
        "symbols": symbols,
    }


def load_real(info: Dataset) -> Ecg:
    """Load the real record; see `medlib.data.load`."""
    found = {file.name: store.obtain(info, file) for file in info.files}
    data = found["100.dat"]
    fields = read_record(found["100.hea"].path, data.path, found["100.atr"].path)
    origin = provenance.record(
        Provenance(info.name, info.title, "real", data.copy, info.licence, data.sha256)
    )
    return Ecg(info=info, provenance=origin, **fields)  # type: ignore[arg-type]


def load_practice(info: Dataset, *, seed: int) -> Ecg:
    """Make the practice record; see `medlib.data.load`."""
    from medlib.data import simulate

    arrays = simulate.practice(info.name, seed=seed)
    detail = f"{info.practice}; seed {seed}"
    origin = provenance.record(
        Provenance(info.name, info.title, "practice", detail, info.licence)
    )
    return Ecg(
        info=info,
        signal=arrays["signal"],
        sampling_rate=PRACTICE_RATE,
        leads=("MLII", "V5"),
        beats=arrays["beats"],
        symbols=arrays["symbols"],
        provenance=origin,
    )
