"""The tables of the study: what every column means."""

from nasrank.tables import Column, Table

__all__ = ["CONJUGATE", "FRONTIERS", "KEPT", "PR", "PR_THEORY", "REBUILT", "TARGETS", "WEIGHTS"]

_NO_LAMBDA = "the method has no lambda"
_NOT_TRAINED = "nothing was trained"
_FAILED = "the model diverged"
_ONLY_RING = "the density of the data is not known, or the model diverged"
_ONLY_DRAWN = "the data is not architectures, none were drawn, or the model diverged"
_ONLY_ARCHS = "the data is not architectures, or the model diverged"
_NO_FRONTIER = "the data is architectures, or the model diverged"
_NO_CRITIC = "no critic was trained, or it is not finite"

PR = Table(
    "pr",
    "One trained model, or one thing it is compared with",
    (
        Column("run_id", "string", "", "Hash of the run's configuration and data"),
        Column("data", "string", "", "Data set, file or archs:TASK"),
        Column("model", "string", "", "mlp, conv, flow; empty where nothing was trained"),
        Column("method", "string", "", "What was minimised, or what is compared with"),
        Column("auxiliary", "string", "", "Auxiliary divergence", "the method has none"),
        Column("lambda", "double", "1", "Weight of precision", _NO_LAMBDA),
        Column("n_labels", "int64", "architectures", "Labelled; 0 for the oracle", _ONLY_ARCHS),
        Column("seed", "int64", "", "Seed of the run"),
        Column("steps", "int64", "steps",
               "Steps of the generator, without those of a model that it starts from"),
        Column("batch", "int64", "samples", "Samples of a step"),
        Column("width", "int64", "units", "Hidden units of the generator"),
        Column("start", "string", "", "Digest of the checkpoint it started from", "none"),
        Column("measure", "string", "", "How precision and recall were measured"),
        Column("precision", "double", "1", "Share of draws that are good",
               _FAILED, better="higher"),
        Column("recall", "double", "1", "Share of what is good that is drawn",
               _FAILED, better="higher"),
        Column("classifier_alpha_10", "double", "1",
               "Precision on the frontier at lambda 10, by a classifier",
               _NO_FRONTIER, better="higher"),
        Column("classifier_beta_0.1", "double", "1",
               "Recall on the frontier at lambda 0.1, by a classifier",
               _NO_FRONTIER, better="higher"),
        Column("classifier_alpha_1", "double", "1",
               "1 - total variation, by a classifier", _NO_FRONTIER, better="higher"),
        Column("true_alpha_10", "double", "1",
               "Precision on the frontier at lambda 10, by a grid", _ONLY_RING, better="higher"),
        Column("true_beta_0.1", "double", "1",
               "Recall on the frontier at lambda 0.1, by a grid", _ONLY_RING, better="higher"),
        Column("true_alpha_1", "double", "1",
               "1 - total variation, by a grid", _ONLY_RING, better="higher"),
        Column("objective", "double", "1",
               "Frontier at the model's own lambda as a share of what can be reached there, by a "
               "grid where there is one and else by a classifier",
               "the method has no lambda, or the frontier is not known", better="higher"),
        Column("modes_found", "int64", "modes",
               "Modes of the ring of which at least a fifth is drawn, of 8", _ONLY_RING,
               better="higher"),
        Column("rare_recall", "double", "1",
               "Mean share of the rare modes' mass that is drawn",
               "the data has no rare modes, or the model diverged", better="higher"),
        Column("draws", "int64", "architectures", "Architectures drawn", _ONLY_DRAWN),
        Column("distinct_new", "int64", "classes",
               "Distinct classes among them without a label; the list's length of a predictor",
               _ONLY_ARCHS),
        Column("predictor_precision", "double", "1",
               "Precision of as many of the predictor's highest new classes, on equal labels",
               "the data is not architectures, there are no labels, or the model diverged",
               better="higher"),
        Column("predictor_recall", "double", "1",
               "Recall of as many of the predictor's highest new classes, on equal labels",
               "the data is not architectures, there are no labels, or the model diverged",
               better="higher"),
        Column("gradient_norm", "double", "1",
               "Mean norm of the generator's gradient in the second half", _NO_CRITIC),
        Column("saturation", "double", "1",
               "Mean share of draws at which the critic is at an end of its range or beyond, in "
               "the second half; there pr learns nothing; 0 of hinge, which has no range",
               _NO_CRITIC),
        Column("accuracy", "double", "1",
               "Mean share that the critic tells apart in the second half; 0.5 is chance",
               _NO_CRITIC),
        Column("degenerate_batches", "int64", "steps",
               "Steps with a loss that is not finite or with all draws the same", better="lower"),
        Column("collapsed", "bool", "", "Whether all draws are the same in the end",
               better="lower"),
        Column("diverged", "bool", "", "Whether a weight is not finite", better="lower"),
        Column("fit_seconds", "double", "s",
               "Wall time of the fleet divided by its models, without that of models it starts "
               "from; of a predictor training and scoring", better="lower"),
        Column("device", "string", "", "What it ran on"),
    ),
)  # fmt: skip

