"""What trained encoders are expected to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from nasrank.companions.supcon.advice import guideline
from nasrank.companions.supcon.closed_form import Batch
from nasrank.companions.supcon.tables import SAME, TRAINING
from nasrank.study.claims import Ahead, Claim, Lead, More, Of, Rises, Within, claim_row, judge

__all__ = ["FACTORS", "base_rows", "ends", "training_claims"]

FACTORS = (
    "temperature", "anchor", "encoder", "features", "classes", "instances", "augmentation",
    "imbalance", "label_noise", "initial_scale",
)  # fmt: skip
"""Columns of ``train`` that are varied one at a time."""

_BATCH = ("classes", "instances", "views", "temperature", "anchor")
R = TypeVar("R", bound=Mapping[str, Any])
_SAME_LOSS = 0.05
Row = Mapping[str, Any]


def base_rows(rows: Sequence[R]) -> list[R]:
    """Return the rows in which no factor is varied.

    Args:
        rows: Rows of ``train``, those of the first values first.
    """
    return [row for row in rows if all(row[each] == rows[0][each] for each in FACTORS)]


def ends(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the alphas of a sweep that stand for collapse and for moderate variance.

    Collapse is the least alpha. Moderate is the one nearest to what theory suggests for the
    batches of the sweep, whatever was measured.
    """
    alphas, at = _alphas(rows), rows[0]
    advice = guideline(Batch(*(at[each] for each in _BATCH)))
    return alphas[0], advice.nearest(alphas)


