"""DICOM files: values against pydicom, and every way a file can disappoint."""

import io
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
from pydicom.data import get_testdata_file  # noqa: E402
from pydicom.pixels import apply_modality_lut, apply_windowing  # noqa: E402

from medlib.data import dicom  # noqa: E402
from medlib.data.errors import CorruptData, DataUnavailable, NoImage  # noqa: E402


def real(name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"this version of pydicom does not ship {name}")
    return Path(path)


def changed(tmp_path, name, change):
    """Return a copy of a real file with a change made to its header."""
    header = pydicom.dcmread(real(name))
    change(header)
    path = tmp_path / name
    header.save_as(path)
    return path


def test_ct_is_in_hounsfield_units_and_millimetres():
    image = dicom.read(real("CT_small.dcm"))
    header = pydicom.dcmread(real("CT_small.dcm"))
    theirs = apply_modality_lut(header.pixel_array, header)
    assert np.array_equal(image.values, theirs)
    assert image.values.shape == (128, 128) and image.unit == "HU"
    assert image.spacing == (0.661468, 0.661468)
    assert image.window is None and not image.inverted
    assert image.header.PatientID == header.PatientID


def test_mr_keeps_its_values_and_its_window():
    image = dicom.read(real("MR_small.dcm"))
    assert image.unit == "" and image.window == (600.0, 1600.0)
    assert image.values.min() == 127 and image.values.max() == 2145


def test_of_several_windows_the_first_is_taken():
    assert dicom.read(real("examples_overlay.dcm")).window == (450.0, 790.0)


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_jp2klossless.dcm"]
)
def test_compressed_and_reordered_copies_hold_the_same_image(name):
    assert np.array_equal(
        dicom.read(real(name)).values, dicom.read(real("MR_small.dcm")).values
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("SC_rgb_rle_2frame.dcm", (2, 100, 100, 3)),
        ("examples_palette.dcm", (350, 800, 3)),
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100, 3)),
    ],
)
def test_frames_and_colours(name, shape):
    assert dicom.read(real(name)).values.shape == shape


@pytest.mark.parametrize(
    ("centre", "width"), [(40, 400), (-600, 1500), (0, 1), (100.5, 2)]
)
def test_window_equals_pydicom(centre, width):
    header = pydicom.dcmread(real("CT_small.dcm"))
    header.WindowCenter, header.WindowWidth = centre, width
    values = apply_modality_lut(header.pixel_array, header)
    theirs = apply_windowing(values, header)
    # pydicom scales to the range of the stored type, after the rescaling.
    low, high = -(2**15) - 1024, 2**15 - 1 - 1024
    expected = (theirs - low) / (high - low)
    assert dicom.window(values, centre, width) == pytest.approx(expected, abs=1e-9)


def test_window_by_hand_and_inverted():
    values = np.array([-200.0, 39.5, 300.0])
    assert dicom.window(values, 40, 400).tolist() == [0, 0.5, 1]
    assert dicom.window(values, 40, 400, inverted=True).tolist() == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("centre", "width"), [(0, 0), (0, -5), (np.nan, 10), (0, np.inf)]
)
def test_bad_window_is_refused(centre, width):
    with pytest.raises(ValueError, match="width"):
        dicom.window(np.zeros(2), centre, width)


def test_inverted_images_say_so(tmp_path):
    def invert(header):
        header.PhotometricInterpretation = "MONOCHROME1"

    assert dicom.read(changed(tmp_path, "MR_small.dcm", invert)).inverted


def test_file_without_image_is_named_with_its_kind():
    with pytest.raises(NoImage, match=r"reportsi\.dcm holds no image \(.*SR.*\)"):
        dicom.read(real("reportsi.dcm"))
    with pytest.raises(NoImage, match=r"waveform_ecg\.dcm holds no image \(.*ECG"):
        dicom.read(real("waveform_ecg.dcm"))


@pytest.mark.parametrize("field", dicom.NEEDED)
def test_missing_field_is_named(tmp_path, field):
    path = changed(tmp_path, "CT_small.dcm", lambda header: delattr(header, field))
    with pytest.raises(CorruptData, match=rf"CT_small\.dcm lacks {field} in its head"):
        dicom.read(path)


def test_ct_without_rescale_is_no_hounsfield(tmp_path):
    def drop(header):
        del header.RescaleIntercept

    with pytest.raises(CorruptData, match="no Hounsfield units"):
        dicom.read(changed(tmp_path, "CT_small.dcm", drop))


def test_truncated_image_is_refused():
    with pytest.raises(CorruptData, match=r"MR_truncated\.dcm .*8130 vs 8192"):
        dicom.read(real("MR_truncated.dcm"))


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9])
def test_file_cut_anywhere_is_refused(tmp_path, share):
    whole = real("CT_small.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises((CorruptData, NoImage), match=r"cut\.dcm"):
        dicom.read(path)


def test_compression_without_decoder_says_what_to_install():
    with pytest.raises(DataUnavailable, match=r"JPEG Extended.*pylibjpeg"):
        dicom.read(real("JPEG-lossy.dcm"))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "photo.dcm"
    path.write_bytes(io.BytesIO(b"\x89PNG" + bytes(500)).getvalue())
    with pytest.raises(CorruptData, match=r"photo\.dcm is no DICOM file"):
        dicom.read(path)
    with pytest.raises(FileNotFoundError, match=r"none\.dcm does not exist"):
        dicom.read(tmp_path / "none.dcm")
