"""Loaders give what the catalogue says, and refuse what is not it by name."""

import numpy as np
import pytest

from medlib.data import (
    CATALOGUE,
    CorruptData,
    DataUnavailable,
    images,
    load,
    provenance,
    signals,
    simulate,
    store,
)

BREAST = CATALOGUE["breastmnist"]


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """Leave neither cache, mirror nor network."""
    monkeypatch.setenv("MEDLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDLIB_DATA_DIR", raising=False)
    monkeypatch.delenv("MEDLIB_SOURCE", raising=False)
    monkeypatch.setattr(store, "is_reachable", lambda _: False)


def real(name):
    """Load real data or skip the test where it cannot be had."""
    try:
        return load(name, source="real")
    except DataUnavailable as error:
        pytest.skip(str(error))


def arrays(**changes):
    """Return a whole BreastMNIST file's arrays, some of them changed."""
    made = {}
    for split, count in BREAST.splits.items():
        made[f"{split}_images"] = np.zeros((count, 28, 28), np.uint8)
        made[f"{split}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 2
    return {k: v for k, v in (made | changes).items() if v is not None}


def saved(tmp_path, **changes):
    path = tmp_path / "breastmnist.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_a_whole_file_is_read(tmp_path):
    read = images.read_npz(saved(tmp_path), BREAST, side=28)
    assert read["test_images"].shape == (156, 28, 28)
    assert read["val_labels"].dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"val_images": None}, "the array val_images is missing"),
        ({"test_labels": None}, "the array test_labels is missing"),
        ({"train_images": np.zeros((546, 14, 14), np.uint8)}, r"not uint8 \(546, 28"),
        ({"train_images": np.zeros((546, 28, 28))}, "train_images is float64"),
        ({"test_labels": np.zeros((7, 1), np.uint8)}, "has 7 values, not 156"),
        ({"val_labels": np.full((78, 1), 9, np.uint8)}, "lie in 9 to 9, not in 0 to 1"),
        ({"val_labels": np.full((78, 1), -1)}, "lie in -1"),
        ({"val_labels": np.array([{}] * 78)}, "holds pickled objects"),
    ],
)
def test_a_bad_file_is_named_with_its_remedy(tmp_path, changes, complaint):
    path = saved(tmp_path, **changes)
    with pytest.raises(CorruptData, match=complaint) as error:
        images.read_npz(path, BREAST, side=28)
    assert str(path) in str(error.value) and "Delete it" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_what_is_no_npz_is_named(tmp_path, content):
    path = tmp_path / "breastmnist.npz"
    path.write_bytes(content)
    with pytest.raises(CorruptData, match=r"breastmnist\.npz"):
        images.read_npz(path, BREAST, side=28)


def test_a_truncated_npz_is_named(tmp_path):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CorruptData, match="not a readable"):
        images.read_npz(path, BREAST, side=28)


@pytest.mark.parametrize("name", simulate.CLASS_COUNTS)
def test_real_images_have_the_official_form(name):
    data = real(name)
    info = data.info
    for split, count in info.splits.items():
        part = getattr(data, split)
        channels = 3 if "RGB" in info.shape else 1
        assert part.images.shape == (count, 28, 28, channels)
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64
        assert part.masks is None
    assert data.provenance.kind == "real" and data.n_classes == len(info.classes)
    assert data.provenance in provenance.loaded()


@pytest.mark.parametrize("name", simulate.CLASS_COUNTS)
def test_class_counts_are_those_of_the_real_files(name):
    data = real(name)
    for split, counts in simulate.CLASS_COUNTS[name].items():
        assert np.bincount(getattr(data, split).labels).tolist() == list(counts)


