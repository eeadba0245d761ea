"""Tie the glossary and the lessons together.

On each page the first use of a glossary term becomes a quiet link to its entry, and
each entry links back to the lesson that defines the term. Lessons stay plain Markdown.

In the glossary, a definition begins with the term's Simplified Chinese, in the role
``zh``; it is moved beside the term, marked with its language.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging

from course_book.pages import shortened

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = logging.getLogger(__name__)

GLOSSARY = "book/glossary"
UNLINKED_PAGES = {GLOSSARY, "book/bibliography", "book/notation"}
LESSONS = "notebooks/"
TITLE_LENGTH = 160  # characters of a definition that are shown at the pointer

# Other words for a term, beside its plural.
FORMS = {
    "abstention": ["abstain", "abstains"],
    "calibration": ["calibrated", "calibrate"],
    "categorical cross-entropy": ["sparse categorical cross-entropy"],
    "collaborative filtering": ["collaborative filter"],
    "computational graph": ["graph"],
    "confusion matrix": ["confusion matrices"],
    "data leakage": ["leakage"],
    "de-identification": ["de-identified"],
    "divergence": ["diverges", "diverge", "diverged"],
    "drug class": ["classes of drugs"],
    "expected calibration error": ["ECE"],
    "exploding gradient": ["explodes"],
    "fine-tuning": ["fine-tuned", "fine-tune"],
    "functional interface": ["functional"],
    "Glorot initialisation": ["Glorot"],
    "gradient clipping": ["clipping"],
    "He initialisation": ["He"],
    "hybrid recommender": ["hybrid"],
    "ICD": ["International Classification of Diseases"],
    "intersection over union": ["IoU"],
    "intra-list diversity": ["diversity"],
    "levels": ["level"],
    "logits": ["logit"],
    "MEDS": ["Medical Event Data Standard"],
    "min-max scaling": ["min-max"],
    "multi-label classification": ["multi-label logistic regression"],
    "multilayer perceptron": ["MLP"],
    "negative predictive value": ["NPV"],
    "one-hot encoding": ["one-hot"],
    "pointing game": ["hit rate"],
    "positive predictive value": ["PPV"],
    "potential outcomes": ["potential outcome"],
    "pretraining": ["pretrained"],
    "profile": ["profile of a patient"],
    "projection head": ["projection"],
    "recurrent network": ["RNN"],
    "relational database": ["relational"],
    "residual block": ["residual layer"],
    "self-supervised learning": ["self-supervised"],
    "silent unit": ["dead unit", "silent ReLU"],
    "standardisation": ["g-formula"],
    "standardise": ["standardised", "standardises", "standardising"],
    "stochastic gradient descent": ["stochastic"],
    "test set": ["test data"],
    "top-N list": ["top-N"],
    "training set": ["training data"],
    "two-tower model": ["two-tower", "patient tower", "item tower"],
    "validation set": ["validation data"],
    "weighted kappa": ["quadratic weighted kappa"],
}

# Words that running prose also uses in another sense. They are linked only where a
# lesson defines them, in bold.
ONLY_BOLD = {
    "attribution": "also what a licence asks for",
    "augmentation": "also a kind of hybrid recommender, feature augmentation",
    "baseline": "also the image from which integrated gradients start",
    "blend": "also the verb",
    "code": "also the code of a program",
    "collapse": "also the verb",
    "completeness": "also of a record",
    "computational graph": "a graph is also a drawing",
    "confidence": "also of an interval or an answer",
    "consistency": "also of a text or a table",
    "coverage": "also of an interval or a test",
    "evidence": "also what speaks for a statement",
    "factor": "also of any product",
    "feature": "so common that a link would say nothing",
    "filter": "also the verb",
    "frailty": "also the state of a patient",
    "functional interface": "functional also means working",
    "He initialisation": "He also begins a sentence",
    "head": "also the part of the body",
    "header": "also the line above a table",
    "hit": "also the verb",
    "interaction": "also of a reader and a page",
    "intra-list diversity": "diversity is also of patients",
    "item": "also of any list",
    "jump": "also the verb",
    "key": "also what opens or matters",
    "label": "so common that a link would say nothing",
    "levels": "also the height of anything",
    "miss": "also the verb",
    "novelty": "also anything new",
    "occlusion": "also of a vessel",
    "offset": "also the verb",
    "popularity": "also of a model",
    "precision": "also of numbers in a computer",
    "preference": "also a reader's",
    "profile": "also of a program's run time",
    "projection head": "a projection is also a shadow and an X-ray view",
    "query": "also of a database",
    "recall": "also the verb",
    "saturation": "also of the blood with oxygen",
    "score": "so common that a link would say nothing",
    "shortcut": "also the path of a residual block",
    "spacing": "also between anything",
    "standardisation": "also of columns, by mean and standard deviation",
    "stacking": "also the verb",
    "state": "also the verb, and of the United States",
    "stochastic gradient descent": "stochastic also means by chance",
    "subject": "also the topic",
    "switching": "also the verb",
    "temperature": "also of a patient",
    "view": "also of a chest X-ray",
    "window": "also of time",
    "worker": "also a person",
}

# Bold in a lesson, but as one of a list and not as a definition.
NOT_DEFINED = {
    ("notebooks/2_imaging/4_full_size", "gradient"),
    ("notebooks/3_records/5_records_transformer", "pretraining"),
}

# Nothing is linked inside these; only paragraphs are, so headings need no mention.
CLOSED = (
    addnodes.glossary,
    addnodes.pending_xref,
    nodes.footnote,
    nodes.image,
    nodes.literal,
    nodes.math,
    nodes.raw,
    nodes.reference,
    nodes.table,
    nodes.topic,
)
# A link in a question would point at its answer.
CLOSED_SECTIONS = {"Check yourself", "Sources"}
OUTPUT = "cell_output"  # the class of what a cell printed


class zh(nodes.inline):
    """Words in Simplified Chinese."""


def chinese(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, **_: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Make a node of the role ``zh``."""
    return [zh(rawtext, text)], []


