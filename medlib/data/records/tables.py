"""Hospital tables as files: checked, opened as text by Ibis, and read into values.

Every column is opened as text, on every backend, and turned into numbers and times by
one set of rules below. Guessing types would differ between backends and hide what does
not fit; here what does not fit becomes NULL and is counted (`quality`).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import tempfile
import zlib
from functools import reduce
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from medlib.data.errors import CorruptData

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Java and C parse more than this ("12d", "1_000", "nan"), and not the same.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
MINUTES = r"^[+-]?[0-9]{1,9}$"
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?)?$"
UNKNOWN = "UNK"  # what MEDS pipelines write where a part of a code is missing
CHUNK = 1 << 20


def scan(path: Path) -> None:
    """Read a file once to its end, in pieces.

    Raises
    ------
    CorruptData
        If the archive is truncated or damaged, or the text is not UTF-8; the message
        names the file and, for text, the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            while piece := file.read(CHUNK):
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    # The decoder may hold the begin of a character from before.
                    at = max(0, error.start - (len(error.object) - len(piece)))
                    lines += piece[:at].count(b"\n")
                    raise CorruptData(
                        f"{path}: line {lines} is not UTF-8 (byte "
                        f"0x{error.object[error.start]:02x}). The file mixes encodings "
                        "or has another one; convert it to UTF-8 first."
                    ) from error
                lines += piece.count(b"\n")
            decoder.decode(b"", final=True)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptData(
            f"{path} is truncated or damaged ({error}). Fetch it again."
        ) from error
    except UnicodeDecodeError as error:
        raise CorruptData(f"{path} ends within a character; fetch it again.") from error


def header(path: Path) -> list[str]:
    """Return the names of a file's columns.

    Raises
    ------
    CorruptData
        If there is no first line, or a name is there twice.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise CorruptData(
            f"{path} cannot be read ({error}). Fetch it again."
        ) from error
    if not names:
        raise CorruptData(f"{path} is empty: it has no header line. Fetch it again.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorruptData(f"{path}: the column '{twice[0]}' is there twice")
    return names


def require(path: Path, columns: set[str]) -> None:
    """Refuse a file without the columns that are needed; name both."""
    names = header(path)
    if absent := sorted(columns - set(names)):
        raise CorruptData(
            f"{path} has no column '{absent[0]}'; it has: {', '.join(names)}. Is it "
            "the right file, and of the version that the catalogue names?"
        )


def connect(
    *, memory: str = "2GB", threads: int = 2, folder: Path | None = None
) -> Any:
    """Return an embedded DuckDB connection that stays within its memory.

    Parameters
    ----------
    memory : str
        What DuckDB may hold before it writes to disk.
    threads : int
        How many it may use.
    folder : Path, optional
        Where it writes what does not fit; the system's folder for such files if left
        out.
    """
    return ibis.duckdb.connect(
        memory_limit=memory,
        threads=threads,
        temp_directory=str(folder or Path(tempfile.gettempdir()) / "medlib-duckdb"),
        # What asks for no order need not wait in memory for its turn.
        preserve_insertion_order=False,
    )


def read(path: Path, connection: Any) -> ir.Table:
    """Open a CSV file, plain or gzipped, with every column as text."""
    common = {"header": True, "quote": '"', "escape": '"'}
    if connection.name == "duckdb":
        # Nothing is guessed: a guess skips lines that do not fit.
        columns = dict.fromkeys(header(path), "VARCHAR")
        return connection.read_csv(
            str(path), auto_detect=False, delim=",", columns=columns, **common
        )
    return connection.read_csv(
        str(path), inferSchema=False, multiLine=True, mode="FAILFAST", **common
    )


def execute(expression: ir.Table) -> pd.DataFrame:
    """Run an expression; what cannot be read as CSV is refused by name.

    Raises
    ------
    CorruptData
        If a row has more or fewer fields than the header; the message names the file
        and the line.
    """
    import duckdb

    try:
        return expression.execute()
    except duckdb.InvalidInputException as error:
        raise CorruptData(f"a table cannot be read as CSV: {error}") from error


def clean(column: ir.StringColumn) -> ir.StringColumn:
    """Return text without surrounding blanks; NULL where nothing is left."""
    return column.strip().nullif("")


def number(column: ir.StringColumn) -> ir.FloatingColumn:
    """Return the number that a text holds, NULL where it holds none."""
    text = clean(column)
    return ibis.ifelse(text.re_search(NUMBER), text, ibis.null(str)).try_cast("float64")


def minutes(column: ir.StringColumn) -> ir.IntegerColumn:
    """Return a whole number of minutes, NULL where a text holds none."""
    text = clean(column)
    return ibis.ifelse(text.re_search(MINUTES), text, ibis.null(str)).try_cast("int64")


def identifier(column: ir.StringColumn) -> ir.IntegerColumn:
    """Return an integer key, NULL where a text holds none."""
    return clean(column).try_cast("int64")


def moment(column: ir.StringColumn) -> ir.TimestampColumn:
    """Return the date and time that a text holds, NULL where it holds none."""
    text = clean(column)
    fits = ibis.ifelse(text.re_search(TIME), text, ibis.null(str))
    return fits.try_cast("timestamp")


def fields(template: str) -> list[str]:
    """Return the columns that a code's template names."""
    named = (field for _, field, _, _ in Formatter().parse(template) if field)
    return [column for field in named for column in field.split("|")]


def label(table: ir.Table, template: str, drop: str = "") -> ir.StringColumn:
    """Return codes made from a template.

    Parameters
    ----------
    table : Table
        Its columns are text.
    template : str
        Like ``"LAB//{itemid}//{valueuom}"``. ``{a|b}`` takes ``b`` where ``a`` is
        missing, ``{a!u}`` writes capitals. What is missing altogether becomes ``UNK``.
    drop : str
        Text to leave out of the columns' values, such as a path that all share.
    """
    parts: list[Any] = []
    for literal, field, _, conversion in Formatter().parse(template):
        if literal:
            parts.append(ibis.literal(literal))
        if field:
            values = [clean(table[name]) for name in field.split("|")]
            value = ibis.coalesce(*values, ibis.literal(UNKNOWN))
            value = value.replace(drop, "") if drop else value
            parts.append(value.upper() if conversion == "u" else value)
    return reduce(lambda left, right: left + right, parts)
