"""A method beside the ranking loss of a predictor, as a study: the data ``archs:TASK``.

A companion declares its methods and what stands beside the loss; runs, resuming, the tables of
`compare`, paired claims and what people see of them are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.splits import make_split
from nasrank.runs.run import Run
from nasrank.runs.side import LOSS, train_with_side
from nasrank.runs.tables import FINISHED
from nasrank.runs.tabulate import run_tables
from nasrank.study.claims import CLAIMS, Ahead, Claim, Of, judge
from nasrank.study.controls import Control
from nasrank.study.device import choose_device
from nasrank.study.finished import Identity
from nasrank.study.options import ARCHS, Config
from nasrank.study.study import Answer, Job, OnWork, Plan, Result, Runs, Study, Worker
from nasrank.study.view import SPREAD, Measure, Part, over_seeds, seeds_of
from nasrank.tables import Table

if TYPE_CHECKING:
    from nasrank.predictors.fleet import SideLoss

__all__ = ["PLAIN", "BesideRun", "Method", "Rivals", "archs_study", "view_archs"]

C = TypeVar("C", bound=Config)
Row = dict[str, Any]

PLAIN = "plain"
"""The method with nothing beside the ranking loss."""

_DEGENERATE = "degenerate_batches"


@dataclass(frozen=True)
class Method:
    """A way to train the predictor.

    Attributes:
        name: What stands as ``method`` in tables.
        predictor: What stands as ``predictor`` in ``runs``: it names all settings, for it is
            what tells runs apart.
        settings: Its settings; those that are columns of the table are shown there.
    """

    name: str
    predictor: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BesideRun(Identity):
    """One predictor to train.

    Attributes:
        run: Attributes of its `Run`.
        method: Name of the method.
        settings: Settings of the method.
    """

    run: dict[str, Any]
    method: str
    settings: dict[str, Any]

    @cached_property
    def run_id(self) -> str:
        """The identity of the run in ``runs``, whose predictor's name holds the settings."""
        return Run(**self.run).run_id

    def __hash__(self) -> int:
        return hash(self.run_id)


@dataclass(frozen=True)
class Rivals:
    """Paired claims that one method is ahead of another on the same seeds.

    Every method is compared with the plain one first, and then with each of the rivals, for every
    size.

    Attributes:
        metrics: Columns, and words that say what is claimed of each.
        claim_id: Short name, with ``{better}``, ``{worse}``, ``{metric}`` and ``{n_train}``.
        statement: The statement, with the same and ``{words}``.
        source: Name of the table.
        rivals: Methods that the others are compared with.
    """

    metrics: Mapping[str, str]
    claim_id: str
    statement: str
    source: str
    rivals: tuple[str, ...]

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """Judge the claims; rows of `CLAIMS`."""
        methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != PLAIN]
        pairs = [(method, PLAIN) for method in methods]
        for rival in self.rivals:
            pairs += [(m, rival) for m in methods if m != rival and rival in methods]
        claims = [
            self._claim(n_train, pair, metric)
            for n_train in dict.fromkeys(row["n_train"] for row in rows)
            for pair in pairs
            for metric in self.metrics
        ]
        return judge(claims, rows, data=rows[0]["data"] if rows else "", table=self.source)

    def _claim(self, n_train: int, pair: tuple[str, str], metric: str) -> Claim:
        words = {"better": pair[0], "worse": pair[1], "metric": metric, "n_train": n_train}
        first, second = (
            Of(FINISHED.column(metric), {"method": method, "n_train": n_train}) for method in pair
        )
        statement = self.statement.format(words=self.metrics[metric], **words)
        return Ahead(self.claim_id.format(**words), statement, first, second)


_MEASURES = (
    Measure("kendall_tau", "Kendall\ntau", keep=9),
    Measure("gain", "gain\nin tau", keep=8),
    Measure("precision_at_1pct", "precision\nat 1 %", keep=8),
    Measure("precision_at_5pct", "precision\nat 5 %", keep=7),
    Measure("regret_at_10", "regret\nat 10", keep=8),
    Measure(_DEGENERATE, "degenerate\nlists", digits=0, spread=False, keep=4),
    Measure("fit_seconds", "seconds\na run", digits=1, spread=False, keep=3),
    Measure("diverged", "diverged", over="sum", keep=8),
)
"""What people see of each method; ``gain`` is what it adds to tau."""


