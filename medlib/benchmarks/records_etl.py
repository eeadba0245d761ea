"""From hospital tables to an event stream: time and memory, also for larger hospitals.

Each measurement runs in a fresh process, from its start to the written Parquet files:
the packages are imported, the files checked, read, turned into events, sorted. Wall
time depends on what else the machine does; time of the processor hardly does.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from medlib.benchmarks import report
from medlib.data import find

MODULES = [
    "benchmarks.records_etl",
    "data.records.eicu",
    "data.records.mimic",
    "data.records.streams",
    "data.records.tables",
]
COPIES = (1, 10, 100)
MEMORY = "2GB"  # what DuckDB may hold
# Added to the keys of copy i, i times; the demo's keys are all smaller.
STEP = 1_000_000_000


def replicate(source: Path, folder: Path, copies: int, keys: set[str]) -> None:
    """Write a table with every row ``copies`` times, each with fresh keys.

    Parameters
    ----------
    source, folder : Path
        The official file, and the folder for the new one.
    copies : int
        How often.
    keys : set of str
        Columns that name a subject, an admission or a row.
    """
    from medlib.data.records import tables

    connection = tables.connect(memory=MEMORY)
    changed = []
    for name in tables.header(source):
        number = f'try_cast("{name}" as bigint)'
        fresh = f"""coalesce(cast({number} + copy * {STEP} as varchar),
            "{name}" || '-' || copy)"""
        changed.append(f'{fresh} as "{name}"' if name in keys else f'"{name}"')
    table = tables.read(source, connection)
    rows = connection.compile(table)
    connection.raw_sql(
        f"copy (select {', '.join(changed)} from ({rows}), range({copies}) t(copy)) "
        f"to '{folder / source.name}' (header, delimiter ',', compression gzip)"
    )


def copy_hospital(folder: Path, copies: int) -> None:
    """Write the MIMIC-IV demo's tables that give events, replicated."""
    from medlib.data import load
    from medlib.data.records import mimic

    records = load("mimic-iv-demo", source="real")
    keys = {"subject_id", "hadm_id", "stay_id"} | {s.key for s in mimic.SOURCES}
    used = {source.table for source in mimic.SOURCES} | set(mimic.NEEDED)
    for name in sorted(used & set(records.paths)):
        replicate(records.paths[name], folder, copies, keys)


def measure(name: str, folder: str | None, target: str, queue: Any) -> None:
    """Build and write one event stream; put rows, subjects and peak memory."""
    from medlib import runtime
    from medlib.data import load
    from medlib.data.records import open_folder, streams, tables

    if folder is None:
        records = load(name, source="real")
    else:
        records = open_folder(find(name), Path(folder), detail="replicated")
    connection = tables.connect(memory=MEMORY, folder=Path(target) / "spilled")
    shards = streams.write(records.events(connection), Path(target) / "events")
    written = connection.read_parquet([str(shard) for shard in shards])
    counted = written.aggregate(
        events=written.count(), subjects=written.subject_id.nunique()
    ).execute()
    queue.put(
        {
            "tables": len(records.paths),
            "files": len(shards),
            "subjects": int(counted["subjects"].iloc[0]),
            "events": int(counted["events"].iloc[0]),
            "cpu_seconds": round(sum(psutil.Process().cpu_times()[:2]), 1),
            "peak_memory_mb": round(runtime.peak_memory_mb()),
            "data_sha256": records.provenance.sha256,
        }
    )


def in_fresh_process(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return what `measure` found, and the seconds from start to end of its process."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="medlib-") as target:
        queue = context.Queue()
        arguments = (name, str(folder) if folder else None, target, queue)
        process = context.Process(target=measure, args=arguments)
        begun = time.perf_counter()
        process.start()
        process.join()
        seconds = time.perf_counter() - begun
        if process.exitcode:
            raise RuntimeError(f"{name}: the measurement failed; see above")
        return queue.get() | {"seconds": round(seconds, 1)}


def run(path: Path, copies: tuple[int, ...] = COPIES) -> None:
    """Measure both demos, then MIMIC-IV's replicated, and write the records.

    Raises
    ------
    DataUnavailable
        If the real files cannot be had.
    """
    from medlib.data import load

    for name in ("eicu-demo", "mimic-iv-demo"):
        load(name, source="real")  # fails here, and not in another process
    jobs = [("eicu-demo", 1), *(("mimic-iv-demo", count) for count in copies)]
    records = []
    for name, count in jobs:
        with tempfile.TemporaryDirectory(prefix="medlib-") as folder:
            if count > 1:
                copy_hospital(Path(folder), count)
            found = in_fresh_process(name, Path(folder) if count > 1 else None)
        records.append({"dataset": name, "copies": count, **found})
        print(
            f"{name} × {count}: {found['events']:,} events, {found['seconds']} s "
            f"({found['cpu_seconds']} s of CPU), {found['peak_memory_mb']} MB",
            flush=True,
        )
    common = {"code_version": report.code_version(MODULES), **report.environment()}
    report.write(path, "records_etl", [record | common for record in records])
