"""The course as data, its map, its parts' tables and its paths, against the lessons."""

import json
import re
import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

from tools import book

sys.path.insert(0, str(book.ROOT / "book/_extensions"))

from course_book import course, course_map, openers, paths

STORED = yaml.safe_load((book.ROOT / "book/course.yml").read_text(encoding="utf-8"))
ENTRIES = [entry for part in STORED for entry in part["lessons"]]
WAYS = paths.load(book.ROOT)
RANGE = re.compile(r"(\d)\.(\d)(?: to |–)\1\.(\d)")


def header(entry):
    """Return a lesson's first cell, as its text has it."""
    text = (book.ROOT / f"{entry['file']}.md").read_text(encoding="utf-8")
    return re.search(r"^# \d.*?(?=^## )", text, re.MULTILINE | re.DOTALL)[0]


@pytest.fixture(scope="module")
def parts():
    return course.load(book.ROOT)


@pytest.fixture(scope="module", params=["wide", "narrow"])
def drawing(request, parts):
    soup = BeautifulSoup(course_map.picture(parts), "html.parser")
    return soup.find("svg", class_=request.param)


@pytest.fixture
def small(tmp_path):
    """Make a course of three lessons, two of them with known length and needs."""
    (tmp_path / "book").mkdir()
    lessons = [
        {"number": number, "title": f"Title {number}", "file": f"notebooks/{number}",
         "needs": needs, "question": "Why?"}
        for number, needs in (("1.1", []), ("1.2", ["1.1"]), ("1.3", ["1.1", "1.2"]))
    ]  # fmt: skip
    stored = [{"title": "One", "aim": "a", "opener": "book/1", "lessons": lessons}]
    (tmp_path / "book/course.yml").write_text(yaml.safe_dump(stored))
    for entry in lessons:
        lesson_file(tmp_path / f"{entry['file']}.ipynb")
    return tmp_path


def lesson_file(path, **run):
    run = {"seconds": 8.6, "peak_memory_mb": 1040, "versions": {"numpy": "2.0"}} | run
    text = "# T\n\n## The case\n\n" + "word " * 1000 + "\n\n$$a$$\n\n## Break it\n"
    cells = [
        {"cell_type": "markdown", "source": text.splitlines(keepends=True)},
        {"cell_type": "code", "source": "x = 1\n\n" * 100,
         "outputs": [{"data": {"image/png": ""}}, {"name": "stdout"}]},
    ]  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {"medlib": {"run": run}}}))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["number"])
def test_course_says_of_a_lesson_what_its_header_says(entry):
    text = header(entry)
    assert text.startswith(f"# {entry['number']} {entry['title']}\n")
    needs = re.search(r"\*\*Needs\*\* (.*?) · \*\*Data\*\*", text)[1]
    needs = re.sub(r"\[|\]\([^)]*\)|\blesson ", "", needs)
    # "1.2 to 1.4" and "4.1–4.3" mean each lesson of the range.
    needs = RANGE.sub(
        lambda m: " ".join(f"{m[1]}.{i}" for i in range(int(m[2]), int(m[3]) + 1)),
        needs,
    )
    needs = sorted(set(re.findall(r"\b\d\.\d\b", needs)))
    assert entry["needs"] == needs, f"book/course.yml, {entry['number']}: write {needs}"


def test_course_and_contents_name_the_same_pages_in_the_same_order():
    pages = [page for page in book.pages() if re.match(r"notebooks/|book/\d_", page)]
    said = []
    for part in STORED:
        said += [part["opener"], *(entry["file"] for entry in part["lessons"])]
    assert pages == said


def test_no_lesson_needs_a_later_one():
    numbers = [entry["number"] for entry in ENTRIES]
    assert numbers == sorted(set(numbers))
    for i, entry in enumerate(ENTRIES):
        assert set(entry["needs"]) <= set(numbers[:i]), entry["number"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["number"])
def test_header_promises_the_reading_time_that_the_rule_gives(entry, parts):
    lesson = course.by_number(parts)[entry["number"]]
    promised = int(re.search(r"\*\*Reading\*\* (\d+) min", header(entry))[1])
    minutes = sum(lesson.sections.values())
    assert abs(promised - minutes) <= 0.2 * minutes, (
        f"{entry['file']}.md promises {promised} min; the rule gives {minutes:.0f}: "
        f"write {lesson.reading}"
    )


