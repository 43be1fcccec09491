"""The tables of ``rank``: what every column means."""

from nasrank.tables import Column, Table

__all__ = ["CALIBRATION", "CHOICE", "RANKING", "SCORES"]

_ALONE = "a predictor without uncertainty, such as an ensemble of one"
_SMALL = "too few evaluated architectures for this confidence"
_UNIT = "the metric's"

RANKING = Table(
    "ranking",
    "One architecture that should be evaluated next, best first",
    (
        Column("rank", "int64", "1", "Place in the list, 1 = evaluate first"),
        Column("id", "string", "", "Name of the architecture"),
        Column("score_rank", "int64", "1", "Place by score alone; differs with --diverse"),
        Column("score", "double", "sd of training scores", "Predicted", better="higher"),
        Column("uncertainty", "double", "sd of training scores", "Spread of the score", _ALONE),
        Column("value", "double", _UNIT, "Calibrated prediction of the label"),
        Column("value_lower", "double", _UNIT, "Lower bound of the label", _SMALL),
        Column("value_upper", "double", _UNIT, "Upper bound of the label", _SMALL),
        Column(
            "extrapolated", "bool", "", "Whether the score is outside the range of the calibration"
        ),
        Column("twins", "int64", "architectures", "Other candidates with the same graph"),
        Column("nearest", "string", "", "Evaluated architecture with the most similar graph"),
        Column("nearest_label", "double", _UNIT, "Its label"),
        Column("distance", "double", "1", "Distance of its graph features; 0 for equal counts"),
        Column(
            "difference",
            "string",
            "",
            "Operations and edges that the candidate has more or fewer of",
        ),
        Column(
            "effects",
            "list<string>",
            _UNIT,
            "Gain in value over the usual alternative, by operation or attribute: NAME +VALUE",
        ),
        Column("row", "int64", "1", "Row of the pool, from 0", "candidates of the space itself"),
        Column("label", "double", _UNIT, "True label, where it was held back", "not known"),
    ),
)

SCORES = Table(
    "scores",
    "One candidate",
    (
        Column("row", "int64", "1", "Row of the pool from 0, or class of the space"),
        Column("id", "string", "", "Name of the architecture"),
        Column("score", "double", "sd of training scores", "Predicted", better="higher"),
        Column("uncertainty", "double", "sd of training scores", "Spread of the score", _ALONE),
        Column("value", "double", _UNIT, "Calibrated prediction of the label"),
    ),
)

CHOICE = Table(
    "choice",
    "One loss in cross-validation on the evaluated architectures",
    (
        Column("loss", "string", "", "Canonical spelling of the loss"),
        Column("place", "int64", "1", "Place by mean Kendall tau, 1 = best"),
        Column("chosen", "bool", "", "Whether this loss is chosen"),
        Column("folds", "int64", "folds", "Held-out folds counted, all repeats together"),
        Column("kendall_tau", "double", "1", "Mean over folds", "diverged", better="higher"),
        Column("kendall_tau_lower", "double", "1", "95 % interval", "diverged"),
        Column("kendall_tau_upper", "double", "1", "95 % interval", "diverged"),
        Column(
            "top_found",
            "double",
            "1",
            "Share of a fold's best quarter among its predicted best quarter",
            "diverged",
            better="higher",
        ),
        Column("top_found_lower", "double", "1", "95 % interval", "diverged"),
        Column("top_found_upper", "double", "1", "95 % interval", "diverged"),
        Column(
            "regret",
            "double",
            _UNIT,
            "Label of the best of a fold minus that of the predicted best",
            "diverged",
            better="lower",
        ),
        Column(
            "p_holm",
            "double",
            "1",
            "Two-sided paired test of tau against the default loss, Holm over all losses",
            "the default loss itself, or diverged",
        ),
    ),
)

CALIBRATION = Table(
    "calibration",
    "One evaluated architecture, scored by predictors that were not trained on it",
    (
        Column("id", "string", "", "Name of the architecture"),
        Column("fold", "int64", "1", "Fold it was held out with"),
        Column("score", "double", "sd of training scores", "Out-of-fold score"),
        Column("label", "double", _UNIT, "Its label"),
        Column("value", "double", _UNIT, "Calibrated without its fold"),
        Column("value_lower", "double", _UNIT, "Lower bound, without its fold", _SMALL),
        Column("value_upper", "double", _UNIT, "Upper bound, without its fold", _SMALL),
    ),
)
