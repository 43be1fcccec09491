"""The main study, declared: every loss on the same data, and what each finds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain, product
from typing import Any

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.splits import largest_train_size, make_split
from nasrank.errors import UsageError
from nasrank.losses import PiecewiseSpec, fed_with, parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import parse_predictor
from nasrank.questions.compare.figures import draw_comparison
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.compare.view import view_comparison
from nasrank.runs.code import code_of
from nasrank.runs.evaluate import mean_gpu_seconds
from nasrank.runs.extras import Extras
from nasrank.runs.fleets import FleetSettings, FleetTrainer
from nasrank.runs.grid import cut, estimated_seconds, losses_for, work
from nasrank.runs.lists import LISTS, lists_table
from nasrank.runs.own_metrics import MetricSpec
from nasrank.runs.run import Run
from nasrank.runs.summarise import headline, overall_table
from nasrank.runs.tables import (
    BUDGET,
    FINISHED,
    HEADLINE,
    OVERALL,
    OWN_METRICS,
    SUMMARY,
    nested_in,
)
from nasrank.runs.tabulate import run_tables
from nasrank.study.device import kind_of
from nasrank.study.study import Answer, Job, Plan, Runs, Study

__all__ = ["COMPARE", "plan_runs"]

_LOG = logging.getLogger("nasrank")
_MOST_RUNS = 1_000_000


def plan_runs(config: CompareConfig) -> Plan[Run]:
    """Spell out the runs of a comparison, cut into fleets.

    A training size out of range is an error where there is one task; in a grid of several tasks
    that cell is left out and named. A predictor that has a loss of its own is trained once for
    each task, size and seed, whatever the losses.

    Raises:
        UsageError: A name, an option or a size is invalid.
        DataError: A task's data is missing or damaged.
    """
    fed = (fed_with(loss, config.targets) for loss in config.losses)
    losses = list(dict.fromkeys(chain.from_iterable(fed)))
    names = list(dict.fromkeys(str(parse_task(task)) for task in config.tasks))
    # Spelled in one way, so that what is named twice is trained once.
    predictors = {str(spec): spec for spec in map(parse_predictor, config.predictors)}
    for spec in predictors.values():
        PREDICTORS.facts(spec.name).require_extra()
    methods = [
        (name, loss) for name, known in predictors.items() for loss in losses_for(known, losses)
    ]
    sizes, samplings = list(dict.fromkeys(config.n_train)), list(dict.fromkeys(config.sampling))
    _check_switches(losses, min(sizes))
    _extras(config)
    count = len(names) * len(sizes) * len(methods) * len(samplings) * config.seeds
    if count > _MOST_RUNS:
        raise UsageError(
            f"{count:,} runs are more than one folder should hold ({_MOST_RUNS:,}); use fewer "
            "--seeds, or several commands"
        )
    runs: list[Run] = []
    left_out: list[str] = []
    for name, n_train in product(names, sizes):
        reason = _out_of_range(config, name, n_train, alone=len(names) == 1)
        if reason is not None:
            left_out.append(reason)
            continue
        runs += [
            Run(
                task=name,
                fingerprint=load_task(name).fingerprint,
                predictor=predictor,
                loss=loss,
                n_train=n_train,
                seed=seed,
                split=config.split,
                labels=config.labels,
                test=config.test,
                sampling=sampling,
            )
            for sampling, (predictor, loss), seed in product(samplings, methods, config.all_seeds)
        ]
    if not runs:
        raise UsageError(f"nothing is left of the grid: {left_out[0]}")
    spaces = [load_task(run.task).space.name for run in runs]
    fleets = cut(runs, spaces, kind_of(config), Recipe())
    fingerprints = {run.task: run.fingerprint for run in runs}
    return Plan(fleets, runs, tuple(left_out), about={"fingerprints": fingerprints})


def _check_switches(losses: Sequence[str], smallest: int) -> None:
    """Refuse piecewise losses whose second part would never be reached."""
    for loss in losses:
        spec = parse(loss)
        if isinstance(spec, PiecewiseSpec) and not 2 <= spec.switch < smallest:
            raise UsageError(
                f"{loss} switches at {spec.switch}, which has to be at least 2 and below every "
                f"--n-train, the least of which is {smallest}"
            )


def _out_of_range(config: CompareConfig, name: str, n_train: int, *, alone: bool) -> str | None:
    """Say why a cell of the grid is left out, or refuse it where nothing else would be left."""
    task = load_task(name)
    try:
        # A trial draw checks size, labels and sampling at once.
        for sampling in config.sampling:
            make_split(
                task,
                n_train,
                config.seed,
                split=config.split,
                labels=config.labels,
                test=config.test,
                sampling=sampling,
            )
    except UsageError as error:
        largest = largest_train_size(task, config.split, config.labels)
        # Any size out of range where none is in range: it is not the size that is wrong.
        if alone or largest < 2 or 2 <= n_train <= largest:
            raise
        return str(error)
    return None


def _check_memory(config: CompareConfig, fleets: Sequence[Sequence[Run]]) -> None:
    """Say which fleets need too much memory, and refuse runs that do not fit alone."""
    limit = _settings(config).limit
    parts = [limit.parts(fleet) for fleet in fleets]
    halved = [own for own in parts if len(own) > 1]
    if halved:
        _LOG.warning(
            "%d of %d fleets need more than --memory-limit; they are halved, to at most %d runs "
            "at once",
            len(halved),
            len(fleets),
            max(len(part) for own in halved for part in own),
        )


def _extras(config: CompareConfig) -> Extras:
    metrics = tuple(dict.fromkeys(str(MetricSpec.parse(each)) for each in config.metrics))
    return Extras(config.keep_predictions, config.curves, metrics)


def _settings(config: CompareConfig) -> FleetSettings:
    return FleetSettings(kind_of(config), Recipe(), _extras(config), config.memory_bytes)


def _compared(job: Job[CompareConfig, Run]) -> Answer:
    several = len(set(job.config.sampling)) > 1
    rows = [_with_cost(row) for row in job.rows]
    if not job.config.metrics:
        # Kept from an earlier command in this folder.
        rows = [{**row, **dict.fromkeys(nested_in(OWN_METRICS))} for row in rows]
    tables = run_tables(rows, sampling=several, parts=_extras(job.config).parts)
    if len({row["task"] for row in rows}) > 1:
        tables[OVERALL] = overall_table(rows)
    if job.config.lambdas:
        tables[LISTS] = lists_table(rows, job.config.lambdas)
    return Answer({HEADLINE: headline(tables[SUMMARY], tables[BUDGET]), **tables})


def _with_cost(row: dict[str, Any]) -> dict[str, Any]:
    """Add what an evaluation costs to rows of tables that did not say so yet."""
    if row["mean_gpu_seconds"] is not None:
        return row
    return {**row, "mean_gpu_seconds": mean_gpu_seconds(load_task(row["task"]))}


COMPARE = Study(
    config=CompareConfig,
    main=HEADLINE,
    runs=Runs(
        identity=Run,
        code=lambda run: code_of(run.predictor, run.loss),
        kept=FINISHED,
        plan=plan_runs,
        worker=lambda config, _plan: FleetTrainer(_settings(config)),
        work=lambda run: work(run, Recipe()),
        check=_check_memory,
        whole=lambda config, row: _extras(config).in_row(row),
        seconds=lambda config, runs: estimated_seconds(runs, kind_of(config), Recipe()),
    ),
    answer=_compared,
    view=view_comparison,
    pictures=lambda result: draw_comparison(result.tables, result.out),
)