def training_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge the claims on the first value of every factor, and on what varies it.

    Args:
        rows: Rows of ``train``, those of the first values first.

    Returns:
        Rows of ``claims``; those for which no run was made are left out, as is all where the
        sweep has no alpha below its threshold or none above.
    """
    if not rows:
        return []
    base = base_rows(rows)
    low, moderate = ends(base)
    if low == moderate or low > base[0]["alpha_star"] or moderate <= base[0]["alpha_star"]:
        return []
    data = f"{base[0]['data']}, {base[0]['method']}"

    def judged(declared: Iterable[Claim], of: Sequence[Row] = base) -> list[dict[str, Any]]:
        return judge(declared, of, data=data, table=TRAINING.name)

    variance = Rises(
        "variance-rises",
        "The measured within-class variance rises with alpha, as predicted",
        _of("projector_within"),
        "alpha",
    )
    claims = judged([variance, *_ahead(low, moderate, _FINER)])
    claims += _sweep_claims(base, low, moderate, data)
    # Images alone are turned.
    claims += [each for each in judged(_ahead(low, moderate, _HARDER)) if each["n_seeds"]]
    if 1.0 in _alphas(base) and moderate < 1:
        best = Ahead(
            "moderate-beats-self-supervision",
            f"Moderate variance (alpha {moderate:g}) beats pure self-supervision",
            _fine(alpha=moderate),
            _fine(alpha=1.0),
        )
        claims += judged([best])
    return claims + judged(_shifted(rows, base[0], low, moderate), rows)


_FINER = {
    "fine_probe_accuracy": (
        "moderate-beats-collapse",
        (
            "Finer labels are read better at moderate variance (alpha {moderate:g}) than under "
            "collapse (alpha {low:g})"
        ),
    ),
    "fine_knn_accuracy": (
        "moderate-beats-collapse-neighbours",
        "Likewise by nearest neighbours",
    ),
    "fine_probe_projector": (
        "moderate-beats-collapse-projector",
        "Likewise on the projector's output, where the loss is taken",
    ),
}
_HARDER = {
    "fine_probe_rotated": (
        "moderate-beats-collapse-turned",
        "Moderate variance beats collapse where test samples are turned",
    ),
    "fine_probe_noisy": (
        "moderate-beats-collapse-noisy",
        "Moderate variance beats collapse where test samples are noisy",
    ),
}


def _of(name: str, **where: Any) -> Of:  # noqa: ANN401 - values of options
    return Of(TRAINING.column(name), where)


def _fine(**where: Any) -> Of:  # noqa: ANN401 - values of options
    return _of("fine_probe_accuracy", **where)


def _gap(alpha: float) -> Lead:
    return Lead(_of("final_loss", alpha=alpha), _of("loss_floor", alpha=alpha))


def _ahead(low: float, moderate: float, said: Mapping[str, tuple[str, str]]) -> Iterable[Claim]:
    """Claim of each column that it is better at moderate variance than under collapse."""
    for name, (claim_id, statement) in said.items():
        said_so = statement.format(moderate=moderate, low=low)
        yield Ahead(claim_id, said_so, _of(name, alpha=moderate), _of(name, alpha=low))


def _sweep_claims(
    base: Sequence[Row], low: float, moderate: float, data: str
) -> list[dict[str, Any]]:
    """Claim what a sweep of alpha says as a whole, and what does not tell its ends apart."""
    fine = {alpha: _fine(alpha=alpha).by_seed(base) for alpha in _alphas(base)}
    others = [alpha for alpha in fine if alpha > base[0]["alpha_star"]]
    means = {alpha: sum(own.values()) / len(own) for alpha, own in fine.items() if own}
    best = max(means, key=lambda alpha: means[alpha], default=moderate)
    coarse = "coarse_train_accuracy"
    alike = (
        Within(
            "same-coarse-accuracy",
            f"The coarse training accuracy of the two is the same, up to {SAME:g}",
            _of(coarse, alpha=moderate),
            _of(coarse, alpha=low),
            SAME,
        ),
        Within(
            "same-loss",
            f"The loss of the two is as far above its floor, up to {_SAME_LOSS:g}: a low loss "
            "does not tell them apart",
            _gap(moderate),
            _gap(low),
            _SAME_LOSS,
        ),
        More(
            "suggestion-is-near-best",
            f"The alpha that theory suggests is within {SAME:g} of the best of the sweep "
            f"(alpha {best:g}) on finer labels",
            _fine(alpha=moderate),
            _fine(alpha=best),
            margin=-SAME,
        ),
    )
    worst = claim_row(
        "collapse-is-worst",
        "Every alpha above the threshold beats collapse on finer labels",
        data,
        [
            min(fine[alpha][seed] for alpha in others) - value
            for seed, value in fine[low].items()
            if all(seed in fine[alpha] for alpha in others)
        ],
        source="train: fine_probe_accuracy",
        measures=("fine_probe_accuracy",),
    )
    return [worst, *judge(alike, base, data=data, table=TRAINING.name)]


def _shifted(rows: Sequence[Row], base: Row, low: float, moderate: float) -> Iterable[Claim]:
    usual = {name: base[name] for name in FACTORS}
    for factor, words in (("label_noise", "label noise"), ("imbalance", "imbalance")):
        most = max(row[factor] for row in rows)
        own = {**usual, factor: most}
        tried = {row["alpha"] for row in rows if all(row[name] == own[name] for name in own)}
        if most == base[factor] or not {low, moderate} <= tried:
            continue
        told, key = f"{words} {most:g}", factor.replace("_", "-")
        if factor == "label_noise":
            yield More(
                "label-noise-variance",
                f"With {told} the classes are spread more under pure supervision",
                _of("projector_within", **own, alpha=low),
                _of("projector_within", **usual, alpha=low),
            )
        else:
            yield More(
                "imbalance-variance",
                f"With {told} the rarest class has less variance than the largest one "
                f"(alpha {moderate:g})",
                _of("largest_class_within", **own, alpha=moderate),
                _of("smallest_class_within", **own, alpha=moderate),
            )
        yield Ahead(
            f"{key}-lowers-transfer",
            f"With {told} finer labels are read worse (alpha {moderate:g})",
            _fine(**usual, alpha=moderate),
            _fine(**own, alpha=moderate),
        )
        gain, usual_gain = (
            Lead(_fine(**at, alpha=moderate), _fine(**at, alpha=low)) for at in (own, usual)
        )
        yield Ahead(
            f"{key}-widens-gain",
            f"With {told} moderate variance gains more over collapse than without",
            gain,
            usual_gain,
        )


def _alphas(rows: Sequence[Row]) -> list[float]:
    return sorted({row["alpha"] for row in rows})
