"""What the study set out to show, and what its runs say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasrank.companions.hard_samples.methods import MINERS, UNTRAINED
from nasrank.companions.hard_samples.tables import HARD
from nasrank.study.claims import Ahead, Claim, More, Of, judge

__all__ = ["MET", "hard_claims"]

Row = Mapping[str, Any]


MET = HARD.column("constraint_met").name
"""The column that says whether there is a second stage to speak of."""


@dataclass(frozen=True)
class _OfTwoStages(Ahead):
    @property
    def measures(self) -> tuple[str, ...]:
        return (*super().measures, MET)


def hard_claims(rows: Sequence[Row], data: str) -> list[dict[str, Any]]:
    """Judge every claim whose methods were run.

    Most compare Recall@1 on the same seeds, and rest on ``constraint_met`` as well: where the
    negatives of the second stage are not as near as it asks for, they say nothing of two stages.
    Two look at generated positives instead:

    - ``hard-condition`` compares their spread, as a share of that of real samples and at most 1:
      a spread beyond the real one is no merit. Where neither collapses both are 1: equivalent.
    - ``hard-own-class`` compares how far the nearest real samples of their class and of any other
      are. The samples they were made of are among the first, so it says that they stay with their
      class, and holds of a copy too.

    Args:
        rows: Rows of ``hard``; only those with the first augmentation and weight decay count.
        data: Name of the data.

    Returns:
        Rows of `~nasrank.study.claims.CLAIMS`.
    """
    trained = [row for row in rows if row["method"] != UNTRAINED]
    if not trained:
        return []
    first = trained[0]
    usual = [
        row for row in rows
        if row["method"] == UNTRAINED
        or (row["augmentation"], row["weight_decay"])
        == (first["augmentation"], first["weight_decay"])
    ]  # fmt: skip
    known = {row["method"] for row in usual}
    claims = [claim for claim, methods in _declared() if methods <= known]
    return judge(claims, usual, data=data, table=HARD.name)


def _declared() -> Iterable[tuple[Claim, set[str]]]:
    """The claims, each with the methods it needs."""
    own = "two-stage"
    said = f"{own} (reconstructed)"
    pairs = [("plain", own, MINERS[0], f"{said} ahead of the plain triplet")]
    pairs += [(rival, own, rival, f"{said} ahead of {rival}") for rival in ("hdml", "daml")]
    pairs += [
        (f"with-{miner}", f"{own}+{miner}", miner, f"{said} with {miner} ahead of {miner} alone")
        for miner in MINERS[1:]
    ]
    spread = HARD.column("positive_spread")
    for name, better, worse, statement in pairs:
        yield _recall(name, better, worse, statement), {better, worse}
    bare = f"{own}(without=condition)"
    yield (
        More(
            "hard-condition",
            "telling generators the class lowers collapse: spread of generated positives, at most "
            "that of real ones",
            Of(spread, {"method": own}, scale=_at_most_real),
            Of(spread, {"method": bare}, scale=_at_most_real),
        ),
        {own, bare},
    )
    slack = f"{own}(meet=0)"
    yield (
        _recall(
            "constraint",
            own,
            slack,
            f"{said} with a weight that grows until negatives are as near as asked for, ahead of "
            "a fixed one",
        ),
        {own, slack},
    )
    fixed = f"{own}(without=adaptation)"
    yield (
        _recall("adaptive", own, fixed, "the adaptive threshold ahead of a fixed one"),
        {own, fixed},
    )
    far, near = (HARD.column(f"positive_{side}_distance") for side in ("other", "own"))
    yield (
        More(
            "hard-own-class",
            "generated positives closer to their class, their sources among the real ones, than "
            "to any other: distance",
            Of(far, {"method": own}),
            Of(near, {"method": own}),
        ),
        {own},
    )
    yield (
        _recall("training", own, UNTRAINED, f"training with {said} ahead of no training"),
        {own, UNTRAINED},
    )


def _at_most_real(spread: float) -> float:
    return min(spread, 1.0)


def _recall(name: str, better: str, worse: str, statement: str) -> Claim:
    first, second = (Of(HARD.column("recall_at_1"), {"method": m}) for m in (better, worse))
    return _OfTwoStages(f"hard-{name}", f"{statement}: Recall@1", first, second)
