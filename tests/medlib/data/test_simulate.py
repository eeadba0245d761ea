"""Practice sets have the form, the physics and the difficulty of the real ones."""

import numpy as np
import pytest
from scipy import signal, stats

from medlib import runtime
from medlib.data import CATALOGUE, DataUnavailable, load, simulate
from medlib.data.images import ImageSet
from medlib.data.simulate import digits, ecg, radiograph, ultrasound
from medlib.evaluation import metrics
from medlib.models import imaging

IMAGES = list(simulate.CLASS_COUNTS)
FEW = {"train": 40, "val": 10, "test": 10}


@pytest.mark.parametrize("name", IMAGES)
def test_form_and_class_balance_are_those_of_the_real_set(name):
    made = simulate.practice(name)
    for split, counts in simulate.CLASS_COUNTS[name].items():
        total = sum(counts)
        colour = (3,) if "RGB" in CATALOGUE[name].shape else ()
        assert made[f"{split}_images"].shape == (total, 28, 28, *colour)
        assert made[f"{split}_images"].dtype == np.uint8
        assert made[f"{split}_labels"].shape == (total, 1)
        assert np.bincount(made[f"{split}_labels"].ravel()).tolist() == list(counts)
        assert made[f"{split}_masks"].shape == (total, 28, 28)
        assert made[f"{split}_masks"].dtype == bool


@pytest.mark.parametrize("name", IMAGES)
def test_the_same_seed_gives_the_same_set(name):
    one, same, other = (simulate.practice(name, seed=s, counts=FEW) for s in (1, 1, 2))
    assert all(np.array_equal(one[key], same[key]) for key in one)
    assert not np.array_equal(one["train_images"], other["train_images"])
    assert not np.array_equal(one["train_images"][:10], one["test_images"])


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("size", [28, 64, 224])
def test_any_size_shows_the_same_lesions(name, size):
    small = simulate.practice(name, size=28, counts=FEW)
    made = simulate.practice(name, size=size, counts=FEW)
    assert made["train_images"].shape[1:3] == (size, size)
    shares = [d["train_masks"].mean(axis=(1, 2)) for d in (small, made)]
    assert np.corrcoef(shares)[0, 1] > 0.9


def test_masks_are_where_lesions_are():
    breast = simulate.practice(
        "breastmnist", counts={"train": 200, "val": 0, "test": 0}
    )
    malignant = breast["train_labels"][:, 0] == 0
    lesion = breast["train_masks"].any(axis=(1, 2))
    assert lesion[malignant].all() and 0.6 < lesion[~malignant].mean() < 0.95
    inside = breast["train_images"][breast["train_masks"]].mean()
    outside = breast["train_images"][~breast["train_masks"]].mean()
    assert inside < outside - 20, "lesions are darker than tissue"
    chest = simulate.practice(
        "pneumoniamnist", counts={"train": 200, "val": 0, "test": 0}
    )
    sick = chest["train_labels"][:, 0] == 1
    assert not chest["train_masks"][~sick].any() and chest["train_masks"][sick].any()


def test_speckle_is_fully_developed():
    rng = np.random.default_rng(0)
    field = ultrasound.envelope(np.ones((4, 256, 256), np.float32), rng)
    expected = stats.rayleigh.mean() / stats.rayleigh.std()
    assert expected == pytest.approx(1.91, abs=0.01)
    assert field.mean() / field.std() == pytest.approx(expected, rel=0.05)
    assert np.mean(field**2) == pytest.approx(1, rel=0.1)


def test_beer_and_lambert_by_hand():
    thickness = {
        "soft": np.array([10.0]),
        "bone": np.array([1.0]),
        "lung": np.array([2.0]),
    }
    expected = np.exp(-(10 * 0.21 + 1 * 0.50 + 2 * 0.06))
    assert radiograph.transmitted(thickness) == pytest.approx(expected)


