"""Features of a cohort: events known by the index time, and nothing later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd
from scipy import sparse

from medlib.data.errors import Leakage

if TYPE_CHECKING:
    import ibis.expr.types as ir

KEYS = ["stay_id", "subject_id", "index_time"]


def known_by_index(events: ir.Table, cohort: pd.DataFrame, connection: Any) -> ir.Table:
    """Return each stay's events up to and including its index time.

    MEDS says "up to and including the prediction time" of what a model may use.
    """
    keys = cohort[KEYS].assign(index_time=cohort["index_time"].astype("datetime64[us]"))
    table = ibis.memtable(keys)
    if connection.name != "duckdb":  # Spark: one copy, not one for each use
        table = connection.create_view(
            ibis.util.gen_name("cohort"), table, overwrite=True
        )
    joined = events.inner_join(table, "subject_id")
    return joined.filter(joined.time <= joined.index_time).select(
        "stay_id", "subject_id", "time", "code", "numeric_value"
    )


def refuse_later(events: pd.DataFrame, cohort: pd.DataFrame) -> None:
    """Refuse features that were not known by the index time.

    Parameters
    ----------
    events : DataFrame
        ``stay_id`` or, where there is none, ``subject_id``; ``time``, ``code``.
    cohort : DataFrame
        The same key, and ``index_time``.

    Raises
    ------
    Leakage
        If an event is later than its stay's index time; names the code and the times.
    ValueError
        If an event belongs to no stay of the cohort, has no time, or a key of the
        cohort is there twice.
    """
    key = _key(events)
    if cohort[key].duplicated().any():
        raise ValueError(
            f"{key} {cohort.loc[cohort[key].duplicated(), key].iloc[0]} is in the "
            "cohort twice; give events a stay_id"
        )
    limits = events[key].map(cohort.set_index(key)["index_time"])
    if limits.isna().any():
        stranger = events.loc[limits.isna(), key].iloc[0]
        raise ValueError(f"an event belongs to {key} {stranger}, not in the cohort")
    times = events["time"]
    if times.isna().any():
        code = events.loc[times.isna(), "code"].iloc[0]
        raise ValueError(f"an event with code '{code}' has no time; give it one")
    late = (times > limits).to_numpy()
    if late.any():
        first = int(np.flatnonzero(late)[0])
        row, limit = events.iloc[first], limits.iloc[first]
        raise Leakage(
            f"'{row['code']}' of {key} {row[key]} was known at {row['time']}, after "
            f"the index time {limit}; {late.sum():,} of {len(events):,} events are too "
            "late. Features must be known by the index time: select them with "
            "Records.features."
        )


def bag_of_codes(
    events: pd.DataFrame, cohort: pd.DataFrame, codes: pd.Index | None = None
) -> tuple[sparse.csr_array, pd.Index]:
    """Count each code's events for each stay.

    Parameters
    ----------
    events : DataFrame
        As `Records.features` gives them.
    cohort : DataFrame
        The stays, in the order of the rows to make.
    codes : Index, optional
        The columns; the codes of ``events`` in alphabetical order if left out. Take
        those of the training stays and give them here for all others. Events with
        other codes are left out.

    Returns
    -------
    counts : csr_array of float32, shape (stays, codes)
        Counts.
    codes : Index of str, shape (codes,)
        What the columns count.

    Raises
    ------
    Leakage, ValueError
        As in `refuse_later`.
    """
    refuse_later(events, cohort)
    key = _key(events)
    if codes is None:
        codes = pd.Index(np.sort(events["code"].unique()))
    rows = pd.Index(cohort[key]).get_indexer(events[key])
    columns = codes.get_indexer(events["code"])
    # 32 bits, because scikit-learn takes no others.
    rows, columns = (index[columns >= 0].astype(np.int32) for index in (rows, columns))
    counts = sparse.coo_array(
        (np.ones(len(rows), np.float32), (rows, columns)),
        shape=(len(cohort), len(codes)),
    )
    return counts.tocsr(), codes


def _key(events: pd.DataFrame) -> str:
    return "stay_id" if "stay_id" in events else "subject_id"
