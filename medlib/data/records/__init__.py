"""Health records: hospital tables, event streams and cohorts without leakage.

>>> from medlib.data import load
>>> records = load("eicu-demo")  # doctest: +SKIP
>>> cohort = records.cohort().execute()  # doctest: +SKIP
>>> events = records.features(cohort)  # doctest: +SKIP

The same expressions run on DuckDB, which is the default, and on Spark: give the methods
a connection of your own, ``ibis.pyspark.connect(session)``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from medlib.data import provenance, store
from medlib.data.catalogue import Dataset
from medlib.data.errors import CorruptData, DataUnavailable
from medlib.data.provenance import Provenance
from medlib.data.records import cohorts, eicu, mimic, quality, streams, tables
from medlib.data.records.cohorts import bag_of_codes, refuse_later

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "Records",
    "bag_of_codes",
    "load_practice",
    "load_real",
    "open_folder",
    "refuse_later",
]

SCHEMAS: dict[str, ModuleType] = {"eicu-demo": eicu, "mimic-iv-demo": mimic}
ENDINGS = (".csv.gz", ".csv")


@dataclass(frozen=True)
class Records:
    """The tables of a hospital database as files.

    Attributes
    ----------
    info : Dataset
        The catalogue's entry.
    paths : dict of str to Path
        The tables that are there, by name.
    provenance : Provenance
        Where they came from.
    truth : DataFrame or None
        Of a practice set only: what drew it, one row per stay.
    """

    info: Dataset
    paths: Mapping[str, Path]
    provenance: Provenance
    truth: pd.DataFrame | None = None
    _own: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<{self.info.title}: {len(self.paths)} tables>"

    @property
    def schema(self) -> ModuleType:
        """The module that knows this database's columns."""
        return SCHEMAS[self.info.name]

    @property
    def absent(self) -> list[str]:
        """Names of the tables that could give events and are not there."""
        named = dict.fromkeys(source.table for source in self.schema.SOURCES)
        return [name for name in named if name not in self.paths]

    def connection(self) -> Any:
        """Return this object's own DuckDB connection, made at first use."""
        if "connection" not in self._own:
            self._own["connection"] = tables.connect()
        return self._own["connection"]

    def tables(self, connection: Any = None) -> dict[str, ir.Table]:
        """Open every table that is there, all columns as text.

        Parameters
        ----------
        connection : Ibis backend, optional
            DuckDB or Spark; this object's own DuckDB if left out.

        Raises
        ------
        CorruptData
            If a table lacks a column that is needed, or a key that must be unique is
            there twice; the message names the file and the column.
        """
        if connection is None and "tables" in self._own:
            return self._own["tables"]
        using = connection or self.connection()
        opened = {name: tables.read(path, using) for name, path in self.paths.items()}
        for name, key in self.schema.UNIQUE.items():
            if name in opened:
                quality.refuse_duplicates(opened[name], key, self.paths[name])
        if connection is None:
            self._own["tables"] = opened
        return opened

    def events(self, connection: Any = None) -> ir.Table:
        """Return the event stream as an Ibis expression, in no order.

        Columns: ``subject_id`` int64, ``time`` timestamp, ``code`` string,
        ``numeric_value`` float32. An event's time is when it was known. See
        `streams.in_order` for the order that MEDS files have.

        Raises
        ------
        CorruptData
            As in `tables`.
        """
        opened, schema = self.tables(connection), self.schema
        keys = schema.subjects(opened)
        parts = schema.further(opened)
        for source in schema.SOURCES:
            if source.table not in opened:
                continue
            rows = opened[source.table]
            if "@discharge" in source.times:
                rows = rows.left_join(schema.discharges(opened), "hadm_id")
            rows = rows.mutate(subject_id=tables.identifier(rows[schema.SUBJECT]))
            joined = rows.inner_join(keys, "subject_id")
            parts.append(streams.events(joined, source, schema.known(joined, source)))
        return streams.union(parts)

    def cohort(
        self, connection: Any = None, *, hours: int = 24, apache_set: bool = False
    ) -> ir.Table:
        """Return the stays to predict for, as an Ibis expression.

        The question is asked ``hours`` after admission to intensive care, of everybody
        who is alive and still there: will this patient die in hospital? Left out, each
        with its reason in `attrition`: stays that ended before that hour, without a
        recorded outcome, with contradictory outcomes, or with times that cannot be.
        Several stays of one patient are in; split by ``patient_id``.

        Parameters
        ----------
        connection : Ibis backend, optional
            As in `tables`.
        hours : int
            From admission to the index time.
        apache_set : bool
            Take instead every stay with a valid APACHE IVa prediction (eICU only), also
            those that ended within the first day, as that score does. Their index time
            is one minute before their end. Mind that a short stay tells much by itself.

        Returns
        -------
        Table
            One row per stay: ``subject_id``, ``stay_id``, ``patient_id``,
            ``hospital_id``, ``unit``, ``age`` (years), ``gender``, ``admission_time``,
            ``index_time``, ``outcome_time``, ``died`` (in hospital), ``apache`` (the
            APACHE IVa probability of death in hospital, NULL where there is none).
            ``outcome_time`` and ``died`` are the future: never a feature.
        """
        everyone = self._candidates(connection, hours, apache_set)
        return everyone.filter(everyone.reason.isnull()).drop("reason")

    def attrition(
        self, connection: Any = None, *, hours: int = 24, apache_set: bool = False
    ) -> pd.DataFrame:
        """Return how many stays the cohort leaves out, by reason; the first one counts.

        Columns: ``reason``, ``stays``, ``deaths``.
        """
        everyone = self._candidates(connection, hours, apache_set)
        counted = everyone.group_by(
            reason=everyone.reason.fill_null("in the cohort")
        ).aggregate(stays=everyone.count(), deaths=everyone.died.sum().fill_null(0))
        return tables.execute(counted.order_by(["stays", "reason"]))

    def _candidates(self, connection: Any, hours: int, apache_set: bool) -> ir.Table:
        if hours <= 0:
            raise ValueError(f"hours is {hours}; the index time must follow admission")
        opened = self.tables(connection)
        for name in self.schema.COHORT:
            if name not in opened:
                raise DataUnavailable(f"{self.info.title}: a cohort needs '{name}'")
        return self.schema.candidates(opened, hours, apache_set=apache_set)

    def features(
        self,
        cohort: pd.DataFrame,
        connection: Any = None,
        *,
        events: ir.Table | None = None,
    ) -> pd.DataFrame:
        """Return the events that were known by each stay's index time.

        Parameters
        ----------
        cohort : DataFrame
            As `cohort` gives it; needs ``stay_id``, ``subject_id``, ``index_time``.
        connection : Ibis backend, optional
            As in `tables`.
        events : Table, optional
            The stream, if it was made before: read from what `streams.write` wrote.

        Returns
        -------
        DataFrame
            ``stay_id`` and the four MEDS columns, sorted by stay, time, code, value.
            All of a subject's earlier events count, not those of the stay alone.
        """
        using = connection or self.connection()
        stream = self.events(connection) if events is None else events
        selected = cohorts.known_by_index(stream, cohort, using)
        frame = tables.execute(selected.order_by(["stay_id", *streams.COLUMNS[1:]]))
        refuse_later(frame, cohort)
        return frame

    def quality(self, connection: Any = None) -> pd.DataFrame:
        """Return what is wrong with the tables, counted; see `quality.report`."""
        opened = self.tables(connection)
        return quality.report(opened, self.schema, self.absent)


