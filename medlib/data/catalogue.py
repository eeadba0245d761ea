"""What data the course uses: meaning, licence, citation, addresses and hashes.

This module needs nothing but the standard library, because the book's data page is
generated from it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

_CHECKSUMS = Path(__file__).with_name("checksums.txt")


@dataclass(frozen=True)
class File:
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Official file name, with its folder inside the dataset if there is one.
    address : str
        Official address.
    hashes : tuple of (str, str)
        Accepted copies: a label for people and ``"md5:…"`` or ``"sha256:…"``. Empty
        where no hash is published; the loader then checks the content.
    side : int or None
        Side of the images in pixels, where a dataset comes in several sizes.
    """

    name: str
    address: str
    hashes: tuple[tuple[str, str], ...] = ()
    side: int | None = None


@dataclass(frozen=True)
class Dataset:
    """One dataset of the course.

    Attributes
    ----------
    name, title : str
        Name in code and name for people.
    task : str
        What is predicted from what.
    classes : tuple of str
        Meaning of each label, by index; empty where there are none.
    disease : tuple of int
        Indices of the classes that mean disease. Mind them: they are not always 1.
    shape : str
        Form of one example, with unit.
    splits : dict of str to int
        Official splits and their sizes; empty where the course makes the split.
    size : str
        What is downloaded, in people's units.
    licence, licence_url : str
        Licence of the real data.
    citation, doi : str
        Whom to cite; the DOI without its resolver, empty where there is none.
    homepage : str
        Where the publisher describes the data.
    folder : str
        Folder inside the cache and inside ``MEDLIB_DATA_DIR``; empty for data that
        ships with scikit-learn.
    files : tuple of File
        The files; empty for data that ships with scikit-learn.
    practice : str
        What the practice set is; empty where none is needed.
    loader : bool
        Whether `medlib.data.load` knows the dataset yet.
    notes : str
        What to mind.
    """

    name: str
    title: str
    task: str
    classes: tuple[str, ...]
    disease: tuple[int, ...]
    shape: str
    splits: dict[str, int]
    size: str
    licence: str
    licence_url: str
    citation: str
    doi: str
    homepage: str
    folder: str = ""
    files: tuple[File, ...] = ()
    practice: str = ""
    loader: bool = True
    notes: str = ""


CC_BY = ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
ODBL = ("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/")
YANG = (
    "Yang et al., MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D "
    "biomedical image classification, Scientific Data 10:41, 2023"
)


def _checksums() -> dict[str, str]:
    """Return the SHA-256 of every known file by ``folder/name``."""
    lines = _CHECKSUMS.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def _known(folder: str, base: str) -> tuple[File, ...]:
    """Return a folder's files with the hashes their publisher gives."""
    return tuple(
        File(
            name=path.removeprefix(f"{folder}/"),
            address=base + path.removeprefix(f"{folder}/"),
            hashes=(("official file", f"sha256:{digest}"),),
        )
        for path, digest in _checksums().items()
        if path.startswith(f"{folder}/") and not path.endswith("SHA256SUMS.txt")
    )


def _medmnist(name: str, md5: dict[int, str], repack: str = "") -> tuple[File, ...]:
    """Return the files of a MedMNIST set, one for each image size.

    Addresses and MD5 sums: MedMNIST's own ``info.py``, Zenodo record 10519652.
    """
    base = "https://zenodo.org/records/10519652/files"
    files = []
    for side, digest in md5.items():
        stem = name if side == 28 else f"{name}_{side}"
        hashes = [("official file", f"md5:{digest}")]
        if side == 28 and repack:
            hashes.append(("official images re-packed in another order", repack))
        address = f"{base}/{stem}.npz?download=1"
        files.append(File(f"{stem}.npz", address, tuple(hashes), side))
    return tuple(files)


