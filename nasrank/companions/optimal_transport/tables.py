"""The tables of the study."""

from __future__ import annotations

from nasrank.runs.tables import RUNS
from nasrank.tables import Column, Table

__all__ = [
    "CLASSES",
    "CONFUSIONS",
    "GEOMETRY",
    "KEPT",
    "OT",
    "OT_ARCHS",
    "SLOPES",
    "SPEED",
    "VERDICT",
]

_DIVERGED = "the training diverged or collapsed"
_UNKNOWN = "the training diverged or collapsed, or the run is known from final tables"
_PLAIN = "a plain model, which has no distance of its own, or the training diverged"
_TRANSFER = "no transfer was measured, or its training diverged or collapsed"
_CONSTANT = "the distances are all equal, or the training diverged"

OT = Table(
    "ot",
    "One model trained once",
    (
        Column("run_id", "string", "", "Hash of the run's configuration and data"),
        Column("data", "string", "", "Name of the data set"),
        Column("method", "string", "", "Distance inside the regulariser, or plain for none"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("tree", "string", "", "Name of the label tree"),
        Column("encoder", "string", "", "Name of the backbone"),
        Column("weight", "double", "1", "Weight of 1 - CPCC beside the cross-entropy"),
        Column("batch_size", "int64", "samples", "Samples of a mini-batch"),
        Column("epochs", "int64", "epochs", "Passes over the training samples"),
        Column("n_train", "int64", "samples", "Training samples"),
        Column("n_test", "int64", "samples", "Test samples"),
        Column(
            "test_cpcc", "double", "1",
            "CPCC of test features by the method's own distance, of emd and sinkhorn on at most "
            "--test-per-class samples a class", _PLAIN, better="higher",
        ),
        Column(
            "test_cpcc_l2", "double", "1",
            "The same by l2, whatever the method", _CONSTANT, better="higher",
        ),
        Column(
            "test_cpcc_emd", "double", "1",
            "The same by emd, on at most --test-per-class samples a class",
            _CONSTANT, better="higher",
        ),
        Column(
            "raw_cpcc_l2", "double", "1",
            "CPCC of the inputs themselves by l2, on at most --test-per-class samples a class",
            _CONSTANT, better="higher"),
        Column(
            "raw_cpcc_emd", "double", "1",
            "CPCC of the inputs themselves by emd, on at most --test-per-class samples a class",
            _CONSTANT, better="higher"),
        Column(
            "fine_accuracy", "double", "%", "Test samples put into their class",
            _DIVERGED, better="higher",
        ),
        Column(
            "coarse_accuracy", "double", "%",
            "Test samples put into their coarsest group, by the summed probabilities of its "
            "classes", _DIVERGED, better="higher",
        ),
        Column(
            "fine_map", "double", "%",
            "Mean over classes of the average precision with which the cosine to the mean "
            "training feature of the class ranks test samples", _DIVERGED, better="higher",
        ),
        Column("coarse_map", "double", "%", "The same for the coarsest groups", _DIVERGED,
               better="higher"),
        Column(
            "mistake_distance", "double", "edges",
            "Mean tree distance between true and predicted class over the mistakes",
            "no mistakes, or the training diverged",
            better="lower",
        ),
        Column(
            "mean_distance", "double", "edges",
            "The same over all test samples, 0 where right", _DIVERGED,
            better="lower",
        ),
        Column(
            "expected_cost", "double", "cost",
            "Mean of the user's cost of predicted for true class",
            "no cost matrix is given, or the training diverged", better="lower",
        ),
        Column(
            "unseen_fine_accuracy", "double", "%",
            "Classes that the encoder never saw, by a linear layer on one sample of each, mean "
            "over draws", _TRANSFER, better="higher",
        ),
        Column(
            "unseen_coarse_accuracy", "double", "%",
            "The coarsest group of samples of such classes, without any training on them",
            _TRANSFER, better="higher",
        ),
        Column("batches", "int64", "batches", "Mini-batches trained on"),
        Column(
            "degenerate_batches", "int64", "batches",
            "Mini-batches without a correlation, which taught nothing of the tree",
            better="lower"),
        Column(
            "diverged", "bool", "",
            "Whether loss or weights became infinite or no number, or the model collapsed: it "
            "takes all test samples for one class", better="lower"),
        Column("fit_seconds", "double", "s", "Processor time of the training; elapsed on a GPU",
               better="lower"),
        Column("device", "string", "", "cpu or cuda"),
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
        Column("data", "string", "", "Name of the data set"),
        Column("method", "string", "", "Distance inside the regulariser"),
        Column("weight", "double", "1", "Weight of 1 - CPCC"),
        Column("batch_size", "int64", "samples", "Samples of a mini-batch"),
        Column("n_seeds", "int64", "", "Seeds that both have"),
        Column("true_class", "string", "", "What the samples are"),
        Column("predicted_class", "string", "", "What they are taken for"),
        Column("tree_distance", "double", "edges", "How far that is in the tree"),
        Column("before", "double", "%", "Share of the class, plain", better="lower"),
        Column("after", "double", "%", "Share of the class, with the regulariser", better="lower"),
        Column("change", "double", "%", "after - before", better="lower"),
    ),
)

OT_ARCHS = Table(
    "ot_archs",
    "One predictor trained once",
    (
        Column("run_id", "string", "", "Hash of the run's configuration and data"),
        Column("data", "string", "", "archs: and the task"),
        Column("method", "string", "", "Distance inside the regulariser, or plain for none"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("weight", "double", "1", "Weight of 1 - CPCC beside the ranking loss"),
        *RUNS.pick(
            "n_train", "n_test", "kendall_tau", "precision_at_1pct", "precision_at_5pct",
            "regret_at_10",
        ),
        Column(
            "degenerate_batches", "int64", "batches",
            "Lists without a correlation, which taught nothing of the tree", better="lower",
        ),
        *RUNS.pick("diverged", "fit_seconds", "device"),
    ),
)  # fmt: skip

_FEW_SAMPLES = "no class has 10 samples"
_NO_CORRELATION = "fewer than 3 classes, or the distances are all equal"
_NO_TREE = "no tree is given, or the distances are all equal"

VERDICT = Table(
    "verdict",
    "Whether class means hide structure that transport sees",
    (
        Column("data", "string", "", "The features"),
        Column("samples", "int64", "samples", "How many there are"),
        Column("dimensions", "int64", "1", "Their dimension"),
        Column("classes", "int64", "classes", "Classes"),
        Column("answer", "string", "", "yes, no, perhaps or unknown"),
        Column("reason", "string", "", "Why"),
        Column(
            "multi_modal_share", "double", "1",
            "Share of classes of two or more components by BIC",
            _FEW_SAMPLES,
        ),
        Column(
            "mean_components_bic", "double", "components", "Components of a class by BIC",
            _FEW_SAMPLES,
        ),
        Column(
            "mean_components_aic", "double", "components", "Components of a class by AIC",
            _FEW_SAMPLES,
        ),
        Column(
            "l2_emd_correlation", "double", "1", "Correlation of l2 and emd over pairs of classes",
            _NO_CORRELATION,
        ),
        Column(
            "one_shape_correlation", "double", "1", "The same for normal classes of one shape",
            _NO_CORRELATION,
        ),
        Column("cpcc_l2", "double", "1", "CPCC with the tree by l2", _NO_TREE),
        Column("cpcc_emd", "double", "1", "CPCC with the tree by emd", _NO_TREE),
    ),
)  # fmt: skip

CLASSES = Table(
    "classes",
    "One class: how many normal components describe it best",
    (
        Column("class", "string", "", "The class"),
        Column("samples", "int64", "samples", "Its samples"),
        Column(
            "axes", "int64", "1", "Principal axes that components were fitted on",
            "fewer than 10 samples",
        ),
        Column(
            "components_bic", "int64", "components", "Normal components of the least BIC",
            "fewer than 10 samples",
        ),
        Column(
            "components_aic", "int64", "components", "Normal components of the least AIC",
            "fewer than 10 samples",
        ),
    ),
)  # fmt: skip

GEOMETRY = Table(
    "geometry",
    "One pair of classes: how far apart they are",
    (
        Column("first", "string", "", "A class"),
        Column("second", "string", "", "Another class"),
        Column("l2", "double", "", "Distance of the means"),
        Column("emd", "double", "", "Earth mover's distance"),
        Column(
            "one_shape", "double", "",
            "Earth mover's distance of normal clouds of the same means and one common covariance",
        ),
        Column("tree", "double", "edges", "Distance in the tree", "no tree is given"),
    ),
)  # fmt: skip

_NO_FIT = "fewer than three points"

SPEED = Table(
    "speed",
    "One measurement: value and gradient of the distances of all pairs of classes of one batch",
    (
        Column("distance", "string", "", "Canonical spelling of the distance"),
        Column("axis", "string", "", "What varies: samples, dimension or classes"),
        Column("samples", "int64", "samples", "Samples of each class"),
        Column("dimension", "int64", "1", "Dimension of the features"),
        Column("classes", "int64", "classes", "Classes"),
        Column("repeat", "int64", "", "Which of the repeats; each has features of its own"),
        Column("seconds", "double", "s", "Processor time on a CPU, elapsed on a GPU",
               better="lower"),
        Column(
            "mebibytes", "double", "MiB", "The most memory held beyond what was held before",
            "not known on this system", better="lower",
        ),
        Column("device", "string", "", "cpu or cuda"),
    ),
)  # fmt: skip

SLOPES = Table(
    "slopes",
    "How the time of one distance grows along one axis",
    (
        Column("distance", "string", "", "Canonical spelling of the distance"),
        Column("axis", "string", "", "What varies: samples, dimension or classes"),
        Column("points", "int64", "", "Settings fitted: the larger half, at least three"),
        Column(
            "slope", "double", "1",
            "Slope of log seconds over log setting, mean over repeats: 1 is linear", _NO_FIT,
        ),
        Column("lower", "double", "1", "Least of the repeats", _NO_FIT),
        Column("upper", "double", "1", "Greatest of the repeats", _NO_FIT),
    ),
)  # fmt: skip