def test_reading_follows_its_rule(small):
    # 1000 words are five minutes, the formula is a quarter; 100 lines of code are five
    # minutes, the figure is a quarter; the two headings are five words in all.
    (part,) = course.load(small)
    sections = part.lessons[0].sections
    assert sections["The case"] == pytest.approx(1002 / 200 + 0.25)
    assert sections["Break it"] == pytest.approx(2 / 200 + 100 / 20 + 0.25)
    assert part.lessons[0].reading == 10


def test_words_in_code_formulas_and_addresses_are_not_read_as_prose():
    source = "one two `three four` $x + y$ [five](https://a.b/c d) <div id='e'> "
    source += "```python\nsix seven\n```"
    minutes = course.reading([{"cell_type": "markdown", "source": source}])
    assert minutes == {"": pytest.approx(3 / 200)}


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (lambda path: path.unlink(), r"notebooks/1\.2, which has no notebook"),
        (
            lambda path: path.write_text('{"cells": [], "metadata": {}}'),
            r"notebooks/1\.2\.ipynb has no record of its run; run .*tools\.notebooks",
        ),
    ],
)
def test_lesson_that_lacks_its_run_is_named(small, fault, word):
    fault(small / "notebooks/1.2.ipynb")
    with pytest.raises(ExtensionError, match=word):
        course.load(small)


def test_arrows_are_the_needs_of_the_lessons(drawing):
    drawn = [(g["data-from"], g["data-to"]) for g in drawing.select(".need")]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(need, e["number"]) for e in ENTRIES for need in e["needs"]}


def test_arrows_begin_and_end_at_the_lessons_they_name(drawing):
    places = {}
    for link in drawing.select(".lesson > a"):
        top, height = (float(link.rect[name]) for name in ("y", "height"))
        places[link.select_one(".number").get_text()] = (top, top + height)
    for need in drawing.select(".need"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", need.path["d"])]
        start, end = numbers[1], numbers[7] + course_map.CORNER
        top, bottom = places[need["data-from"]]
        assert top < start < bottom
        top, bottom = places[need["data-to"]]
        assert top < end < bottom


def test_lines_that_share_a_stretch_have_lanes_of_their_own(parts):
    lane_of = course_map.lanes(parts)
    place = {lesson.number: i for i, lesson in enumerate(course.lessons(parts))}
    stretches = {
        number: set(range(place[number], place[users[-1]] + 1))
        for number, users in course_map.needed_by(parts).items()
    }
    assert lane_of.keys() == stretches.keys()
    for one in lane_of:
        for other in lane_of:
            if one < other and lane_of[one] == lane_of[other]:
                assert not stretches[one] & stretches[other]


def test_map_links_every_lesson_and_says_in_words_what_it_shows(drawing):
    links = {a["href"]: a for a in drawing.find_all("a")}
    expected = {f"../{part['opener']}.html" for part in STORED}
    assert links.keys() == expected | {f"../{entry['file']}.html" for entry in ENTRIES}
    for entry in ENTRIES:
        name = links[f"../{entry['file']}.html"].title.get_text()
        assert name.startswith(f"{entry['number']} {entry['title']} ")
        assert name.endswith(f"needs {', '.join(entry['needs']) or 'no other lesson'}")
    assert "2.5 Pretrain, then fine-tune leads to 3.5." in drawing.desc.get_text()
    # A picture whose parts are links must not be one picture to a screen reader.
    assert drawing["role"] == "group"


def test_openers_highlight_their_own_part(parts):
    soup = BeautifulSoup(course_map.picture(parts, 3), "html.parser")
    lessons = soup.find("svg").select(".lesson")
    assert len(lessons) == len(ENTRIES)
    for lesson in lessons:
        assert ("elsewhere" in lesson["class"]) == ("part-3" not in lesson["class"])
    assert 'class="lesson part-1 elsewhere"' not in course_map.picture(parts)


def test_tables_list_the_lessons_with_what_they_take(small):
    parts = course.load(small)
    lines = openers.table(parts[0], parts).splitlines()
    assert lines[4] == (
        "| [1.3 Title 1.3](../notebooks/1.3.ipynb) | Why? | 1.1, 1.2 | 10 min | 9 s "
        "| 1.0 GB |"
    )
    # 30 minutes are half an hour, 25.8 seconds are 26.
    assert lines[-1] == "| **together** | 3 lessons | | about 0.5 h | 26 s | |"
    assert openers.overview(parts).splitlines()[2] == (
        "| [1.1 Title 1.1](../notebooks/1.1.ipynb) | – | 10 min | 9 s |"
    )


def test_opener_names_what_its_part_needs_of_other_parts(parts):
    for part, stored in zip(parts, STORED, strict=True):
        own = {entry["number"] for entry in stored["lessons"]}
        needed = {n for entry in stored["lessons"] for n in entry["needs"]} - own
        last = openers.table(part, parts).splitlines()[-1]
        assert ("other parts" in last) == bool(needed)
        assert re.findall(r"\[(\d\.\d)\]", last) == sorted(needed)


@pytest.mark.parametrize("way", ["clinician", "engineer"])
def test_readers_paths_keep_the_order_of_the_course(way, parts):
    numbers = [step["lesson"] for step in WAYS[way]]
    assert numbers == sorted(set(numbers))
    text = paths.reader(WAYS[way], parts)
    assert text.count("\n- ") == len(numbers) - 1


def test_path_adds_up_the_sections_that_it_names(small):
    steps = [
        {"lesson": "1.1", "read": ["Break it"], "gain": "x"},
        {"lesson": "1.2", "gain": "y"},
    ]
    lines = paths.reader(steps, course.load(small)).splitlines()
    assert lines[0].endswith(", 5 min: *Break it*. You see x.")
    assert lines[1].endswith(", 10 min: all of it. You see y.")
    assert lines[-1] == "**Together:** 2 lessons, 15 min of reading."


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ({"lesson": "9.9", "gain": ""}, r"paths\.yml names lesson 9\.9"),
        (
            {"lesson": "1.1", "read": ["Gone"], "gain": ""},
            r"lesson 1\.1 has no section 'Gone'; it has: The case, Break it",
        ),
    ],
)
def test_path_that_names_what_is_not_there_is_refused(small, step, word):
    with pytest.raises(ExtensionError, match=word):
        paths.reader([step], course.load(small))


