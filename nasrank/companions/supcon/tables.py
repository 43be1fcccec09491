"""The tables of the study, and what every column means."""

from __future__ import annotations

from nasrank.runs.tables import RUNS
from nasrank.tables import Better, Column, Table

__all__ = ["ARCHITECTURES", "DIAGNOSIS", "SIMULATION", "THEORY", "TRAINING", "gram_table"]

_GONE = "diverged"
_NO, _NO_END = "not pre-trained", "not pre-trained, or diverged"

_RUN_ID = Column("run_id", "string", "", "Hash of the run's configuration and data")
_SEED = Column("seed", "int64", "", "Seed of the run")
_DEGENERATE = Column("degenerate_batches", "int64", "batches",
                     "Batches in which supervision said nothing", better="lower")  # fmt: skip
_THEORY = (
    Column("classes", "int64", "classes", "Classes m of a batch"),
    Column("instances", "int64", "instances", "Instances n of each class"),
    Column("views", "int64", "views", "Views p of each instance"),
    Column("temperature", "double", "1", "Temperature tau of the softmax"),
    Column("alpha", "double", "1", "Share of self-supervision; 0 is purely supervised"),
    Column("anchor", "string", "", "Whether an anchor is in its own softmax: included, excluded"),
)
_OUTCOME = (
    _DEGENERATE,
    Column("diverged", "bool", "", "Whether training ended in numbers that are not finite",
           better="lower"),
    Column("fit_seconds", "double", "s", "Time of training", better="lower"),
    Column("device", "string", "", "Where it was trained: cpu or cuda"),
)  # fmt: skip

THEORY = Table(
    "theory",
    "One setting and its optimal embeddings",
    (
        *_THEORY,
        Column("alpha_star", "double", "1", "Largest alpha at which the classes collapse"),
        Column("temperature_star", "double", "1", "Temperature from which on they do"),
        Column("collapsed", "bool", "", "Whether they do here"),
        Column("within_variance", "double", "1", "Optimal variance within classes, 0 to 1"),
        Column("between_variance", "double", "1", "Optimal variance between classes, 0 to 1"),
        Column("view_cosine", "double", "1", "Cosine of two views of one instance"),
        Column("within_cosine", "double", "1", "Cosine of two instances of one class"),
        Column("between_cosine", "double", "1", "Cosine of two classes' embeddings"),
        Column("loss", "double", "1", "Value of the loss there, which is the least there is"),
    ),
)  # fmt: skip


def gram_table(count: int) -> Table:
    """Return the table of so many embeddings and their cosines with each other."""
    return Table(
        "gram",
        "One of the optimal embeddings of one setting, and its cosine with each",
        (
            Column("class", "int64", "", "Its class, counted from 1"),
            Column("instance", "int64", "", "Its instance of the class, counted from 1"),
            Column("view", "int64", "", "Its view of the instance, counted from 1"),
            *(
                Column(str(number), "double", "1", f"Cosine with embedding {number}")
                for number in range(1, count + 1)
            ),
        ),
    )


SIMULATION = Table(
    "simulate",
    "One problem, minimised from random embeddings",
    (
        _RUN_ID,
        Column("data", "string", "", "free: one free vector an embedding; net: two-layer net"),
        Column("method", "string", "", "Convention of the loss: included, excluded anchor"),
        Column("seed", "int64", "", "Seed of the first embeddings"),
        *_THEORY[:-1],
        Column("dimension", "int64", "1", "Length of the embeddings"),
        Column("steps", "int64", "steps", "Steps of Adam"),
        Column("alpha_star", "double", "1", "Largest alpha at which the classes collapse"),
        Column("predicted_within", "double", "1", "Within-class variance of the optimum"),
        Column("within_variance", "double", "1", "That reached", _GONE),
        Column("total_variance", "double", "1", "Total variance reached; 1 is optimal", _GONE),
        Column("predicted_spread", "double", "1", "Variance of an instance's views, optimum"),
        Column("view_spread", "double", "1", "That reached", _GONE),
        Column("predicted_loss", "double", "1", "Least value of the loss"),
        Column("loss", "double", "1", "That reached", _GONE, better="lower"),
        Column("gradient_norm", "double", "1", "Length of the loss's gradient at the end", _GONE,
               better="lower"),
        Column("drift", "double", "1",
               "Largest change of the three variances over the last quarter of the steps",
               _GONE, better="lower"),
        Column("converged", "bool", "", "Whether drift and gradient are small", better="higher"),
        Column("counted", "bool", "", "Whether the claims are about this point"),
        *_OUTCOME,
    ),
)  # fmt: skip


def _share(name: str, about: str, better: Better | None = None) -> Column:
    return Column(name, "double", "1", about, _GONE, better=better)


