"""The result tables of studies that train predictors: what every column means."""

from dataclasses import replace

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

__all__ = [
    "BUDGET",
    "COSTS",
    "CURVES",
    "DISCOVERY",
    "DISCOVERY_AT",
    "DIVERGED_SHARE",
    "EVALUATIONS",
    "FINISHED",
    "HEADLINE",
    "METRICS",
    "OVERALL",
    "OWN_METRICS",
    "PREDICTIONS",
    "RUNS",
    "SAMPLING",
    "SUMMARY",
    "TOP_STABILITY",
    "nested_in",
]

_UNIT = "metric"
"""Stands for the unit of the task's metric: percent for accuracies."""

_DIVERGED = "undefined: the predictor diverged or gave all items one score"
_NO_TOP = "the fraction of the universe is below one architecture"
_NO_REPLICATES = "the task has one training seed"
_FEW_SEEDS = "too few seeds for this confidence"
_EXACT = "Exact binomial 95 % interval of this quantile over seeds"
_OPEN = "open: too few seeds for a bound at this confidence"
_NOT_AGAINST = "the best itself, or no shared seeds"

_MARGIN = 0.01
"""A difference of correlations and precisions that does not matter."""
_SHARE_MARGIN = 0.05
"""A difference of shares found that does not matter; a top often has some tens of members."""
_RATIO_MARGIN = 0.1
"""A ratio of evaluations of 1.1, either way, does not matter."""

COSTS = (
    "top_fraction", "confidence", "evaluations", "evaluations_lower", "evaluations_upper",
    "random_evaluations", "savings", "savings_lower", "savings_upper", "gpu_hours",
    "random_gpu_hours",
)  # fmt: skip
"""Columns of ``budget`` that ``headline`` repeats."""
_TOPS = (("0.1", "0.1pct"), ("0.5", "0.5pct"), ("1", "1pct"), ("5", "5pct"))

_IDENTITY = (
    text("run_id", "Hash of the run's configuration and data"),
    text("task", "space/dataset, with :metric where it is not the default"),
    count("space_size", "architectures", "Architectures of the space, labelled or not"),
    text("predictor", "Name of the predictor"),
    spelling("loss", "Canonical spelling of the loss"),
    count("n_train", "architectures", "Training architectures"),
    count("n_test", "architectures", "Scored architectures"),
    count("seed", "", "Seed of the run"),
    text("split", "class or random"),
    text("labels", "mean or single: the labels of several training seeds trained on"),
    text("test", "rest, or all where training architectures are scored too"),
    text("sampling", "How training architectures were drawn"),
)

RUNS = Table(
    "runs",
    "One predictor trained once",
    (
        *_IDENTITY,
        share("kendall_tau", "Kendall's tau-b on the test set", _DIVERGED, better="higher",
              margin=_MARGIN),
        share("weighted_tau", "Tau weighted by hyperbolic true rank", _DIVERGED, better="higher",
              margin=_MARGIN),
        share("spearman_rho", "Spearman's rank correlation", _DIVERGED, better="higher",
              margin=_MARGIN),
        *(
            share(f"precision_at_{key}",
                  f"Overlap of predicted and true top {top} % of the test set", better="higher",
                  margin=_MARGIN)
            for top, key in _TOPS[1:]
        ),
        *(
            count(f"n_at_{k}", "rank",
                  f"Best true rank among the {k} highest predicted, 1 is best", better="lower")
            for k in (1, 10)
        ),
        *(
            number(f"regret_at_{k}", _UNIT,
                   f"Best test label minus the best among the {k} highest predicted",
                   better="lower")
            for k in (1, 10)
        ),
        number("best_possible", _UNIT, "Best label of the test set"),
        *(
            count(f"first_hit_{key}", "evaluations", f"Evaluations after training until one of "
                  f"the top {top} % of the universe is found; 0 if the training set holds one",
                  _NO_TOP, better="lower")
            for top, key in _TOPS
        ),
        share("replicate_tau",
              "Tau of one training seed with the mean of the others, over the labelled space",
              _NO_REPLICATES),
        share("ceiling_tau",
              "Bound on the tau to be expected of any predictor, given the noise between seeds",
              _NO_REPLICATES),
        number("train_gpu_seconds", "s",
               "GPU time the benchmark reports for training the n_train architectures",
               "the space has no training times"),
        number("mean_gpu_seconds", "s",
               "The same for one labelled architecture of the task, on average",
               "the space has no training times"),
        share("final_loss", "Mean loss over the lists of the last epoch", "not finite",
              better="lower"),
        flag("diverged", "Whether a parameter was not finite at the end", better="lower"),
        number("fit_seconds", "s", "Wall time of the fleet divided by its members",
               better="lower"),
        number("predict_seconds", "s",
               "Wall time of scoring the whole space with the fleet divided by its members",
               better="lower"),
        text("device", "What it ran on"),
    ),
)  # fmt: skip

