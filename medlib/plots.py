"""Every figure's look in one place."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, made to be told apart with any colour vision
# (https://jfly.uni-koeln.de/color/).
COLOURS: dict[str, str] = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
    "grey": "#767676",
}
PALETTE = [
    COLOURS[name] for name in ("blue", "orange", "green", "red", "purple", "sky")
]
WIDTH = 7.5  # inches: the book's text width


def use_style() -> None:
    """Set the course's figure style; every lesson calls it once.

    Figures keep a white ground, so that they read the same on a dark page.
    """
    sns.set_theme(style="whitegrid", palette=PALETTE)
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.4),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "figure.titlesize": 12,
            "figure.titleweight": "bold",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#DDDDDD",
            "image.cmap": "gray",
            "image.interpolation": "nearest",
        }
    )


def show_images(
    images: Sequence[np.ndarray] | np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 6,
    title: str = "",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Show images side by side.

    Parameters
    ----------
    images : sequence of ndarray, shape (height, width[, 1 or 3])
        Grey or RGB.
    titles : sequence of str, optional
        One for each image.
    columns : int
        How many in a row.
    title : str
        What the figure shows, over all of them.
    limits : tuple of float, optional
        Values shown as black and white; each image's own extremes if left out.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no images, or not one title for each.
    """
    count = len(images)
    if count == 0:
        raise ValueError("images is empty; there is nothing to show")
    if titles is not None and len(titles) != count:
        raise ValueError(f"titles has {len(titles)} entries for {count} images")
    columns = min(columns, count)
    rows = -(-count // columns)
    side = WIDTH / columns
    height = rows * (side + (0.25 if titles else 0.05)) + (0.35 if title else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    low, high = limits or (None, None)
    for index, axis in enumerate(axes.flat):
        axis.axis("off")
        if index < count:
            axis.imshow(np.squeeze(images[index]), vmin=low, vmax=high)
            if titles is not None:
                axis.set_title(
                    titles[index], fontsize=9, fontweight="normal", loc="center"
                )
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def annotate_cells(axis: Axes, values: np.ndarray, decimals: int = 0) -> None:
    """Write each value into its cell of the axis' image, in a colour that reads.

    Parameters
    ----------
    axis : Axes
        Holds the image of ``values``.
    values : ndarray, shape (height, width)
        The numbers.
    decimals : int
        Digits after the point.
    """
    colours = axis.images[-1].to_rgba(values)[..., :3]
    # Relative luminance of the sRGB primaries, good enough without linearising.
    bright = colours @ np.array([0.2126, 0.7152, 0.0722]) > 0.5
    for (row, column), value in np.ndenumerate(values):
        axis.text(
            column,
            row,
            f"{value:.{decimals}f}",
            ha="center",
            va="center",
            fontsize=9,
            color="black" if bright[row, column] else "white",
        )