_ENTRIES = (
    Dataset(
        name="breastmnist",
        title="BreastMNIST",
        task="breast ultrasound → malignant or not",
        classes=("malignant", "normal or benign"),
        disease=(0,),
        shape="28 × 28 grey pixels, 0 to 255",
        splits={"train": 546, "val": 78, "test": 156},
        size="0.6 MB",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=YANG + "; source: Al-Dhabyani et al., Data in Brief 28:104863, 2020",
        doi="10.1038/s41597-022-01721-8",
        homepage="https://medmnist.com",
        folder="medmnist",
        files=_medmnist(
            "breastmnist",
            {
                28: "750601b1f35ba3300ea97c75c52ff8f6",
                64: "742edef2a1fd1524b2efff4bd7ba9364",
                128: "363e4b3f8d712e9b5de15470a2aaadf1",
                224: "b56378a6eefa9fed602bb16d192d4c8b",
            },
        ),
        practice="simulated ultrasound: speckle, tissue layers, lesions with masks",
        notes=(
            "The disease is class 0: recall of class 1 is not sensitivity to cancer. "
            "The 780 images come from 600 women; which belong together is not known."
        ),
    ),
    Dataset(
        name="retinamnist",
        title="RetinaMNIST",
        task="fundus photograph → grade of diabetic retinopathy",
        classes=("grade 0", "grade 1", "grade 2", "grade 3", "grade 4"),
        disease=(1, 2, 3, 4),
        shape="28 × 28 RGB pixels, 0 to 255",
        splits={"train": 1080, "val": 120, "test": 400},
        size="3.3 MB",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=YANG,
        doi="10.1038/s41597-022-01721-8",
        homepage="https://medmnist.com",
        folder="medmnist",
        files=_medmnist(
            "retinamnist",
            {
                28: "bd4c0672f1bba3e3a89f0e4e876791e4",
                64: "afda852cc34dcda56f86ad2b2457dbcc",
                128: "e48e916a24454daf90583d4e6efb1a18",
                224: "eae7e3b6f3fcbda4ae613ebdcbe35348",
            },
        ),
        practice="simulated fundus: disc, vessels, lesions by grade, with masks",
        notes="The grades are ordered: a miss by one is not a miss by four.",
    ),
    Dataset(
        name="pneumoniamnist",
        title="PneumoniaMNIST",
        task="chest X-ray of a child → pneumonia or not",
        classes=("normal", "pneumonia"),
        disease=(1,),
        shape="28 × 28 grey pixels, 0 to 255",
        splits={"train": 4708, "val": 524, "test": 624},
        size="4.2 MB",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=YANG + "; source: Kermany et al., Cell 172(5):1122, 2018",
        doi="10.1038/s41597-022-01721-8",
        homepage="https://medmnist.com",
        folder="medmnist",
        files=_medmnist(
            "pneumoniamnist",
            {
                28: "28209eda62fecd6e6a2d98b1501bb15f",
                64: "8f4eceb4ccffa70c672198ea285246c6",
                128: "05b46931834c231683c68f40c47b2971",
                224: "d6a3c71de1b945ea11211b03746c1fe1",
            },
            repack="sha256:" + _checksums()["medmnist/pneumoniamnist.npz"],
        ),
        practice="simulated X-ray projection (Beer-Lambert), opacities with masks",
        notes=(
            "Pneumonia is commoner in train (74 %) than in test (62.5 %); 8 validation "
            "images also stand in train."
        ),
    ),
    Dataset(
        name="mit-bih-100",
        title="MIT-BIH record 100",
        task="two-lead ECG → beats",
        classes=(),
        disease=(),
        shape="650,000 samples × 2 leads, millivolts, 360 Hz, 30 min",
        splits={},
        size="2.0 MB",
        licence="ODC-By 1.0",
        licence_url="https://opendatacommons.org/licenses/by/1-0/",
        citation=(
            "Moody and Mark, The impact of the MIT-BIH Arrhythmia Database, IEEE "
            "Engineering in Medicine and Biology Magazine 20(3):45, 2001"
        ),
        doi="10.1109/51.932724",
        homepage="https://physionet.org/content/mitdb/1.0.0/",
        folder="mit-bih-100",
        files=tuple(
            # Copies of the header differ in their comments, so it has no one hash. The
            # sums that it holds vouch for the signals.
            File(
                file.name,
                file.address,
                ()
                if file.name == "100.hea"
                else (("signals that add up to the header's sums", file.hashes[0][1]),),
            )
            for file in _known(
                "mit-bih-100", "https://physionet.org/files/mitdb/1.0.0/"
            )
        ),
        practice="simulated ECG: the dynamical model of McSharry et al. (2003)",
    ),
    Dataset(
        name="mnist",
        title="MNIST",
        task="handwritten digit → its value",
        classes=tuple("0123456789"),
        disease=(),
        shape="28 × 28 grey pixels, 0 to 255",
        splits={"train": 60_000, "test": 10_000},
        size="11 MB",
        licence="CC BY-SA 3.0",
        licence_url="https://creativecommons.org/licenses/by-sa/3.0/",
        citation=(
            "LeCun et al., Gradient-based learning applied to document recognition, "
            "Proceedings of the IEEE 86(11), 1998"
        ),
        doi="10.1109/5.726791",
        homepage="https://keras.io/api/datasets/mnist/",
        folder="mnist",
        files=(
            File(
                "mnist.npz",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                (
                    (
                        "official file",
                        "sha256:731c5ac602752760c8e48fbffcf8c3b8"
                        "50d9dc2a2aedcf2cc48468fc17b673d1",
                    ),
                ),
            ),
        ),
        practice="scikit-learn's digits, enlarged and moved at random",
        notes="The licence is the one that the Keras documentation states.",
    ),
    Dataset(
        name="cifar-10",
        title="CIFAR-10",
        task="small photograph → what it shows",
        classes=(
            "aeroplane",
            "car",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "lorry",
        ),
        disease=(),
        shape="32 × 32 RGB pixels, 0 to 255",
        splits={"train": 50_000, "test": 10_000},
        size="170 MB",
        licence="none stated",
        licence_url="https://www.cs.toronto.edu/~kriz/cifar.html",
        citation=(
            "Krizhevsky, Learning multiple layers of features from tiny images, "
            "technical report, University of Toronto, 2009"
        ),
        doi="",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        folder="cifar-10",
        files=(
            File(
                "cifar-10-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                (
                    (
                        "official file",
                        "sha256:6d958be074577803d12ecdefd02955f3"
                        "9262c83c16fe9348329d7fe0b5c001ce",
                    ),
                ),
            ),
        ),
        loader=False,
    ),
    Dataset(
        name="eicu-demo",
        title="eICU demo 2.0.1",
        task="intensive care: tables of 2,520 stays in 186 hospitals",
        classes=(),
        disease=(),
        shape="relational tables, CSV",
        splits={},
        size="11 MB, without the large measurement tables",
        licence=ODBL[0],
        licence_url=ODBL[1],
        citation=(
            "Pollard et al., The eICU Collaborative Research Database, Scientific Data "
            "5:180178, 2018"
        ),
        doi="10.1038/sdata.2018.178",
        homepage="https://physionet.org/content/eicu-crd-demo/2.0.1/",
        folder="eicu-demo-2.0.1",
        files=_known(
            "eicu-demo-2.0.1", "https://physionet.org/files/eicu-crd-demo/2.0.1/"
        ),
        practice="simulated tables: a hidden severity draws codes, drugs and death",
    ),
    Dataset(
        name="mimic-iv-demo",
        title="MIMIC-IV demo 2.2",
        task="hospital records of 100 patients",
        classes=(),
        disease=(),
        shape="relational tables, CSV",
        splits={},
        size="11 MB, without chartevents",
        licence=ODBL[0],
        licence_url=ODBL[1],
        citation=(
            "Johnson et al., MIMIC-IV, a freely accessible electronic health record "
            "dataset, Scientific Data 10:1, 2023"
        ),
        doi="10.1038/s41597-022-01899-x",
        homepage="https://physionet.org/content/mimic-iv-demo/2.2/",
        folder="mimic-iv-demo-2.2",
        files=_known(
            "mimic-iv-demo-2.2", "https://physionet.org/files/mimic-iv-demo/2.2/"
        ),
        practice="simulated tables: a hidden severity draws codes, drugs and death",
    ),
    Dataset(
        name="uci-diabetes-130",
        title="Diabetes 130-US hospitals",
        task="hospital encounter → readmission within 30 days",
        classes=("no", "after 30 days", "within 30 days"),
        disease=(2,),
        shape="101,766 encounters × 50 columns",
        splits={},
        size="3.2 MB",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=(
            "Strack et al., Impact of HbA1c measurement on hospital readmission rates, "
            "BioMed Research International 2014:781670"
        ),
        doi="10.1155/2014/781670",
        homepage="https://archive.ics.uci.edu/dataset/296",
        folder="uci-diabetes-130",
        files=tuple(
            # The archive is packed anew at times; the table inside has a known hash.
            File(file.name, file.address)
            for file in _known(
                "uci-diabetes-130", "https://archive.ics.uci.edu/static/public/296/"
            )
        ),
        practice="simulated encounters: a hidden frailty, a known risk",
        notes=(
            "A patient can have several encounters: split by patient. Who died in "
            "hospital counts as not readmitted."
        ),
    ),
    Dataset(
        name="mts-dialog",
        title="MTS-Dialog",
        task="doctor-patient dialogue → section of the clinical note",
        classes=(
            "FAM/SOCHX",
            "GENHX",
            "PASTMEDICALHX",
            "CC",
            "PASTSURGICAL",
            "ALLERGY",
            "ROS",
            "MEDICATIONS",
            "ASSESSMENT",
            "EXAM",
            "DIAGNOSIS",
            "DISPOSITION",
            "PLAN",
            "EDCOURSE",
            "IMMUNIZATIONS",
            "IMAGING",
            "GYNHX",
            "PROCEDURES",
            "OTHER_HISTORY",
            "LABS",
        ),
        disease=(),
        shape="1,701 dialogues with a note section each, English text",
        splits={"train": 1201, "val": 100, "test1": 200, "test2": 200},
        size="1.5 MB",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=(
            "Ben Abacha et al., An Empirical Study of Clinical Note Generation from "
            "Doctor-Patient Encounters, EACL 2023"
        ),
        doi="10.18653/v1/2023.eacl-main.168",
        homepage="https://github.com/abachaa/MTS-Dialog",
        folder="mts-dialog",
        files=tuple(
            file
            for file in _known(
                "mts-dialog",
                "https://raw.githubusercontent.com/abachaa/MTS-Dialog/main/Main-Dataset/",
            )
            if file.name.endswith(".csv")
        ),
        practice="dialogues from a small grammar, 20 sections",
        notes="Some sections have one or two training dialogues.",
    ),
    Dataset(
        name="digits",
        title="Handwritten digits (scikit-learn)",
        task="handwritten digit → its value",
        classes=tuple("0123456789"),
        disease=(),
        shape="8 × 8 grey pixels, 0 to 16",
        splits={},
        size="ships with scikit-learn",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=(
            "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI "
            "Machine Learning Repository, 1998"
        ),
        doi="10.24432/C50P49",
        homepage="https://archive.ics.uci.edu/dataset/80",
    ),
    Dataset(
        name="wisconsin",
        title="Breast Cancer Wisconsin (Diagnostic)",
        task="cell nuclei of a fine-needle aspirate → malignant or benign",
        classes=("malignant", "benign"),
        disease=(0,),
        shape="569 cases × 30 measurements",
        splits={},
        size="ships with scikit-learn",
        licence=CC_BY[0],
        licence_url=CC_BY[1],
        citation=(
            "Wolberg, Mangasarian, Street and Street, Breast Cancer Wisconsin "
            "(Diagnostic), UCI Machine Learning Repository, 1993"
        ),
        doi="10.24432/C5DW2B",
        homepage="https://archive.ics.uci.edu/dataset/17",
        notes="The disease is class 0.",
    ),
    Dataset(
        name="diabetes-progression",
        title="Diabetes progression",
        task="ten baseline values → disease progression one year later",
        classes=(),
        disease=(),
        shape="442 patients × 10 measurements",
        splits={},
        size="ships with scikit-learn",
        licence="BSD 3-Clause (as part of scikit-learn)",
        licence_url="https://github.com/scikit-learn/scikit-learn/blob/main/COPYING",
        citation=(
            "Efron, Hastie, Johnstone and Tibshirani, Least angle regression, Annals "
            "of Statistics 32(2):407, 2004"
        ),
        doi="10.1214/009053604000000067",
        homepage="https://scikit-learn.org/stable/datasets/toy_dataset.html",
    ),
)

CATALOGUE: dict[str, Dataset] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> Dataset:
    """Return the entry of a dataset.

    Raises
    ------
    ValueError
        If there is no such dataset; the message names the nearest ones.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(str(name).lower(), CATALOGUE, n=3, cutoff=0.4)
    known = ", ".join(near or sorted(CATALOGUE))
    raise ValueError(f"there is no dataset '{name}'; did you mean one of: {known}?")
