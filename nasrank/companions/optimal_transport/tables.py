"""The tables of the study."""

from __future__ import annotations

from nasrank.tables import (
    Column,
    Table,
    count,
    flag,
    number,
    share,
    spelling,
    text,
)

__all__ = [
    "CLASSES",
    "CONFUSIONS",
    "GEOMETRY",
    "KEPT",
    "OT",
    "SLOPES",
    "SPEED",
    "VERDICT",
]

_DIVERGED = "the training diverged or collapsed"
_UNKNOWN = "the training diverged or collapsed, or the run is known from final tables"
_PLAIN = "a plain model, which has no distance of its own, or the training diverged"
_TRANSFER = "no transfer was measured, or its training diverged or collapsed"
_CONSTANT = "the distances are all equal, or the training diverged"

_CPCC, _POINTS, _EDGES = 0.01, 1.0, 0.05
"""Differences that do not matter: of a correlation, in percent, and of a mean distance."""

OT = Table(
    "ot",
    "One model trained once",
    (
        text("run_id", "Hash of the run's configuration and data"),
        text("data", "Name of the data set"),
        text("method", "Distance inside the regulariser, or plain for none"),
        count("seed", "", "Seed of the run"),
        text("tree", "Name of the label tree"),
        text("encoder", "Name of the backbone"),
        share("weight", "Weight of 1 - CPCC beside the cross-entropy"),
        count("batch_size", "samples", "Samples of a mini-batch"),
        count("epochs", "epochs", "Passes over the training samples"),
        count("n_train", "samples", "Training samples"),
        count("n_test", "samples", "Test samples"),
        share("test_cpcc", "CPCC of test features by the method's own distance, of emd and "
              "sinkhorn on at most --test-per-class samples a class", _PLAIN, better="higher",
              margin=_CPCC),
        share("test_cpcc_l2", "The same by l2, whatever the method", _CONSTANT, better="higher",
              margin=_CPCC),
        share("test_cpcc_emd", "The same by emd, on at most --test-per-class samples a class",
              _CONSTANT, better="higher", margin=_CPCC),
        share("raw_cpcc_l2",
              "CPCC of the inputs themselves by l2, on at most --test-per-class samples a class",
              _CONSTANT, better="higher"),
        share("raw_cpcc_emd",
              "CPCC of the inputs themselves by emd, on at most --test-per-class samples a class",
              _CONSTANT, better="higher"),
        number("fine_accuracy", "%", "Test samples put into their class", _DIVERGED,
               better="higher", margin=_POINTS),
        number("coarse_accuracy", "%", "Test samples put into their coarsest group, by the summed "
               "probabilities of its classes", _DIVERGED, better="higher", margin=_POINTS),
        number("fine_map", "%", "Mean over classes of the average precision with which the cosine "
               "to the mean training feature of the class ranks test samples", _DIVERGED,
               better="higher", margin=_POINTS),
        number("coarse_map", "%", "The same for the coarsest groups", _DIVERGED, better="higher",
               margin=_POINTS),
        number("mistake_distance", "edges",
               "Mean tree distance between true and predicted class over the mistakes",
               "no mistakes, or the training diverged", better="lower"),
        number("mean_distance", "edges", "The same over all test samples, 0 where right",
               _DIVERGED, better="lower", margin=_EDGES),
        number("expected_cost", "cost", "Mean of the user's cost of predicted for true class",
               "no cost matrix is given, or the training diverged", better="lower"),
        number("unseen_fine_accuracy", "%", "Classes that the encoder never saw, by a linear "
               "layer on one sample of each, mean over draws", _TRANSFER, better="higher",
               margin=_POINTS),
        number("unseen_coarse_accuracy", "%",
               "The coarsest group of samples of such classes, without any training on them",
               _TRANSFER, better="higher", margin=_POINTS),
        count("batches", "batches", "Mini-batches trained on"),
        count("degenerate_batches", "batches",
              "Mini-batches without a correlation, which taught nothing of the tree",
              better="lower"),
        flag("diverged", "Whether loss or weights became infinite or no number, or the model "
             "collapsed: it takes all test samples for one class", better="lower"),
        number("fit_seconds", "s", "Processor time of the training; elapsed on a GPU",
               better="lower"),
        text("device", "cpu or cuda"),
    ),
)  # fmt: skip

