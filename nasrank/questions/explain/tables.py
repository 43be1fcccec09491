"""The tables of ``explain``: what every column means."""

from nasrank.questions.rank.tables import RANKING
from nasrank.tables import Table, bounds, count, flag, number, share, spelling, text

__all__ = ["AGREEMENT", "EDITS", "EFFECTS", "EXPLAINED", "REWARDS"]

_UNIT = "the metric's"
_DOUBT = "95 % interval: jackknife over the folds left out"
_NO_TRUTH = "not all of the architectures it compares are evaluated"
_METHOD = (
    spelling("predictor", "The predictor, with options"),
    spelling("loss", "The loss it is trained with"),
)

EXPLAINED = Table(
    "explained",
    "One architecture, as one method sees it",
    (
        count("place", "1", "Place in the list, 1 = the first that is explained"),
        text("id", "Name of the architecture"),
        *_METHOD,
        count("rank", "1", "Its rank by this method among all of the space, 1 = best"),
        number("value", _UNIT, "Predicted label"),
        *bounds(_UNIT, _DOUBT, "never", of="value"),
        number("label", _UNIT, "Its label", "not evaluated, or failed"),
        flag("trained_on", "Whether its label was learnt from"),
        *RANKING.pick("nearest", "nearest_label", "distance", "difference"),
    ),
)

EFFECTS = Table(
    "effects",
    "What one part of an architecture adds, as one method sees it",
    (
        count("place", "1", "Place of the architecture in the list"),
        text("id", "Name of the architecture"),
        *_METHOD,
        text("kind", "operation, edge, attribute or setting"),
        text("part", "The part: an operation by its number in the graph, an edge, a setting"),
        number(
            "effect",
            _UNIT,
            "How much better the label is with it than with what else could stand in its place, "
            "on average; positive is better in either direction of the metric",
            better="higher",
        ),
        *bounds(_UNIT, _DOUBT, "never", of="effect"),
        count("alternatives", "architectures", "What else could stand in its place"),
        number("true_effect", _UNIT, "The same by the labels", _NO_TRUTH),
    ),
)

EDITS = Table(
    "edits",
    "One edit of an architecture, as one method sees it",
    (
        count("place", "1", "Place of the architecture in the list"),
        text("id", "Name of the architecture"),
        *_METHOD,
        text("kind", "operation, edge, attribute or setting"),
        text("edit", "What is changed, and nothing else"),
        number(
            "gain",
            _UNIT,
            "How much better the label gets; positive is better in either direction of the metric",
            better="higher",
        ),
        *bounds(_UNIT, _DOUBT, "never", of="gain"),
        text("becomes", "Name of the architecture that results", "it is not in the space"),
        flag("evaluated", "Whether the label of the result is known"),
        number("true_gain", _UNIT, "The same by the labels", "a label is not known"),
    ),
)

REWARDS = Table(
    "rewards",
    "What one method rewards in the space, averaged over architectures drawn from it",
    (
        *_METHOD,
        text("kind", "operation, place, attribute or setting"),
        text("part", "An operation, anywhere or so many steps from the input, or a setting"),
        number(
            "effect", _UNIT, "Mean effect of it where it stands, as in effects", better="higher"
        ),
        *bounds(_UNIT, _DOUBT, "never", of="effect"),
        count("times", "1", "How often it stands in the architectures drawn"),
        number("true_effect", _UNIT, "The same by the labels", _NO_TRUTH),
    ),
)

AGREEMENT = Table(
    "agreement",
    "How far two methods agree, or a method with the labels",
    (
        text("first", "A method"),
        text("second", "Another method, or labels"),
        share("order_tau", "Kendall tau of their orders of architectures drawn from the space",
              "all equal, or fewer than two labels are known"),
        share("effects_tau", "Kendall tau of what they reward", "all equal, or none is known"),
        count("architectures", "architectures", "Architectures drawn"),
    ),
)  # fmt: skip
