"""What other settings change: paired differences of Recall@1 around one setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nasrank.companions.hard_samples.planning import HardRun
from nasrank.companions.hard_samples.variants import Variant, combined, generating_run
from nasrank.errors import UsageError
from nasrank.statistics import mean_interval, paired_interval, verdict_of
from nasrank.study.claims import FEWEST_SEEDS

__all__ = ["best_of_all", "sensitivity_rows", "tuning_rows"]

Row = dict[str, Any]


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


def sensitivity_rows(
    runs: Sequence[HardRun], swept: Sequence[Variant], kept: Mapping[str, Row]
) -> list[Row]:
    """Compare each variant with the settings asked for, on the same seeds.

    Args:
        runs: The runs of the comparison.
        swept: Variants of its first run that generates, for all seeds.
        kept: Rows of `HARD_FINISHED` by run.
    """
    chosen = generating_run(runs)
    usual = _recalls([run for run in runs if replace(run, seed=chosen.seed) == chosen], kept)
    rows = []
    for option, value in dict.fromkeys((each.option, each.value) for each in swept):
        own = [each.run for each in swept if (each.option, each.value) == (option, value)]
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

    Args:
        tuned: The settings asked for, under the option '', and variants of them.
        extra: Runs of the best values together.
        kept: Rows of `HARD_FINISHED` by run.
    """
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