def test_the_order_of_a_file_does_not_matter(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (546, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 2, (546, 1), dtype=np.uint8)
    loaded = []
    for order in (np.arange(546), rng.permutation(546)):
        path = saved(tmp_path, train_images=pictures[order], train_labels=labels[order])
        found = store.Obtained(path, "a copy", "")
        monkeypatch.setattr(store, "obtain", lambda *_, found=found: found)
        loaded.append(load("breastmnist", source="real").train)
    assert np.array_equal(loaded[0].images, loaded[1].images)
    assert np.array_equal(loaded[0].labels, loaded[1].labels)


def test_without_a_network_the_practice_set_says_so(no_network, capsys):
    data = load("breastmnist")
    line = capsys.readouterr().out.strip()
    assert "cannot be reached" in line and "practice set" in line
    assert "\n" not in line
    assert data.provenance.kind == "practice"
    assert "PRACTICE SET, not real data" in str(data.provenance)


def test_real_refuses_the_practice_set(no_network):
    with pytest.raises(DataUnavailable, match="MEDLIB_DATA_DIR"):
        load("breastmnist", source="real")


def test_the_environment_replaces_auto_and_nothing_else(no_network, monkeypatch):
    monkeypatch.setenv("MEDLIB_SOURCE", "real")
    with pytest.raises(DataUnavailable):
        load("breastmnist")
    assert load("breastmnist", source="practice").provenance.kind == "practice"
    monkeypatch.setenv("MEDLIB_SOURCE", "elsewhere")
    with pytest.raises(ValueError, match="MEDLIB_SOURCE"):
        load("breastmnist")


def test_a_corrupt_file_never_becomes_a_practice_set(no_network, tmp_path, monkeypatch):
    folder = tmp_path / "mirror" / "medmnist"
    folder.mkdir(parents=True)
    (folder / "breastmnist.npz").write_bytes(b"half a file")
    monkeypatch.setenv("MEDLIB_DATA_DIR", str(folder.parent))
    with pytest.raises(CorruptData, match=r"breastmnist\.npz"):
        load("breastmnist")


def test_sizes(no_network):
    with pytest.raises(ValueError, match="28, 64, 128, 224 pixels, not 100"):
        load("breastmnist", source="real", size=100)
    with pytest.raises(DataUnavailable, match=r"breastmnist_64\.npz"):
        load("breastmnist", source="real", size=64)


def test_a_dataset_without_a_loader_says_which_have_one():
    with pytest.raises(ValueError, match="no lesson uses it yet"):
        load("cifar-10")


def test_provenance_names_no_path(no_network):
    data = load("breastmnist", source="practice")
    assert "/" not in str(data.provenance).replace("28 × 28", "")


def test_digits_are_split_without_overlap():
    data = load("digits")
    counts = [len(getattr(data, split)) for split in images.SPLITS]
    assert sum(counts) == 1797 and counts == [1079, 359, 359]
    assert data.train.images.max() == 16 and data.train.images.shape[1:] == (8, 8, 1)
    for split in images.SPLITS:
        assert np.bincount(getattr(data, split).labels).min() > 30


def test_bundled_tables_equal_scikit_learn():
    from sklearn import datasets

    wisconsin = load("wisconsin")
    source = datasets.load_breast_cancer()
    assert np.array_equal(wisconsin.features.to_numpy(), source.data)
    assert source.target_names[wisconsin.info.disease[0]] == "malignant"
    progression = load("diabetes-progression")
    raw = datasets.load_diabetes(scaled=False)
    assert np.array_equal(progression.features.to_numpy(), raw.data)
    assert all("(" in name for name in progression.features.columns)
    assert len(progression) == 442 and len(wisconsin) == 569


def test_ecg_equals_wfdb():
    wfdb = pytest.importorskip("wfdb")
    ecg = real("mit-bih-100")
    header = store.obtain(
        ecg.info, next(f for f in ecg.info.files if f.name == "100.hea")
    )
    path = str(header.path.with_suffix(""))
    record, marks = wfdb.rdrecord(path), wfdb.rdann(path, "atr")
    assert np.allclose(ecg.signal, record.p_signal, atol=1e-12)
    assert (ecg.sampling_rate, list(ecg.leads)) == (record.fs, record.sig_name)
    is_beat = np.isin(marks.symbol, list(signals.BEATS.values()))
    assert np.array_equal(ecg.beats, np.asarray(marks.sample)[is_beat])
    assert np.array_equal(ecg.symbols, np.asarray(marks.symbol)[is_beat])


def test_format_212_by_hand():
    # 1 and -2 in twelve bits: 001 and FFE; low bytes 01 and FE, high nibbles F and 0.
    assert signals.unpack_212(bytes([0x01, 0xF0, 0xFE])).tolist() == [1, -2]


def test_annotations_by_hand():
    def word(code, value):
        return (code << 10 | value).to_bytes(2, "little")

    content = word(1, 100) + word(59, 0) + b"\x01\x00\x00\x00"  # skip 65,536 samples
    content += word(5, 10) + word(63, 3) + b"abc\x00" + word(8, 5) + word(0, 0)
    samples, symbols = signals.read_annotations(content)
    assert samples.tolist() == [100, 65_646, 65_651]
    assert symbols.tolist() == ["N", "V", "A"]


def record_files(tmp_path, samples=4, sums=(3, 7)):
    """Write a record of two leads with the values 0, 1, 2 … interleaved."""
    values = np.arange(2 * samples)
    packed = b"".join(
        bytes([a & 0xFF, (a >> 8) | (b >> 8) << 4, b & 0xFF])
        for a, b in values.reshape(-1, 2)
    )
    lines = [f"100 2 360 {samples}"]
    lines += [f"100.dat 212 200 11 1024 0 {s} 0 {n}" for s, n in zip(sums, "AB")]  # noqa: B905
    header = tmp_path / "100.hea"
    header.write_text("# a comment\n" + "\n".join(lines) + "\n")
    (tmp_path / "100.dat").write_bytes(packed)
    (tmp_path / "100.atr").write_bytes(b"\x00\x00")
    return header, tmp_path / "100.dat", tmp_path / "100.atr"


def test_a_record_is_checked_against_its_sums(tmp_path):
    files = record_files(tmp_path, sums=(0 + 2 + 4 + 6, 1 + 3 + 5 + 7))
    fields = signals.read_record(*files)
    expected = (np.array([0, 2, 4, 6]) - 1024) / 200
    assert np.allclose(fields["signal"][:, 0], expected, rtol=1e-12)
    with pytest.raises(CorruptData, match="do not add up"):
        signals.read_record(*record_files(tmp_path, sums=(1, 2)))


def test_a_truncated_signal_is_named(tmp_path):
    header, data, marks = record_files(tmp_path, sums=(12, 16))
    data.write_bytes(data.read_bytes()[:-3])
    with pytest.raises(CorruptData, match=r"100\.dat has 9 bytes, not 12"):
        signals.read_record(header, data, marks)


@pytest.mark.parametrize(
    "text", ["", "100 2 360 4\n", "100 1 360 4\na 16 1 1 1 1 1 0 A\n"]
)
def test_an_odd_header_is_named(tmp_path, text):
    path = tmp_path / "100.hea"
    path.write_text(text)
    with pytest.raises(CorruptData, match=r"100\.hea is not a header"):
        signals.read_header(path)