def test_ecg_has_the_form_and_rate_of_record_100():
    made = simulate.practice("mit-bih-100")
    assert made["signal"].shape == (650_000, 2) and made["signal"].dtype == np.float64
    assert abs(len(made["beats"]) - 2273) < 30
    kinds, counts = np.unique(made["symbols"], return_counts=True)
    assert dict(zip(kinds, counts, strict=True))["A"] == pytest.approx(33, abs=1)
    assert set(kinds) == {"A", "N", "V"}
    rate = 60 * 360 / np.median(np.diff(made["beats"]))
    assert rate == pytest.approx(60 / ecg.MEAN_RR, abs=2)


def test_ecg_annotations_lie_on_the_r_peaks():
    made = simulate.practice("mit-bih-100")
    trace = made["signal"][:100_000, 0]
    peaks, _ = signal.find_peaks(trace, height=0.7, distance=120)
    beats = made["beats"][made["beats"] < 100_000]
    normal = beats[made["symbols"][: len(beats)] == "N"]
    gaps = np.abs(normal[:, None] - peaks[None, :]).min(axis=1)
    assert np.mean(gaps <= 5) > 0.98


def test_intervals_have_the_two_published_peaks():
    rr = ecg.intervals(4096, np.random.default_rng(0))
    frequency, power = signal.periodogram(rr, fs=1 / ecg.MEAN_RR)
    for low, high in ((0.07, 0.13), (0.22, 0.28)):
        band = (frequency > low) & (frequency < high)
        assert power[band].max() > 50 * np.median(power)
    assert rr.mean() == pytest.approx(ecg.MEAN_RR) and rr.std() == pytest.approx(
        ecg.SD_RR
    )


def test_digits_of_train_and_test_come_from_different_originals():
    parts = digits.originals()
    train = {image.tobytes() for image in parts["train"][0]}
    assert not any(image.tobytes() in train for image in parts["test"][0])
    made = simulate.practice("mnist", counts={"train": 500, "test": 100})
    assert made["train_images"].shape == (500, 28, 28)
    assert np.bincount(made["train_labels"].ravel(), minlength=10).min() > 20


def test_practice_digits_are_as_many_as_mnist():
    made = simulate.practice("mnist")
    assert made["train_images"].shape == (60_000, 28, 28)
    assert made["test_images"].shape == (10_000, 28, 28)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("brainmnist",), "'brainmnist' has no practice set; there are: breastmnist"),
        (("breastmnist", 4), "size is 4 pixels; at least 8"),
        (("breastmnist", 28, {"train": -1}), "fewer than 0 cases"),
    ],
)
def test_bad_requests_are_named(arguments, complaint):
    name, size, counts = (*arguments, 28, None)[:3] if len(arguments) < 3 else arguments
    with pytest.raises(ValueError, match=complaint):
        simulate.practice(name, size=size, counts=counts)


def learned_auc(data: ImageSet, epochs: int) -> float:
    runtime.seed_everything(0)
    model = imaging.first_cnn(data.train.images.shape[1:], data.n_classes)
    imaging.fit(
        model, data.train, data.val, score=metrics.auc, epochs=epochs, batch_size=64
    )
    return metrics.auc(data.test.labels, imaging.predict(model, data.test.images))


# Test AUC of the same network and training on the real sets, measured with seed 0.
REAL_AUC = {"breastmnist": 0.820, "pneumoniamnist": 0.931, "retinamnist": 0.728}
EPOCHS = {"breastmnist": 30, "pneumoniamnist": 5, "retinamnist": 20}


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_a_small_network_learns_it_about_as_well_as_the_real_set(name):
    assert name in REAL_AUC, f"measure {name} on real data: REAL_AUC and EPOCHS"
    practice = learned_auc(load(name, source="practice"), EPOCHS[name])
    assert practice == pytest.approx(REAL_AUC[name], abs=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_the_stated_real_auc_is_what_is_measured(name):
    try:
        data = load(name, source="real")
    except DataUnavailable as error:
        pytest.skip(str(error))
    assert learned_auc(data, EPOCHS[name]) == pytest.approx(REAL_AUC[name], abs=0.03)