KEPT = Table(
    "ot_kept",
    "One model as it is kept once it is finished",
    (
        *OT.columns,
        Column(
            "confusion", "list<int64>", "samples",
            "Test samples by true and predicted class, row by row", _UNKNOWN,
        ),
        Column(
            "class_distances", "list<double>", "",
            "emd of test features of each pair of classes, row by row", _UNKNOWN,
        ),
        Column(
            "shown", "list<double>", "",
            "Some test features on their two principal axes, x and y in turn", _UNKNOWN,
        ),
        Column("shown_classes", "list<int64>", "", "Classes of these", _UNKNOWN),
    ),
)  # fmt: skip
"""What `OT` holds, and what pictures and confusions need."""

CONFUSIONS = Table(
    "confusions",
    "One kind of mistake, with the regulariser and without, mean over the same seeds",
    (
        text("data", "Name of the data set"),
        text("method", "Distance inside the regulariser"),
        share("weight", "Weight of 1 - CPCC"),
        count("batch_size", "samples", "Samples of a mini-batch"),
        count("n_seeds", "", "Seeds that both have"),
        text("true_class", "What the samples are"),
        text("predicted_class", "What they are taken for"),
        number("tree_distance", "edges", "How far that is in the tree"),
        number("before", "%", "Share of the class, plain", better="lower"),
        number("after", "%", "Share of the class, with the regulariser", better="lower"),
        number("change", "%", "after - before", better="lower"),
    ),
)

_FEW_SAMPLES = "no class has 10 samples"
_NO_CORRELATION = "fewer than 3 classes, or the distances are all equal"
_NO_TREE = "no tree is given, or the distances are all equal"

VERDICT = Table(
    "verdict",
    "Whether class means hide structure that transport sees",
    (
        text("data", "The features"),
        count("samples", "samples", "How many there are"),
        count("dimensions", "1", "Their dimension"),
        count("classes", "classes", "Classes"),
        text("answer", "yes, no, perhaps or unknown"),
        text("reason", "Why"),
        share("multi_modal_share", "Share of classes of two or more components by BIC",
              _FEW_SAMPLES),
        number("mean_components_bic", "components", "Components of a class by BIC", _FEW_SAMPLES),
        number("mean_components_aic", "components", "Components of a class by AIC", _FEW_SAMPLES),
        share("l2_emd_correlation", "Correlation of l2 and emd over pairs of classes",
              _NO_CORRELATION),
        share("one_shape_correlation", "The same for normal classes of one shape",
              _NO_CORRELATION),
        share("cpcc_l2", "CPCC with the tree by l2", _NO_TREE),
        share("cpcc_emd", "CPCC with the tree by emd", _NO_TREE),
    ),
)  # fmt: skip

CLASSES = Table(
    "classes",
    "One class: how many normal components describe it best",
    (
        text("class", "The class"),
        count("samples", "samples", "Its samples"),
        count("axes", "1", "Principal axes that components were fitted on",
              "fewer than 10 samples"),
        count("components_bic", "components", "Normal components of the least BIC",
              "fewer than 10 samples"),
        count("components_aic", "components", "Normal components of the least AIC",
              "fewer than 10 samples"),
    ),
)  # fmt: skip

GEOMETRY = Table(
    "geometry",
    "One pair of classes: how far apart they are",
    (
        text("first", "A class"),
        text("second", "Another class"),
        number("l2", "", "Distance of the means"),
        number("emd", "", "Earth mover's distance"),
        number("one_shape", "", "Earth mover's distance of normal clouds of the same means and "
               "one common covariance"),
        number("tree", "edges", "Distance in the tree", "no tree is given"),
    ),
)  # fmt: skip

_NO_FIT = "fewer than three points"

SPEED = Table(
    "speed",
    "One measurement: value and gradient of the distances of all pairs of classes of one batch",
    (
        spelling("distance", "Canonical spelling of the distance"),
        text("axis", "What varies: samples, dimension or classes"),
        count("samples", "samples", "Samples of each class"),
        count("dimension", "1", "Dimension of the features"),
        count("classes", "classes", "Classes"),
        count("repeat", "", "Which of the repeats; each has features of its own"),
        number("seconds", "s", "Processor time on a CPU, elapsed on a GPU", better="lower"),
        number("mebibytes", "MiB", "The most memory held beyond what was held before",
               "not known on this system", better="lower"),
        text("device", "cpu or cuda"),
    ),
)  # fmt: skip

SLOPES = Table(
    "slopes",
    "How the time of one distance grows along one axis",
    (
        spelling("distance", "Canonical spelling of the distance"),
        text("axis", "What varies: samples, dimension or classes"),
        count("points", "", "Settings fitted: the larger half, at least three"),
        share("slope", "Slope of log seconds over log setting, mean over repeats: 1 is linear",
              _NO_FIT),
        share("lower", "Least of the repeats", _NO_FIT),
        share("upper", "Greatest of the repeats", _NO_FIT),
    ),
)  # fmt: skip
