"""Planted duplicates are found, strangers are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medlib.data import load
from medlib.data.duplicates import near_duplicates, perceptual_hash


@pytest.fixture
def images():
    noise = np.random.default_rng(0).normal(size=(60, 28, 28))
    smooth = gaussian_filter(noise, (0, 2, 2))
    scaled = 128 + 60 * smooth / smooth.std(axis=(1, 2), keepdims=True)
    return np.clip(scaled, 0, 255).astype(np.uint8)[..., None]


def test_planted_copies_are_found_and_nothing_else(images):
    others = images[:20].copy()
    others[3] = images[41]
    dimmed = images[50].astype(float) * 0.8 + 10
    others[7] = np.clip(dimmed, 0, 255).astype(np.uint8)
    fresh = images[20:]
    pairs = near_duplicates(fresh, others)
    assert [(p.first, p.second) for p in pairs] == [(21, 3), (30, 7)]
    assert pairs[0].equal and pairs[0].bits == 0 and pairs[0].correlation == 1
    assert not pairs[1].equal and 0.99 < pairs[1].correlation < 1


def test_within_a_set_each_pair_comes_once(images):
    doubled = np.concatenate([images, images[5:7]])
    pairs = near_duplicates(doubled)
    assert sorted((p.first, p.second) for p in pairs) == [(5, 60), (6, 61)]
    assert near_duplicates(images) == []


def test_blocks_do_not_change_the_result(images):
    many = np.concatenate([images] * 20)  # 1200, more than one block
    pairs = near_duplicates(many[:1100], images[:1])
    assert [p.first for p in pairs] == list(range(0, 1100, 60))


def test_hash_is_blind_to_brightness_and_contrast(images):
    dark = (images.astype(float) * 0.5 + 3).astype(np.float32)
    differing = (perceptual_hash(images) != perceptual_hash(dark)).sum(axis=1)
    assert perceptual_hash(images).shape == (60, 63)
    assert differing.max() == 0
    assert (perceptual_hash(images[:1]) != perceptual_hash(images[1:2])).sum() > 10


def test_images_without_contrast_match_only_their_equals():
    flat = np.zeros((2, 28, 28, 1), np.uint8)
    flat[1] += 9
    assert near_duplicates(flat) == []
    assert len(near_duplicates(flat, flat)) == 2


def test_official_pneumonia_copies_are_found():
    chest = load("pneumoniamnist")
    if chest.provenance.kind != "real":
        pytest.skip("needs the real PneumoniaMNIST")
    across = near_duplicates(chest.train.images, chest.val.images)
    # The data's own description counts 8 validation images and 18 pairs inside train.
    assert len({p.second for p in across}) == 8 and all(p.equal for p in across)
    assert len(near_duplicates(chest.train.images)) == 18


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: perceptual_hash(np.zeros((2, 28, 28))), r"images has shape \(2, 28"),
        (lambda: perceptual_hash(np.zeros((2, 4, 4, 1))), "at least 8 pixels"),
        (
            lambda: near_duplicates(np.zeros((1, 28, 28, 1)), np.zeros((1, 28, 28, 3))),
            "one size first",
        ),
    ],
)
def test_bad_shapes_are_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
