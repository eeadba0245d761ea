"""From tables to one stream of events with the columns of MEDS.

A `Source` says how the rows of one table become events; `eicu` and `mimic` list theirs.
The stream has the four columns of the Medical Event Data Standard, version 0.4
(https://github.com/Medical-Event-Data-Standard/meds): ``subject_id`` int64, ``time``
timestamp, ``code`` string, ``numeric_value`` float32 (NULL where there is no number).

The time of an event is when it was *known*: where a table tells when something was
observed and when it was entered, the later of the two. Anything else would let a model
look into the future.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from medlib.data.records import tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

COLUMNS = ("subject_id", "time", "code", "numeric_value")
PER_SHARD = 2_000_000  # events in one file


@dataclass(frozen=True)
class Source:
    """How one table becomes events.

    Attributes
    ----------
    table : str
        Name of the table.
    code : str
        Template of the code; see `tables.label`. ``{column}`` in a wide table is the
        name of the column that an event comes from.
    times : tuple of str
        Columns with times; an event is known when the last of them has passed.
    key : str
        Column that should be different in every row; empty where there is none.
    value : str
        Column with the number that belongs to the code; empty where there is none.
    text : bool
        Whether a value that is no number becomes the last part of the code.
    wide : tuple of str
        Columns that each hold a value of their own; one event for each that is filled.
    missing : str
        A number that stands for a missing value, such as ``"-1"``.
    drop : str
        Text to leave out of the code.
    ends : str
        Column of a later time, which should not be before the first of ``times``;
        for the quality table only.
    """

    table: str
    code: str
    times: tuple[str, ...]
    key: str = ""
    value: str = ""
    text: bool = False
    wide: tuple[str, ...] = ()
    missing: str = ""
    drop: str = ""
    ends: str = ""

    @property
    def columns(self) -> set[str]:
        """The columns that the table must have, without its subject's."""
        times = {name.removeprefix("@end:") for name in self.times}
        named = {*tables.fields(self.code), *self.wide, *times}
        named |= {self.key, self.value, self.ends}
        return {name for name in named if name and name != "column" and name[0] != "@"}


def events(table: ir.Table, source: Source, known: ir.TimestampColumn) -> ir.Table:
    """Return the events of one table.

    Parameters
    ----------
    table : Table
        The rows with their ``subject_id``; the other columns are text.
    source : Source
        What to make of them.
    known : column
        When each row was known; rows without a time are left out.
    """
    rows = table.mutate(known=known).filter(lambda t: t.known.notnull())
    if source.wide:
        names = {*source.wide, "subject_id", "known"} | set(tables.fields(source.code))
        rows = rows.select(*(names - {"column"})).pivot_longer(
            list(source.wide), names_to="column", values_to="raw"
        )
        rows = rows.filter(tables.clean(rows.raw).notnull())
        raw = "raw"
    else:
        raw = source.value
    code = tables.label(rows, source.code, source.drop)
    value = tables.number(rows[raw]) if raw else ibis.null("float64")
    if source.text:
        words = tables.clean(rows[raw])
        named = value.isnull() & words.notnull()
        code = ibis.ifelse(named, code + ibis.literal("//") + words, code)
    found = rows.select(
        subject_id=rows.subject_id,
        time=rows.known.cast("timestamp(6)"),
        code=code,
        numeric_value=value.cast("float32"),
    )
    if source.missing:
        gone = found.numeric_value == float(source.missing)
        found = found.filter(~gone.fill_null(False))
    return found


def union(parts: list[ir.Table]) -> ir.Table:
    """Return all events as one stream, in no order."""
    return reduce(lambda left, right: left.union(right), parts)


def in_order(stream: ir.Table) -> ir.Table:
    """Return a stream sorted by subject and time, as MEDS files must be.

    Code and value decide where times are equal, so that the order is always the same.
    """
    return stream.order_by(list(COLUMNS))


def write(stream: ir.Table, folder: Path, *, per_shard: int = PER_SHARD) -> list[Path]:
    """Write a stream as Parquet files, each subject in one of them, sorted.

    The stream is written once as it comes and then sorted shard by shard, so the memory
    needed depends on ``per_shard`` and not on the size of the hospital.

    Parameters
    ----------
    stream : Table
        As `Records.events` gives it.
    folder : Path
        The new folder. It is made beside its place and renamed.
    per_shard : int
        About how many events a file holds.

    Returns
    -------
    list of Path
        The files, ``0.parquet`` and so on.

    Raises
    ------
    ValueError
        If the folder exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists; name a new folder, or delete it first")
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        loose = beside / "loose"
        stream.to_parquet(loose)
        backend = stream.get_backend()
        events = backend.read_parquet(str(loose))
        shards = max(1, -(-events.count().execute() // per_shard))
        for shard in range(shards):
            chosen = events.filter(events.subject_id % shards == shard)
            in_order(chosen).to_parquet(beside / f"{shard}.parquet")
        loose.unlink()
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return [folder / f"{shard}.parquet" for shard in range(shards)]
