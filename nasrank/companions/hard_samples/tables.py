"""The tables of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasrank.companions.hard_samples.training import EPOCH_NUMBERS
from nasrank.runs.tables import RUNS
from nasrank.tables import Column, Table, count, flag, number, share, text

__all__ = [
    "HARD",
    "HARD_ARCHS",
    "HARD_EPOCHS",
    "HARD_KEPT",
    "HARD_SENSITIVITY",
    "HARD_SUMMARY",
    "HARD_TUNING",
    "HARD_VARIANTS",
    "MEASURES",
    "RATES",
    "spelled_setting",
]

_DIVERGED = "the training diverged, or classes are too small for it"
_NOT_MADE = "the method does not generate it, or the training diverged"
_NOBODY = "fewer than two seeds have a value"
_SEEN = "of the classes trained on, over the samples drawn for the measure"
_NO_TRAINING = "0 for the untrained control"

_RUN_ID = text("run_id", "Hash of the run's configuration and data")
_DATA = text("data", "Data set")
_METHOD = text("method", "Where triplets come from; two-stage is a reconstruction")
_SEED = count("seed", "", "Seed of the run")
_DECAY = share("weight_decay", "Weight decay")
_AUGMENTED = flag("augmentation", "Whether samples were shifted and noised")
_SEEDS = count("n_seeds", "", "Seeds that had a value")


def _bounds(unit: str) -> tuple[Column, Column]:
    return (
        number("lower", unit, "Lower bound, 95 % Student interval", _NOBODY),
        number("upper", unit, "Upper bound, 95 % Student interval", _NOBODY),
    )


_RETRIEVAL = (
    *(
        share(f"recall_at_{k}", f"Queries with one of their class among the {k} nearest",
              _DIVERGED, better="higher", margin=0.01)
        for k in (1, 2, 4, 8)
    ),
    share("nmi", "Normalised mutual information of k-means clusters and classes", _DIVERGED,
          better="higher"),
    share("f1", "Pairwise F1 of k-means clusters", _DIVERGED, better="higher"),
    share("separation", "Mean distance between classes over that within them", _DIVERGED,
          better="higher"),
    share("fpr_at_95_recall",
          "Pairs of different classes accepted where 95 % of true pairs are", _DIVERGED,
          better="lower"),
)  # fmt: skip

_QUALITY = tuple(
    column
    for kind in ("positive", "negative")
    for column in (
        number(f"{kind}_own_distance", "distance", f"Mean distance of a generated {kind} to the "
               f"nearest real sample of its class, its source among them; {_SEEN}", _NOT_MADE),
        number(f"{kind}_other_distance", "distance", f"Mean distance of a generated {kind} to the "
               f"nearest one of any other class; {_SEEN}", _NOT_MADE),
        share(f"{kind}_own_share",
              f"Generated {kind}s nearer to their class than to any other; {_SEEN}", _NOT_MADE,
              better="higher"),
        share(f"{kind}_coverage", f"Real samples with a generated {kind} among their 5 nearest of "
              f"the class, or as near as the furthest where it has fewer; low where generators "
              f"collapse in large classes; {_SEEN}", _NOT_MADE, better="higher"),
        share(f"{kind}_spread", f"Variance of generated {kind}s within classes over that of real "
              f"samples; {_SEEN}", _NOT_MADE, margin=0.05),
    )
)  # fmt: skip

_SETTINGS = (
    _RUN_ID,
    _DATA,
    _METHOD,
    _SEED,
    text("encoder", "Name of the encoder"),
    count("embedding", "1", "Width of the embedding"),
    count("epochs", "1", "Epochs of training; " + _NO_TRAINING),
    count("batch", "samples", "Samples of a batch, about; " + _NO_TRAINING),
    count("images_per_class", "samples",
          "Samples of a class in a batch, at most; " + _NO_TRAINING),
    number("margin", "distance", "Margin of the triplet loss; " + _NO_TRAINING),
    share("learning_rate", "Learning rate; " + _NO_TRAINING),
    _DECAY,
    _AUGMENTED,
)  # fmt: skip

_LAST = (
    number("triplet_loss", "distance",
           "Triplet loss of the last epoch, mean over the triplets that have one",
           "no epoch was trained or had a triplet", better="lower"),
    count("degenerate_batches", "batches", "Batches without a triplet, not learnt from",
          better="lower"),
    share("constraint_met", "Generated negatives of the last epoch that are as near as the "
          "threshold of the reverse triplet asks for: without them there is no second stage to "
          "judge", "the method has no such threshold, or it was not counted then",
          better="higher"),
    flag("diverged", "Loss or embeddings not finite, or all in one point", better="lower"),
    number("fit_seconds", "s", "Time of the training", better="lower"),
    text("device", "Kind of device"),
)  # fmt: skip

_NO_COST = f"{_DIVERGED}, or error rates were not kept and other costs were asked for"

_REWORK = (
    number("rework_cost", "cost", "Cost of wrong decisions per 1,000 pairs at the threshold "
           "that is best on other samples", _NO_COST, better="lower"),
    share("false_accept_rate", "Pairs accepted there that are not of one class", _NO_COST,
          better="lower"),
    share("false_reject_rate", "Pairs rejected there that are", _NO_COST, better="lower"),
)  # fmt: skip

_SIZES = (
    count("train_classes", "classes", "Classes trained on"),
    count("test_classes", "classes", "Other classes measured on"),
    count("n_train", "samples", "Samples trained on"),
    count("n_test", "samples", "Samples measured on"),
)

MEASURES = tuple(column.name for column in (*_RETRIEVAL, *_QUALITY))
"""Names of what a run is measured by, wherever it is kept."""

HARD = Table(
    "hard",
    "One embedding, trained once and measured on classes it has not seen; what it generates is "
    "measured on those it has",
    (*_SETTINGS, *_SIZES, *_RETRIEVAL, *_QUALITY, *_REWORK, *_LAST),
)

RATES = ("accept", "reject", "counted_accept", "counted_reject")
"""Error rates that are kept of a run."""

_ABOUT = {
    "triplet_loss": ("distance", "Triplet loss, mean over the real triplets that have one"),
    "within": ("distance", "Mean distance within classes"),
    "between": ("distance", "Mean distance between classes"),
    "synthetic_loss": ("distance", "Triplet loss, mean over the generated triplets that have one"),
    "synthetic_positive": ("distance", "Distance of generated triplets to their positive"),
    "synthetic_negative": ("distance", "Distance of generated triplets to their negative"),
    "active_share": ("1", "Generated triplets within the margin: how difficult they are"),
    "threshold": ("distance", "Threshold of the reverse triplet, which adapts"),
    "met_share": ("1", "Generated negatives that are as near as the threshold asks for"),
    "generator_loss": ("1", "Loss of the generators"),
}

HARD_EPOCHS = Table(
    "hard_epochs",
    "One epoch of one run: the log of difficulty and thresholds; means over batches",
    (
        _RUN_ID,
        _METHOD,
        _AUGMENTED,
        _DECAY,
        _SEED,
        count("epoch", "1", "Epochs trained"),
        *(Column(name, "double", *_ABOUT[name], "nothing of the kind in this epoch")
          for name in EPOCH_NUMBERS),
    ),
)  # fmt: skip

HARD_KEPT = Table(
    "hard_kept",
    "One run as it is kept: what tables are made of",
    (
        *HARD.columns,
        *(Column(f"rates.{name}", "list<double>", "1", "Error rates at growing thresholds",
                 "not kept for this run")
          for name in RATES),
        *(Column(f"hard_epochs.{name}", "list<double>", "", "By epoch; null where there is none",
                 "not kept for this run")
          for name in EPOCH_NUMBERS),
        text("pictures", "Embeddings in two dimensions by epoch, as JSON",
             "not kept for this run"),
    ),
)  # fmt: skip
"""Costs of wrong decisions depend on what was asked for, so they are made of the rates anew."""

HARD_SUMMARY = Table(
    "hard_summary",
    "One number of one method over its seeds",
    (
        _DATA,
        _METHOD,
        _AUGMENTED,
        _DECAY,
        text("metric", "A metric column of hard"),
        _SEEDS,
        number("mean", "metric", "Mean over seeds", "no seed has a value"),
        *_bounds("metric"),
    ),
)

HARD_VARIANTS = Table(
    "hard_variants",
    "One embedding of hard_sensitivity or hard_tuning, as in hard",
    (*HARD.columns, flag("held_out",
                         "Whether measured on classes held out of those that hard trains on")),
)  # fmt: skip

HARD_SENSITIVITY = Table(
    "hard_sensitivity",
    "One option of one method at another value than asked for",
    (
        _DATA,
        text("method", "The method with its options as asked for"),
        text("option", "The option"),
        text("value", "Its value"),
        _SEEDS,
        share("recall_at_1", "Mean over seeds", "no seed has a value", better="higher"),
        share("difference", "Mean difference to the settings asked for, on the same seeds",
              _NOBODY, better="higher"),
        *_bounds("1"),
        text("matters", "better or worse where the whole interval is, with 5 seeds or more"),
    ),
)  # fmt: skip

HARD_TUNING = Table(
    "hard_tuning",
    "One setting, trained on some of the seen classes and measured on the others",
    (
        _DATA,
        text("method", "The method with its options"),
        number("margin", "distance", "Margin of the triplet loss"),
        count("embedding", "1", "Width of the embedding"),
        share("learning_rate", "Learning rate"),
        _SEEDS,
        share("recall_at_1", "On held-out classes, mean over seeds", "no seed has a value",
              better="higher"),
        share("difference", "Mean difference to the settings asked for", _NOBODY, better="higher"),
        *_bounds("1"),
        flag("proposed", "Whether it is the one with the highest recall"),
    ),
)  # fmt: skip

HARD_ARCHS = Table(
    "hard_archs",
    "One predictor trained once",
    (
        _RUN_ID,
        text("data", "archs: and the task"),
        text("method", "Triplets beside the ranking loss, or plain for none; two-stage is a "
             "reconstruction"),
        _SEED,
        count("tiers", "1", "Classes that labels are cut into", "none are"),
        number("margin", "distance", "Margin of the triplet loss", "there is none"),
        share("side_weight", "Weight of the triplet loss"),
        *RUNS.pick(
            "n_train", "n_test", "kendall_tau", "precision_at_1pct", "precision_at_5pct",
            "regret_at_10",
        ),
        count("degenerate_batches", "batches", "Lists without a triplet"),
        *RUNS.pick("diverged", "fit_seconds", "device"),
    ),
)  # fmt: skip


def spelled_setting(row: Mapping[str, Any]) -> str:
    """Write the method of a row, with what it was trained with beside it."""
    extra = ["augmented"] if row["augmentation"] else []
    extra += [f"decay {row['weight_decay']:g}"] if row["weight_decay"] else []
    return ", ".join([row["method"], *extra])
