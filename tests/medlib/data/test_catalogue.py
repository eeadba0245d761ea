"""The catalogue says everything it must, and its facts agree with each other."""

import re
import subprocess
import sys

import numpy as np
import pytest

from medlib.data import CATALOGUE, find, simulate
from medlib.data.simulate import CLASS_COUNTS

REQUIRED = {
    "breastmnist",
    "retinamnist",
    "pneumoniamnist",
    "eicu-demo",
    "mimic-iv-demo",
    "uci-diabetes-130",
    "mts-dialog",
    "mit-bih-100",
    "mnist",
    "cifar-10",
    "digits",
    "wisconsin",
    "diabetes-progression",
}


def test_every_dataset_of_the_course_is_listed():
    assert set(CATALOGUE) == REQUIRED


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=str)
def test_every_entry_is_complete(entry):
    for name in ("title", "task", "shape", "size", "licence", "citation"):
        assert getattr(entry, name), name
    assert entry.homepage.startswith("https://")
    assert entry.licence_url.startswith("https://")
    assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.doi) or entry.name == "cifar-10"
    assert all(0 <= index < len(entry.classes) for index in entry.disease)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=str)
def test_every_file_has_an_address_and_a_hash(entry):
    for file in entry.files:
        assert file.address.startswith("https://")
        for _, digest in file.hashes:
            assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", digest)
        # Checked by their content: the header by its sums, the archive by the table.
        assert file.hashes or file.name == "100.hea" or file.name.endswith(".zip")


def test_medmnist_comes_in_four_sizes():
    for name in CLASS_COUNTS:
        assert [file.side for file in CATALOGUE[name].files] == [28, 64, 128, 224]


def test_class_counts_add_up_to_the_splits():
    for name, splits in CLASS_COUNTS.items():
        entry = CATALOGUE[name]
        assert {split: sum(counts) for split, counts in splits.items()} == entry.splits
        assert all(len(counts) == len(entry.classes) for counts in splits.values())


def test_every_loader_has_data_without_a_network():
    for entry in CATALOGUE.values():
        if entry.loader:
            assert entry.practice if entry.files else not entry.practice
            assert not entry.practice or entry.name in simulate.NAMES


def test_malignant_is_the_disease_although_its_index_is_zero():
    for name in ("breastmnist", "wisconsin"):
        entry = CATALOGUE[name]
        assert [entry.classes[i] for i in entry.disease] == ["malignant"]


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(ValueError, match="did you mean one of: breastmnist"):
        find("brestmnist")
    with pytest.raises(ValueError, match="there is no dataset 'zzz'"):
        find("zzz")


def test_the_catalogue_needs_the_standard_library_alone():
    code = (
        "import sys; sys.modules['numpy'] = None; import medlib.data.catalogue as c;"
        "print(len(c.CATALOGUE))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == str(len(REQUIRED)), run.stderr


def test_pneumonia_prevalence_shifts_between_train_and_test():
    train, test = (
        np.array(CLASS_COUNTS["pneumoniamnist"][s]) for s in ("train", "test")
    )
    assert round(100 * train[1] / train.sum()) == 74
    assert 100 * test[1] / test.sum() == 62.5