def visit_zh(writer: Any, node: zh) -> None:
    """Open the element that says which language its words are in."""
    writer.body.append('<span class="course-zh" lang="zh-Hans">')


def depart_zh(writer: Any, node: zh) -> None:
    """Close the element."""
    writer.body.append("</span>")


class Entry(NamedTuple):
    """An entry of the glossary: its anchor and its definition's text."""

    anchor: str
    definition: str


class Place(NamedTuple):
    """The lesson to which an entry links back."""

    page: str
    defines: bool  # in bold; otherwise the lesson is the first that uses the term


@dataclass
class Terms:
    """What the pages need to know of each other, kept with the environment."""

    entries: dict[str, Entry] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)


class Use(NamedTuple):
    """The first use of a term on a page."""

    term: str
    parent: nodes.Element
    text: nodes.Text
    start: int
    end: int


def move_chinese(app: Sphinx, doctree: nodes.document) -> None:
    """Move each Chinese word from the start of its definition beside its term."""
    if app.env.docname != GLOSSARY:
        return
    for item in doctree.findall(nodes.definition_list_item):
        term, paragraph = _heads(item)[-1], next(item.findall(nodes.paragraph), None)
        if paragraph is None or not isinstance(paragraph[0], zh):
            logger.warning(
                "the entry '%s' has no Chinese: begin its definition with {zh}`…`",
                _name(term),
                location=item,
            )
            continue
        word = paragraph.pop(0)
        if paragraph.children and isinstance(paragraph[0], nodes.Text):
            paragraph[0] = nodes.Text(paragraph[0].astext().lstrip())
        term += [nodes.Text(" "), word]


