"""Figures have one look and refuse what they cannot show."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from medlib import plots


@pytest.fixture(autouse=True)
def clean():
    plots.use_style()
    yield
    plt.close("all")


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_and_grey_stand_out_from_the_ground():
    for colour in (
        plots.COLOURS["black"],
        plots.COLOURS["grey"],
        plots.COLOURS["blue"],
    ):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour


def test_the_ground_is_white_in_dark_pages_too():
    assert plt.rcParams["figure.facecolor"] == "white"
    assert min(plt.rcParams["xtick.labelsize"], plt.rcParams["legend.fontsize"]) >= 9


def test_one_axis_for_each_image_and_its_title():
    images = np.zeros((5, 4, 4, 1), np.uint8)
    figure = plots.show_images(images, list("abcde"), columns=3, title="five")
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == list("abcde")
    assert len(figure.axes) == 6 and figure.get_suptitle() == "five"


def test_numbers_read_on_dark_and_light_cells():
    figure, axis = plt.subplots()
    values = np.array([[0.0, 1.0]])
    axis.imshow(values, cmap="gray")
    plots.annotate_cells(axis, values)
    assert [text.get_color() for text in axis.texts] == ["white", "black"]
    plt.close(figure)


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="images is empty"):
        plots.show_images([])
    with pytest.raises(ValueError, match="titles has 1 entries for 2 images"):
        plots.show_images(np.zeros((2, 3, 3)), ["one"])
