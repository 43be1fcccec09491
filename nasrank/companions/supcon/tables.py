"""The tables of the study, and what every column means."""

from __future__ import annotations

from nasrank.tables import Better, Column, Table, count, flag, number, share, text

__all__ = [
    "DIAGNOSIS",
    "NOISE",
    "SAME",
    "SIMULATION",
    "THEORY",
    "TRAINING",
    "gram_table",
]

_GONE = "diverged"

_RUN_ID = text("run_id", "Hash of the run's configuration and data")
_THEORY = (
    count("classes", "classes", "Classes m of a batch"),
    count("instances", "instances", "Instances n of each class"),
    count("views", "views", "Views p of each instance"),
    share("temperature", "Temperature tau of the softmax"),
    share("alpha", "Share of self-supervision; 0 is purely supervised"),
    text("anchor", "Whether an anchor is in its own softmax: included, excluded"),
)
_OUTCOME = (
    count("degenerate_batches", "batches", "Batches in which supervision said nothing",
          better="lower"),
    flag("diverged", "Whether training ended in numbers that are not finite", better="lower"),
    number("fit_seconds", "s", "Time of training", better="lower"),
    text("device", "Where it was trained: cpu or cuda"),
)  # fmt: skip

THEORY = Table(
    "theory",
    "One setting and its optimal embeddings",
    (
        *_THEORY,
        share("alpha_star", "Largest alpha at which the classes collapse"),
        share("temperature_star", "Temperature from which on they do"),
        flag("collapsed", "Whether they do here"),
        share("within_variance", "Optimal variance within classes, 0 to 1"),
        share("between_variance", "Optimal variance between classes, 0 to 1"),
        share("view_cosine", "Cosine of two views of one instance"),
        share("within_cosine", "Cosine of two instances of one class"),
        share("between_cosine", "Cosine of two classes' embeddings"),
        share("loss", "Value of the loss there, which is the least there is"),
    ),
)  # fmt: skip


NOISE = Table(
    "noise",
    "What pure supervision does to classes some of whose labels are wrong",
    (
        count("classes", "classes", "Classes m, equally large"),
        share("temperature", "Temperature tau of the softmax"),
        share("label_noise", "Share of labels replaced by another class"),
        share("wrong_pairs", "Share of pairs of one label that are of different classes"),
        share("between_cosine", "Optimal cosine of two classes' embeddings"),
        share("total_variance", "Optimal variance of all embeddings, 0 to 1"),
    ),
)  # fmt: skip


def gram_table(size: int) -> Table:
    """Return the table of so many embeddings and their cosines with each other."""
    return Table(
        "gram",
        "One of the optimal embeddings of one setting, and its cosine with each",
        (
            count("class", "", "Its class, counted from 1"),
            count("instance", "", "Its instance of the class, counted from 1"),
            count("view", "", "Its view of the instance, counted from 1"),
            *(share(str(place), f"Cosine with embedding {place}") for place in range(1, size + 1)),
        ),
    )


SIMULATION = Table(
    "simulate",
    "One problem, minimised from random embeddings",
    (
        _RUN_ID,
        text("data", "free: one free vector an embedding; net: two-layer net"),
        text("method", "Convention of the loss: included, excluded anchor"),
        count("seed", "", "Seed of the first embeddings"),
        *_THEORY[:-1],
        count("dimension", "1", "Length of the embeddings"),
        count("steps", "steps", "Steps of Adam"),
        share("alpha_star", "Largest alpha at which the classes collapse"),
        share("predicted_within", "Within-class variance of the optimum"),
        share("within_variance", "That reached", _GONE),
        share("total_variance", "Total variance reached; 1 is optimal", _GONE),
        share("predicted_spread", "Variance of an instance's views, optimum"),
        share("view_spread", "That reached", _GONE),
        share("predicted_loss", "Least value of the loss"),
        share("loss", "That reached", _GONE, better="lower"),
        share("gradient_norm", "Length of the loss's gradient at the end", _GONE, better="lower"),
        share("drift", "Largest change of the three variances over the last quarter of the steps",
              _GONE, better="lower"),
        flag("converged", "Whether drift and gradient are small", better="higher"),
        flag("counted", "Whether the claims are about this point"),
        *_OUTCOME,
    ),
)  # fmt: skip


SAME = 0.01
"""Difference of two accuracies that does not matter."""


def _share(name: str, about: str, better: Better | None = None) -> Column:
    # What is better or worse is an accuracy, but for the loss.
    margin = SAME if better == "higher" else 0.0
    return share(name, about, _GONE, better=better, margin=margin)


TRAINING = Table(
    "train",
    "One encoder, trained with coarse labels and judged by finer ones",
    (
        _RUN_ID,
        text("data", "Data set"),
        text("method", "Encoder and convention of the loss"),
        count("seed", "", "Seed of the run"),
        text("encoder", "Encoder by name"),
        *_THEORY,
        count("features", "1", "Length of the encoder's features"),
        share("initial_scale", "Factor of the encoder's first weights"),
        share("augmentation", "Strength of the random views, 1 is usual"),
        share("imbalance", "Largest class over smallest, in training"),
        share("label_noise", "Share of coarse training labels that are wrong"),
        count("train_size", "samples", "Training samples"),
        count("steps", "steps", "Steps of training"),
        share("alpha_star", "Largest alpha at which free embeddings collapse"),
        share("predicted_within", "Within-class variance of free embeddings"),
        share("loss_floor", "Least loss that free embeddings of a batch reach"),
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
        share("fine_probe_rotated",
              "fine_probe_accuracy where test images are turned by 20 degrees",
              "diverged, or the samples are no images", better="higher", margin=SAME),
        _share("fine_probe_noisy", "fine_probe_accuracy under noise of half a deviation",
               better="higher"),
        *_OUTCOME,
    ),
)  # fmt: skip

DIAGNOSIS = Table(
    "diagnosis",
    "One class of the embeddings, or all of them",
    (
        text("class", "Name of the class; all for every embedding"),
        count("embeddings", "embeddings", "How many there are"),
        share("within_variance", "Mean squared distance to the class mean"),
        share("between_variance", "Squared distance of that mean to the centre"),
        share("within_share", "Within-class variance over total variance"),
        share("mean_cosine", "Mean cosine of two embeddings of one class",
              "the class has one embedding"),
        share("effective_rank", "Effective rank of the class about its mean"),
        text("verdict", "collapsed, near, healthy, not learned, or one embedding"),
    ),
)  # fmt: skip
