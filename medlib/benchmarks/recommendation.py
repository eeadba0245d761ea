"""Which treatments come next? Recommenders on the eICU demo, under several protocols.

- ``random``: a fifth of each stay's treatments is hidden at random. Others report this,
  so it stands beside their numbers, but a hidden treatment may come before a known one.
- ``time``: known is the first day, to be found is what is first given later, in stays
  of other patients than those learned from.
- ``hospitals``: the same, in hospitals that were not learned from either.
- ``admission``: the same stays, of whose treatments nothing is known: cold patients.
- ``new_items``: a fifth of the treatments is in no training stay: cold items. To be
  found are those alone.
- ``going_on``: to be found is all that is charted after the first day, old or new.

Settings are chosen on tuning patients (``random``: on treatments hidden once more). The
form of the fusion and its settings were chosen on the hold-outs with the seeds 0 to 4,
which are not reported. Intervals are over patients.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import interactions, load
from medlib.data.interactions import Interactions, TimeSplit
from medlib.evaluation import ranking
from medlib.models import recommend as models
from medlib.models.recommend import hybrid
from medlib.models.recommend.fusion import PARTS, Fusion, Stays

MODULES = [
    "benchmarks.recommendation",
    "data.interactions",
    "evaluation.ranking",
    "evaluation.grouped",
    "models.recommend.content",
    "models.recommend.factors",
    "models.recommend.fusion",
    "models.recommend.hybrid",
    "models.recommend.lists",
    "models.recommend.neighbours",
]
SEEDS = (10, 11, 12, 13, 14)
FEWER_SEEDS = SEEDS[:3]  # of all but the whole methods under the two main protocols
DRAWS = 3  # times that known treatments are hidden once more, to learn from
AT = (5, 10)
MEASURES = ("ndcg", "recall", "precision", "map", "novelty")
GROUPS = ("hospital", "ward", "unit", "diagnosis", "diagnosis_group")
COLD_SHARE = 0.2
BEST = "fusion"
AVERAGED = "fusion_averaged"
MEMBERS = 4  # of the average; they differ in folds, trees and the negatives seen
GRIDS: dict[str, tuple[float, ...]] = {
    "user_cosine": (10, 20, 50, 100),
    "item_cosine": (10, 20, 50, 100),
    "item_jaccard": (10, 20, 50, 100),
    "item_adjusted": (10, 20, 50, 100),
    "als": (8, 16, 32),
    "ease": (10, 30, 100, 300),
}
BLENDED = ("ease", "user_cosine", "hospital_popularity", "content")
WEIGHTS = (0.0, 1.0, 2.0, 4.0)
TOWERS = {"size": 32, "hidden": 64, "dropout": 0.3}
TRAINING = {"epochs": 30, "batch_size": 32, "learning_rate": 1e-3}
FUSION = {"rounds": 150, "learning_rate": 0.05, "negatives": 0.1}
ALONE = (
    "popularity",
    "later_popularity",
    "unit_popularity",
    "hospital_popularity",
    *GRIDS,
    "content",
)
METHODS = (*ALONE, "blend", "two_tower", BEST, AVERAGED)
PLACE = ("hospital", "ward")
WITHOUT = tuple(f"fusion without {part}" for part in (*PARTS, "place"))
FEWER = (
    "popularity",
    "later_popularity",
    "hospital_popularity",
    "user_cosine",
    "ease",
    "content",
)
PLAN: dict[str, tuple[str, ...]] = {
    "random": (*METHODS, *WITHOUT),
    "time": (*METHODS, *WITHOUT),
    "hospitals": (*FEWER, "blend", "two_tower", BEST),
    "admission": (*FEWER, "unit_popularity", "blend", "two_tower", BEST),
    "new_items": (*FEWER, "two_tower", BEST),
    "going_on": ("copy", "popularity", "ease", "copy_then_ease"),
}
RESAMPLES = 1000


@dataclass(frozen=True)
class Part:
    """Some stays: what is told of them, what is to be found, what others may learn."""

    stays: Stays
    wanted: sparse.csr_array
    complete: sparse.csr_array
    patients: np.ndarray

    def take(self, rows: np.ndarray) -> Part:
        """Return some of the stays."""
        return Part(
            self.stays.take(rows),
            self.wanted[rows],
            self.complete[rows],
            self.patients[rows],
        )


@dataclass(frozen=True)
class Task:
    """One division of the stays.

    ``choose`` and ``tuning`` are for choices, ``learn`` (several draws of what is
    hidden, or one) is learned from, ``test`` is asked about. ``same``: the stays asked
    about are those learned from. ``open_items`` are those that count. ``apart`` names
    whose stays are never on two sides: a patient's or a hospital's.
    """

    items: pd.Index
    choose: Part
    tuning: Part
    learn: tuple[Part, ...]
    test: Part
    same: bool = False
    open_items: np.ndarray | None = None
    going_on: bool = False
    apart: str = "patient"


def joined(first: Part, second: Part) -> Part:
    """Return the stays of both."""
    stays = Stays(
        _stack(first.stays.baskets, second.stays.baskets),
        pd.concat([first.stays.groups, second.stays.groups]),
        np.concatenate([first.stays.numbers, second.stays.numbers]),
    )
    return Part(
        stays,
        _stack(first.wanted, second.wanted),
        _stack(first.complete, second.complete),
        np.concatenate([first.patients, second.patients]),
    )


def _stack(*parts: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(sparse.vstack(parts))


@dataclass(frozen=True)
class Source:
    """The data: treatments of the whole stays, the cohort, what is known at admission.

    ``about`` holds one row per stay.
    """

    events: pd.DataFrame
    cohort: pd.DataFrame
    about: pd.DataFrame


def source() -> tuple[Source, str]:
    """Return the data and their hash."""
    records = load("eicu-demo", source="real")
    events = interactions.select(records)
    cohort = records.cohort().execute()
    everyone = pd.unique(pd.concat([cohort["stay_id"], events["subject_id"]]))
    about = interactions.admission(records, everyone)
    return Source(events, cohort, about), records.provenance.sha256


def described(data: Interactions, about: pd.DataFrame) -> Stays:
    """Return stays with what was known of them at admission."""
    rows = about.loc[data.patients]
    return Stays(data.matrix, rows[list(GROUPS)], rows[["age"]].to_numpy(np.float32))


def tasks(protocol: str, data: Source, seed: int) -> Iterator[Task]:
    """Return the divisions of a protocol: one, or one for each fold."""
    if protocol == "random":
        yield random_task(data, seed)
        return
    groups = ["patient_id", "hospital_id"][: 2 if protocol == "hospitals" else 1]
    for split in interactions.folds_by_time(
        data.events, data.cohort, groups=groups, seed=seed
    ):
        task = time_task(split, data)
        if protocol == "admission":
            task = replace(
                task,
                choose=emptied(task.choose),
                tuning=emptied(task.tuning),
                learn=tuple(emptied(part) for part in task.learn),
                test=emptied(task.test),
            )
        elif protocol == "new_items":
            task = without_items(task, seed)
        elif protocol == "going_on":
            task = going_on(task, split, data)
        elif protocol == "hospitals":
            task = replace(task, apart="hospital")
        yield task


def random_task(data: Source, seed: int) -> Task:
    """Hide treatments, and for choosing and learning hide some of the known ones."""
    pairs = interactions.keep(interactions.from_events(data.events))
    known, hidden = interactions.hold_out(pairs, seed=seed)
    patients = data.about.loc[pairs.patients, "patient"].to_numpy()
    drawn = [
        interactions.hold_out(known, seed=1000 * (seed + 1) + draw)
        for draw in range(DRAWS + 1)
    ]
    parts = [
        Part(described(seen, data.about), asked.matrix, known.matrix, patients)
        for seen, asked in drawn
    ]
    # For choices the recommenders learn from what is still to be seen.
    choose = replace(parts[-1], complete=parts[-1].stays.baskets)
    test = Part(described(known, data.about), hidden.matrix, known.matrix, patients)
    return Task(pairs.items, choose, choose, tuple(parts[:-1]), test, same=True)


def time_task(split: TimeSplit, data: Source) -> Task:
    """Return one fold of the protocol by time."""
    everyone = Part(
        described(split.known, data.about),
        split.later.matrix,
        split.everything.matrix,
        data.cohort["patient_id"].to_numpy(),
    )
    train, tuning, test = (
        everyone.take(split.rows(name)) for name in ("train", "tuning", "held_out")
    )
    return Task(split.known.items, train, tuning, (joined(train, tuning),), test)


def emptied(part: Part) -> Part:
    """Return stays of whose treatments nothing is known; all are to be found."""
    stays = replace(part.stays, baskets=sparse.csr_array(part.stays.baskets.shape))
    return replace(part, stays=stays, wanted=part.complete)


def without_items(task: Task, seed: int) -> Task:
    """Take a fifth of the items out of all but what is to be found in the test stays.

    The others are not to be found any more.
    """
    cold = np.random.default_rng(seed).random(len(task.items)) < COLD_SHARE

    def less(part: Part) -> Part:
        warm = sparse.diags_array((~cold).astype(np.float32))
        parts = (part.stays.baskets, part.wanted, part.complete)
        seen, wanted, complete = (_clean(matrix @ warm) for matrix in parts)
        return Part(replace(part.stays, baskets=seen), wanted, complete, part.patients)

    test = less(task.test)
    only_cold = sparse.diags_array(cold.astype(np.float32))
    test = replace(test, wanted=_clean(task.test.wanted @ only_cold))
    return replace(
        task,
        choose=less(task.choose),
        tuning=less(task.tuning),
        learn=tuple(less(part) for part in task.learn),
        test=test,
        open_items=cold,
    )


def _clean(matrix: sparse.sparray) -> sparse.csr_array:
    found = sparse.csr_array(matrix)
    found.eliminate_zeros()
    return found


def going_on(task: Task, split: TimeSplit, data: Source) -> Task:
    """Ask for all that is charted after the index time, whether it is new or not."""
    index_time = data.cohort.set_index("stay_id")["index_time"]
    after = data.events["time"] > data.events["subject_id"].map(index_time)
    charted = interactions.from_events(
        data.events[after],
        by="subject_id",
        patients=split.known.patients,
        items=split.known.items,
    )
    held_out = charted.matrix[split.rows("held_out")]
    return replace(task, test=replace(task.test, wanted=held_out), going_on=True)


def profiles(task: Task) -> sparse.csr_array:
    """Return what each item is; terms are learnt from the items that are not new."""
    fit = None if task.open_items is None else ~task.open_items
    return interactions.item_content(task.items, fit=fit).matrix


def features(learn: Part, part: Part) -> sparse.csr_array:
    """Return what is known of stays at admission, 0 and 1; levels as in ``learn``."""

    def table(stays: Stays) -> pd.DataFrame:
        decade = pd.Series(stays.numbers[:, 0] // 10, stays.groups.index)
        found = stays.groups.assign(decade=decade).astype("string").fillna("?")
        return found.astype(object)

    encoder = OneHotEncoder(min_frequency=5, handle_unknown="ignore", dtype=np.float32)
    encoder.fit(table(learn.stays))
    return sparse.csr_array(encoder.transform(table(part.stays)))


def scores(
    method: str, learn: Part, ask: Part, task: Task, setting: float | None
) -> np.ndarray:
    """Return what a recommender that stands alone says, (stays, items)."""
    known, complete = ask.stays.baskets, learn.complete
    if method == "popularity":
        return models.Popularity().fit(complete).scores(known)
    if method == "later_popularity":
        later = models.LaterPopularity().fit(learn.stays.baskets, learn.wanted)
        return later.scores(known)
    if method.endswith("_popularity"):
        column = method.removesuffix("_popularity")
        units, asked = (_units(part, column) for part in (learn, ask))
        return models.UnitPopularity().fit(complete, units).scores(known, asked)
    if method == "user_cosine":
        users = models.UserNeighbours(int(setting)).fit(complete)
        return users.scores(known, same=task.same)
    if method.startswith("item_"):
        metric = method.removeprefix("item_")
        return models.ItemNeighbours(int(setting), metric).fit(complete).scores(known)
    if method == "als":
        made = models.AlternatingLeastSquares(int(setting), regularisation=5.0)
        return made.fit(complete).scores(known)
    if method == "ease":
        return models.Ease(setting).fit(complete).scores(known)
    if method == "content":
        told = [features(learn, part) for part in (learn, ask)]
        return models.Content(profiles(task)).fit(complete, told[0]).scores(
            known, told[1]
        )  # fmt: skip
    raise ValueError(f"method is '{method}'; use one of {', '.join(METHODS)}")


def _units(part: Part, column: str) -> np.ndarray:
    return part.stays.groups[column].fillna("?").to_numpy(str)


def lists_of(found: np.ndarray, part: Part, task: Task) -> np.ndarray:
    """Return lists of the items that may be recommended."""
    if task.open_items is not None:
        found = np.where(task.open_items, found, -np.inf)
    known = None if task.going_on else part.stays.baskets
    return models.recommend(found, known, max(AT))


def chosen(method: str, task: Task) -> float | None:
    """Return the setting that is best on tuning stays; None where there is none."""
    if method not in GRIDS:
        return None
    reached = {}
    for setting in GRIDS[method]:
        found = scores(method, task.choose, task.tuning, task, setting)
        reached[setting] = mean_ndcg(found, task.tuning)
    return max(reached, key=lambda setting: reached[setting])


def mean_ndcg(found: np.ndarray, part: Part) -> float:
    """Return nDCG@10, mean over stays with something to find."""
    lists = models.recommend(found, part.stays.baskets, 10)
    return float(np.nanmean(ranking.ndcg(lists, part.wanted, 10)))


def blend(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    """Return the blend's scores, and its weights: the best on tuning stays."""
    settings = {name: chosen(name, task) for name in BLENDED}
    for_tuning, for_test = (
        {n: scores(n, learn, ask, task, settings[n]) for n in BLENDED}
        for learn, ask in ((task.choose, task.tuning), (task.learn[0], task.test))
    )
    scaled = {n: models.Blend({n: 1}).scores({n: s}) for n, s in for_tuning.items()}
    best, reached = {}, -1.0
    for weights in itertools.product(WEIGHTS, repeat=len(BLENDED)):
        if max(weights) != WEIGHTS[-1]:
            continue  # a multiple of weights that are tried
        named = dict(zip(BLENDED, weights, strict=True))
        mixed = sum(weight * scaled[name] for name, weight in named.items())
        found = mean_ndcg(mixed, task.tuning)
        if found > reached:
            best, reached = named, found
    return models.Blend(best).scores(for_test), best


