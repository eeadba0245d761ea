"""Write the pages' generated parts into ``book/_generated/``.

They come from the data catalogue, the stored measurements, the course's lessons and
the repository's address. A file is only written when its content changes, so that an
unchanged page is not built again.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_book import (
    answers,
    assets,
    course,
    course_map,
    measurements,
    openers,
    paths,
    status,
    treatments,
)

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def write(app: Sphinx) -> None:
    """Write every fragment that changed, unless no page includes any."""
    if not app.config.course_book_fragments:
        return
    root = Path(app.srcdir)
    generated = root / "book" / "_generated"
    generated.mkdir(exist_ok=True)
    theme = app.config.html_theme_options
    parts, ways = course.load(root), paths.load(root)
    makers: dict[str, Callable[[], str]] = {
        "map.html": lambda: course_map.picture(parts),
        "course.md": lambda: openers.overview(parts),
        "run.md": lambda: how_to_run(theme),
        "pdf.md": lambda: assets.pdf_link(Path(app.outdir)),
        "path_clinician.md": lambda: paths.reader(ways["clinician"], parts),
        "path_engineer.md": lambda: paths.reader(ways["engineer"], parts),
        "path_lecturer.md": lambda: paths.lecturer(ways["lecturer"], parts),
        "status.md": lambda: status.page(root, parts),
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
    } | {
        f"answer_{name}.md": functools.partial(answers.answer, root, name)
        for name in answers.ANSWERS
    }
    for part in parts:
        # As arguments, because the loop goes on before a maker is called.
        makers[f"part_{part.number}.md"] = functools.partial(openers.table, part, parts)
        makers[f"map_{part.number}.html"] = functools.partial(
            course_map.picture, parts, part.number
        )
    for name, maker in makers.items():
        measurements.write_if_changed(generated / name, maker())


_ON_YOUR_COMPUTER = """\
**On your computer.** You need Python 3.11 to 3.13.

```bash
{get}
python -m tools.environment development   # once; or: conda env create
.venv/bin/jupyter lab notebooks           # Windows: .venv\\Scripts\\jupyter
```
"""


def how_to_run(theme: dict[str, Any]) -> str:
    """Return how to run the lessons, from the one repository address."""
    url, branch = theme["repository_url"], theme["repository_branch"]
    owner_name = "/".join(url.rstrip("/").split("/")[-2:])
    launch = theme["launch_buttons"]
    if not launch["colab_url"]:
        return _ON_YOUR_COMPUTER.format(get="# in the folder of this edition:")
    first = "notebooks/1_maths/1_convolution.ipynb"
    colab = f"{launch['colab_url']}/github/{owner_name}/blob/{branch}/{first}"
    binder = f"{launch['binderhub_url']}/v2/gh/{owner_name}/{branch}"
    return f"""\
**On Colab or Binder.** Each lesson has a rocket at the top of its page. It opens the
lesson on [Google Colab]({colab}), with a GPU if you choose one, or on
[Binder]({binder}?urlpath=lab). The first cell installs what is missing.

""" + _ON_YOUR_COMPUTER.format(
        get=f"git clone {url}\ncd {url.rstrip('/').split('/')[-1]}"
    )


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
