"""Hand-made image features for small images, with trees and a linear discriminant.

No network: colour and texture are measured by fixed formulas, and two classifiers of
scikit-learn learn from the measurements. It trains in seconds on one core. Where
images are few and the signs of disease are colour and texture, as on fundus
photographs of 28 × 28 pixels, it is hard to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer

from medlib.data.images import Split
from medlib.models.imaging import to_float

# Radii in halves of the side: 1 touches the middle of the border. Fundus photographs
# are discs; the outer parts hold their rim and the black margin.
RINGS = (0.0, 0.3, 0.55, 0.78, 0.95, np.inf)
DISC, INNER = 0.82, 0.75
PERCENTILES = (2, 10, 25, 50, 75, 90, 98)
TAILS = (1, 5, 95, 99)
SCALES = (0.7, 1.4, 2.8)  # standard deviations of the smoothing, in pixels
LAGS = (1, 2, 4)  # pixels
DARK = 0.03  # added before the logarithm, so that black stays finite


def planes(scaled: np.ndarray) -> np.ndarray:
    """Return what is measured at each pixel, shape (n, height, width, 2 or 6).

    Grey images, from 0 to 1: the value and its logarithm. Colour images: red, green,
    blue, log red − log green, log green − log blue and the mean logarithm. Differences
    of logarithms do not change when the light becomes brighter, but for the small
    constant that keeps black finite.

    Raises
    ------
    ValueError
        If the images have neither one nor three channels.
    """
    channels = scaled.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"images have {channels} channels; 1 or 3 are needed")
    logs = np.log(scaled + DARK)
    if channels == 1:
        return np.concatenate([scaled, logs], axis=-1)
    ratios = logs[..., :2] - logs[..., 1:]
    return np.concatenate([scaled, ratios, logs.mean(axis=-1, keepdims=True)], axis=-1)


def measure(images: np.ndarray) -> np.ndarray:
    """Return the features of 8-bit images, shape (n, 82) for grey, (n, 246) for colour.

    For each of the `planes`: mean and deviation in five rings about the centre;
    percentiles inside the disc; the spread and the tails of the difference from the
    smoothed image at three scales (small bright or dark spots stand in the tails); and
    the mean absolute difference of neighbours one, two and four pixels apart.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, channels)
        One or three channels, at least 16 pixels on each side.

    Raises
    ------
    ValueError
        If the images are of another type, number of channels, or smaller.
    """
    scaled = to_float(images).astype(float)
    height, width = scaled.shape[1:3]
    if min(height, width) < 16:
        raise ValueError(
            f"images are {height} × {width} pixels; at least 16 × 16 are needed"
        )
    values = planes(scaled)
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(
        (rows - (height - 1) / 2) / (height / 2),
        (columns - (width - 1) / 2) / (width / 2),
    )
    disc, inner = radius < DISC, radius < INNER
    found = []
    for low, high in pairwise(RINGS):
        ring = values[:, (radius >= low) & (radius < high)]
        found += [ring.mean(axis=1), ring.std(axis=1)]
    found += list(np.percentile(values[:, disc], PERCENTILES, axis=1))
    for scale in SCALES:
        smooth = ndimage.gaussian_filter(values, (0, scale, scale, 0))
        detail = (values - smooth)[:, inner]
        found += [detail.std(axis=1), np.abs(detail).mean(axis=1)]
        found += list(np.percentile(detail, TAILS, axis=1))
    for lag in LAGS:
        down = np.abs(values[:, lag:] - values[:, :-lag])
        across = np.abs(values[:, :, lag:] - values[:, :, :-lag])
        found += [
            down[:, disc[lag:] & disc[:-lag]].mean(axis=1),
            across[:, disc[:, lag:] & disc[:, :-lag]].mean(axis=1),
        ]
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Recipe:
    """How the two classifiers are trained; the defaults were cross-validated.

    Attributes
    ----------
    trees : int
        Of the extremely randomised trees (Geurts, Ernst and Wehenkel 2006,
        doi:10.1007/s10994-006-6226-1).
    leaf : int
        Fewest cases in a leaf.
    share : float
        Share of the features that a split may look at, above 0 and at most 1.
    shrinkage : float
        How far the discriminant's covariance is drawn towards a multiple of the
        identity, from 0 to 1, after standardisation.
    quantiles : int
        Before the discriminant, each feature is mapped to a normal distribution
        through so many of its quantiles.
    """

    trees: int = 300
    leaf: int = 3
    share: float = 0.2
    shrinkage: float = 0.3
    quantiles: int = 60

    def __post_init__(self) -> None:
        for name, least in (("trees", 1), ("leaf", 1), ("quantiles", 2)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; at least {least} is needed"
                )
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}; above 0 and at most 1 is needed")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"shrinkage is {self.shrinkage}; from 0 to 1 is needed")


@dataclass(frozen=True)
class Classifier:
    """The two trained classifiers; the mean of their probabilities is the answer."""

    trees: ExtraTreesClassifier
    discriminant: Pipeline
    n_classes: int

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (n, n_classes), for 8-bit images.

        A class that was not among the training labels gets 0.
        """
        found = measure(images)
        scores = np.zeros((len(images), self.n_classes))
        scores[:, self.trees.classes_] = (
            self.trees.predict_proba(found) + self.discriminant.predict_proba(found)
        ) / 2
        return scores

    def count_params(self) -> int:
        """Return how many fitted numbers prediction uses.

        A split holds a feature and a threshold, a leaf a share for each class; the
        quantiles and the discriminant's weights are added.
        """
        total = 0
        for tree in self.trees.estimators_:
            leaves = int(tree.get_n_leaves())
            total += 2 * (tree.tree_.node_count - leaves)
            total += leaves * len(self.trees.classes_)
        transform, linear = (step for _, step in self.discriminant.steps)
        return total + sum(
            values.size
            for values in (transform.quantiles_, linear.coef_, linear.intercept_)
        )


def fit(
    train: Split, n_classes: int, recipe: Recipe | None = None, seed: int = 0
) -> Classifier:
    """Train the trees, with classes weighted alike, and the discriminant.

    Parameters
    ----------
    train : Split
        At least two classes must occur.
    n_classes : int
        Number of outputs.
    recipe : Recipe, optional
        The default one if not given.
    seed : int
        Of the trees; the discriminant has no randomness.

    Raises
    ------
    ValueError
        If fewer than two classes occur, or a label lies outside the classes.
    """
    recipe = recipe or Recipe()
    if len(np.unique(train.labels)) < 2:
        raise ValueError("train holds fewer than two classes; nothing can be learned")
    if train.labels.min() < 0 or train.labels.max() >= n_classes:
        raise ValueError(f"labels must lie in 0 to {n_classes - 1}")
    found = measure(train.images)
    trees = ExtraTreesClassifier(
        recipe.trees,
        min_samples_leaf=recipe.leaf,
        max_features=recipe.share,
        class_weight="balanced",
        random_state=seed,
    )
    discriminant = make_pipeline(
        QuantileTransformer(
            n_quantiles=min(recipe.quantiles, len(train)),
            output_distribution="normal",
            random_state=0,
        ),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=recipe.shrinkage),
    )
    return Classifier(
        trees.fit(found, train.labels), discriminant.fit(found, train.labels), n_classes
    )
