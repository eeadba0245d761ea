"""Image datasets: the MedMNIST sets, MNIST and scikit-learn's digits."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medlib.data import provenance, store
from medlib.data.catalogue import Dataset, File
from medlib.data.errors import CorruptData, DataUnavailable
from medlib.data.provenance import Provenance

SPLITS = ("train", "val", "test")
DIGITS_SPLIT = (0.6, 0.2)  # train and validation; the rest is test


@dataclass(frozen=True)
class Split:
    """Images of one split.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width, channels)
        Grey images have one channel.
    labels : ndarray of int64, shape (n,)
        Class indices.
    masks : ndarray of bool, shape (n, height, width), or None
        Where the lesions are; practice sets have it, the real ones do not.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageSet:
    """An image dataset with its three splits; ``val`` is empty where none is official.

    Attributes
    ----------
    info : Dataset
        The catalogue's entry.
    train, val, test : Split
        The splits.
    provenance : Provenance
        Where the images came from.
    """

    info: Dataset
    train: Split
    val: Split
    test: Split
    provenance: Provenance

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(getattr(self, name))}" for name in SPLITS)
        return f"<{self.info.title}: {sizes}; {self.provenance.kind} data>"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.info.classes)


def _file_of(info: Dataset, size: int) -> File:
    """Return the file that holds images of the asked-for size."""
    sides = [file.side for file in info.files if file.side]
    for file in info.files:
        if file.side in (size, None):
            return file
    raise ValueError(
        f"{info.title} comes in {', '.join(map(str, sides))} pixels, not {size}; the "
        "practice set (source='practice') comes in any size"
    )


def read_npz(path: Path, info: Dataset, *, side: int) -> dict[str, np.ndarray]:
    """Read and check a MedMNIST or MNIST file.

    Parameters
    ----------
    path : Path
        The ``.npz`` file.
    info : Dataset
        What should be in it.
    side : int
        Side of the images in pixels.

    Returns
    -------
    dict of str to ndarray
        ``{split}_images`` of uint8, shape (n, side, side[, 3]), and ``{split}_labels``
        of shape (n,), for every official split.

    Raises
    ------
    CorruptData
        If the file is no ``.npz``, holds pickled objects (never loaded: they can run
        code), lacks an array, or an array has a wrong shape, type or label.
    """
    remedy = f"Delete it and load again, or fetch it anew from {info.homepage}."

    def refuse(what: str) -> CorruptData:
        return CorruptData(f"{path}: {what}. {remedy}")

    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except ValueError as error:
        what = "it holds pickled objects" if "pickle" in str(error) else str(error)
        raise refuse(what) from error
    except (zipfile.BadZipFile, EOFError, OSError, AttributeError) as error:
        raise refuse(f"it is not a readable .npz file ({error})") from error
    # Keras' MNIST file names its arrays x_train, y_train and so on.
    for split in SPLITS:
        if f"x_{split}" in arrays:
            arrays[f"{split}_images"] = arrays.pop(f"x_{split}")
            arrays[f"{split}_labels"] = arrays.pop(f"y_{split}")
    checked: dict[str, np.ndarray] = {}
    for split, count in info.splits.items():
        for kind in ("images", "labels"):
            if f"{split}_{kind}" not in arrays:
                raise refuse(f"the array {split}_{kind} is missing")
        images = arrays[f"{split}_images"]
        labels = arrays[f"{split}_labels"]
        channels = (3,) if "RGB" in info.shape else ()
        shape = (count, side, side, *channels)
        if images.shape != shape or images.dtype != np.uint8:
            raise refuse(
                f"{split}_images is {images.dtype} {images.shape}, not uint8 {shape}"
            )
        if labels.size != count:
            raise refuse(f"{split}_labels has {labels.size} values, not {count}")
        labels = labels.reshape(-1).astype(np.int64)
        if labels.min() < 0 or labels.max() >= len(info.classes):
            raise refuse(
                f"{split}_labels lie in {labels.min()} to {labels.max()}, not in 0 to "
                f"{len(info.classes) - 1}"
            )
        checked[f"{split}_images"], checked[f"{split}_labels"] = images, labels
    return checked


def canonical_order(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the order that sorts images by their bytes, then by label.

    Copies of PneumoniaMNIST differ in the order of their rows; sorted, they give the
    same arrays, and so the same training.
    """
    rows = [image.tobytes() for image in images]
    return np.array(sorted(range(len(rows)), key=lambda i: (rows[i], labels[i])))


def _split(arrays: dict[str, np.ndarray], name: str) -> Split:
    """Return one split with a channel axis, empty where there is none."""
    images = arrays.get(f"{name}_images")
    if images is None:
        train = arrays["train_images"]
        images = np.empty((0, *train.shape[1:]), dtype=np.uint8)
    labels = np.asarray(arrays.get(f"{name}_labels", [])).reshape(-1)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    return Split(images, labels.astype(np.int64), arrays.get(f"{name}_masks"))


def load_real(info: Dataset, *, size: int) -> ImageSet:
    """Load the real images; see `medlib.data.load`."""
    file = _file_of(info, size)
    found = store.obtain(info, file)
    arrays = read_npz(found.path, info, side=file.side or 28)
    if info.folder == "medmnist":
        order = canonical_order(arrays["train_images"], arrays["train_labels"])
        for kind in ("images", "labels"):
            arrays[f"train_{kind}"] = arrays[f"train_{kind}"][order]
    origin = provenance.record(
        Provenance(
            info.name, info.title, "real", found.copy, info.licence, found.sha256
        )
    )
    return ImageSet(info, *(_split(arrays, name) for name in SPLITS), origin)


def load_practice(info: Dataset, *, size: int, seed: int) -> ImageSet:
    """Make the practice set; see `medlib.data.load`."""
    from medlib.data import simulate

    if not info.practice:
        raise DataUnavailable(
            f"{info.title} has no practice set: it ships with scikit-learn"
        )
    arrays = simulate.practice(info.name, size=size, seed=seed)
    detail = f"{info.practice}; seed {seed}"
    origin = provenance.record(
        Provenance(info.name, info.title, "practice", detail, info.licence)
    )
    return ImageSet(info, *(_split(arrays, name) for name in SPLITS), origin)


def load_digits(info: Dataset) -> ImageSet:
    """Load scikit-learn's digits, split at random once and for all.

    Values are 0 to 16. The file's order follows its writers, so the split is shuffled
    with a fixed seed and stratified by digit.
    """
    from sklearn.datasets import load_digits as bundled
    from sklearn.model_selection import train_test_split

    source = bundled()
    images, labels = source.images.astype(np.uint8), source.target.astype(np.int64)
    first, second = DIGITS_SPLIT
    rest, train = train_test_split(
        np.arange(len(labels)), test_size=first, random_state=0, stratify=labels
    )
    test, val = train_test_split(
        rest, test_size=second / (1 - first), random_state=0, stratify=labels[rest]
    )
    origin = provenance.record(
        Provenance(
            info.name, info.title, "real", "as shipped with scikit-learn", info.licence
        )
    )
    parts = (Split(images[i][..., np.newaxis], labels[i]) for i in (train, val, test))
    return ImageSet(info, *parts, origin)
