"""Settings around those asked for: which there are, and what each changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasrank.companions.hard_samples.methods import parse_method, possible_method
from nasrank.companions.hard_samples.training import HardRun
from nasrank.errors import UsageError
from nasrank.statistics import mean_interval, paired_interval, verdict_of
from nasrank.study.claims import FEWEST_SEEDS

__all__ = [
    "Variant",
    "best_of_all",
    "combined",
    "generating_run",
    "sensitivity_rows",
    "tuning_rows",
    "variants",
]

Row = dict[str, Any]

_METHOD: dict[str, dict[str, tuple[Any, ...]]] = {
    "two-stage": {
        "stretch": (0.1, 0.2, 0.5),
        "reach": (0.5, 1.0, 2.0),
        "shape": ("linear", "flat"),
        "adaptive": ("gap", "loss", "schedule", "fixed"),
        "start": (-0.4, -0.2, -0.1),
        "end": (-0.1, 0.0, 0.1),
        "reverse": (0.3, 1.0, 3.0),
        "meet": (0.0, 0.5, 0.9),
        "adversarial": (0.01, 0.1, 1.0),
        "keep_class": (0.3, 1.0, 3.0),
        "keep_place": (0.3, 1.0, 3.0),
        "weight": (0.25, 0.5, 1.0),
    },
    "hdml": {"alpha": (0.03, 0.1, 0.3), "beta": (0.2, 0.5, 1.0), "balance": (0.2, 0.5, 0.8)},
    "daml": {"keep": (0.3, 1.0, 3.0), "reverse": (10.0, 50.0), "weight": (0.25, 1.0)},
}
_RUN: dict[str, tuple[Any, ...]] = {
    "margin": (0.1, 0.2, 0.5),
    "embedding": (16, 64, 128),
    "learning_rate": (1e-4, 3e-4, 1e-3),
}


@dataclass(frozen=True)
class Variant:
    """A run with one option changed.

    Attributes:
        option: The option.
        value: Its value.
        run: The run, with the seed of the one it is a variant of.
    """

    option: str
    value: str
    run: HardRun


def generating_run(runs: Sequence[HardRun]) -> HardRun:
    """Return the first run whose method generates samples.

    Raises:
        UsageError: There is none.
    """
    for run in runs:
        if parse_method(run.method).generator is not None:
            return run
    raise UsageError(
        "--sensitivity and --tune look at a method that generates, and none is asked for. "
        "Add two-stage to --methods"
    )


def variants(run: HardRun) -> list[Variant]:
    """Change one option at a time.

    Values that are those of the run are left out, and so are those that contradict its others.
    """
    method = parse_method(run.method)
    found = [
        Variant(option, f"{value}", replace(run, method=text))
        for option, values in _METHOD[method.generator or ""].items()
        for value in values
        if _can_be_made(text := str(method.with_option(option, value)))
    ] + [
        Variant(option, f"{value:g}", replace(run, **{option: value}))
        for option, values in _RUN.items()
        for value in values
    ]
    return [each for each in found if each.run != run]


def combined(run: HardRun, chosen: Sequence[Variant]) -> HardRun:
    """Return the run with several options changed at once.

    Raises:
        UsageError: They contradict one another.
    """
    for each in chosen:
        if each.option in _RUN:
            run = replace(run, **{each.option: getattr(each.run, each.option)})
        else:
            changed = parse_method(run.method).with_option(each.option, each.value)
            run = replace(run, method=str(changed))
    possible_method(run.method)
    return run


def sensitivity_rows(
    runs: Sequence[HardRun], swept: Sequence[Variant], kept: Mapping[str, Row]
) -> list[Row]:
    """Compare each variant with the settings asked for, on the same seeds.

    A variant of which no run is there has no row.

    Args:
        runs: The runs of the comparison.
        swept: Variants of its first run that generates, for all seeds.
        kept: Kept rows by ``run_id``.
    """
    chosen = generating_run(runs)
    usual = _recalls([run for run in runs if replace(run, seed=chosen.seed) == chosen], kept)
    rows = []
    for option, value in dict.fromkeys((each.option, each.value) for each in swept):
        own = [
            each.run
            for each in swept
            if (each.option, each.value) == (option, value) and each.run.run_id in kept
        ]
        if not own:
            continue
        compared = _compared(_recalls(own, kept), usual)
        verdict = compared.pop("verdict")
        rows.append(
            {
                "data": chosen.data,
                "method": chosen.method,
                "option": option,
                "value": value,
                **compared,
                "matters": verdict if verdict in {"better", "worse"} else "no difference seen",
            }
        )
    return rows


def best_of_all(tuned: Sequence[Variant], kept: Mapping[str, Row]) -> list[HardRun]:
    """Take the best value of every option that gains on average, all of them at once."""
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


def tuning_rows(
    tuned: Sequence[Variant], extra: Sequence[HardRun], kept: Mapping[str, Row]
) -> list[Row]:
    """Put each setting into a row, and propose the one with the highest recall.

    A setting of which no run is there has no row.

    Args:
        tuned: The settings asked for, under the option '', and variants of them.
        extra: Runs of the best values together.
        kept: Kept rows by ``run_id``.
    """
    usual = _recalls([each.run for each in tuned if not each.option], kept)
    settings: dict[HardRun, list[HardRun]] = {}
    for run in (*(each.run for each in tuned), *extra):
        if run.run_id not in kept:
            continue
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


def _recalls(runs: Sequence[HardRun], kept: Mapping[str, Row]) -> dict[int, float]:
    return {
        run.seed: value
        for run in runs
        if run.run_id in kept and (value := kept[run.run_id]["recall_at_1"]) is not None
    }


def _compared(own: Mapping[int, float], usual: Mapping[int, float]) -> Row:
    """Mean of the first, and its difference to the second on the same seeds."""
    shared = sorted(own.keys() & usual.keys())
    found = paired_interval([own[seed] for seed in shared], [usual[seed] for seed in shared])
    enough = found.n_seeds >= FEWEST_SEEDS
    return {
        "n_seeds": len(own),
        "recall_at_1": mean_interval(list(own.values())).mean,
        "difference": found.mean if found.n_seeds > 1 else None,
        "lower": found.lower,
        "upper": found.upper,
        "verdict": verdict_of(found.lower, found.upper) if enough else "undecided",
    }


def _can_be_made(method: str) -> bool:
    try:
        possible_method(method)
    except UsageError:
        return False
    return True