DISCOVERY = Table(
    "discovery",
    "One run after k evaluations beyond its training set, for one definition of the top",
    (
        text("run_id", "The run"),
        share("top_fraction", "Share of the universe that counts as top"),
        count("top_size", "architectures", "Members of the top, ties included"),
        count("k", "evaluations", "Highest predicted architectures evaluated"),
        share("discovery_rate", "Share of the top found in train or by then", better="higher",
              margin=_SHARE_MARGIN),
        share("test_discovery_rate", "Share of the top within test found by then",
              "the test set holds no member of the top", better="higher"),
        flag("hit", "Whether any member of the top is found by then", better="higher"),
        count("best_rank", "rank", "Rank in the universe of the best found, 1 is best",
              better="lower"),
        number("best_label", _UNIT, "Label of the best found by then"),
        number("regret", _UNIT, "Best label of the universe minus that of the best found",
               better="lower"),
    ),
)  # fmt: skip

DISCOVERY_AT = share(
    "discovery_1pct_at_100",
    "Share of the top 1 % found in train or with 100 evaluations more",
    "the universe is too small for it",
    better="higher",
    margin=_SHARE_MARGIN,
)

METRICS = (
    *(column for column in RUNS.columns if column.name.startswith(("kendall", "weighted",
      "spearman", "precision_at_"))),
    DISCOVERY_AT,
    *(column for column in RUNS.columns if column.name.startswith(("n_at_", "regret_at_",
      "first_hit_"))),
)  # fmt: skip
"""Metrics with one value a run, which losses are compared by."""

EVALUATIONS = {
    f"first_hit_{key}": number(
        f"evaluations_{key}",
        "evaluations",
        f"Evaluations, the training set included, until one of the top {top} % is found",
        _NO_TOP,
        better="lower",
        margin=_RATIO_MARGIN,
    )
    for top, key in _TOPS
}
"""Evaluations to each top by the column of ``runs`` that they follow from. They are compared by
ratio, as twice as many cost twice as much wherever one starts, and by medians, as a few seeds that
never get there would decide a mean. The margin is one of the ratio."""

TOP_STABILITY = share("top_stability",
                      "Mean overlap (Jaccard) of the predicted top 1 % between two seeds",
                      "fewer than two seeds", better="higher")  # fmt: skip
DIVERGED_SHARE = share("diverged_share", "Share of seeds whose predictor diverged",
                       better="lower")  # fmt: skip