def open_folder(info: Dataset, folder: Path, *, detail: str = "") -> Records:
    """Open the tables of a folder of your own, for example of the full database.

    Every file is read once to its end, so that a truncated archive or text that is not
    UTF-8 is refused before anything is built on it.

    Parameters
    ----------
    info : Dataset
        The catalogue's entry of the demo: it names the database's form.
    folder : Path
        Holds the official files, ``.csv.gz`` or ``.csv``, with or without subfolders.
    detail : str
        What the provenance says about them.

    Raises
    ------
    DataUnavailable
        If the one table that nothing works without is not there.
    CorruptData
        If a file is truncated, not UTF-8, or lacks a column; the message names it.
    """
    paths: dict[str, Path] = {}
    for ending in ENDINGS:
        for path in sorted(folder.rglob(f"*{ending}")):
            paths.setdefault(path.name.removesuffix(ending), path)
    schema = SCHEMAS[info.name]
    known = {source.table for source in schema.SOURCES} | set(schema.NEEDED)
    paths = {name: path for name, path in paths.items() if name in known}
    for path in paths.values():
        tables.scan(path)
    origin = Provenance(
        info.name, info.title, "real", detail or f"files of {folder}", info.licence
    )
    return _checked(Records(info, paths, provenance.record(origin)))


def load_real(info: Dataset) -> Records:
    """Load the real tables; see `medlib.data.load`.

    Raises
    ------
    DataUnavailable
        If the one table that nothing works without cannot be had. Others may be absent.
    """
    schema = SCHEMAS[info.name]
    paths: dict[str, Path] = {}
    digest = ""
    for file in info.files:
        name = Path(file.name).name.removesuffix(".csv.gz")
        if not file.name.endswith(".csv.gz"):
            continue
        try:
            found = store.obtain(info, file)
        except DataUnavailable:
            if name == schema.REQUIRED:
                raise
            continue
        paths[name] = found.path
        if name == schema.REQUIRED:
            digest = found.sha256
    detail = f"{len(paths)} official tables"
    origin = Provenance(info.name, info.title, "real", detail, info.licence, digest)
    return _checked(Records(info, paths, provenance.record(origin)))


def load_practice(info: Dataset, *, seed: int) -> Records:
    """Make the practice tables in a temporary folder; see `medlib.data.load`.

    The folder lives as long as what is returned.
    """
    from medlib.data.simulate import records as simulated

    folder = tempfile.TemporaryDirectory(prefix="medlib-")
    truth = simulated.write(info.name, Path(folder.name), seed)
    detail = f"{info.practice}; seed {seed}"
    origin = provenance.record(
        Provenance(info.name, info.title, "practice", detail, info.licence)
    )
    files = sorted(Path(folder.name).rglob("*.csv.gz"))
    paths = {path.name.removesuffix(".csv.gz"): path for path in files}
    return _checked(Records(info, paths, origin, truth, {"folder": folder}))


def _checked(records: Records) -> Records:
    """Return records whose files have the columns that are needed."""
    schema = records.schema
    if schema.REQUIRED not in records.paths:
        raise DataUnavailable(
            f"{records.info.title} has no table '{schema.REQUIRED}'. Nothing works "
            f"without it; put {schema.REQUIRED}.csv.gz beside the others."
        )
    needed: dict[str, set[str]] = {n: set(c) for n, c in schema.NEEDED.items()}
    for source in schema.SOURCES:
        columns = source.columns | {schema.SUBJECT}
        needed.setdefault(source.table, set()).update(columns)
    for name, columns in needed.items():
        if name in records.paths:
            tables.require(records.paths[name], columns)
    for source in schema.SOURCES:
        if "@discharge" in source.times and source.table in records.paths:
            if "admissions" in records.paths:
                continue
            raise CorruptData(
                f"{records.paths[source.table]} needs the table 'admissions' beside "
                "it: the codes carry no time of their own."
            )
    return records