def test_lecturers_twelve_weeks_cover_the_course_in_an_order_that_its_needs_allow():
    weeks = WAYS["lecturer"]
    assert len(weeks) == 12
    taught = [number for week in weeks for number in week["lessons"]]
    everything = [entry["number"] for entry in ENTRIES]
    assert sorted(taught) == everything, "book/paths.yml: give every lesson a week"
    needs = {entry["number"]: entry["needs"] for entry in ENTRIES}
    for i, number in enumerate(taught):
        assert set(needs[number]) <= set(taught[:i])


def test_lecturers_exercises_exist_and_belong_to_what_was_taught():
    files = {entry["number"]: entry["file"] for entry in ENTRIES}
    for week in WAYS["lecturer"]:
        for name in (week["exercise"], week["homework"]):
            lesson, number = name.split("/")
            assert lesson in week["lessons"]
            text = (book.ROOT / f"{files[lesson]}.md").read_text(encoding="utf-8")
            assert f"### Exercise {number} (" in text


def test_lecturers_hours_are_reading_running_and_class(small):
    week = {"lessons": ["1.1", "1.2"], "class": "Talk.", "exercise": "1.1/1"}
    text = paths.lecturer([week | {"homework": "1.2/2"}] * 2, course.load(small))
    # Two lessons of 10 min and 8.6 s: 20 min alone, 90 min in class.
    assert "20 min of reading, 17 s of running." in text
    assert "- **Hours:** 1 h 50 min: 20 min before class and 1 h 30 min" in text
    assert "2 weeks, 3 h 40 min: 40 min of reading and running and 3 h in class" in text


def test_durations():
    assert [paths.duration(m) for m in (3, 58, 62, 125)] == [
        "5 min", "1 h", "1 h", "2 h 5 min",
    ]  # fmt: skip


@pytest.mark.parametrize("page", ["book/index", *(part["opener"] for part in STORED)])
def test_map_stands_on_the_landing_page_and_the_openers(page):
    text = (book.ROOT / f"{page}.md").read_text(encoding="utf-8")
    name = "map" if page == "book/index" else f"map_{page[5]}"
    assert f"_generated/{name}.html" in text