BUDGET = Table(
    "budget",
    "Evaluations one loss needs to reach the top with a given confidence",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        DISCOVERY.column("top_fraction"),
        share("confidence", "Probability of having found a member of the top"),
        count("n_seeds", "runs", "Seeds counted"),
        count("evaluations", "evaluations",
              "Training set and candidates in order until the first hit", _FEW_SEEDS,
              better="lower"),
        count("evaluations_lower", "evaluations", _EXACT, _OPEN),
        count("evaluations_upper", "evaluations", _EXACT, _OPEN),
        count("random_evaluations", "evaluations",
              "Least number of random draws with the same confidence"),
        share("savings", "Share of random search's evaluations not needed", _FEW_SEEDS,
              better="higher"),
        *bounds("1", _EXACT, _OPEN, of="savings"),
        number("gpu_hours", "h",
               "Evaluations times the mean training time of the task's architectures",
               "too few seeds, or the space has no training times", better="lower"),
        number("random_gpu_hours", "h", "The same for random search",
               "the space has no training times"),
    ),
)  # fmt: skip

SUMMARY = Table(
    "summary",
    "One metric of one loss over seeds, compared with the best loss on the same seeds",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        text("metric", "A column of runs, discovery_1pct_at_100, evaluations_TOP, top_stability, "
             "diverged_share, or one of own_metrics"),
        count("n_seeds", "runs", "Seeds that had a value"),
        number("mean", _UNIT, "Mean over seeds; of evaluations_TOP the median",
               "no seed had a value, or what top_stability needs is not kept"),
        number("sd", _UNIT, "Standard deviation over seeds; of evaluations_TOP that of their "
               "natural logarithm", "fewer than two values"),
        *bounds(_UNIT, "95 % interval, Student's of a mean, the exact one of a median",
                "fewer than two values, of a median fewer than six"),
        count("rank", "rank", "Rank among predictors and losses, 1 is best", "no value"),
        flag("best", "Whether the rank is 1"),
        number("difference", _UNIT, "Mean minus that of the best, same seeds; of evaluations_TOP "
               "the median of their ratios to the best's, minus 1", _NOT_AGAINST),
        *bounds(_UNIT, "95 % interval, Student's of a mean, the exact one of a median",
                "fewer than two pairs, of a median fewer than six", of="difference"),
        number("margin", _UNIT, "Difference that does not matter, either way; for "
               "evaluations_TOP a ratio that does not"),
        text("verdict", "worse or better where the whole interval is beyond the margin, "
             "equivalent where it is all within, or undecided", _NOT_AGAINST),
        share("p_holm", "Paired test against the best predictor and loss, Holm-corrected over all",
              _NOT_AGAINST),
    ),
)  # fmt: skip


def _averaged(column: Column) -> Column:
    return replace(column, about=f"Mean over seeds: {column.about}", null="no seed had a value")


def _compared(key: str, what: str) -> tuple[Column, ...]:
    """Columns of ``summary`` for one metric, in ``headline``."""
    names = {"difference", "difference_lower", "difference_upper", "rank", "verdict", "p_holm"}
    if key != "cost":
        names |= {"lower", "upper"}
    return tuple(
        replace(column, name=f"{key}_{column.name}", unit=unit, about=f"{what}: {column.about}")
        for column in SUMMARY.columns
        if column.name in names
        for unit in ("1" if column.unit == _UNIT else column.unit,)
    )


HEADLINE = Table(
    "headline",
    "What to read first: one loss with one training size, its order, discovery and savings",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        count("n_seeds", "runs", "Seeds that had a Kendall tau"),
        *(_averaged(column) for column in METRICS if column.name == "kendall_tau"),
        *_compared("kendall_tau", "Kendall tau"),
        _averaged(DISCOVERY_AT),
        *_compared("discovery", "Share of the top 1 %"),
        *_compared("cost", "Evaluations to the top 0.1 %"),
        *(
            replace(column, null=f"{_NO_TOP}, or {column.null or 'too few seeds'}")
            for column in BUDGET.pick(*COSTS)
        ),
        TOP_STABILITY,
        DIVERGED_SHARE,
    ),
)

_ONE_SPACE = "fewer than two spaces, or the reference itself"

