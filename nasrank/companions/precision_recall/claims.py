"""What the study claims, and what its runs say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.companions.precision_recall.tables import PR
from nasrank.study.claims import Ahead, Claim, Falls, Of, Rises, claim_row, judge
from nasrank.study.view import grouped

__all__ = ["claims_of"]

Row = Mapping[str, Any]
_FEWEST_LAMBDAS = 3
_MARGIN = 0.05


def claims_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge every claim for which there are runs.

    Trends are rank correlations with lambda, comparisons are paired by seed. Runs of one model on
    one data set are judged together.

    Args:
        rows: Rows of ``pr``.

    Returns:
        Rows of `CLAIMS`.
    """
    trained = [row for row in rows if row["method"] != "data"]
    claims = []
    for (data, model), own in grouped(trained, ("data", "model")).items():
        claims += _of_group(f"{data}, {model}", own)
    return claims


def _of_group(where: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge what one model says of one data set."""
    pr = [row for row in rows if row["method"] == "pr"]
    lambdas = sorted({row["lambda"] for row in pr})
    claims: list[dict[str, Any]] = []
    if len(lambdas) >= _FEWEST_LAMBDAS:
        claims += judge(_trends(pr), rows, data=where, table=PR.name)
    if not pr:
        return claims
    known = {row["method"] for row in rows}
    ends = lambdas[0], lambdas[-1]
    claims += judge(_rivals(pr, known, *ends), rows, data=where, table=PR.name)
    if "tuned" in known:
        tuned = [row for row in rows if row["method"] == "tuned"]
        for side in ("precision", "recall"):
            claims += _tuned(where, side, pr, tuned)
    return claims


def _of(name: str, method: str = "pr", lam: float | None = None) -> Of:
    where = {"method": method} if lam is None else {"method": method, "lambda": lam}
    return Of(PR.column(name), where)


def _trends(pr: Sequence[Row]) -> Iterable[Claim]:
    true = "on the true frontier"
    wanted = (
        (Rises, "precision-rises", "precision rises", "precision"),
        (Falls, "recall-falls", "recall falls", "recall"),
        (Rises, "true-precision-rises", f"precision {true} (alpha at lambda 10) rises",
         "true_alpha_10"),
        (Falls, "true-recall-falls", f"recall {true} (beta at lambda 0.1) falls",
         "true_beta_0.1"),
        (Falls, "rare-recall-falls", "recall of the rare modes falls", "rare_recall"),
    )  # fmt: skip
    for kind, name, statement, column in wanted:
        if _known(pr, column):
            words = f"{statement} with lambda (rank correlation)"
            yield kind(name, words, _of(column), "lambda")


def _rivals(pr: Sequence[Row], known: set[str], least: float, most: float) -> Iterable[Claim]:
    for rival, words in (("hinge", "hinge GAN"), ("mle", "maximum likelihood")):
        if rival not in known or least == most:
            continue
        for side, lam in (("precision", most), ("recall", least)):
            yield Ahead(
                f"beats-{rival}-{side}",
                f"PR training at lambda {lam:g} has more {side} than {words}, same model",
                _of(side, lam=lam),
                _of(side, rival),
            )
    for rival, words in (
        ("naive", "the naive dual"),
        ("dual", "the dual with its critic held at lambda"),
    ):
        if rival in known and _known(pr, "objective"):
            # Mean over lambda; a model that diverged has reached nothing.
            objective = PR.column("objective")
            yield Ahead(
                f"auxiliary-over-{rival}",
                f"the {pr[0]['auxiliary']} auxiliary comes closer to what lambda asks for than "
                f"{words}",
                Of(objective, {"method": "pr"}, missing=0.0),
                Of(objective, {"method": rival}, missing=0.0),
            )


def _tuned(where: str, side: str, pr: Sequence[Row], tuned: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge fine-tuning by what it lacks, and by how far it is off either way."""
    scratch = {(row["seed"], row["lambda"]): row[side] for row in pr}
    gaps: dict[int, list[float]] = {row["seed"]: [] for row in tuned}
    for row in tuned:
        wanted = scratch.get((row["seed"], row["lambda"]))
        if row[side] is not None and wanted is not None:
            gaps[row["seed"]].append(PR.column(side).sign * (wanted - row[side]))
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
            measures=(side,),
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


def _known(rows: Sequence[Row], column: str) -> bool:
    """Whether any row has a value; those that diverged have none."""
    return any(row[column] is not None for row in rows)