def two_tower(task: Task, seed: int) -> np.ndarray:
    """Train towers; the epoch is chosen on tuning stays."""
    runtime.seed_everything(seed)
    if task.same:  # the tuning stays are those learned from: keep a tenth of them apart
        apart = np.random.default_rng(seed).random(len(task.choose.patients)) < 0.1
        learn = [part.take(np.flatnonzero(~apart)) for part in task.learn]
        tuning = task.tuning.take(np.flatnonzero(apart))
    else:
        learn, tuning = [task.choose], task.tuning
    train = learn[0]
    for part in learn[1:]:
        train = joined(train, part)
    told = [features(train, part).toarray() for part in (train, tuning, task.test)]
    own = task.open_items is None
    model = models.two_tower(
        told[0].shape[1], profiles(task).toarray(), own=own, **TOWERS
    )
    sets = [
        (rows, part.stays.baskets, part.wanted)
        for rows, part in zip(told, (train, tuning), strict=False)
    ]
    hybrid.fit(model, *sets, **TRAINING)
    return models.predict(model, told[2], task.test.stays.baskets)


def fusion(task: Task, seed: int, without: str = "") -> np.ndarray:
    """Fuse the evidence of all parts but one; without ``place``, no `PLACE` is told."""
    parts = [part for part in PARTS if part != without]

    def told(stays: Stays) -> Stays:
        if without != "place":
            return stays
        return replace(stays, groups=stays.groups.drop(columns=list(PLACE)))

    made = Fusion(task.items, profiles(task), parts=parts, seed=seed, **FUSION)
    learn = task.learn[0]
    if task.same:  # under the random protocol stays stand for themselves
        whose = np.arange(len(learn.patients))
    elif task.apart == "hospital":
        whose = learn.stays.groups["hospital"].to_numpy(str)
    else:
        whose = learn.patients
    examples = [(told(part.stays), part.wanted) for part in task.learn]
    return made.fit(examples, learn.complete, whose).scores(told(task.test.stays))


