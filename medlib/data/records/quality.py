"""What is wrong with the tables: counted, and said what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from medlib.data.errors import CorruptData
from medlib.data.records import tables
from medlib.data.records.streams import Source

if TYPE_CHECKING:
    import ibis.expr.types as ir

COLUMNS = ["table", "column", "problem", "count", "rows", "treatment"]
LEFT_OUT = "event left out"
NO_NUMBER = "event kept without a number"
KEPT = "kept"


def refuse_duplicates(table: ir.Table, key: tuple[str, ...], path: Path) -> None:
    """Refuse a table whose key, of one or more columns, is empty or there twice.

    Raises
    ------
    CorruptData
        The message names the file, the column and a value.
    """
    values = {name: tables.clean(table[name]) for name in key}
    counted = table.group_by(**values).aggregate(rows=table.count())
    empty = reduce(lambda a, b: a | b, (counted[name].isnull() for name in key))
    bad = counted.filter((counted.rows > 1) | empty).order_by(list(key))
    found = tables.execute(bad.limit(1))
    if len(found):
        what = ", ".join(repr(found[name].iloc[0]) for name in key)
        raise CorruptData(
            f"{path}: '{' and '.join(key)}' must name each row, but {what} stands in "
            f"{found['rows'].iloc[0]} rows. Which is right cannot be told here; mend "
            "the file."
        )


def report(
    opened: Mapping[str, ir.Table], schema: ModuleType, absent: list[str]
) -> pd.DataFrame:
    """Return what is wrong with the tables.

    Parameters
    ----------
    opened : mapping of str to Table
        The tables, all columns as text.
    schema : module
        `eicu` or `mimic`.
    absent : list of str
        Tables that are not there.

    Returns
    -------
    DataFrame
        ``table``, ``column``, ``problem``, ``count``, ``rows`` (of the table) and
        ``treatment``: what the event stream does about it. Only what was found; a
        table that is absent has one row.
    """
    found: list[dict[str, Any]] = [
        {"table": name, "problem": "not there", "treatment": "gives no events"}
        for name in absent
    ]
    keys = schema.subjects(opened).select("subject_id").distinct()
    keys = keys.mutate(known=ibis.literal(True))
    names = [schema.REQUIRED, *(source.table for source in schema.SOURCES)]
    for name in dict.fromkeys(names):
        if name not in opened:
            continue
        table = opened[name]
        subject = tables.identifier(table[schema.SUBJECT])
        rows = table.mutate(subject_id=subject).left_join(keys, "subject_id")
        rows = rows.select(*table.mutate(subject_id=subject).columns, "known")
        checks: dict[tuple[str, str, str], ir.IntegerScalar] = {
            (schema.SUBJECT, "no such subject", LEFT_OUT): rows.known.isnull().sum()
        }
        for source in schema.SOURCES:
            if source.table == name:
                checks |= _checks(rows, source, schema)
        if name == schema.REQUIRED or name in schema.UNIQUE:
            checks |= schema.impossible(name, rows)
        named = {f"c{i}": total for i, total in enumerate(checks.values())}
        counts = tables.execute(rows.aggregate(rows=rows.count(), **named)).iloc[0]
        for i, (column, problem, treatment) in enumerate(checks):
            found.append(
                {
                    "table": name,
                    "column": column,
                    "problem": problem,
                    "count": 0 if pd.isna(counts[f"c{i}"]) else int(counts[f"c{i}"]),
                    "rows": int(counts["rows"]),
                    "treatment": treatment,
                }
            )
    frame = pd.DataFrame(found, columns=COLUMNS)
    frame["count"] = frame["count"].astype("Int64")
    frame["rows"] = frame["rows"].astype("Int64")
    frame["column"] = frame["column"].fillna("")
    # What is found nowhere is no news; what is absent has no count.
    return frame[frame["count"].fillna(1) > 0].reset_index(drop=True)


def _checks(
    rows: ir.Table, source: Source, schema: ModuleType
) -> dict[tuple[str, str, str], ir.IntegerScalar]:
    """Return the counts that a source asks for."""
    checks: dict[tuple[str, str, str], Any] = {}
    read = schema.TIME
    times = [n.removeprefix("@end:") for n in source.times]
    times = [n for n in times if not n.startswith("@")]
    values = {name: tables.clean(rows[name]) for name in times}
    for name in times:
        bad = values[name].notnull() & read(rows[name]).isnull()
        checks[name, "time cannot be read", LEFT_OUT] = bad.sum()
    if times:
        empty = reduce(lambda a, b: a & b, [v.isnull() for v in values.values()])
        checks[times[0], "no time", LEFT_OUT] = empty.sum()
    if source.key:
        key = tables.clean(rows[source.key])
        checks[source.key, "duplicate keys", KEPT] = key.count() - key.nunique()
    if source.ends and times:
        early = read(rows[source.ends]) < read(rows[times[0]])
        checks[source.ends, f"before {times[0]}", KEPT] = early.sum()
    for name in source.wide or ((source.value,) if source.value else ()):
        value = tables.number(rows[name])
        if not source.text:
            bad = tables.clean(rows[name]).notnull() & value.isnull()
            checks[name, "no number", NO_NUMBER] = bad.sum()
        if source.missing:
            gone = value == float(source.missing)
            checks[name, f"{source.missing} for missing", LEFT_OUT] = gone.sum()
    return checks