def archs_study(
    config: type[C],
    *,
    table: Table,
    methods: Callable[[C], Sequence[Method]],
    beside: Callable[[Sequence[BesideRun], str], SideLoss | None],
    claims: Callable[[Sequence[Row]], list[Row]],
    view: Callable[[Result[C]], Iterable[Part]],
    pictures: Callable[[Result[C]], Iterable[Path]],
    controls: Callable[[Job[C, BesideRun], Collection[str]], Iterable[Control]],
) -> Study[C, BesideRun]:
    """Declare the study of a method beside the ranking loss.

    Args:
        config: The options: has ``data``, ``n_train``, ``seeds`` and ``seed``, and ``device``.
        table: What everybody gets to see of a run: ``run_id``, ``data``, ``method``, ``seed``,
            settings, columns of `RUNS` and what is measured of the method.
        methods: Spells out the methods, the plain one first, and refuses what does not go
            together; all have the same settings.
        beside: Makes the loss on embeddings that is added to the ranking loss, of the runs of one
            fleet and the kind of device; None for the plain method. Its attribute
            ``degenerate``, where it has one, counts for each member the lists of which it can
            say nothing: the kept column ``degenerate_batches``.
        claims: Judges rows of the table.
        view: What people see, such as `view_archs`.
        pictures: Draws into the folder.
        controls: Measures inputs whose answer is known; see `Study`.
    """
    kept = _kept(table)

    def plan(asked: C) -> Plan[BesideRun]:
        return _plan(asked, methods(asked))

    def worker(asked: C, _plan: Plan[BesideRun]) -> Worker[BesideRun]:
        device = choose_device(asked.device).type  # type: ignore[attr-defined]

        def train(fleet: Sequence[BesideRun], _on_work: OnWork) -> list[Row]:
            return _train(fleet, beside(fleet, device), kept, device)

        return train

    def answer(job: Job[C, BesideRun]) -> Answer:
        rows = [
            _public(job.config.data, table, run, row)  # type: ignore[attr-defined]
            for run, row in zip(job.runs, job.rows, strict=True)
        ]
        ordinary = run_tables(job.rows, budget=False)
        return Answer({table: rows, CLAIMS: claims(rows), **ordinary})

    return Study(
        config=config,
        main=table,
        runs=Runs(
            identity=BesideRun, kept=kept, plan=plan, worker=worker, what="predictors",
        ),
        answer=answer,
        view=view,
        pictures=pictures,
        controls=controls,
    )  # fmt: skip


def view_archs(result: Result[Any]) -> Iterable[Part]:
    """Show means over seeds of each size and method."""
    bare = {
        (row["n_train"], row["seed"]): row["kendall_tau"]
        for row in result.rows
        if row["method"] == PLAIN
    }
    rows = [
        {**row, "gain": None if row["method"] == PLAIN else _gain(row, bare)}
        for row in result.rows
    ]
    title = f"{rows[0]['data']}, {seeds_of(rows)}"
    yield over_seeds(rows, ["n_train", "method"], _MEASURES, title)
    yield (
        f"{SPREAD} Runs of a seed share splits and initial weights; gains are differences to "
        f"{PLAIN} on the same seed."
    )


def _gain(row: Row, bare: Mapping[tuple[int, int], float | None]) -> float | None:
    tau, without = row["kendall_tau"], bare.get((row["n_train"], row["seed"]))
    return None if tau is None or without is None else float(tau - without)


def _kept(table: Table) -> Table:
    """Return what is kept of a run: that of every run, and what only this table has."""
    known = {*(column.name for column in FINISHED.columns), "data", "method"}
    own = tuple(column for column in table.columns if column.name not in known)
    return Table(f"{table.name}_kept", FINISHED.about, (*FINISHED.columns, *own))


def _plan(
    config: Any,  # noqa: ANN401 - the options of a companion
    methods: Sequence[Method],
) -> Plan[BesideRun]:
    """One fleet for each method and size; its runs differ in their seed alone."""
    task = load_task(str(parse_task(config.data.removeprefix(ARCHS))))
    fleets = []
    for n_train in dict.fromkeys(config.n_train):
        # Refused here, before anything is trained or written.
        make_split(task, n_train, config.seed, split="class")
        for method in methods:
            run = {
                "task": task.name, "fingerprint": task.fingerprint,
                "predictor": method.predictor, "loss": LOSS, "n_train": n_train,
                "split": "class", "labels": "mean", "test": "rest", "sampling": "random",
            }  # fmt: skip
            fleets.append(
                [
                    BesideRun({**run, "seed": seed}, method.name, dict(method.settings))
                    for seed in config.all_seeds
                ]
            )
    return Plan(fleets)


def _train(
    fleet: Sequence[BesideRun], side: SideLoss | None, kept: Table, device: str
) -> list[Row]:
    first = fleet[0]
    trained = train_with_side(
        first.run["task"],
        first.run["predictor"],
        first.run["n_train"],
        [run.run["seed"] for run in fleet],
        side=side,
        device=device,
    )
    counted = getattr(side, "degenerate", [0] * len(fleet))
    return [
        kept.project({**row, **run.settings, _DEGENERATE: int(count), "run_id": run.run_id})
        for run, row, count in zip(fleet, trained, counted, strict=True)
    ]


def _public(data: str, table: Table, run: BesideRun, row: Row) -> Row:
    return table.project({**row, "data": data, "method": run.method})
