"""The result tables of studies that train predictors: what every column means."""

from dataclasses import replace

from nasrank.tables import Column, Table

__all__ = [
    "BUDGET",
    "COSTS",
    "CURVES",
    "DISCOVERY",
    "DISCOVERY_AT",
    "DIVERGED_SHARE",
    "FINISHED",
    "HEADLINE",
    "METRICS",
    "PREDICTIONS",
    "RUNS",
    "SAMPLING",
    "SUMMARY",
    "TOP_STABILITY",
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
"""A difference of correlations or shares that does not matter."""

COSTS = (
    "top_fraction", "confidence", "evaluations", "evaluations_lower", "evaluations_upper",
    "random_evaluations", "savings", "savings_lower", "savings_upper", "gpu_hours",
    "random_gpu_hours",
)  # fmt: skip
"""Columns of ``budget`` that ``headline`` repeats."""
_TOPS = (("0.1", "0.1pct"), ("0.5", "0.5pct"), ("1", "1pct"), ("5", "5pct"))

_IDENTITY = (
    Column("run_id", "string", "", "Hash of the run's configuration and data"),
    Column("task", "string", "", "space/dataset, with :metric where it is not the default"),
    Column("space_size", "int64", "architectures", "Architectures of the space, labelled or not"),
    Column("predictor", "string", "", "Name of the predictor"),
    Column("loss", "string", "", "Canonical spelling of the loss"),
    Column("n_train", "int64", "architectures", "Training architectures"),
    Column("n_test", "int64", "architectures", "Scored architectures"),
    Column("seed", "int64", "", "Seed of the run"),
    Column("split", "string", "", "class or random"),
    Column(
        "labels", "string", "", "mean or single: the labels of several training seeds trained on"
    ),
    Column("test", "string", "", "rest, or all where training architectures are scored too"),
    Column("sampling", "string", "", "How training architectures were drawn"),
)

RUNS = Table(
    "runs",
    "One predictor trained once",
    (
        *_IDENTITY,
        Column(
            "kendall_tau",
            "double",
            "1",
            "Kendall's tau-b on the test set",
            _DIVERGED,
            better="higher",
            margin=_MARGIN,
        ),
        Column(
            "weighted_tau",
            "double",
            "1",
            "Tau weighted by hyperbolic true rank",
            _DIVERGED,
            better="higher",
            margin=_MARGIN,
        ),
        Column(
            "spearman_rho",
            "double",
            "1",
            "Spearman's rank correlation",
            _DIVERGED,
            better="higher",
            margin=_MARGIN,
        ),
        *(
            Column(
                f"precision_at_{key}",
                "double",
                "1",
                f"Overlap of predicted and true top {top} % of the test set",
                better="higher",
                margin=_MARGIN,
            )
            for top, key in _TOPS[1:]
        ),
        *(
            Column(
                f"n_at_{k}",
                "int64",
                "rank",
                f"Best true rank among the {k} highest predicted, 1 is best",
                better="lower",
            )
            for k in (1, 10)
        ),
        *(
            Column(
                f"regret_at_{k}",
                "double",
                _UNIT,
                f"Best test label minus the best among the {k} highest predicted",
                better="lower",
            )
            for k in (1, 10)
        ),
        Column("best_possible", "double", _UNIT, "Best label of the test set"),
        *(
            Column(
                f"first_hit_{key}",
                "int64",
                "evaluations",
                f"Evaluations after training until one of the top {top} % of the universe is "
                "found; 0 if the training set holds one",
                _NO_TOP,
                better="lower",
            )
            for top, key in _TOPS
        ),
        Column(
            "replicate_tau",
            "double",
            "1",
            "Tau of one training seed with the mean of the others, over the labelled space",
            _NO_REPLICATES,
        ),
        Column(
            "ceiling_tau",
            "double",
            "1",
            "Estimate of the highest tau that the noise between training seeds allows",
            _NO_REPLICATES,
        ),
        Column(
            "train_gpu_seconds",
            "double",
            "s",
            "GPU time the benchmark reports for training the n_train architectures",
            "the space has no training times",
        ),
        Column(
            "mean_gpu_seconds",
            "double",
            "s",
            "The same for one labelled architecture of the task, on average",
            "the space has no training times",
        ),
        Column(
            "final_loss",
            "double",
            "1",
            "Mean loss over the lists of the last epoch",
            "not finite",
            better="lower",
        ),
        Column(
            "diverged", "bool", "", "Whether a parameter was not finite at the end", better="lower"
        ),
        Column(
            "fit_seconds",
            "double",
            "s",
            "Wall time of the fleet divided by its members",
            better="lower",
        ),
        Column(
            "predict_seconds",
            "double",
            "s",
            "Wall time of scoring the whole space with the fleet divided by its members",
            better="lower",
        ),
        Column("device", "string", "", "What it ran on"),
    ),
)

DISCOVERY = Table(
    "discovery",
    "One run after k evaluations beyond its training set, for one definition of the top",
    (
        Column("run_id", "string", "", "The run"),
        Column("top_fraction", "double", "1", "Share of the universe that counts as top"),
        Column("top_size", "int64", "architectures", "Members of the top, ties included"),
        Column("k", "int64", "evaluations", "Highest predicted architectures evaluated"),
        Column(
            "discovery_rate",
            "double",
            "1",
            "Share of the top found in train or by then",
            better="higher",
            margin=_MARGIN,
        ),
        Column(
            "test_discovery_rate",
            "double",
            "1",
            "Share of the top within test found by then",
            "the test set holds no member of the top",
            better="higher",
        ),
        Column(
            "hit", "bool", "", "Whether any member of the top is found by then", better="higher"
        ),
        Column(
            "best_rank",
            "int64",
            "rank",
            "Rank in the universe of the best found, 1 is best",
            better="lower",
        ),
        Column("best_label", "double", _UNIT, "Label of the best found by then"),
        Column(
            "regret",
            "double",
            _UNIT,
            "Best label of the universe minus that of the best found",
            better="lower",
        ),
    ),
)

DISCOVERY_AT = Column(
    "discovery_1pct_at_100",
    "double",
    "1",
    "Share of the top 1 % found in train or with 100 evaluations more",
    "the universe is too small for it",
    better="higher",
    margin=_MARGIN,
)

METRICS = (
    *(column for column in RUNS.columns if column.name.startswith(("kendall", "weighted",
      "spearman", "precision_at_"))),
    DISCOVERY_AT,
    *(column for column in RUNS.columns if column.name.startswith(("n_at_", "regret_at_",
      "first_hit_"))),
)  # fmt: skip
"""Metrics with one value a run, which losses are compared by."""

TOP_STABILITY = Column(
    "top_stability",
    "double",
    "1",
    "Mean overlap (Jaccard) of the predicted top 1 % between two seeds",
    "fewer than two seeds",
    better="higher",
)
DIVERGED_SHARE = Column(
    "diverged_share", "double", "1", "Share of seeds whose predictor diverged", better="lower"
)

BUDGET = Table(
    "budget",
    "Evaluations one loss needs to reach the top with a given confidence",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        DISCOVERY.column("top_fraction"),
        Column("confidence", "double", "1", "Probability of having found a member of the top"),
        Column("n_seeds", "int64", "runs", "Seeds counted"),
        Column(
            "evaluations",
            "int64",
            "evaluations",
            "Training set and candidates in order until the first hit",
            _FEW_SEEDS,
            better="lower",
        ),
        Column("evaluations_lower", "int64", "evaluations", _EXACT, _OPEN),
        Column("evaluations_upper", "int64", "evaluations", _EXACT, _OPEN),
        Column(
            "random_evaluations",
            "int64",
            "evaluations",
            "Least number of random draws with the same confidence",
        ),
        Column(
            "savings",
            "double",
            "1",
            "Share of random search's evaluations not needed",
            _FEW_SEEDS,
            better="higher",
        ),
        Column("savings_lower", "double", "1", _EXACT, _OPEN),
        Column("savings_upper", "double", "1", _EXACT, _OPEN),
        Column(
            "gpu_hours",
            "double",
            "h",
            "Evaluations times the mean training time of the task's architectures",
            "too few seeds, or the space has no training times",
            better="lower",
        ),
        Column(
            "random_gpu_hours",
            "double",
            "h",
            "The same for random search",
            "the space has no training times",
        ),
    ),
)