def read_glossary(doctree: nodes.document) -> dict[str, Entry]:
    """Return the entries of the glossary by their terms."""
    entries = {}
    for item in doctree.findall(nodes.definition_list_item):
        definition = next(item.findall(nodes.definition)).astext()
        for term in _heads(item):
            entries[_name(term)] = Entry(term["ids"][0], " ".join(definition.split()))
    return entries


def _heads(item: nodes.definition_list_item) -> list[nodes.term]:
    """Return the terms that an item defines."""
    return [child for child in item if isinstance(child, nodes.term)]


def _name(term: nodes.term) -> str:
    """Return a term without its Chinese."""
    kept = [child for child in term if isinstance(child, nodes.Text)]
    return "".join(map(str, kept)).strip()


def pattern(term: str) -> str:
    """Return a regular expression for a term, its plural and its other forms.

    A space stands for a hyphen and the other way round. Small letters may be capital at
    the beginning; capital letters stay, so that MAP is no map.
    """
    return "|".join(
        _words(form)
        for form in sorted([term, *FORMS.get(term, [])], key=len, reverse=True)
    )


def _words(form: str) -> str:
    """Return a regular expression for one form and its plural."""
    first = form[0]
    start = f"[{first}{first.upper()}]" if first.islower() else re.escape(first)
    rest = r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", form[1:])))
    if re.search(r"[^aeiou]y$", form):
        return f"{start}{rest[:-1]}(?:y|ies)"
    return f"{start}{rest}(?:e?s)?"


