"""The study: from a configuration to tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.errors import UsageError
from nasrank.files import remove_stale_parts
from nasrank.metrics.retrieval import ErrorRates, error_rates, rework_cost
from nasrank.studies.claims import CLAIMS, claim_row
from nasrank.studies.finishing import Progress, finish, missing
from nasrank.studies.hard_samples.architectures import (
    KEPT,
    PREFIX,
    ArchsRun,
    plan_architectures,
    train_architectures,
)
from nasrank.studies.hard_samples.claims import hard_claims
from nasrank.studies.hard_samples.planning import (
    HardConfig,
    HardRun,
    held_out,
    load_data,
    plan_runs,
    training_of,
)
from nasrank.studies.hard_samples.tables import (
    HARD,
    HARD_EPOCHS,
    HARD_FINISHED,
    HARD_SENSITIVITY,
    HARD_SUMMARY,
    HARD_TUNING,
    MEASURES,
)
from nasrank.studies.hard_samples.variants import Variant, combined, generating_run, variants
from nasrank.studies.runs import FinishedRuns
from nasrank.tables import write_json

if TYPE_CHECKING:
    import torch

    from nasrank.samples import SampleSet

__all__ = ["HardEstimate", "HardResult", "estimate_hard", "hard"]

Row = dict[str, Any]

_SETTINGS = (
    "data", "method", "seed", "encoder", "embedding", "epochs", "batch", "images_per_class",
    "margin", "learning_rate", "weight_decay", "augmentation",
)  # fmt: skip
_RATES = ("accept", "reject", "counted_accept", "counted_reject")
_SUMMARISED = (*MEASURES, "rework_cost", "false_accept_rate", "false_reject_rate", "triplet_loss",
               "fit_seconds")  # fmt: skip


@dataclass(frozen=True)
class HardResult:
    """What the study found.

    Attributes:
        out: The folder of the tables.
        tables: Rows of every table written, by name.
        headline: What to read first: one row a method and setting.
        pictures: By method, real and generated embeddings by epoch of the first seed.
        left_out: What is missing, one line each.
        computed: Runs that this call trained.
    """

    out: Path
    tables: dict[str, list[Row]]
    headline: list[Row]
    pictures: dict[str, Any]
    left_out: tuple[str, ...]
    computed: int


@dataclass(frozen=True)
class HardEstimate:
    """What a command would do.

    Attributes:
        runs: Number of its runs; those of a proposal's last setting are not known before.
        missing: How many of them are not finished.
        device: Kind of device they would run on.
    """

    runs: int
    missing: int
    device: str


def hard(
    config: HardConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> HardResult:
    """Train what is missing and write the tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, the tables and ``run.json``.
        progress: Hears how far it is, in runs.
        only_cached: Train nothing; report what is there.
        force: Train every model again.

    Raises:
        UsageError: The configuration cannot be meant, or an extra is not installed.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished runs are kept.
    """
    from nasrank.studies.train import choose_device

    if config.data.startswith(PREFIX):
        tables, left, trained = train_architectures(
            config, out, progress=progress, only_cached=only_cached, force=force
        )
        return HardResult(out, tables, _archs_headline(tables["hard_archs"]), {}, left, trained)
    device = choose_device(config.device)
    data = load_data(config)
    runs = plan_runs(config, data)
    swept = _swept(config, runs)
    tuned = _tuned(config, runs, data)
    # Written first: a folder that cannot be written must not cost a run.
    about = {"command": "hard", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=HARD_FINISHED, kind=HardRun)
    _require_extras()

    def work(todo: Sequence[HardRun]) -> tuple[dict[str, Row], int]:
        return finish(
            [(run,) for run in dict.fromkeys(todo)],
            lambda fleet: [_compute(run, config, device, progress) for run in fleet],
            finished,
            what="runs",
            progress=progress,
            only_cached=only_cached,
            force=force,
        )

    kept, computed = work([*runs, *(each.run for each in swept), *(each.run for each in tuned)])
    tables = _tables(runs, kept, config)
    if swept:
        tables[HARD_SENSITIVITY.name] = _sensitivity_rows(runs, swept, kept)
    if tuned:
        extra = _best_of_all(tuned, kept)
        more, count = work(extra) if extra else ({}, 0)
        computed += count
        tables[HARD_TUNING.name] = _tuning_rows(tuned, extra, {**kept, **more})
    for table in (HARD, HARD_EPOCHS, HARD_SUMMARY, CLAIMS, HARD_SENSITIVITY, HARD_TUNING):
        if table.name in tables:
            table.write(tables[table.name], out / f"{table.name}.parquet", about)
    absent = [run for run in runs if run.run_id not in kept]
    left_out = [f"{len(absent)} of {len(runs)} runs are not in {finished.folder}"] * bool(absent)
    left_out += _lonely(data)
    return HardResult(
        out,
        tables,
        _headline(tables[HARD.name], tables[HARD_SUMMARY.name]),
        _pictures(runs, kept, data),
        tuple(left_out),
        computed,
    )


def estimate_hard(
    config: HardConfig, out: Path, *, only_cached: bool = False, force: bool = False
) -> HardEstimate:
    """Say what a command would do, without training or writing anything.

    Args:
        config: What to train.
        out: Folder of the runs.
        only_cached: Train nothing.
        force: Train every model again.
    """
    from nasrank.studies.train import choose_device

    device = choose_device(config.device).type
    if config.data.startswith(PREFIX):
        planned = [run for fleet in plan_architectures(config) for run in fleet]
        folder = FinishedRuns(out / "runs.d", table=KEPT, kind=ArchsRun)
        left = missing(planned, folder, only_cached=only_cached, force=force)
        return HardEstimate(len(planned), len(left), device)
    data = load_data(config)
    runs = plan_runs(config, data)
    every = [
        *runs,
        *(v.run for v in _swept(config, runs)),
        *(v.run for v in _tuned(config, runs, data)),
    ]
    every = list(dict.fromkeys(every))
    finished = FinishedRuns(out / "runs.d", table=HARD_FINISHED, kind=HardRun)
    todo = missing(every, finished, only_cached=only_cached, force=force)
    return HardEstimate(len(every), len(todo), device)


def _swept(config: HardConfig, runs: Sequence[HardRun]) -> list[Variant]:
    if not config.sensitivity:
        return []
    chosen = generating_run(runs)
    return [each for seed in config.all_seeds for each in variants(replace(chosen, seed=seed))]


def _tuned(config: HardConfig, runs: Sequence[HardRun], data: SampleSet) -> list[Variant]:
    """Variants on held-out classes, the settings asked for first, under the option ''."""
    if not config.tune:
        return []
    inside = replace(generating_run(runs), held_out=True, fingerprint=held_out(data).fingerprint)
    found = []
    for seed in config.all_seeds:
        base = replace(inside, seed=seed)
        found += [Variant("", "", base), *variants(base)]
    return found


def _compute(
    run: HardRun, config: HardConfig, device: torch.device, progress: Progress | None
) -> Row:
    from nasrank.studies.hard_samples.measures import QUALITY, RETRIEVAL, judge, judge_generated
    from nasrank.studies.hard_samples.train import EPOCH_NUMBERS, train

    data = load_data(config)
    if run.held_out:
        data = held_out(data)
    traced = run.seed == config.seed and not run.held_out
    trained = train(data, training_of(run), device, pictures=traced)
    row: Row = {
        "run_id": run.run_id,
        "train_classes": len(np.unique(data.train.classes)),
        "test_classes": len(np.unique(data.test.classes)),
        "n_train": len(data.train),
        "n_test": len(data.test),
        **dict.fromkeys((*RETRIEVAL, *QUALITY)),
        "triplet_loss": _known(trained.log[-1]["triplet_loss"]) if trained.log else None,
        "degenerate_batches": trained.degenerate,
        "diverged": trained.diverged,
        "fit_seconds": trained.seconds,
        "device": device.type,
        "pictures": None,
    }
    none = np.zeros(0)
    rates = ErrorRates(none, none, none, none)
    if not trained.diverged:
        embeddings = trained.network.embed(data.test.values, device)[1].cpu().double().numpy()
        numbers, halves = judge(embeddings, data.test.classes, seed=run.seed)
        numbers |= judge_generated(trained, data.train, device, seed=run.seed)
        row |= {name: _known(value) for name, value in numbers.items()}
        rates = error_rates(*halves)
    row |= {f"rates.{name}": getattr(rates, name).tolist() for name in _RATES}
    row |= {f"log.{name}": [epoch[name] for epoch in trained.log] for name in EPOCH_NUMBERS}
    if trained.pictures:
        shown = {
            "classes": trained.picture_classes,
            "epochs": [
                {
                    kind: None if (points := getattr(picture, kind)) is None
                    else points.round(3).tolist()
                    for kind in ("real", "positive", "negative")
                }
                for picture in trained.pictures
            ],
        }  # fmt: skip
        row["pictures"] = json.dumps(shown)
    if progress is not None:
        progress.advance(1)
    return row


def _tables(
    runs: Sequence[HardRun], kept: Mapping[str, Row], config: HardConfig
) -> dict[str, list[Row]]:
    present = [run for run in runs if run.run_id in kept]
    rows = [_hard_row(run, kept[run.run_id], config) for run in present]
    epochs = [
        {
            "run_id": run.run_id,
            "method": run.method,
            "seed": run.seed,
            "epoch": place + 1,
            **dict(zip((name for name in _logged()), map(_known, numbers), strict=True)),
        }
        for run in present
        for place, numbers in enumerate(
            zip(*(kept[run.run_id][f"log.{name}"] for name in _logged()), strict=True)
        )
    ]
    return {
        HARD.name: rows,
        HARD_EPOCHS.name: epochs,
        HARD_SUMMARY.name: _summary_rows(rows),
        CLAIMS.name: hard_claims(rows, config.data),
    }


def _logged() -> tuple[str, ...]:
    from nasrank.studies.hard_samples.train import EPOCH_NUMBERS

    return EPOCH_NUMBERS


def _hard_row(run: HardRun, kept: Row, config: HardConfig) -> Row:
    rates = ErrorRates(*(np.array(kept[f"rates.{name}"], np.float64) for name in _RATES))
    cost = rework_cost(
        rates, false_accept=config.cost_false_accept, false_reject=config.cost_false_reject,
        genuine_share=config.genuine_share,
    )  # fmt: skip
    row = {name: getattr(run, name) for name in _SETTINGS}
    row |= {column.name: kept[column.name] for column in HARD.columns if column.name in kept}
    names = ("rework_cost", "false_accept_rate", "false_reject_rate")
    return row | dict(zip(names, map(_known, cost), strict=True))


def _summary_rows(rows: Sequence[Row]) -> list[Row]:
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = row["data"], row["method"], row["augmentation"], row["weight_decay"]
        cells.setdefault(key, []).append(row)
    found = []
    for (data, method, augmentation, decay), own in cells.items():
        for metric in _SUMMARISED:
            values = [row[metric] for row in own if row[metric] is not None]
            interval = claim_row("", "", "", values, source="")
            found.append(
                {
                    "data": data,
                    "method": method,
                    "augmentation": augmentation,
                    "weight_decay": decay,
                    "metric": metric,
                    "n_seeds": len(values),
                    "mean": float(np.mean(values)) if values else None,
                    "lower": interval["lower"],
                    "upper": interval["upper"],
                }
            )
    return found


def _recalls(runs: Sequence[HardRun], kept: Mapping[str, Row]) -> dict[int, float]:
    return {
        run.seed: value
        for run in runs
        if run.run_id in kept and (value := kept[run.run_id]["recall_at_1"]) is not None
    }


def _compared(own: Mapping[int, float], usual: Mapping[int, float]) -> Row:
    """Mean of the first, and its difference to the second on the same seeds."""
    shared = sorted(own.keys() & usual.keys())
    judged = claim_row("", "", "", [own[seed] - usual[seed] for seed in shared], source="")
    return {
        "n_seeds": len(own),
        "recall_at_1": float(np.mean(list(own.values()))) if own else None,
        "difference": judged["estimate"],
        "lower": judged["lower"],
        "upper": judged["upper"],
        "verdict": judged["verdict"],
    }


def _sensitivity_rows(
    runs: Sequence[HardRun], swept: Sequence[Variant], kept: Mapping[str, Row]
) -> list[Row]:
    chosen = generating_run(runs)
    usual = _recalls([run for run in runs if replace(run, seed=chosen.seed) == chosen], kept)
    rows = []
    for option, value in dict.fromkeys((each.option, each.value) for each in swept):
        own = [each.run for each in swept if (each.option, each.value) == (option, value)]
        compared = _compared(_recalls(own, kept), usual)
        matters = {"holds": "better", "fails": "worse"}.get(compared.pop("verdict"))
        rows.append(
            {
                "data": chosen.data,
                "method": chosen.method,
                "option": option,
                "value": value,
                **compared,
                "matters": matters or "no difference seen",
            }
        )
    return rows


def _best_of_all(tuned: Sequence[Variant], kept: Mapping[str, Row]) -> list[HardRun]:
    """The best value of every option that gains on average, all of them at once."""
    base = [each.run for each in tuned if not each.option]
    usual = _recalls(base, kept)
    best: dict[str, tuple[float, Variant]] = {}
    for option, value in dict.fromkeys((e.option, e.value) for e in tuned if e.option):
        own = [each for each in tuned if (each.option, each.value) == (option, value)]
        gain = _compared(_recalls([each.run for each in own], kept), usual)["difference"]
        if gain is not None and gain > best.get(option, (0.0, own[0]))[0]:
            best[option] = gain, own[0]
    chosen = [variant for _, variant in best.values()]
    try:
        found = [combined(run, chosen) for run in base]
    except UsageError:
        return []
    known = {each.run for each in tuned}
    return [run for run in found if run not in known]


def _tuning_rows(
    tuned: Sequence[Variant], extra: Sequence[HardRun], kept: Mapping[str, Row]
) -> list[Row]:
    usual = _recalls([each.run for each in tuned if not each.option], kept)
    settings: dict[HardRun, list[HardRun]] = {}
    for run in (*(each.run for each in tuned), *extra):
        settings.setdefault(replace(run, seed=0), []).append(run)
    rows = [
        {
            "data": run.data,
            "method": run.method,
            "margin": run.margin,
            "embedding": run.embedding,
            "learning_rate": run.learning_rate,
            **_compared(_recalls(own, kept), usual),
            "proposed": False,
        }
        for run, own in settings.items()
    ]
    for row in rows:
        del row["verdict"]
    measured = [row for row in rows if row["recall_at_1"] is not None]
    if measured:
        max(measured, key=lambda row: row["recall_at_1"])["proposed"] = True
    return rows


_SHOWN = (
    "recall_at_1", "recall_at_2", "recall_at_4", "recall_at_8", "nmi", "f1", "separation",
    "fpr_at_95_recall", "rework_cost", "positive_coverage", "negative_coverage", "fit_seconds",
)  # fmt: skip


def _headline(rows: Sequence[Row], summary: Sequence[Row]) -> list[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for cell in summary:
        key = cell["method"], cell["augmentation"], cell["weight_decay"]
        own = [r for r in rows if (r["method"], r["augmentation"], r["weight_decay"]) == key]
        line = found.setdefault(
            key,
            {
                "data": cell["data"],
                "method": cell["method"],
                "augmentation": cell["augmentation"],
                "weight_decay": cell["weight_decay"],
                "n_seeds": len(own),
                "degenerate_batches": sum(row["degenerate_batches"] for row in own),
                "diverged": sum(row["diverged"] for row in own),
            },
        )
        if cell["metric"] in _SHOWN:
            line[cell["metric"]] = cell["mean"]
        if cell["metric"] == "recall_at_1":
            line |= {"recall_at_1_lower": cell["lower"], "recall_at_1_upper": cell["upper"]}
    return list(found.values())


def _archs_headline(rows: Sequence[Row]) -> list[Row]:
    found = []
    for n_train, method in dict.fromkeys((row["n_train"], row["method"]) for row in rows):
        own = [row for row in rows if (row["n_train"], row["method"]) == (n_train, method)]
        line: Row = {
            "data": own[0]["data"],
            "n_train": n_train,
            "method": method,
            "n_seeds": len(own),
            "degenerate_batches": sum(row["degenerate_batches"] for row in own),
            "diverged": sum(row["diverged"] for row in own),
        }
        for metric in ("kendall_tau", "precision_at_5pct", "regret_at_10", "fit_seconds"):
            values = [row[metric] for row in own if row[metric] is not None]
            interval = claim_row("", "", "", values, source="")
            line[metric] = float(np.mean(values)) if values else None
            line |= {f"{metric}_{end}": interval[end] for end in ("lower", "upper")}
        found.append(line)
    return found


def _pictures(runs: Sequence[HardRun], kept: Mapping[str, Row], data: SampleSet) -> dict[str, Any]:
    names = [data.class_names[number] for number in np.unique(data.train.classes)]
    found: dict[str, Any] = {}
    for run in runs:
        row = kept.get(run.run_id)
        if row is None or row["pictures"] is None or run.method in found:
            continue
        shown = json.loads(row["pictures"])
        shown["names"] = {number: names[number] for number in sorted(set(shown["classes"][0]))}
        shown["log"] = {name: row[f"log.{name}"] for name in _logged()}
        shown["seed"] = run.seed
        found[run.method] = shown
    return found


def _lonely(data: SampleSet) -> list[str]:
    lines = []
    for part, samples in (("training", data.train), ("unseen", data.test)):
        count = int(np.sum(np.bincount(samples.classes) == 1))
        if count:
            use = "only negatives" if part == "training" else "no queries"
            lines.append(f"{part} classes of {data.name} with one sample, so {use}: {count}")
    return lines


def _require_extras() -> None:
    """Fail before any work where an extra is missing."""
    for package in ("pytorch_metric_learning", "sklearn"):
        try:
            __import__(package)
        except ImportError as error:
            raise UsageError(
                f"hard samples need {package.replace('_', '-')}. Install it with: "
                "pip install 'nasrank[metric]'"
            ) from error


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