SUMMARY = Table(
    "summary",
    "One metric of one loss over seeds, compared with the best loss on the same seeds",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        Column(
            "metric",
            "string",
            "",
            "A column of runs, discovery_1pct_at_100, top_stability or diverged_share",
        ),
        Column("n_seeds", "int64", "runs", "Seeds that had a value"),
        Column(
            "mean",
            "double",
            _UNIT,
            "Mean over seeds",
            "no seed had a value, or what top_stability needs is not kept",
        ),
        Column("sd", "double", _UNIT, "Standard deviation over seeds", "fewer than two values"),
        Column(
            "lower",
            "double",
            _UNIT,
            "95 % Student interval of the mean",
            "fewer than two values",
        ),
        Column(
            "upper",
            "double",
            _UNIT,
            "95 % Student interval of the mean",
            "fewer than two values",
        ),
        Column("rank", "int64", "rank", "Rank among predictors and losses, 1 is best", "no value"),
        Column("best", "bool", "", "Whether the rank is 1"),
        Column(
            "difference", "double", _UNIT, "Mean minus that of the best, same seeds", _NOT_AGAINST
        ),
        Column(
            "difference_lower", "double", _UNIT, "95 % Student interval", "fewer than two pairs"
        ),
        Column(
            "difference_upper", "double", _UNIT, "95 % Student interval", "fewer than two pairs"
        ),
        Column("margin", "double", _UNIT, "Difference that does not matter"),
        Column(
            "verdict",
            "string",
            "",
            "worse or better where the whole interval is beyond the margin, equivalent where it "
            "is all within, or undecided",
            _NOT_AGAINST,
        ),
        Column(
            "p_holm",
            "double",
            "1",
            "Paired test against the best predictor and loss, Holm-corrected over all",
            _NOT_AGAINST,
        ),
    ),
)