FRONTIERS = Table(
    "pr_frontiers",
    "One point of the frontier of precision and recall of one model",
    (
        Column("run_id", "string", "", "The run"),
        Column("kind", "string", "", "grid (the truth, on the ring) or classifier"),
        Column("lambda", "double", "1", "Weight of precision"),
        Column("alpha", "double", "1", "Precision", better="higher"),
        Column("beta", "double", "1", "Recall", better="higher"),
    ),
)

TARGETS = Table(
    "pr_targets",
    "One step of the search for the lambda that meets a target",
    (
        Column("data", "string", "", "Data set, file or archs:TASK"),
        Column("target", "string", "", "precision or recall"),
        Column("wanted", "double", "1", "The value asked for"),
        Column("step", "int64", "", "Counted from 1; the ends of the range come first"),
        Column("lambda", "double", "1", "Weight of precision that was trained for"),
        Column(
            "precision", "double", "1", "Mean over seeds", "all models diverged", better="higher"
        ),
        Column("recall", "double", "1", "Mean over seeds", "all models diverged", better="higher"),
        Column("generator_steps", "int64", "steps", "Steps trained so far, of all models"),
        Column(
            "fit_seconds", "double", "s", "Training time so far, of all models", better="lower"
        ),
        Column("chosen", "bool", "", "Whether this is the answer"),
        Column(
            "reached",
            "bool",
            "",
            "Whether its value is within 0.02 of the target or beyond",
            better="higher",
        ),
    ),
)

_LISTS = (
    Column("pr_frontiers.kind", "list<string>", "", "Kinds of the frontier's points"),
    Column("pr_frontiers.lambda", "list<double>", "1", "Their weights"),
    Column("pr_frontiers.alpha", "list<double>", "1", "Their precision"),
    Column("sample", "list<double>", "data", "Some draws in the data's units, one after another",
           "the row is from the final tables, which hold none"),
    Column("finished", "string", "", "Row of a finished predictor, as JSON",
           f"{_ONLY_ARCHS}, or the row is from the final tables"),
)  # fmt: skip

KEPT = Table("kept", "One run with all that was measured on it", (*PR.columns, *_LISTS))

PR_THEORY = Table(
    "pr_theory",
    "Precision and recall of a pair of distributions at one weight",
    (
        Column("pair", "string", "", "The two distributions"),
        Column("lambda", "double", "1", "Weight of precision"),
        Column("alpha", "double", "1", "Precision on the frontier", better="higher"),
        Column("beta", "double", "1", "Recall on the frontier", better="higher"),
        Column("divergence", "double", "1", "min(1, lambda) - alpha", better="lower"),
    ),
)

CONJUGATE = Table(
    "pr_conjugate",
    "The conjugate of the divergence's function at one weight and one value of a critic",
    (
        Column("lambda", "double", "1", "Weight of precision"),
        Column("critic", "double", "1",
               "Value t of a critic; beyond lambda the conjugate is infinite"),
        Column("conjugate", "double", "1", "max(t, 0) / lambda + max(lambda - 1, 0)"),
    ),
)  # fmt: skip

REBUILT = Table(
    "pr_rebuilt",
    "One f-divergence of a pair, rebuilt from precision-recall divergences",
    (
        Column("pair", "string", "", "The two distributions"),
        Column("divergence", "string", "", "Which one"),
        Column("generator", "string", "", "Its function f of u = p / q, less its tangent at 1"),
        Column("weights", "string", "", "Weight of each lambda"),
        Column("rebuilt", "double", "1", "The integral over lambda", better="lower"),
        Column("direct", "double", "1", "By its own definition", "no closed form"),
        Column("error", "double", "1", "Difference of the two", "no closed form, or infinite",
               better="lower"),
        Column("recall_share", "double", "1", "Share of the integral from lambda below 1",
               "total variation, or the integral is 0 or infinite"),
    ),
)  # fmt: skip

WEIGHTS = Table(
    "pr_weights",
    "Weight one divergence gives to one lambda",
    (
        Column("divergence", "string", "", "Which one"),
        Column("lambda", "double", "1", "Weight of precision"),
        Column("weight", "double", "1", "Its weight in the integral", "all at lambda = 1"),
        Column("formula", "string", "", "The weight as a formula"),
    ),
)
