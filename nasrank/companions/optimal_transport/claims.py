"""What the runs say of the claims made for transport in place of means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.companions.optimal_transport.plan import PLAIN
from nasrank.companions.optimal_transport.tables import OT
from nasrank.study.claims import claim_row, paired_claim, trend_claim

__all__ = ["ot_claims"]

Row = Mapping[str, Any]

_ORDER = (("fastft", "emd"), ("emd", "l2"), ("fastft", "l2"))
_SCALES = (
    ("test_cpcc", "own", "each by its own distance"),
    ("test_cpcc_l2", "by_l2", "both by l2"),
    ("test_cpcc_emd", "by_emd", "both by emd"),
)
_LEVEL = 0.02
_BLIND = 0.1


def ot_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge the claims that these runs can speak to.

    Claims about methods look at the first weight and the first batch size of the grid, and say
    which where it has several; those about weights and batch sizes need three of them.

    Args:
        rows: Rows of `OT` of one data set.
    """
    if not rows:
        return []
    data = rows[0]["data"]
    cells = _Cells(rows)
    claims: list[dict[str, Any]] = []
    for better, worse in _ORDER:
        if not {better, worse} <= cells.methods:
            continue
        for metric, scale, words in _SCALES:
            claims.append(
                paired_claim(
                    f"{better}_over_{worse}_{scale}",
                    f"TestCPCC of models trained with {better} is above that of {worse}, {words}"
                    f"{cells.setting()}",
                    data,
                    cells.values(better, metric),
                    cells.values(worse, metric),
                    source=f"ot: {metric}",
                )
            )
    for method in ("l2", "emd", "fastft"):
        if method in cells.methods:
            claims += _against_plain(cells, method, data)
    if "l2" in cells.methods:
        for method in ("emd", "fastft"):
            if method in cells.methods:
                claims += _batches(cells, method, data)
    claims += _modes(cells, data)
    # What no run has measured is no claim of this study.
    return [claim for claim in claims if claim["n_seeds"]]


class _Cells:
    """Runs by method, weight, batch size and seed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self.methods = {row["method"] for row in rows}
        self.weights = list(dict.fromkeys(r["weight"] for r in rows if r["method"] != PLAIN))
        self.sizes = list(dict.fromkeys(row["batch_size"] for row in rows))

    def setting(self, *, weight: bool = True, size: bool = True) -> str:
        """Say which weight and batch size a claim looks at, where the grid has several."""
        words = ""
        if weight and len(self.weights) > 1:
            words += f", weight {self.weights[0]:g}"
        if size and len(self.sizes) > 1:
            words += f", batches of {self.sizes[0]}"
        return words

    def values(
        self, method: str, metric: str, *, weight: float | None = None, size: int | None = None
    ) -> dict[int, float]:
        """Return a metric by seed; runs without a value are left out."""
        if weight is None:
            weight = 0.0 if method == PLAIN or not self.weights else self.weights[0]
        size = self.sizes[0] if size is None else size
        return {
            row["seed"]: row[metric]
            for row in self._rows
            if (row["method"], row["weight"], row["batch_size"]) == (method, weight, size)
            and row[metric] is not None
        }


def _against_plain(cells: _Cells, method: str, data: str) -> list[dict[str, Any]]:
    claims = [
        paired_claim(
            f"{method}_{name}",
            f"{text} with {method} than plain{cells.setting()}",
            data,
            cells.values(method, metric),
            cells.values(PLAIN, metric),
            source=f"ot: {metric}",
            sign=OT.column(metric).sign,
        )
        for name, text, metric in (
            ("nearer_mistakes", "mistakes are nearer in the tree", "mistake_distance"),
            # Of all samples: mistakes alone are farther where the near ones are gone.
            ("error_cost", "mean tree distance of predicted from true class is lower",
             "mean_distance"),
            ("fine_retrieval", "fine retrieval (mAP) is better", "fine_map"),
            ("coarse_retrieval", "coarse retrieval (mAP) is better", "coarse_map"),
            ("fine_accuracy", "fine accuracy is higher", "fine_accuracy"),
            ("unseen_fine", "one-shot accuracy on unseen classes is higher",
             "unseen_fine_accuracy"),
            ("unseen_coarse", "coarse accuracy on unseen classes is higher",
             "unseen_coarse_accuracy"),
        )
    ]  # fmt: skip
    if len(cells.weights) > 2:
        seeds = cells.values(method, "test_cpcc").keys()
        curves = [
            {
                weight: cells.values(method, "test_cpcc", weight=weight).get(seed, float("nan"))
                for weight in cells.weights
            }
            for seed in seeds
        ]
        claims.append(
            trend_claim(
                f"{method}_weight",
                f"TestCPCC by its own distance rises with the weight of {method} (rank "
                f"correlation){cells.setting(weight=False)}",
                data,
                curves,
                source="ot: test_cpcc by weight",
            )
        )
    return claims


def _batches(cells: _Cells, method: str, data: str) -> list[dict[str, Any]]:
    """Judge whether the lead over l2 grows with the batch."""
    if len(cells.sizes) < 3:
        return []
    claims = []
    for metric, scale, words in _SCALES:
        by_size = {
            size: (cells.values(method, metric, size=size), cells.values("l2", metric, size=size))
            for size in cells.sizes
        }
        seeds = set.intersection(*(set(a) & set(b) for a, b in by_size.values()))
        curves = [
            {size: own[seed] - l2[seed] for size, (own, l2) in by_size.items()}
            for seed in sorted(seeds)
        ]
        claims.append(
            trend_claim(
                f"{method}_batch_{scale}",
                f"the lead of {method} over l2 in TestCPCC, {words}, grows with the batch size "
                f"(rank correlation){cells.setting(size=False)}",
                data,
                curves,
                source=f"ot: {metric} by batch_size",
            )
        )
    return claims


def _modes(cells: _Cells, data: str) -> list[dict[str, Any]]:
    """Judge what the made mixtures are for: several modes with equal means, or one mode."""
    if data not in {"one-mode", "two-modes"} or not {"l2", "emd"} <= cells.methods:
        return []
    seen = {
        "inputs": (
            cells.values("emd", "raw_cpcc_emd"),
            cells.values("emd", "raw_cpcc_l2"),
            "CPCC of the inputs by emd",
            "that by l2",
            "raw_cpcc_emd, raw_cpcc_l2",
        ),
        "trained": (
            cells.values("emd", "test_cpcc_emd"),
            cells.values("l2", "test_cpcc_emd"),
            "TestCPCC by emd of models trained with emd",
            "that of models trained with l2",
            "test_cpcc_emd",
        ),
    }
    claims = []
    for name, (ours, theirs, subject, other, source) in seen.items():
        # Inputs have no weight.
        where = "" if name == "inputs" else cells.setting()
        if data == "two-modes":
            beyond = f" by more than {_BLIND} (estimate: what is beyond {_BLIND})"
            claims.append(
                paired_claim(
                    f"modes_{name}",
                    f"with two modes and equal means {subject} is above {other}"
                    f"{beyond if name == 'inputs' else ''}{where}",
                    data, ours, theirs, source=f"ot: {source}",
                    margin=_BLIND if name == "inputs" else 0.0,
                )
            )  # fmt: skip
        else:
            level = [_LEVEL - abs(ours[seed] - theirs[seed]) for seed in ours.keys() & theirs]
            claims.append(
                claim_row(
                    f"modes_{name}",
                    f"with one mode {subject} is within {_LEVEL} of {other} (estimate: {_LEVEL} "
                    f"less the size of the difference){where}",
                    data, level, source=f"ot: {source}",
                )
            )  # fmt: skip
    return claims
