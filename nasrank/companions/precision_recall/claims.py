"""What the study claims, and what its runs say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nasrank.study.claims import claim_row, paired_claim, trend_claim

__all__ = ["claims_of"]

Row = Mapping[str, Any]
_FEWEST_LAMBDAS = 3
_MARGIN = 0.05


def claims_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge every claim for which there are runs.

    Trends are rank correlations with lambda, comparisons are paired by seed. Runs of one model on
    one data set, and with one number of labels, are judged together.

    Args:
        rows: Rows of ``pr``, those of architectures with ``regret_at_10`` of ``runs`` beside.

    Returns:
        Rows of `CLAIMS`.
    """
    alone = {"data", "predictor", "oracle"}
    groups: dict[tuple[str, str, int | None], list[Row]] = {}
    for row in rows:
        if row["method"] not in alone:
            groups.setdefault((row["data"], row["model"], row["n_labels"]), []).append(row)
    claims = []
    for (data, model, n_labels), own in groups.items():
        where = f"{data}, {model}" + ("" if n_labels is None else f", {n_labels} labels")
        claims += _of_group(where, own)
    return claims


def _of_group(where: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    claims: list[dict[str, Any]] = []
    by_method = {name: [r for r in rows if r["method"] == name] for name in _names(rows)}
    pr = by_method.get("pr", [])
    lambdas = sorted({row["lambda"] for row in pr})
    if len(lambdas) >= _FEWEST_LAMBDAS:
        claims += _trends(where, pr)
    if not pr:
        return claims
    least, most = lambdas[0], lambdas[-1]
    for rival, words in (("hinge", "hinge GAN"), ("mle", "maximum likelihood")):
        if rival not in by_method or least == most:
            continue
        for side, lam in (("precision", most), ("recall", least)):
            claims.append(
                paired_claim(
                    f"beats-{rival}-{side}",
                    f"PR training at lambda {lam:g} has more {side} than {words}, same model",
                    where,
                    _by_seed([r for r in pr if r["lambda"] == lam], side),
                    _by_seed(by_method[rival], side),
                    source=f"pr: {side} of method pr against {rival}",
                )
            )
    for rival, words in (
        ("naive", "the naive dual"),
        ("dual", "the dual with its critic held at lambda"),
    ):
        if rival in by_method and _known(pr, "objective"):
            claims.append(
                paired_claim(
                    f"auxiliary-over-{rival}",
                    f"the {pr[0]['auxiliary']} auxiliary comes closer to what lambda asks for "
                    f"than {words}",
                    where,
                    _mean_by_seed(pr, "objective"),
                    _mean_by_seed(by_method[rival], "objective"),
                    source=f"pr: objective of method pr against {rival}, mean over lambda",
                )
            )
    if "tuned" in by_method:
        for side in ("precision", "recall"):
            claims += _tuned(where, side, pr, by_method["tuned"])
    if _known(pr, "predictor_precision"):
        claims += _against_predictor(where, pr, least, most)
    return claims


def _trends(where: str, pr: Sequence[Row]) -> list[dict[str, Any]]:
    true = "on the true frontier"
    wanted = (
        ("precision-rises", "precision rises with lambda", "precision", True),
        ("recall-falls", "recall falls with lambda", "recall", False),
        (
            "true-precision-rises",
            f"precision {true} (alpha at lambda 10) rises with lambda",
            "true_alpha_10",
            True,
        ),
        (
            "true-recall-falls",
            f"recall {true} (beta at lambda 0.1) falls with lambda",
            "true_beta_0.1",
            False,
        ),
        ("rare-recall-falls", "recall of the rare modes falls with lambda", "rare_recall", False),
        (
            "regret-falls",
            "regret of the ten architectures drawn most often falls with lambda",
            "regret_at_10",
            False,
        ),
    )
    return [
        trend_claim(
            name, f"{statement} (rank correlation)", where, curves,
            source=f"{'runs' if column == 'regret_at_10' else 'pr'}: {column} against lambda",
            rising=rising,
        )
        for name, statement, column, rising in wanted
        if any(curves := _curves(pr, column))
    ]  # fmt: skip


def _tuned(where: str, side: str, pr: Sequence[Row], tuned: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge fine-tuning by what it lacks, and by how far it is off either way."""
    scratch = {(row["seed"], row["lambda"]): row[side] for row in pr}
    gaps: dict[int, list[float]] = {row["seed"]: [] for row in tuned}
    for row in tuned:
        wanted = scratch.get((row["seed"], row["lambda"]))
        if row[side] is not None and wanted is not None:
            gaps[row["seed"]].append(wanted - row[side])
    begin = "fine-tuning a hinge GAN for a tenth of the steps"
    end = f"training from scratch in {side} (mean over lambda)"
    source = f"pr: {side} of method tuned against pr, same lambda and seed"
    return [
        claim_row(
            name,
            statement,
            where,
            [
                _MARGIN - sum(map(size, own)) / len(own) if own else float("nan")
                for _, own in sorted(gaps.items())
            ],
            source=source,
        )
        for name, statement, size in (
            (f"tuned-{side}", f"{begin} lacks less than {_MARGIN:g} to {end}", _lack),
            (f"tuned-{side}-same", f"{begin} is within {_MARGIN:g} either way of {end}", _off),
        )
    ]


def _lack(gap: float) -> float:
    return max(gap, 0.0)


def _off(gap: float) -> float:
    return abs(gap)


def _against_predictor(
    where: str, pr: Sequence[Row], least: float, most: float
) -> list[dict[str, Any]]:
    claims = []
    for side, lam in (("precision", most), ("recall", least)):
        own = [row for row in pr if row["lambda"] == lam]
        claims.append(
            paired_claim(
                f"beats-predictor-{side}",
                f"the generator's list at lambda {lam:g} has more {side} of the true top 5 % than "
                "as many of the predictor's highest, same labels",
                where,
                _by_seed(own, side),
                _by_seed(own, f"predictor_{side}"),
                source=f"pr: {side} against predictor_{side}",
            )
        )
    return claims


def _known(rows: Sequence[Row], column: str) -> bool:
    """Whether any row has a value; those that diverged have none."""
    return any(row[column] is not None for row in rows)


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in rows))


def _by_seed(rows: Sequence[Row], column: str) -> dict[int, float]:
    return {row["seed"]: row[column] for row in rows if row[column] is not None}


def _mean_by_seed(rows: Sequence[Row], column: str) -> dict[int, float]:
    """Mean over lambda; a model that diverged has reached nothing."""
    return _grouped(rows, lambda own: sum(row[column] or 0.0 for row in own) / len(own))


def _grouped(rows: Sequence[Row], of: Callable[[Sequence[Row]], float]) -> dict[int, float]:
    seeds = sorted({row["seed"] for row in rows})
    return {seed: of([row for row in rows if row["seed"] == seed]) for seed in seeds}


def _curves(rows: Sequence[Row], column: str) -> list[dict[float, float]]:
    seeds = sorted({row["seed"] for row in rows})
    return [
        {
            row["lambda"]: row[column]
            for row in rows
            if row["seed"] == seed and row.get(column) is not None
        }
        for seed in seeds
    ]
