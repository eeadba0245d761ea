"""Read DICOM files: numbers with a unit, millimetres, and what the header says.

DICOM is the standard for medical images (https://www.dicomstandard.org). A file holds a
header of named fields and, mostly, one image or a series of frames. Stored numbers
become quantities by the rescale slope and intercept of the header: Hounsfield units in
computed tomography.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medlib.data.errors import CorruptData, DataUnavailable, NoImage

if TYPE_CHECKING:
    from pydicom import Dataset

# Without these the stored bytes cannot be turned into an image.
NEEDED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


@dataclass(frozen=True)
class DicomImage:
    """An image and what its header says about it.

    Attributes
    ----------
    values : ndarray of float64
        Shape (rows, columns), with an axis of frames before and one of three colours
        behind where there are any; in ``unit``.
    unit : str
        ``"HU"`` for computed tomography, the header's own word, or empty.
    spacing : tuple of float or None
        Distance of the centres of neighbouring rows and columns, in millimetres.
    window : tuple of float or None
        Centre and width that the header suggests, in ``unit``.
    inverted : bool
        Whether low values are meant to be shown white (MONOCHROME1).
    header : Dataset
        The whole header, from pydicom.
    """

    values: np.ndarray
    unit: str
    spacing: tuple[float, float] | None
    window: tuple[float, float] | None
    inverted: bool
    header: Dataset


def read(path: Path | str) -> DicomImage:
    """Read a DICOM file.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    DicomImage

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    NoImage
        If the file is DICOM without an image, such as a report or a waveform.
    CorruptData
        If it is no DICOM file, is cut short, or lacks a field that its image needs.
    DataUnavailable
        If it is compressed in a way that no installed decoder reads.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels import apply_color_lut, pixel_array

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; check the name")
    try:
        header = pydicom.dcmread(path)
    except InvalidDicomError:
        raise CorruptData(
            f"{path.name} is no DICOM file: the letters DICM are missing after its "
            "first 128 bytes; export it again from the archive"
        ) from None
    except Exception as error:
        raise CorruptData(
            f"{path.name} has a broken header ({error}); fetch the file again"
        ) from error
    _expect_image(path, header)
    try:
        stored = pixel_array(header)
        if header.PhotometricInterpretation == "PALETTE COLOR":
            stored = apply_color_lut(stored, header)
    except (RuntimeError, NotImplementedError) as error:
        name = header.file_meta.TransferSyntaxUID.name
        raise DataUnavailable(
            f"{path.name} is compressed as {name}, which cannot be decoded here "
            f"({str(error).splitlines()[-1].strip()}); install pylibjpeg with its "
            "plugins, or export it uncompressed"
        ) from error
    except Exception as error:
        raise CorruptData(
            f"{path.name} has an image that does not fit its header: {error}"
        ) from error
    values, unit = _rescaled(path, header, stored)
    return DicomImage(
        values=values,
        unit=unit,
        spacing=_spacing(header),
        window=_window(header),
        inverted=header.PhotometricInterpretation == "MONOCHROME1",
        header=header,
    )


def window(
    values: np.ndarray, centre: float, width: float, *, inverted: bool = False
) -> np.ndarray:
    """Map a range of values to 0 … 1, and what lies outside to its ends.

    The linear function of the standard, PS3.3 section C.11.2.1.2.1.

    Parameters
    ----------
    values : ndarray, any shape
        In the unit of centre and width.
    centre, width : float
        Of the window; the width is at least 1.
    inverted : bool
        Show low values bright.

    Returns
    -------
    ndarray, shape of ``values``
        From 0, black, to 1, white.

    Raises
    ------
    ValueError
        If the width is below 1 or either number is not finite.
    """
    if not (np.isfinite(centre) and np.isfinite(width) and width >= 1):
        raise ValueError(
            f"centre is {centre}, width {width}; finite numbers are needed, the width "
            "at least 1"
        )
    values = np.asarray(values, dtype=np.float64)
    if width == 1:
        grey = (values > centre - 0.5).astype(np.float64)
    else:
        grey = np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return 1 - grey if inverted else grey


def _expect_image(path: Path, header: Dataset) -> None:
    """Refuse a file without an image, or without what its image needs."""
    if not {"PixelData", "FloatPixelData", "DoubleFloatPixelData"} & set(header.dir()):
        kind = getattr(header.get("SOPClassUID"), "name", "unknown kind")
        raise NoImage(
            f"{path.name} holds no image ({kind}); if it should, it was cut short: "
            "fetch it again"
        )
    missing = [field for field in NEEDED if header.get(field) is None]
    if "TransferSyntaxUID" not in getattr(header, "file_meta", {}):
        missing.append("TransferSyntaxUID")
    if missing:
        raise CorruptData(
            f"{path.name} lacks {', '.join(missing)} in its header, so its pixels "
            "cannot be read; export it again from the archive"
        )


def _rescaled(
    path: Path, header: Dataset, stored: np.ndarray
) -> tuple[np.ndarray, str]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    computed = header.get("Modality") == "CT"
    if computed and (slope is None or intercept is None):
        raise CorruptData(
            f"{path.name} is a CT without RescaleSlope or RescaleIntercept, so its "
            "values are no Hounsfield units; export it again from the archive"
        )
    values = stored.astype(np.float64)
    if slope is not None and intercept is not None:
        values = values * float(slope) + float(intercept)
    unit = str(header.get("RescaleType") or ("HU" if computed else ""))
    return values, unit


def _spacing(header: Dataset) -> tuple[float, float] | None:
    found = header.get("PixelSpacing")
    return None if not found else (float(found[0]), float(found[1]))


def _window(header: Dataset) -> tuple[float, float] | None:
    """Return the first window of the header; some files suggest several."""
    pair = []
    for field in ("WindowCenter", "WindowWidth"):
        value = header.get(field)
        if value is None:
            return None
        pair.append(float(value[0] if hasattr(value, "__iter__") else value))
    return pair[0], pair[1]
