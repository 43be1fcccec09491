"""The tables of the study: what every column means."""

from nasrank.tables import Column, Table, count, flag, number, share, text

__all__ = ["CONJUGATE", "FRONTIERS", "KEPT", "PR", "PR_THEORY", "REBUILT", "TARGETS", "WEIGHTS"]

_NO_LAMBDA = "the method has no lambda"
_FAILED = "the model diverged"
_ONLY_RING = "the density of the data is not known, or the model diverged"
_NO_CRITIC = "no critic was trained, or it is not finite"

PR = Table(
    "pr",
    "One trained model, or one thing it is compared with",
    (
        text("run_id", "Hash of the run's configuration and data"),
        text("data", "Data set or file"),
        text("model", "mlp, conv, flow; empty where nothing was trained"),
        text("method", "What was minimised, or what is compared with"),
        text("auxiliary", "Auxiliary divergence", "the method has none"),
        share("lambda", "Weight of precision", _NO_LAMBDA),
        count("seed", "", "Seed of the run"),
        count("steps", "steps",
              "Steps of the generator, without those of a model that it starts from"),
        count("batch", "samples", "Samples of a step"),
        count("width", "units", "Hidden units of the generator"),
        text("start", "Digest of the checkpoint it started from", "none"),
        text("measure", "How precision and recall were measured"),
        share("precision", "Share of draws that are good", _FAILED, better="higher"),
        share("recall", "Share of what is good that is drawn", _FAILED, better="higher"),
        share("classifier_alpha_10", "Precision on the frontier at lambda 10, by a classifier",
              _FAILED, better="higher"),
        share("classifier_beta_0.1", "Recall on the frontier at lambda 0.1, by a classifier",
              _FAILED, better="higher"),
        share("classifier_alpha_1", "1 - total variation, by a classifier", _FAILED,
              better="higher"),
        share("true_alpha_10", "Precision on the frontier at lambda 10, by a grid", _ONLY_RING,
              better="higher"),
        share("true_beta_0.1", "Recall on the frontier at lambda 0.1, by a grid", _ONLY_RING,
              better="higher"),
        share("true_alpha_1", "1 - total variation, by a grid", _ONLY_RING, better="higher"),
        share("objective", "Frontier at the model's own lambda as a share of what can be reached "
              "there, by a grid where there is one and else by a classifier",
              "the method has no lambda, or the frontier is not known", better="higher"),
        count("modes_found", "modes", "Modes of the ring of which at least a fifth is drawn, of 8",
              _ONLY_RING, better="higher"),
        share("rare_recall", "Mean share of the rare modes' mass that is drawn",
              "the data has no rare modes, or the model diverged", better="higher"),
        share("gradient_norm", "Mean norm of the generator's gradient in the second half",
              _NO_CRITIC),
        share("saturation", "Mean share of draws at which the critic is at an end of its range or "
              "beyond, in the second half; there pr learns nothing; 0 of hinge, which has no "
              "range", _NO_CRITIC),
        share("accuracy",
              "Mean share that the critic tells apart in the second half; 0.5 is chance",
              _NO_CRITIC),
        count("degenerate_batches", "steps",
              "Steps with a loss that is not finite or with all draws the same", better="lower"),
        flag("collapsed", "Whether all draws are the same in the end", better="lower"),
        flag("diverged", "Whether a weight is not finite", better="lower"),
        number("fit_seconds", "s", "Wall time of the fleet divided by its models, without that of "
               "models it starts from", better="lower"),
        text("device", "What it ran on"),
    ),
)  # fmt: skip

FRONTIERS = Table(
    "pr_frontiers",
    "One point of the frontier of precision and recall of one model",
    (
        text("run_id", "The run"),
        text("kind", "grid (the truth, on the ring) or classifier"),
        share("lambda", "Weight of precision"),
        share("alpha", "Precision", better="higher"),
        share("beta", "Recall", better="higher"),
    ),
)

TARGETS = Table(
    "pr_targets",
    "One step of the search for the lambda that meets a target",
    (
        text("data", "Data set or file"),
        text("target", "precision or recall"),
        share("wanted", "The value asked for"),
        count("step", "", "Counted from 1; the ends of the range come first"),
        share("lambda", "Weight of precision that was trained for"),
        share("precision", "Mean over seeds", "all models diverged", better="higher"),
        share("recall", "Mean over seeds", "all models diverged", better="higher"),
        count("generator_steps", "steps", "Steps trained so far, of all models"),
        number("fit_seconds", "s", "Training time so far, of all models", better="lower"),
        flag("chosen", "Whether this is the answer"),
        flag("reached", "Whether its value is within 0.02 of the target or beyond",
             better="higher"),
    ),
)  # fmt: skip

_LISTS = (
    Column("pr_frontiers.kind", "list<string>", "", "Kinds of the frontier's points"),
    Column("pr_frontiers.lambda", "list<double>", "1", "Their weights"),
    Column("pr_frontiers.alpha", "list<double>", "1", "Their precision"),
    Column("sample", "list<double>", "data", "Some draws in the data's units, one after another",
           "the row is from the final tables, which hold none"),
)  # fmt: skip

KEPT = Table("kept", "One run with all that was measured on it", (*PR.columns, *_LISTS))

PR_THEORY = Table(
    "pr_theory",
    "Precision and recall of a pair of distributions at one weight",
    (
        text("pair", "The two distributions"),
        share("lambda", "Weight of precision"),
        share("alpha", "Precision on the frontier", better="higher"),
        share("beta", "Recall on the frontier", better="higher"),
        share("divergence", "min(1, lambda) - alpha", better="lower"),
    ),
)

CONJUGATE = Table(
    "pr_conjugate",
    "The conjugate of the divergence's function at one weight and one value of a critic",
    (
        share("lambda", "Weight of precision"),
        share("critic", "Value t of a critic; beyond lambda the conjugate is infinite"),
        share("conjugate", "max(t, 0) / lambda + max(lambda - 1, 0)"),
    ),
)  # fmt: skip

REBUILT = Table(
    "pr_rebuilt",
    "One f-divergence of a pair, rebuilt from precision-recall divergences",
    (
        text("pair", "The two distributions"),
        text("divergence", "Which one"),
        text("generator", "Its function f of u = p / q, less its tangent at 1"),
        text("weights", "Weight of each lambda"),
        share("rebuilt", "The integral over lambda", better="lower"),
        share("direct", "By its own definition", "no closed form"),
        share("error", "Difference of the two", "no closed form, or infinite", better="lower"),
        share("recall_share", "Share of the integral from lambda below 1",
              "total variation, or the integral is 0 or infinite"),
    ),
)  # fmt: skip

WEIGHTS = Table(
    "pr_weights",
    "Weight one divergence gives to one lambda",
    (
        text("divergence", "Which one"),
        share("lambda", "Weight of precision"),
        share("weight", "Its weight in the integral", "all at lambda = 1"),
        text("formula", "The weight as a formula"),
    ),
)
