"""What people see of ``nasrank supcon``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.companions.supcon.options import (
    DiagnoseConfig,
    SimulateConfig,
    TheoryConfig,
    TrainConfig,
)
from nasrank.companions.supcon.train_claims import FACTORS
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

__all__ = [
    "view_diagnosis",
    "view_gram",
    "view_simulation",
    "view_theory",
    "view_training",
]

Row = Mapping[str, Any]


def _warmth(temperature: float) -> str:
    if temperature in {0, math.inf}:
        return "always" if temperature == 0 else "never"
    return f"{temperature:.4f}"


_SETTING = (
    Field("classes", "m", right=True, keep=9),
    Field("instances", "n", right=True, keep=9),
    Field("views", "p", right=True, keep=7),
    Field("temperature", "tau", right=True, keep=9),
    Field("alpha", right=True, keep=9),
    Field("anchor", keep=9),
)


def view_theory(result: Result[TheoryConfig]) -> Iterable[Part]:
    """Show the optimum of each setting."""
    yield Sheet(
        result.tables["theory"],
        (
            *_SETTING,
            Field("alpha_star", "alpha*", fixed(4), right=True, keep=8),
            Field("temperature_star", "tau*", _warmth, right=True, keep=6),
            Field("fate", "classes", of=_fate, keep=8),
            Field("within_variance", "variance\nwithin", fixed(4), right=True, keep=8),
            Field("view_cosine", "cosine\nviews", fixed(3), right=True, keep=4),
            Field("within_cosine", "cosine\nclass", fixed(3), right=True),
            Field("between_cosine", "cosine\nclasses", fixed(3), right=True),
            Field("loss", "least\nloss", fixed(4), right=True, keep=4),
        ),
    )
    yield (
        "Up to alpha*, and from tau* on, all instances of a class become one point (variance 0); "
        "where views spread, they share the mean of their views. Cosines are those of two views "
        "of an instance, two instances of a class, two classes."
    )
    if "noise" in result.tables:
        yield Sheet(
            result.tables["noise"],
            (
                Field("classes", "m", right=True, keep=9),
                Field("temperature", "tau", right=True, keep=9),
                Field("label_noise", "wrong\nlabels", right=True, keep=9),
                Field("wrong_pairs", "wrong\npairs", fixed(4), right=True),
                Field("between_cosine", "cosine\nclasses", fixed(3), right=True, keep=8),
                Field("total_variance", "variance\nof all", fixed(4), right=True, keep=9),
            ),
            "Pure supervision under wrong labels",
        )
        yield (
            "Of an encoder that cannot tell wrong labels from right ones, each class one point: "
            "the more labels are wrong, the nearer together the loss asks the classes to be."
        )


def _fate(row: Row) -> str:
    if not row["collapsed"]:
        return "spread"
    # Spread views of collapsed instances are what the excluded anchor adds.
    return "collapse" if row["view_cosine"] > 1 - 1e-9 else "views spread"


def view_gram(result: Result[TheoryConfig]) -> Iterable[Part]:
    """Show the cosines of the optimal embeddings of one setting."""
    names = ("class", "instance", "view")
    fields = [Field(name, right=True, keep=9) for name in names]
    fields += [Field(key, show=fixed(3), right=True) for key in result.rows[0] if key not in names]
    yield Sheet(result.rows, fields)


def view_simulation(result: Result[SimulateConfig]) -> Iterable[Part]:
    """Show gradient descent against theory, one line for each kind of batch."""
    names = ("data", "method", "shape", "temperature")
    rows = (
        {**row, "shape": f"{row['classes']} x {row['instances']} x {row['views']}"}
        for row in result.rows
    )
    groups = grouped(rows, names)
    lines = [
        {**dict(zip(names, key, strict=True)), **_of_a_problem(own)} for key, own in groups.items()
    ]
    yield Sheet(
        lines,
        (
            Field("data", "embeddings", keep=9),
            Field("method", "anchor", keep=9),
            Field("shape", "m x n x p", right=True, keep=9),
            Field("temperature", "tau", right=True, keep=9),
            Field("points", right=True, keep=4),
            Field("settled", "converged", right=True),
            Field("counted", right=True, keep=4),
            Field("collapsed", "collapsed,\npredicted", right=True, keep=8),
            Field("error", "variance within,\nlargest error", right=True, keep=8),
            Field("spread", "view spread,\nlargest error", right=True),
            Field("total", "total variance,\nsmallest", right=True),
        ),
        f"Gradient descent against theory, {seeds_of(result.rows)}",
    )
    yield (
        "Errors are over all points but those that diverged, converged or not; collapsed is a "
        "variance within classes below 0.001, beside how many points theory says it of."
    )


def _of_a_problem(rows: Sequence[Row]) -> Row:
    known = [row for row in rows if not row["diverged"]]

    def worst(reached: str, predicted: str) -> str:
        return f"{max((abs(r[reached] - r[predicted]) for r in known), default=0.0):.1e}"

    gone = sum(row["within_variance"] < 1e-3 for row in known)
    said = sum(row["predicted_within"] < 1e-3 for row in rows)
    return {
        "points": len(rows),
        "settled": sum(row["converged"] for row in rows),
        "counted": sum(row["counted"] for row in rows),
        "collapsed": f"{gone}, {said}",
        "error": worst("within_variance", "predicted_within"),
        "spread": worst("view_spread", "predicted_spread"),
        "total": f"{min((row['total_variance'] for row in known), default=0.0):.4f}",
    }


_MEASURES = (
    Measure("alpha_star", "alpha*", spread=False, keep=4),
    Measure("predicted_within", "variance within,\nfree embeddings", spread=False, keep=6),
    Measure("projector_within", "\nprojector", keep=7),
    Measure("encoder_within", "\nencoder", spread=False, keep=3),
    Measure("projector_total", "in all,\nprojector", spread=False, keep=3),
    Measure("encoder_rank", "effective\nrank", 1, spread=False, keep=3),
    Measure("gap", "loss above\nits floor", spread=False, keep=4),
    Measure("coarse_train_accuracy", "coarse,\ntraining", 1, 100, keep=6),
    Measure("fine_probe_accuracy", "finer,\nprobe", 1, 100, keep=8),
    Measure("fine_knn_accuracy", "finer,\nneighbours", 1, 100),
    Measure("fine_probe_rotated", "finer,\nturned", 1, 100),
    Measure("fine_probe_noisy", "finer,\nnoisy", 1, 100),
    Measure("diverged", "diverged", over="sum", keep=8),
)


def view_training(result: Result[TrainConfig]) -> Iterable[Part]:
    """Show what is left of finer labels for each alpha, and for what varies it."""
    at = result.rows[0]
    rows = [{**row, "setting": _varied(row, at), "gap": _gap(row)} for row in result.rows]
    yield over_seeds(
        rows,
        ["setting", "alpha"],
        _MEASURES,
        f"{at['data']}, {at['method']}: {at['classes']} coarse classes x {at['instances']} "
        f"instances x {at['views']} views, temperature {at['temperature']:g}, {seeds_of(rows)}",
    )
    yield (
        f"{SPREAD} Up to alpha* free embeddings collapse. Accuracies in percent: coarse is what "
        "training is told, finer what it never sees. Variances are those of unit vectors, 0 to "
        "1; where the one in all is near 0, everything is one point."
    )


def _varied(row: Row, base: Row) -> str:
    """Say what is not as in the base."""
    differing = (name for name in FACTORS if row[name] != base[name])
    return joined(f"{name.replace('_', ' ')} {row[name]}" for name in differing) or "base"


def _gap(row: Row) -> float | None:
    loss = row["final_loss"]
    return None if loss is None else float(loss - row["loss_floor"])


def view_diagnosis(result: Result[DiagnoseConfig]) -> Iterable[Part]:
    """Show each class, the verdict, and what theory says of alpha."""
    said = result.record or {}
    yield Sheet(
        result.rows[1:],
        (
            Field("class", keep=9),
            Field("embeddings", right=True, keep=6),
            Field("within_variance", "variance\nwithin", fixed(4), right=True, keep=8),
            Field("between_variance", "squared distance\nto the centre", fixed(4), right=True),
            Field("within_share", "within,\nof all", _percent, right=True, keep=8),
            Field("mean_cosine", "mean\ncosine", fixed(3), right=True, keep=7),
            Field("effective_rank", "effective\nrank", fixed(1), right=True, keep=6),
            Field("verdict", keep=9),
        ),
    )
    yield f"{said['verdict']}: {said['reason']}."
    yield (
        f"Variance within classes {said['within_variance']:.4f}, between them "
        f"{said['between_variance']:.4f}, in all {said['total_variance']:.4f} (at most 1). "
        f"Effective rank {said['effective_rank']:.1f}. The class means are "
        f"{said['simplex_distance']:.2f} from a simplex (0: on it, 1.41: as far as can be). "
        f"{_percent(said['neighbours'])} of the embeddings have a nearest one of their class."
    )
    yield from _advice(said["guideline"])


def _advice(said: Row) -> Iterable[str]:
    yield (
        f"Theory for {said['classes']} classes, {said['instances']} instances, {said['views']} "
        f"views, temperature {said['temperature']:g}, anchor {said['anchor']}:"
    )
    yield f"- classes collapse for alpha up to {said['alpha_star']:.4f};"
    if said["expected_within"] is not None:
        yield f"- with your alpha, free embeddings have {said['expected_within']:.4f} within;"
    yield (
        f"- alpha {said['lower']:.2f} to {said['upper']:.2f} keeps a quarter to three quarters "
        f"of the largest variance, {said['largest_within']:.2f}."
    )
    if said["suggested"] is not None:
        yield f"Suggested: alpha {said['suggested']:.2f}, which keeps half of it."
    if said["sweep"] is not None:
        seen = said["sweep"]
        yield (
            f"The sweep reads finer labels at {_percent(seen['accuracy'])} with alpha "
            f"{seen['alpha']:g}, the nearest; at best {_percent(seen['best_accuracy'])}, with "
            f"alpha {seen['best_alpha']:g} (means over seeds: {seen['seeds']})."
        )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
