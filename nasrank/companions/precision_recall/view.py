"""What people see of the studies of ``nasrank pr``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nasrank.companions.precision_recall.options import TheoryConfig, TrainConfig
from nasrank.companions.precision_recall.tables import CONJUGATE, PR, REBUILT, WEIGHTS
from nasrank.study.study import Result
from nasrank.study.view import (
    SPREAD,
    Field,
    Measure,
    Part,
    Sheet,
    fixed,
    grouped,
    joined,
    over_seeds,
    seeds_of,
)

__all__ = ["view_theory", "view_training"]

Row = Mapping[str, Any]


def view_theory(result: Result[TheoryConfig]) -> Iterable[Part]:
    """Show the frontier, what divergences come to, and the weight of each lambda in them."""
    ends = {
        (row["lambda"], row["critic"]): row["conjugate"] for row in result.tables[CONJUGATE.name]
    }
    lines = [
        {**row, "at_0": ends[row["lambda"], 0.0], "at_lambda": ends[row["lambda"], row["lambda"]]}
        for row in result.rows
    ]
    yield Sheet(
        lines,
        (
            Field("lambda", right=True, keep=9),
            Field("alpha", "precision\nalpha", fixed(6), right=True, keep=9),
            Field("beta", "recall\nbeta", fixed(6), right=True, keep=9),
            Field("divergence", "PR divergence", fixed(6), right=True, keep=8),
            Field("at_0", "conjugate\nat critic 0", right=True),
            Field("at_lambda", "at critic\nlambda", right=True),
        ),
        result.rows[0]["pair"],
    )
    yield Sheet(
        result.tables[REBUILT.name],
        (
            Field("divergence", keep=9),
            Field("generator", "f(u), u = p/q"),
            Field(
                "rebuilt", "rebuilt from PR\ndivergences", _styled("{:.9g}"), right=True, keep=8
            ),
            Field("direct", "by its own\ndefinition", _styled("{:.9g}"), right=True, keep=8),
            Field("error", show=_styled("{:+.1e}"), right=True, keep=7),
            Field("recall_share", "of it from\nlambda < 1", _percent, right=True, keep=6),
        ),
        "f-divergences as averages over lambda",
    )
    yield _weights(result.tables[WEIGHTS.name])
    yield (
        "Lambda below 1 looks at recall, above 1 at precision: kl weighs recall more than rkl by "
        "1/lambda. Divergences are 0 at best; inf where one distribution has mass that the other "
        "cannot excuse. The conjugate is straight from critic 0 to lambda and infinite beyond: "
        "the best critic takes either end."
    )


def _weights(rows: Sequence[Row]) -> Sheet:
    lambdas = dict.fromkeys(row["lambda"] for row in rows)
    return Sheet(
        [
            {**own[0], **{f"at {row['lambda']:g}": row["weight"] for row in own}}
            for own in grouped(rows, ("divergence",)).values()
        ],
        (
            Field("divergence", keep=9),
            Field("formula", "weight", keep=8),
            *(Field(f"at {lam:g}", right=True) for lam in lambdas),
        ),
        "weight that each divergence gives to a lambda",
    )


_MEASURES = (
    Measure("precision", "precision", keep=8),
    Measure("recall", "recall", keep=8),
    Measure("true_alpha_10", "true\nalpha 10", spread=False, keep=7),
    Measure("true_beta_0.1", "true\nbeta 0.1", spread=False, keep=7),
    Measure("modes_found", "modes\nof 8", 1, spread=False, keep=6),
    Measure("rare_recall", "rare modes'\nrecall", spread=False, keep=7),
    Measure("classifier_alpha_10", "classifier\nalpha 10", spread=False),
    Measure("classifier_beta_0.1", "classifier\nbeta 0.1", spread=False),
    Measure("gradient_norm", "gradient\nnorm", spread=False, keep=4),
    Measure("saturation", "saturated", spread=False, keep=4),
    Measure("fit_seconds", "seconds\na model", 1, spread=False, keep=3),
    Measure("failed", "failed", over="sum", keep=7),
)


def view_training(result: Result[TrainConfig]) -> Iterable[Part]:
    """Show how the search for a target went, and what models reach."""
    rows = [
        {**row, "failed": row["diverged"] or row["collapsed"]} for row in result.tables[PR.name]
    ]
    models = dict.fromkeys(row["model"] for row in rows if row["model"])
    by = [*(["model"] if len(models) > 1 else []), "method", "lambda"]
    if result.config.target is not None:
        yield from _search(result.rows)
        yield ""
    title = joined([rows[0]["data"], *models, seeds_of(rows)])
    yield over_seeds(rows, by, _MEASURES, title)
    measures = dict.fromkeys(row["measure"] for row in rows if row["measure"])
    if measures:
        yield f"Precision and recall: {'; '.join(measures)}. {SPREAD}"
    yield (
        "Lambda weighs precision: large for good draws, small for all kinds. Alpha and beta are "
        "precision and recall on the frontier at lambda 10 and 0.1. Saturated: draws whose "
        "density ratio is at an end of its range, from which the generator learns nothing."
    )


def _search(steps: Sequence[Row]) -> Iterable[Part]:
    answer = next(row for row in steps if row["chosen"])
    side, wanted, lam = answer["target"], answer["wanted"], answer["lambda"]
    yield Sheet(
        steps,
        (
            Field("step", right=True, keep=9),
            Field("lambda", show="{:.3g}".format, right=True, keep=9),
            Field("precision", show=fixed(3), right=True, keep=8),
            Field("recall", show=fixed(3), right=True, keep=8),
            Field("generator_steps", "steps\nso far", right=True),
            Field("fit_seconds", "seconds\nso far", fixed(0), right=True),
            Field("chosen", "", lambda chosen: "*" if chosen else "", keep=9),
        ),
        f"from {side} {wanted:g} to lambda",
    )
    found = fixed(3)(answer[side])
    if answer["reached"]:
        yield f"* lambda {lam:.3g}: {side} {found} at {wanted:g} wanted."
    else:
        yield (
            f"* not reached: the best is {side} {found} at lambda {lam:.3g}. Widen --lambdas, or "
            "train a larger --width."
        )


def _styled(style: str) -> Callable[[float | None], str]:
    return lambda value: "-" if value is None else style.format(value)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