def found_by(method: str, task: Task, seed: int) -> tuple[np.ndarray, Any]:
    """Return a method's scores of the test stays, and what was chosen."""
    if method == "copy":
        return models.Copy().fit(task.learn[0].complete).scores(
            task.test.stays.baskets
        ), None  # fmt: skip
    if method == "copy_then_ease":
        ease, setting = found_by("ease", task, seed)
        return ease + 100 * task.test.stays.baskets.toarray(), setting
    if method == "blend":
        return blend(task)
    if method == "two_tower":
        return two_tower(task, seed), None
    if method == AVERAGED:
        members = [fusion(task, MEMBERS * seed + m) for m in range(MEMBERS)]
        return np.mean(members, axis=0), None
    if method.startswith(BEST):
        return fusion(
            task, seed, method.removeprefix(BEST).removeprefix(" without ")
        ), None
    setting = chosen(method, task)
    return scores(method, task.learn[0], task.test, task, setting), setting


def measure(
    method: str, divisions: Sequence[Task], seed: int
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return a record, and the measures of each stay that has something to find."""
    values, settings, covered = [], [], []
    with runtime.Stopwatch() as watch:
        for task in divisions:
            found, setting = found_by(method, task, seed)
            learned = task.learn[0].complete
            result = ranking.evaluate(
                lists_of(found, task.test, task),
                task.test.wanted,
                at=AT,
                popularity=np.bincount(learned.indices, minlength=learned.shape[1]),
                patients=learned.shape[0],
            )
            whose = task.test.stays.groups.index[result.values.index]
            values.append(result.values.set_axis(whose))
            settings.append(setting)
            covered.append(result.coverage)
    table = pd.concat(values)[[f"{name}@{k}" for k in AT for name in MEASURES]]
    record = {
        "method": method,
        "seed": seed,
        "stays": len(table),
        **{name: round(float(table[name].mean()), 5) for name in table},
        **{f"coverage@{k}": round(float(np.mean([c[k] for c in covered])), 5)
           for k in AT},
        "chosen": settings,
        "seconds": round(watch.seconds, 2),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
    }  # fmt: skip
    return record, table


def seeds_of(protocol: str, method: str) -> Sequence[int]:
    """Return the seeds that a method is measured with."""
    main = protocol in ("random", "time") and method not in WITHOUT
    return SEEDS if main else FEWER_SEEDS


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code."""
    return record.get("code_version") == report.code_version(MODULES)


def run(path: Path, methods: Sequence[str] | None = None) -> None:
    """Measure what the current code has not measured yet; write after each run.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    data, digest = source()
    stored = report.read_arrays(report.scores_path(path))
    records = [
        record
        for record in report.read(path)
        if is_current(record) and f"{key(record)}/values" in stored
    ]
    done = {key(record) for record in records}
    order = []
    for protocol, named in PLAN.items():
        for seed in SEEDS:
            due = []
            for method in named:
                if seed not in seeds_of(protocol, method):
                    continue
                about = {"protocol": protocol, "method": method, "seed": seed}
                order.append(key(about))
                if key(about) not in done and (methods is None or method in methods):
                    due.append(about)
            divisions = list(tasks(protocol, data, seed)) if due else []
            for about in due:
                record, table = measure(about["method"], divisions, seed)
                records.append(
                    {
                        "dataset": "eicu-demo",
                        "split": protocol,
                        **about,
                        **record,
                        **report.environment(),
                        "data_sha256": digest,
                        "code_version": report.code_version(MODULES),
                    }
                )
                stored[f"{key(about)}/values"] = table.to_numpy(np.float32)
                stored[f"{key(about)}/stays"] = table.index.to_numpy(np.int64)
                print(
                    f"{key(about)}: nDCG@10 {record['ndcg@10']:.4f}, "
                    f"{record['seconds']:.0f} s",
                    flush=True,
                )
            if due:
                records.sort(key=lambda r: order.index(key(r)))
                report.write_arrays(report.scores_path(path), stored)
                report.write(path, "recommendation", records)
    patients = data.about["patient"]
    summaries, comparisons = compare(records, stored, patients)
    report.write(
        path, "recommendation", records, summaries=summaries, comparisons=comparisons
    )


def key(record: dict[str, Any]) -> str:
    """Return the name of a run."""
    return f"{record['protocol']}/{record['method']}/{record['seed']}"


def leader_of(protocol: str, method: str) -> str:
    """Return which fusion a method is compared with: one without a part, with one."""
    averaged = AVERAGED in PLAN[protocol] and method not in WITHOUT
    return AVERAGED if averaged else BEST


def compare(
    records: list[dict[str, Any]], stored: dict[str, np.ndarray], patients: pd.Series
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return each method's measures, and the lead of the fusion, with intervals.

    A stay's value is its mean over the seeds; patients are drawn with all their stays.
    """
    columns = [f"{name}@{k}" for k in AT for name in MEASURES]
    runs: dict[tuple[str, str], dict[int, pd.DataFrame]] = {}
    covered: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        name, place = key(record), (record["protocol"], record["method"])
        table = pd.DataFrame(stored[f"{name}/values"], stored[f"{name}/stays"], columns)
        runs.setdefault(place, {})[record["seed"]] = table
        covered.setdefault(place, []).append(record)
    summaries, comparisons = [], []
    for (protocol, method), found in runs.items():
        table = _mean(found, found)
        row = {"protocol": protocol, "method": method, "stays": len(table)}
        for name in columns:
            middle = _interval(table[name], patients)
            parts = (middle.estimate, middle.low, middle.high)
            row[name] = [round(value, 4) for value in parts]
        for k in AT:
            shares = [r[f"coverage@{k}"] for r in covered[protocol, method]]
            row[f"coverage@{k}"] = round(float(np.mean(shares)), 4)
        summaries.append(row)
        leader = leader_of(protocol, method)
        if (protocol, leader) not in runs or method == leader:
            continue
        ahead = runs[protocol, leader]
        same = sorted(set(ahead) & set(found))  # the same hidden pairs, the same folds
        gains = _mean(ahead, same) - _mean(found, same)
        about = {"protocol": protocol, "method": leader, "against": method}
        comparisons += [
            report.difference(_interval(gains[name], patients), **about, metric=name)
            for name in ("ndcg@10", "recall@10")
        ]
    return summaries, comparisons


def _mean(runs: dict[int, pd.DataFrame], seeds: Iterable[int]) -> pd.DataFrame:
    """Return each stay's mean over some of the seeds."""
    return pd.concat([runs[seed] for seed in seeds]).groupby(level=0).mean()


def _interval(values: pd.Series, patients: pd.Series) -> Any:
    values = values.dropna()
    return ranking.mean_interval(
        values.to_numpy(),
        groups=patients.loc[values.index].to_numpy(),
        n_resamples=RESAMPLES,
    )