TRAINING = Table(
    "train",
    "One encoder, trained with coarse labels and judged by finer ones",
    (
        _RUN_ID,
        Column("data", "string", "", "Data set"),
        Column("method", "string", "", "Encoder and convention of the loss"),
        _SEED,
        Column("encoder", "string", "", "Encoder by name"),
        *_THEORY,
        Column("features", "int64", "1", "Length of the encoder's features"),
        Column("initial_scale", "double", "1", "Factor of the encoder's first weights"),
        Column("augmentation", "double", "1", "Strength of the random views, 1 is usual"),
        Column("imbalance", "double", "1", "Largest class over smallest, in training"),
        Column("label_noise", "double", "1", "Share of coarse training labels that are wrong"),
        Column("train_size", "int64", "samples", "Training samples"),
        Column("steps", "int64", "steps", "Steps of training"),
        Column("alpha_star", "double", "1", "Largest alpha at which free embeddings collapse"),
        Column("predicted_within", "double", "1", "Within-class variance of free embeddings"),
        Column("loss_floor", "double", "1", "Least loss that free embeddings of a batch reach"),
        _share("final_loss", "Mean loss of the last tenth of the steps", better="lower"),
        _share("projector_within", "Within-class variance of projected training samples"),
        _share("projector_total", "Total variance of them, at most 1"),
        _share("projector_within_test", "Within-class variance of projected test samples"),
        _share("projector_view_spread", "Variance of an instance's views, projected"),
        _share("encoder_within", "Within-class variance of training features on the sphere"),
        _share("encoder_total", "Total variance of them, at most 1"),
        _share("smallest_class_within", "projector_within of the class with fewest samples"),
        _share("largest_class_within", "projector_within of the class with most samples"),
        _share("projector_rank", "Effective rank of projected training samples"),
        _share("encoder_rank", "Effective rank of training features"),
        _share("coarse_train_accuracy", "Coarse accuracy on training samples, nearest class mean",
               better="higher"),
        _share("coarse_test_accuracy", "Coarse accuracy on test samples, likewise",
               better="higher"),
        _share("fine_knn_accuracy", "Finer labels of test samples by 10 neighbours, encoder",
               better="higher"),
        _share("fine_probe_accuracy", "Finer labels of test samples by a linear probe, encoder",
               better="higher"),
        _share("fine_probe_projector", "The same on the projector's output", better="higher"),
        Column("fine_probe_rotated", "double", "1",
               "fine_probe_accuracy where test images are turned by 20 degrees",
               "diverged, or the samples are no images", better="higher"),
        _share("fine_probe_noisy", "fine_probe_accuracy under noise of half a deviation",
               better="higher"),
        *_OUTCOME,
    ),
)  # fmt: skip

DIAGNOSIS = Table(
    "diagnosis",
    "One class of the embeddings, or all of them",
    (
        Column("class", "string", "", "Name of the class; all for every embedding"),
        Column("embeddings", "int64", "embeddings", "How many there are"),
        Column("within_variance", "double", "1", "Mean squared distance to the class mean"),
        Column("between_variance", "double", "1", "Squared distance of that mean to the centre"),
        Column("within_share", "double", "1", "Within-class variance over total variance"),
        Column("mean_cosine", "double", "1", "Mean cosine of two embeddings of one class",
               "the class has one embedding"),
        Column("effective_rank", "double", "1", "Effective rank of the class about its mean"),
        Column("verdict", "string", "", "collapsed, near, healthy, or one embedding"),
    ),
)  # fmt: skip

_PRE = (
    Column("alpha", "double", "1", "Share of self-supervision", _NO),
    Column("temperature", "double", "1", "Temperature", _NO),
    Column("anchor", "string", "", "Convention of the loss", _NO),
    Column("tiers", "int64", "classes", "Tiers of accuracy", _NO),
    Column("instances", "int64", "instances", "Cells of a tier in a batch", _NO),
    Column("steps", "int64", "steps", "Steps of pre-training", _NO),
    Column("alpha_star", "double", "1", "Collapse threshold of a batch", _NO),
    Column("predicted_within", "double", "1", "Optimum of a batch", _NO),
    Column("projector_within", "double", "1",
           "Within-tier variance of projected training cells after pre-training", _NO_END),
    Column("projector_total", "double", "1", "Total variance of them, at most 1", _NO_END),
    Column("encoder_rank", "double", "1",
           "Effective rank of the graph embeddings of training cells after pre-training", _NO_END),
    Column("contrastive_loss", "double", "1", "Mean loss of the last tenth of pre-training",
           _NO_END, better="lower"),
    _DEGENERATE,
    Column("pretrain_seconds", "double", "s", "Time of pre-training, a part of fit_seconds",
           better="lower"),
)  # fmt: skip

ARCHITECTURES = Table(
    "archs",
    "One graph encoder, pre-trained with tiers of accuracy and trained on as a predictor",
    (
        _RUN_ID,
        Column("data", "string", "", "archs: and the task"),
        Column("method", "string", "", "gnn, or supcon with its alpha"),
        _SEED,
        *_PRE,
        *RUNS.pick(
            "loss", "n_train", "kendall_tau", "weighted_tau", "precision_at_1pct", "regret_at_10",
            "first_hit_0.1pct", "diverged", "fit_seconds", "device",
        ),
    ),
)  # fmt: skip
