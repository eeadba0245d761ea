"""Features of a network that was trained on photographs.

The weights are Keras' own for MobileNetV2 (Sandler et al., arXiv:1801.04381), trained
on ImageNet. They are downloaded once; `WeightsUnavailable` says when they cannot be.
"""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import keras
import numpy as np
import pooch
import requests
from keras import ops

from medlib.data import store

SIDE = 96  # the smallest side that weights are published for
ADDRESS = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
)


class WeightsUnavailable(RuntimeError):
    """Pretrained weights are not on this machine and could not be had."""


def weights(address: str = ADDRESS) -> Path:
    """Return the file of weights, after a download if it is not in the cache yet.

    The file is written beside its place and renamed when it is whole.

    Parameters
    ----------
    address : str
        Where they are published.

    Raises
    ------
    WeightsUnavailable
        If the host cannot be reached or does not deliver; nothing is kept.
    """
    parts = urllib.parse.urlsplit(address)
    folder = store.cache_dir() / "imagenet"
    path = folder / Path(parts.path).name
    if path.is_file():
        return path
    if not store.is_reachable(address):
        raise WeightsUnavailable(
            f"The ImageNet weights are not on this machine and {parts.netloc} cannot "
            f"be reached. Connect to the network, or set MEDLIB_CACHE_DIR to a folder "
            f"that holds imagenet/{path.name}."
        )
    fetcher = pooch.HTTPDownloader(
        timeout=(store.CONNECT_SECONDS, store.READ_SECONDS), progressbar=True
    )
    try:
        # The publisher gives no hash. The connection is encrypted, and a file that is
        # not whole does not open (`backbone`).
        pooch.retrieve(
            address, known_hash=None, fname=path.name, path=folder, downloader=fetcher
        )
    except (requests.exceptions.RequestException, OSError) as error:
        raise WeightsUnavailable(
            f"The ImageNet weights could not be downloaded from {parts.netloc}: "
            f"{error}. Nothing was kept; try again."
        ) from error
    return path


def backbone(address: str = ADDRESS) -> keras.Model:
    """Return MobileNetV2 without its classes; features of shape (n, 1280).

    Raises
    ------
    WeightsUnavailable
        If the weights cannot be had, or what was delivered are none; the file is
        deleted then.
    """
    path = weights(address)
    try:
        return keras.applications.MobileNetV2(
            (SIDE, SIDE, 3), include_top=False, weights=str(path), pooling="avg"
        )
    except (OSError, ValueError, KeyError) as error:
        path.unlink(missing_ok=True)
        raise WeightsUnavailable(
            f"{path} does not hold MobileNetV2's weights ({error}). It was deleted; "
            "try again, and if a proxy stands between you and the network, ask it for "
            "the file itself."
        ) from error


def prepare(images: np.ndarray) -> np.ndarray:
    """Return images as MobileNetV2 takes them.

    Grey is repeated to three channels, the side enlarged to 96 pixels (bilinear), and
    values run from −1 to 1.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 1 or 3)
        Grey or RGB.

    Returns
    -------
    ndarray of float32, shape (n, 96, 96, 3)

    Raises
    ------
    ValueError
        If the images have another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(
            f"images is {images.dtype} {images.shape}; uint8 of shape (n, height, "
            "width, 1 or 3) is needed"
        )
    coloured = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    larger = ops.image.resize(
        coloured.astype("float32"),
        (SIDE, SIDE),
        interpolation="bilinear",
        data_format="channels_last",
    )
    scaled = keras.applications.mobilenet_v2.preprocess_input(
        ops.convert_to_numpy(larger), data_format="channels_last"
    )
    return np.asarray(scaled)


def features(
    network: keras.Model, images: np.ndarray, batch_size: int = 64
) -> np.ndarray:
    """Return the features of 8-bit images, shape (n, 1280); images as in `prepare`."""
    parts = [
        ops.convert_to_numpy(
            network(prepare(images[i : i + batch_size]), training=False)
        )
        for i in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)
