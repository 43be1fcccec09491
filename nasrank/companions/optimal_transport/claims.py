"""What the runs say of the claims made for transport in place of means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.companions.optimal_transport.plan import PLAIN
from nasrank.companions.optimal_transport.tables import OT
from nasrank.study.claims import Ahead, Claim, Lead, More, Of, Rises, Within, judge

__all__ = ["ot_claims"]

Row = Mapping[str, Any]

_ORDER = (("fastft", "emd"), ("emd", "l2"), ("fastft", "l2"))
_SCALES = (
    ("test_cpcc", "own", "each by its own distance"),
    ("test_cpcc_l2", "by_l2", "both by l2"),
    ("test_cpcc_emd", "by_emd", "both by emd"),
)
_AGAINST_PLAIN = (
    ("nearer_mistakes", "mistakes are nearer in the tree", "mistake_distance"),
    # Of all samples: mistakes alone are farther where the near ones are gone.
    ("error_cost", "mean tree distance of predicted from true class is lower", "mean_distance"),
    ("fine_retrieval", "fine retrieval (mAP) is better", "fine_map"),
    ("coarse_retrieval", "coarse retrieval (mAP) is better", "coarse_map"),
    ("fine_accuracy", "fine accuracy is higher", "fine_accuracy"),
    ("unseen_fine", "one-shot accuracy on unseen classes is higher", "unseen_fine_accuracy"),
    ("unseen_coarse", "coarse accuracy on unseen classes is higher", "unseen_coarse_accuracy"),
)
_LEVEL = 0.02
_BLIND = 0.1


def ot_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge the claims that these runs can speak to.

    Claims about methods look at the first weight and the first batch size of the grid, and say
    which where it has several; those about weights and batch sizes need three of them.
    """
    if not rows:
        return []
    data = rows[0]["data"]
    claims = judge(_declared(_Grid(rows), data), rows, data=data, table=OT.name)
    # What no run has measured is no claim of this study.
    return [claim for claim in claims if claim["n_seeds"]]


class _Grid:
    """The settings of runs, and the cells that claims speak of."""

    def __init__(self, rows: Sequence[Row]) -> None:
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

    def of(self, method: str, metric: str, *over: str) -> Of:
        """A metric of a method at the first setting, but for the options it is followed over."""
        weight = 0.0 if method == PLAIN or not self.weights else self.weights[0]
        at = {"method": method, "weight": weight, "batch_size": self.sizes[0]}
        return Of(OT.column(metric), {key: at[key] for key in at if key not in over})


def _declared(grid: _Grid, data: str) -> Iterable[Claim]:
    for better, worse in _ORDER:
        if {better, worse} <= grid.methods:
            for metric, scale, words in _SCALES:
                yield Ahead(
                    f"{better}_over_{worse}_{scale}",
                    f"TestCPCC of models trained with {better} is above that of {worse}, {words}"
                    f"{grid.setting()}",
                    grid.of(better, metric),
                    grid.of(worse, metric),
                )
    for method in ("l2", "emd", "fastft"):
        if method in grid.methods:
            yield from _against_plain(grid, method)
    for method in ("emd", "fastft"):
        if {method, "l2"} <= grid.methods and len(grid.sizes) > 2:
            for metric, scale, words in _SCALES:
                yield Rises(
                    f"{method}_batch_{scale}",
                    f"the lead of {method} over l2 in TestCPCC, {words}, grows with the batch "
                    f"size (rank correlation){grid.setting(size=False)}",
                    Lead(*(grid.of(each, metric, "batch_size") for each in (method, "l2"))),
                    "batch_size",
                    whole=True,
                )
    if {"l2", "emd"} <= grid.methods:
        if data == "two-modes":
            yield from _two_modes(grid)
        elif data == "one-mode":
            yield from _one_mode(grid)


def _against_plain(grid: _Grid, method: str) -> Iterable[Claim]:
    for name, text, metric in _AGAINST_PLAIN:
        yield Ahead(
            f"{method}_{name}",
            f"{text} with {method} than plain{grid.setting()}",
            grid.of(method, metric),
            grid.of(PLAIN, metric),
        )
    if len(grid.weights) > 2:
        yield Rises(
            f"{method}_weight",
            f"TestCPCC by its own distance rises with the weight of {method} (rank "
            f"correlation){grid.setting(weight=False)}",
            grid.of(method, "test_cpcc", "weight"),
            "weight",
        )


_INPUTS = "CPCC of the inputs by emd", "that by l2"
_TRAINED = "TestCPCC by emd of models trained with emd", "that of models trained with l2"


def _two_modes(grid: _Grid) -> Iterable[Claim]:
    """Several modes with equal means: what transport can see and means cannot."""
    ours, theirs = _INPUTS
    yield More(
        "modes_inputs",
        f"with two modes and equal means {ours} is above {theirs} by more than {_BLIND} "
        f"(estimate: what is beyond {_BLIND})",
        grid.of("emd", "raw_cpcc_emd"),
        grid.of("emd", "raw_cpcc_l2"),
        margin=_BLIND,
    )
    ours, theirs = _TRAINED
    yield Ahead(
        "modes_trained",
        f"with two modes and equal means {ours} is above {theirs}{grid.setting()}",
        grid.of("emd", "test_cpcc_emd"),
        grid.of("l2", "test_cpcc_emd"),
    )


def _one_mode(grid: _Grid) -> Iterable[Claim]:
    """One mode: nothing to see beyond the means."""
    inputs = grid.of("emd", "raw_cpcc_emd"), grid.of("emd", "raw_cpcc_l2")
    trained = grid.of("emd", "test_cpcc_emd"), grid.of("l2", "test_cpcc_emd")
    # Inputs have no weight.
    for name, (ours, theirs), (first, second), where in (
        ("inputs", _INPUTS, inputs, ""),
        ("trained", _TRAINED, trained, grid.setting()),
    ):
        yield Within(
            f"modes_{name}",
            f"with one mode {ours} is within {_LEVEL} of {theirs} (estimate: {_LEVEL} less the "
            f"size of the difference){where}",
            first,
            second,
            _LEVEL,
        )