def _averaged(column: Column) -> Column:
    return replace(column, about=f"Mean over seeds: {column.about}", null="no seed had a value")


def _compared(key: str, what: str) -> tuple[Column, ...]:
    """Columns of ``summary`` for one metric, in ``headline``."""
    names = {"rank", "p_holm"} if key == "first_hit" else {"lower", "upper", "rank", "p_holm"}
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
        Column("n_seeds", "int64", "runs", "Seeds that had a Kendall tau"),
        *(_averaged(column) for column in METRICS if column.name == "kendall_tau"),
        *_compared("kendall_tau", "Kendall tau"),
        _averaged(DISCOVERY_AT),
        *_compared("discovery", "Share of the top 1 %"),
        *_compared("first_hit", "Evaluations to the top 0.1 %"),
        *(
            replace(column, null=f"{_NO_TOP}, or {column.null or 'too few seeds'}")
            for column in BUDGET.pick(*COSTS)
        ),
        TOP_STABILITY,
        DIVERGED_SHARE,
    ),
)

SAMPLING = Table(
    "sampling",
    "One metric of one loss under one way to sample, against the first way on the same seeds",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train"),
        Column("metric", "string", "", "A column of runs, or discovery_1pct_at_100"),
        RUNS.column("sampling"),
        Column("against", "string", "", "What it is compared with"),
        Column("n_seeds", "int64", "runs", "Seeds that had both values"),
        Column("difference", "double", _UNIT, "Mean of this minus mean of the other", "no seeds"),
        Column(
            "lower",
            "double",
            _UNIT,
            "95 % Student interval of the difference",
            "fewer than two seeds",
        ),
        Column(
            "upper",
            "double",
            _UNIT,
            "95 % Student interval of the difference",
            "fewer than two seeds",
        ),
        Column("p_value", "double", "1", "Paired sign-flip test over seeds", "no seeds"),
    ),
)

PREDICTIONS = Table(
    "predictions",
    "One scored or trained architecture of one run",
    (
        Column("run_id", "string", "", "The run"),
        Column("item", "int64", "", "Position in the space's own order"),
        Column("architecture", "string", "", "The architecture"),
        Column("score", "double", "1", "Predicted score", "diverged", better="higher"),
        Column("label", "double", _UNIT, "What it is worth, in the metric's own direction"),
        Column("in_train", "bool", "", "Whether the predictor was trained on it"),
    ),
)

CURVES = Table(
    "curves",
    "One epoch of one run",
    (
        Column("run_id", "string", "", "The run"),
        Column("epoch", "int64", "epochs", "Epochs finished"),
        Column(
            "loss",
            "double",
            "1",
            "Mean loss over the lists of the epoch",
            "not finite",
            better="lower",
        ),
        Column(
            "kendall_tau",
            "double",
            "1",
            "Tau on at most 1,000 test architectures, the same in every epoch",
            _DIVERGED,
            better="higher",
        ),
    ),
)


def _nested(table: Table, null: str | None) -> tuple[Column, ...]:
    return tuple(
        Column(f"{table.name}.{c.name}", f"list<{c.type}>", c.unit, c.about, null, better=c.better)
        for c in table.columns
        if c.name != "run_id"
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
    ),
)
