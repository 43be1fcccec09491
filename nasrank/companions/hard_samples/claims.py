"""What the study set out to show, and what its runs say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from nasrank.companions.hard_samples.methods import MINERS, UNTRAINED
from nasrank.study.claims import claim_row, paired_claim

__all__ = ["hard_claims"]

Row = Mapping[str, Any]


def hard_claims(rows: Sequence[Row], data: str) -> list[dict[str, Any]]:
    """Judge every claim whose methods were run.

    Most compare Recall@1 on the same seeds. Two look at generated positives instead:

    - ``hard-condition`` compares their spread, as a share of that of real samples and at most 1:
      a spread beyond the real one is no merit. Where neither collapses both are 1, and it stays
      undecided.
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
    own = "two-stage"

    def by_seed(method: str, column: str, most: float = inf) -> dict[int, float]:
        return {
            row["seed"]: min(row[column], most)
            for row in usual
            if row["method"] == method and row[column] is not None
        }

    known = {row["method"] for row in usual}
    found: list[dict[str, Any]] = []

    def ahead(claim: str, better: str, worse: str, statement: str) -> None:
        column, what, most = "recall_at_1", "Recall@1", inf
        if claim == "hard-condition":
            column, most = "positive_spread", 1.0
            what = "spread of generated positives, at most that of real ones"
        if {better, worse} <= known:
            first, second = by_seed(better, column, most), by_seed(worse, column, most)
            source = f"hard: {column}"
            found.append(
                paired_claim(claim, f"{statement}: {what}", data, first, second, source=source)
            )

    ahead("hard-plain", own, MINERS[0], "two-stage (reconstructed) ahead of the plain triplet")
    for rival in ("hdml", "daml"):
        ahead(f"hard-{rival}", own, rival, f"two-stage (reconstructed) ahead of {rival}")
    for miner in MINERS[1:]:
        statement = f"two-stage (reconstructed) with {miner} ahead of {miner} alone"
        ahead(f"hard-with-{miner}", f"{own}+{miner}", miner, statement)
    ahead(
        "hard-condition",
        own,
        f"{own}(without=condition)",
        "telling generators the class lowers collapse",
    )
    ahead(
        "hard-adaptive",
        own,
        f"{own}(without=adaptation)",
        "the adaptive threshold ahead of a fixed one",
    )
    if own in known:
        far, near = by_seed(own, "positive_other_distance"), by_seed(own, "positive_own_distance")
        found.append(
            claim_row(
                "hard-own-class",
                "generated positives closer to their class, their sources among the real ones, "
                "than to any other: distance",
                data,
                [far[seed] - near[seed] for seed in sorted(far.keys() & near.keys())],
                source="hard: positive_other_distance, positive_own_distance",
            )
        )
    statement = "training with two-stage (reconstructed) ahead of no training"
    ahead("hard-training", own, UNTRAINED, statement)
    return found