class Matcher:
    """Find the terms of a glossary in text, the longest first."""

    def __init__(self, terms: Iterable[str]) -> None:
        self.terms = sorted(terms, key=lambda term: (-len(term), term))
        self._whole = {term: re.compile(pattern(term)) for term in self.terms}
        running = {
            f"t{number}": term
            for number, term in enumerate(self.terms)
            if term not in ONLY_BOLD
        }
        self._groups = running
        alternatives = "|".join(
            f"(?P<{group}>{pattern(term)})" for group, term in running.items()
        )
        self._running = re.compile(rf"(?<![\w-])(?:{alternatives})(?!-?\w)")

    def running(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yield each term in running prose with its place."""
        if self._groups:
            for match in self._running.finditer(text):
                yield self._groups[str(match.lastgroup)], match.start(), match.end()

    def whole(self, text: str) -> str | None:
        """Return the term that a text is, if it is one."""
        text = " ".join(text.split())
        found = (term for term in self.terms if self._whole[term].fullmatch(text))
        return next(found, None)


@functools.lru_cache(maxsize=1)
def matcher_of(terms: tuple[str, ...]) -> Matcher:
    """Return a matcher of these terms, made once for all pages."""
    return Matcher(terms)


def uses(doctree: nodes.document, matcher: Matcher) -> tuple[list[Use], set[str]]:
    """Return the first use of each term on a page, and the terms in bold there."""
    first: dict[str, Use] = {}
    in_bold: set[str] = set()
    for parent, text in _prose(doctree):
        words = str(text)
        bold = isinstance(parent, nodes.strong) and len(parent) == 1
        term = matcher.whole(words) if bold else None
        if term:
            in_bold.add(term)
            found: Iterable[tuple[str, int, int]] = [(term, 0, len(words))]
        else:
            found = matcher.running(words)
        for term, start, end in found:
            first.setdefault(term, Use(term, parent, text, start, end))
    return list(first.values()), in_bold


def _prose(
    node: nodes.Element, paragraph: bool = False
) -> Iterator[tuple[nodes.Element, nodes.Text]]:
    """Yield the text of paragraphs that may hold links, in order, with its parent.

    It walks down, because a resolved page has nodes that forgot their parents.
    """
    for child in node.children:
        if isinstance(child, nodes.Text):
            if paragraph:
                yield node, child
        elif isinstance(child, nodes.Element) and not _is_closed(child):
            is_paragraph = isinstance(child, nodes.paragraph)
            yield from _prose(child, paragraph or is_paragraph)


def _is_closed(node: nodes.Element) -> bool:
    """Tell whether nothing inside a node may become a link."""
    return (
        isinstance(node, CLOSED)
        or OUTPUT in node.get("classes", ())
        or (isinstance(node, nodes.section) and node[0].astext() in CLOSED_SECTIONS)
        or (isinstance(node, nodes.paragraph) and node.astext().startswith("Reading "))
    )


def collect(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Find where each term is defined; return the pages to write anew for it."""
    if GLOSSARY not in env.found_docs:
        return []
    before: Terms = getattr(env, "course_book_terms", Terms())
    terms = Terms(entries=read_glossary(env.get_doctree(GLOSSARY)))
    matcher = matcher_of(tuple(terms.entries))
    for page in sorted(page for page in env.found_docs if page.startswith(LESSONS)):
        first, bold = uses(env.get_doctree(page), matcher)
        for use in first:
            place = terms.places.get(use.term)
            defines = use.term in bold and (page, use.term) not in NOT_DEFINED
            if place is None or (defines and not place.defines):
                terms.places[use.term] = Place(page, defines)
    env.course_book_terms = terms  # type: ignore[attr-defined]
    if terms.entries != before.entries:
        return sorted(env.found_docs)
    return [GLOSSARY] if terms.places != before.places else []


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link a page's terms to the glossary, or the glossary to the lessons."""
    terms: Terms | None = getattr(app.env, "course_book_terms", None)
    if terms is None:
        return
    if page == GLOSSARY:
        _link_back(app, doctree, terms)
    elif page not in UNLINKED_PAGES:
        _link_uses(app, doctree, page, terms)


def _link_uses(app: Sphinx, doctree: nodes.document, page: str, terms: Terms) -> None:
    """Make a link of the first use of each term."""
    glossary = app.builder.get_relative_uri(page, GLOSSARY)
    by_text: dict[int, list[Use]] = {}
    for use in uses(doctree, matcher_of(tuple(terms.entries)))[0]:
        by_text.setdefault(id(use.text), []).append(use)
    for found in by_text.values():
        text, parts, end = found[0].text, [], 0
        words = str(text)
        for use in sorted(found, key=lambda use: use.start):
            entry = terms.entries[use.term]
            reference = nodes.reference(
                "",
                words[use.start : use.end],
                internal=True,
                refuri=f"{glossary}#{entry.anchor}",
                reftitle=shortened(entry.definition, TITLE_LENGTH),
                classes=["course-term"],
                ids=[_used(entry)],
            )
            parts += [nodes.Text(words[end : use.start]), reference]
            end = use.end
        parts.append(nodes.Text(words[end:]))
        found[0].parent.replace(text, [part for part in parts if part.astext()])


def _link_back(app: Sphinx, doctree: nodes.document, terms: Terms) -> None:
    """Add to each entry the lesson that defines its term."""
    for item in doctree.findall(nodes.definition_list_item):
        paragraph = list(item.findall(nodes.paragraph))[-1]
        for term in _heads(item):
            place = terms.places.get(_name(term))
            if place is None:
                continue
            lesson = app.env.titles[place.page].astext().split()[0]
            said = f"{'Defined' if place.defines else 'Used'} in lesson {lesson}"
            uri = app.builder.get_relative_uri(GLOSSARY, place.page)
            anchor = _used(terms.entries[_name(term)])
            reference = nodes.reference(
                "", said, internal=True, refuri=f"{uri}#{anchor}"
            )
            reference["classes"] = ["course-term-lesson"]
            paragraph += [nodes.Text(" "), reference]


def _used(entry: Entry) -> str:
    """Return the anchor of a term's first use on a page."""
    return entry.anchor.replace("term-", "use-", 1)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect this part of the extension to the build."""
    app.add_node(zh, html=(visit_zh, depart_zh))
    app.add_role("zh", chinese)
    app.connect("doctree-read", move_chinese)
    app.connect("env-updated", collect)
    app.connect("doctree-resolved", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
