"""Write the pages' generated parts into ``book/_generated/``.

They come from the data catalogue, the stored measurements, the map of the course and
the repository's address. A file is only written when its content changes, so that an
unchanged page is not built again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from course_book import measurements, openers, treatments

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ICONS = {
    "maths": '<path d="M4 4h24v24H4zM12 4v24M20 4v24M4 12h24M4 20h24"/>'
    '<path class="fill" d="M12 12h8v8h-8z"/>',
    "imaging": '<path d="M4 8h24v18H4z"/><circle class="fill" cx="13" cy="16" r="4"/>'
    '<path d="M4 24l8-5 5 3 6-6 5 4"/>',
    "records": '<path d="M6 4h20v24H6zM10 10h12M10 15h12M10 20h7"/>',
    "recommendation": '<circle cx="8" cy="9" r="3"/><circle cx="8" cy="23" r="3"/>'
    '<circle class="fill" cx="25" cy="16" r="4"/><path d="M11 10l10 5M11 22l10-5"/>',
}


def write(app: Sphinx) -> None:
    """Write every fragment that changed."""
    root = Path(app.srcdir)
    generated = root / "book" / "_generated"
    generated.mkdir(exist_ok=True)
    theme = app.config.html_theme_options
    makers: dict[str, Callable[[], str]] = {
        "map.html": lambda: course_map(root),
        "run.md": lambda: how_to_run(theme),
        "part_1.md": lambda: openers.part(root, 1),
        "part_2.md": lambda: openers.part(root, 2),
        "part_3.md": lambda: openers.part(root, 3),
        "part_4.md": lambda: openers.part(root, 4),
        "datasets.md": lambda: datasets(root),
        "results_imaging.md": lambda: measurements.imaging(root, generated),
        "results_full_size.md": lambda: measurements.full_size(root),
        "results_pretraining.md": lambda: measurements.pretraining(root, generated),
        "results_mortality.md": lambda: measurements.mortality(root),
        "results_readmission.md": lambda: measurements.readmission(root),
        "results_text.md": lambda: measurements.text(root),
        "results_convolution.md": lambda: measurements.convolution(root),
        "results_records_etl.md": lambda: measurements.records_etl(root),
        "results_recommendation.md": lambda: treatments.recommendation(root),
        "results_visits.md": lambda: treatments.visits(root),
        "results_neighbours.md": lambda: treatments.neighbours(root, generated),
    }
    for name, maker in makers.items():
        measurements.write_if_changed(generated / name, maker())


def course_map(root: Path) -> str:
    """Return the map of all parts and lessons; lessons that exist are links."""
    parts = yaml.safe_load((root / "book/course.yml").read_text(encoding="utf-8"))
    html = ['<ol class="course-map">']
    for number, part in enumerate(parts, start=1):
        title = f"Part {number} · {escape(part['title'])}"
        if "opener" in part:
            title = f'<a href="../{part["opener"]}.html">{title}</a>'
        html.append(
            f'<li class="part part-{number}"><div class="part-head">'
            '<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
            f"{ICONS[part['icon']]}</svg><div><p class='part-title'>{title}</p>"
            f"<p class='part-aim'>{escape(part['aim'])}</p></div></div><ol>"
        )
        html += [_map_entry(lesson, root) for lesson in part["lessons"]]
        html.append("</ol></li>")
    html.append("</ol>")
    html.append(
        '<p class="map-key"><span class="ready-mark" aria-hidden="true">●</span> '
        "ready to read and run · others are planned</p>"
    )
    return "\n".join(html) + "\n"


def _map_entry(lesson: dict[str, str], root: Path) -> str:
    label = f"<span class='number'>{lesson['number']}</span> {escape(lesson['title'])}"
    if not (root / f"{lesson['file']}.ipynb").is_file():
        return f"<li>{label}</li>"
    mark = '<span class="ready-mark" aria-hidden="true">●</span>'
    return (
        f'<li class="ready"><a href="../{lesson["file"]}.html">{label}</a> {mark}</li>'
    )


def how_to_run(theme: dict[str, Any]) -> str:
    """Return how to run the lessons, from the one repository address."""
    url, branch = theme["repository_url"], theme["repository_branch"]
    owner_name = "/".join(url.rstrip("/").split("/")[-2:])
    launch = theme["launch_buttons"]
    first = "notebooks/1_maths/1_convolution.ipynb"
    colab = f"{launch['colab_url']}/github/{owner_name}/blob/{branch}/{first}"
    binder = f"{launch['binderhub_url']}/v2/gh/{owner_name}/{branch}"
    return f"""\
**On Colab or Binder.** Each lesson has a rocket at the top of its page. It opens the
lesson on [Google Colab]({colab}), with a GPU if you choose one, or on
[Binder]({binder}?urlpath=lab). The first cell installs what is missing.

**On your computer.** You need Python 3.11 to 3.13.

```bash
git clone {url}
cd {url.rstrip("/").split("/")[-1]}
python -m tools.environment development   # once; or: conda env create
.venv/bin/jupyter lab notebooks           # Windows: .venv\\Scripts\\jupyter
```
"""


def datasets(root: Path) -> str:
    """Return the tables of datasets from ``medlib.data.catalogue``."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    from medlib.data.catalogue import CATALOGUE

    lines = [
        "| dataset | task | licence | size |",
        "|---|---|---|---|",
    ]
    for entry in CATALOGUE.values():
        lines.append(
            f"| [{entry.title}](#dataset-{entry.name}) | {entry.task} "
            f"| [{entry.licence}]({entry.licence_url}) | {entry.size} |"
        )
    lines += ["", "## Each dataset", ""]
    for entry in CATALOGUE.values():
        lines += [f"(dataset-{entry.name})=", f"### {entry.title}", ""]
        lines += [f"- **{name}:** {value}" for name, value in _facts(entry) if value]
        lines.append("")
    return "\n".join(lines)


def _facts(entry: Any) -> list[tuple[str, str]]:
    """Return what the page says about one dataset, as (name, Markdown) pairs."""
    classes = ", ".join(
        f"{index} = {meaning}" + (" *(disease)*" if index in entry.disease else "")
        for index, meaning in enumerate(entry.classes)
        if entry.classes != tuple("0123456789")
    )
    splits = " · ".join(f"{name} {size:,}" for name, size in entry.splits.items())
    cited = entry.citation
    if entry.doi:
        cited += f". [doi:{entry.doi}](https://doi.org/{entry.doi})"
    known = "`medlib.data.load` knows it" if entry.loader else "loaded in a later part"
    return [
        ("In code", f'`"{entry.name}"`; {known}'),
        ("Task", entry.task),
        ("Classes", classes),
        ("One example", entry.shape),
        ("Official splits", splits),
        ("Licence", f"[{entry.licence}]({entry.licence_url})"),
        ("Cite", cited),
        ("Official page", f"[{entry.homepage}]({entry.homepage})"),
        ("Practice set", entry.practice),
        ("Mind", entry.notes),
    ]
