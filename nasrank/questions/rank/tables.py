"""The tables of ``rank``: what every column means."""

from nasrank.tables import (
    Column,
    Table,
    bounds,
    count,
    flag,
    number,
    share,
    spelling,
    text,
)

__all__ = ["CALIBRATION", "CHOICE", "RACE", "RANKING", "SCORES"]

_ALONE = "a predictor without uncertainty, such as an ensemble of one"
_SMALL = "too few evaluated architectures for this confidence"
_UNIT = "the metric's"

RANKING = Table(
    "ranking",
    "One architecture that should be evaluated next, best first",
    (
        count("rank", "1", "Place in the list, 1 = evaluate first"),
        text("id", "Name of the architecture"),
        count("score_rank", "1", "Place by score alone; differs with --diverse"),
        number("score", "sd of training scores", "Predicted", better="higher"),
        number("uncertainty", "sd of training scores", "Spread of the score", _ALONE),
        number("value", _UNIT, "Calibrated prediction of the label"),
        number("value_lower", _UNIT, "Lower bound of the label", _SMALL),
        number("value_upper", _UNIT, "Upper bound of the label", _SMALL),
        flag("extrapolated", "Whether the score is outside the range of the calibration"),
        count("twins", "architectures", "Other candidates with the same graph and settings"),
        text("nearest", "Evaluated architecture that is most similar"),
        number("nearest_label", _UNIT, "Its label"),
        share("distance", "Distance of its graph features; 0 for equal counts"),
        text(
            "difference",
            "Operations and edges that the candidate has more or fewer of, and other settings",
        ),
        Column(
            "effects",
            "list<string>",
            _UNIT,
            "Gain in value over what is usual, by operation, attribute or setting: NAME +VALUE",
        ),
        count("row", "1", "Row of the pool, from 0", "candidates of the space itself"),
        number("label", _UNIT, "True label, where it was held back", "not known"),
    ),
)

SCORES = Table(
    "scores",
    "One candidate",
    (
        count("row", "1", "Row of the pool from 0, or class of the space"),
        text("id", "Name of the architecture"),
        number("score", "sd of training scores", "Predicted", better="higher"),
        number("uncertainty", "sd of training scores", "Spread of the score", _ALONE),
        number("value", _UNIT, "Calibrated prediction of the label"),
    ),
)

RACE = Table(
    "race",
    "One predictor that auto tried on folds of the evaluated architectures",
    (
        text("predictor", "Name of the predictor"),
        share("weight", "Its share in the score"),
        share("kendall_tau", "Mean over the folds it was tried on", "not tried", better="higher"),
        count("folds", "folds", "Folds it was tried on"),
        flag("stopped", "Whether it was stopped, as worse than the best"),
    ),
)

CHOICE = Table(
    "choice",
    "One loss in cross-validation on the evaluated architectures",
    (
        spelling("loss", "Canonical spelling of the loss"),
        count("place", "1", "Place by mean Kendall tau, 1 = best"),
        flag("chosen", "Whether this loss is chosen"),
        count("folds", "folds", "Held-out folds counted, all repeats together"),
        share("kendall_tau", "Mean over folds", "diverged", better="higher"),
        *bounds("1", "95 % interval", "diverged", of="kendall_tau"),
        share("top_found", "Share of a fold's best quarter among its predicted best quarter",
              "diverged", better="higher"),
        *bounds("1", "95 % interval", "diverged", of="top_found"),
        number("regret", _UNIT, "Label of the best of a fold minus that of the predicted best",
               "diverged", better="lower"),
        share("p_holm",
              "Two-sided paired test of tau against the default loss, Holm over all losses",
              "the default loss itself, or diverged"),
    ),
)  # fmt: skip

CALIBRATION = Table(
    "calibration",
    "One evaluated architecture, scored by predictors that were not trained on it",
    (
        text("id", "Name of the architecture"),
        count("fold", "1", "Fold it was held out with"),
        number("score", "sd of training scores", "Out-of-fold score"),
        number("label", _UNIT, "Its label"),
        number("value", _UNIT, "Calibrated without its fold"),
        number("value_lower", _UNIT, "Lower bound, without its fold", _SMALL),
        number("value_upper", _UNIT, "Upper bound, without its fold", _SMALL),
    ),
)
