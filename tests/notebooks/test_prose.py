"""Misspelt, American and doubled words are found, and only in prose."""

import pytest

from tools import prose


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("It is recieved.", "t.md:1: recieved: better received"),
        ("One.\n\nThe color of it.", "t.md:3: color: better colour"),
        ("A tumor.", "t.md:1: tumor: better tumour"),
        ("Normalized.", "t.md:1: Normalized: better Normalised"),
    ],
)
def test_spelling_is_checked(text, complaint):
    assert list(prose.misspelt({"t.md": text})) == [complaint]


@pytest.mark.parametrize(
    "text", ["A colour.", "To practise in the practice.", "Licensed by a licence."]
)
def test_british_spelling_passes(text):
    assert list(prose.misspelt({"t.md": text})) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is is so.", [(1, "is")]),
        ("One.\nThe\nthe other.", [(2, "The")]),
        ("He had had it, and that that was so.", []),
        ("The end.\n\nEnd of it. End.", []),
        ("in $x$ in `y` in", []),
    ],
)
def test_doubled_words_are_found(text, found):
    assert list(prose.twice(prose.prose(text))) == found


def test_code_mathematics_and_sources_are_left_out():
    text = (
        "One `color`, $gray$, [a](https://b.c/color).\n\n"
        "```{code-cell} ipython3\n---\nmystnb:\n  image:\n    alt: A gray bar\n---\n"
        "color = 1\n```\n\nCenter.\n\n## Sources\n\n- The color of tumor.\n"
    )
    found = list(prose.misspelt({"t.md": prose.prose(text)}))
    assert found == ["t.md:12: Center: better Centre", "t.md:7: gray: better grey"]


def test_every_text_is_in_order():
    assert len(prose.files()) > 30
    assert prose.check(prose.files()) == []
