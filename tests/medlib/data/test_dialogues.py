"""Dialogues are read whole or refused by name; words become numbers as stated."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from medlib.data import CorruptData, DataUnavailable, find, load, simulate, text
from medlib.data.simulate import text as grammar

INFO = find("mts-dialog")


def table(**changes):
    made = {
        "ID": ["0", "1"],
        "section_header": ["GENHX", "ALLERGY"],
        "section_text": ["A note.", "None."],
        "dialogue": ["Doctor: Hi.\r\nPatient: Hello.", "Doctor: Allergies?"],
    }
    return pd.DataFrame({k: v for k, v in (made | changes).items() if v is not None})


def saved(tmp_path, **changes):
    path = tmp_path / "split.csv"
    table(**changes).to_csv(path, index=False)
    return path


def test_a_split_is_read(tmp_path):
    read = text.read_csv(saved(tmp_path), INFO, count=2)
    assert read.dialogues == ("Doctor: Hi.\nPatient: Hello.", "Doctor: Allergies?")
    names = [INFO.classes[label] for label in read.labels]
    assert names == ["GENHX", "ALLERGY"] and read.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"dialogue": None}, "lacks the columns dialogue"),
        ({"ID": ["7", "7"]}, "ID 7 stands in several rows"),
        ({"section_header": ["GENHX", "POETRY"]}, "'POETRY' is not one of the 20"),
        ({"dialogue": ["Doctor: Hi.", "  "]}, "ID 1 is empty"),
    ],
)
def test_what_is_odd_is_named(tmp_path, changes, complaint):
    path = saved(tmp_path, **changes)
    with pytest.raises(CorruptData, match=complaint) as error:
        text.read_csv(path, INFO, count=2)
    assert str(path) in str(error.value)


def test_a_missing_row_is_noticed(tmp_path):
    with pytest.raises(CorruptData, match="has 2 dialogues, not 3"):
        text.read_csv(saved(tmp_path), INFO, count=3)


@pytest.mark.parametrize("content", [b"", b'ID,section_header\n0,"cut', b"ID\n\xff\n"])
def test_what_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "split.csv"
    path.write_bytes(content)
    with pytest.raises(CorruptData, match=r"split\.csv"):
        text.read_csv(path, INFO, count=1)


def test_real_dialogues_are_the_published_ones():
    try:
        data = load("mts-dialog", source="real")
    except DataUnavailable as error:
        pytest.skip(str(error))
    for split, counts in grammar.COUNTS.items():
        part = getattr(data, split)
        assert len(part) == INFO.splits[split] == sum(counts)
        assert np.bincount(part.labels, minlength=20).tolist() == list(counts)
    # Each other split holds two dialogues that stand in train word by word.
    seen = {tuple(text.words(said)) for said in data.train.dialogues}
    for split in ("val", "test1", "test2"):
        said = getattr(data, split).dialogues
        assert sum(tuple(text.words(one)) in seen for one in said) == 2
    assert "train 1201" in repr(data)


def test_the_practice_set_has_the_form_of_the_real_one():
    data = load("mts-dialog", source="practice", seed=1)
    assert tuple(grammar.TURNS) == INFO.classes
    for split, counts in grammar.COUNTS.items():
        labels = getattr(data, split).labels
        assert np.bincount(labels, minlength=20).tolist() == list(counts)
    assert all("{" not in said for said in data.train.dialogues)
    again = load("mts-dialog", source="practice", seed=1)
    assert again.train.dialogues == data.train.dialogues
    other = load("mts-dialog", source="practice", seed=2)
    assert other.train.dialogues != data.train.dialogues


def test_practice_dialogues_open_with_their_own_section():
    made = simulate.practice("mts-dialog", seed=0)
    pairs = zip(made["test1_dialogue"], made["test1_header"], strict=True)
    for dialogue, header in pairs:
        asked = [
            re.sub(r"\\{\w+\\}", ".+", re.escape(question))
            for question, _ in grammar.TURNS[header]
        ]
        # The first question, or the one after a greeting.
        first = [line.removeprefix("Doctor: ") for line in dialogue.splitlines()[:3:2]]
        assert any(re.fullmatch(one, said) for one in asked for said in first)


def test_words_agree_with_scikit_learn():
    said = "Doctor: Don't you take 20 mg, Mrs. Núñez? I can’t see—it's 7 a.m."
    split = CountVectorizer(
        token_pattern=r"[^\W\d_]+(?:'[^\W\d_]+)?|\d|\?"
    ).build_analyzer()
    assert text.words(said) == split(said.replace("’", "'"))
    assert text.words("Núñez can’t") == ["núñez", "can't"]
    assert text.words("BP 120/80") == ["bp", "1", "2", "0", "8", "0"]


def test_the_vocabulary_counts_as_scikit_learn_does():
    texts = ["yes yes no", "no maybe", "maybe perhaps yes"]
    counted = CountVectorizer().fit(texts)
    totals = counted.transform(texts).sum(axis=0).A1
    kept = {w for w, i in counted.vocabulary_.items() if totals[i] >= 2}
    vocabulary = text.Vocabulary.of(texts, at_least=2)
    assert set(vocabulary.known) == kept == {"yes", "no", "maybe"}
    assert vocabulary.known[0] == "yes" and len(vocabulary) == 5


def test_texts_become_rows_of_one_length():
    vocabulary = text.Vocabulary(("yes", "no"))
    rows = vocabulary.encode(["Yes, no yes.", "what", "", "—", "no " * 9], 4)
    assert rows.tolist() == [
        [2, 3, 2, 0],
        [1, 0, 0, 0],
        [1, 0, 0, 0],  # an empty text is one unknown word
        [1, 0, 0, 0],
        [3, 3, 3, 3],  # a long text loses its end
    ]
    assert rows.dtype == np.int32
    assert vocabulary.encode([], 4).shape == (0, 4)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: text.Vocabulary(("a",)).encode(["a"], 0), "length is 0"),
        (lambda: text.Vocabulary(("a",)).encode("a b", 3), "one string"),
        (lambda: text.Vocabulary.of(["a b"]), "no word that occurs 2 times"),
        (lambda: text.Vocabulary.of(["a b"], at_least=0), "at_least is 0"),
    ],
)
def test_bad_arguments_are_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