OVERALL = Table(
    "overall",
    "One metric of one loss over all tasks, against the best on average; spaces are the units",
    (
        *RUNS.pick("predictor", "loss", "n_train", "sampling"),
        text("metric", "A correlation or share of runs, discovery_1pct_at_100 or evaluations_TOP"),
        count("n_tasks", "tasks", "Tasks that every loss has a value on"),
        count("n_spaces", "spaces", "Spaces these tasks are of"),
        number("mean", _UNIT, "Mean over spaces of the mean over their tasks; of evaluations_TOP "
               "the geometric one of medians over seeds"),
        count("rank", "rank", "Rank among predictors and losses by it, 1 is best"),
        number("difference", _UNIT, "Mean minus that of the one of rank 1; of evaluations_TOP "
               "their ratio minus 1", "the reference itself"),
        *bounds(_UNIT, "95 % Student interval over spaces", _ONE_SPACE, of="difference"),
        number("margin", _UNIT, "Difference that does not matter, either way; for "
               "evaluations_TOP a ratio that does not"),
        text("verdict", "worse or better where the whole interval is beyond the margin, "
             "equivalent where it is all within, or undecided", "the reference itself"),
        share("p_holm", "Sign-flip test over spaces against the reference, Holm-corrected; with S "
              "spaces a p-value is at least 2 / 2^S before", "the reference itself"),
    ),
)  # fmt: skip

SAMPLING = Table(
    "sampling",
    "One metric of one loss under one way to sample, against the first way on the same seeds",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train"),
        text("metric", "A column of runs, or discovery_1pct_at_100"),
        RUNS.column("sampling"),
        text("against", "What it is compared with"),
        count("n_seeds", "runs", "Seeds that had both values"),
        number("difference", _UNIT, "Mean of this minus mean of the other", "no seeds"),
        *bounds(_UNIT, "95 % Student interval of the difference", "fewer than two seeds"),
        share("p_value", "Paired sign-flip test over seeds", "no seeds"),
    ),
)

PREDICTIONS = Table(
    "predictions",
    "One scored or trained architecture of one run",
    (
        text("run_id", "The run"),
        count("item", "", "Position in the space's own order"),
        text("architecture", "The architecture"),
        share("score", "Predicted score", "diverged", better="higher"),
        number("label", _UNIT, "What it is worth, in the metric's own direction"),
        flag("in_train", "Whether the predictor was trained on it"),
    ),
)

CURVES = Table(
    "curves",
    "One epoch of one run",
    (
        text("run_id", "The run"),
        count("epoch", "epochs", "Epochs finished"),
        share("loss", "Mean loss over the lists of the epoch", "not finite", better="lower"),
        share("kendall_tau", "Tau on at most 1,000 test architectures, the same in every epoch",
              _DIVERGED, better="higher"),
    ),
)  # fmt: skip


OWN_METRICS = Table(
    "own_metrics",
    "One metric of the user's own, of one run",
    (
        text("run_id", "The run"),
        spelling("metric", "Canonical spelling of the metric"),
        text("better", "higher or lower: which values are better"),
        text("digest", "Digest of the metric's source"),
        number("value", "1", "Its value on the test set", "a score was not finite"),
    ),
)


def nested_in(table: Table) -> list[str]:
    """Return the columns of a kept run that hold its rows of a table, a list each."""
    return [f"{table.name}.{column.name}" for column in table.columns if column.name != "run_id"]


def _nested(table: Table, null: str | None) -> tuple[Column, ...]:
    return tuple(
        Column(name, f"list<{c.type}>", c.unit, c.about, null, better=c.better)
        for name, c in zip(nested_in(table), table.columns[1:], strict=True)
    )


FINISHED = Table(
    "finished",
    "One run with all that was measured on it",
    (
        *RUNS.columns,
        Column(
            "predicted_top",
            "list<int64>",
            "",
            "The predicted top 1 % of the test set",
            "the run is known from final tables, which lack it",
        ),
        *_nested(DISCOVERY, None),
        *_nested(PREDICTIONS, "not asked for"),
        *_nested(CURVES, "not asked for"),
        *_nested(OWN_METRICS, "not asked for"),
    ),
)
