"""The tables of ``budget`` and ``recommend``: what every column means."""

from dataclasses import replace

from nasrank.runs.tables import BUDGET, RUNS
from nasrank.tables import Column, Table

__all__ = ["CHOICES", "HOLDOUT", "PLAN", "RECOMMENDATION", "RULES", "STAGES", "TRANSFER"]

_FEW = "too few seeds for this confidence, or a search that reached it too rarely"
_OPEN = "as for evaluations, or open: too few seeds, or beyond the budget of the search"
_EXACT = BUDGET.column("evaluations_lower").about
_SEARCH = "a search in rounds, or a control of one"
_NO_HOURS = "as for evaluations, or the hours of an evaluation are not known"
_NO_COST = "as for evaluations, or no cost was given"
_NO_LIMIT = "no --k was given"

_DECIDED = RUNS.pick("predictor", "sampling", "loss", "n_train")


def _of_budget(null: str, *names: str) -> tuple[Column, ...]:
    """Columns of ``budget``, with another reason to be empty."""
    return tuple(replace(column, null=null) for column in BUDGET.pick(*names))


PLAN = Table(
    "plan",
    "What one way of finding the target needs on one task",
    (
        Column("task", "string", "", "Task it was measured on"),
        Column("method", "string", "", "rank-once, or the method of a search in rounds"),
        *(replace(column, null=_SEARCH) for column in _DECIDED),
        Column("confidence", "double", "1", "Probability of having reached the target"),
        BUDGET.column("n_seeds"),
        Column("k", "int64", "evaluations", "Evaluations after the training set", _FEW),
        Column("evaluations", "int64", "evaluations", "All evaluations", _FEW, better="lower"),
        *_of_budget(_OPEN, "evaluations_lower", "evaluations_upper"),
        Column("exact", "bool", "", "False where the stored steps of k give an upper bound"),
        Column(
            "random_evaluations",
            "int64",
            "evaluations",
            "Evaluations of random search with the same confidence; a lower bound where not exact",
        ),
        Column("random_exact", "bool", "", "Whether the size of the target set is known exactly"),
        *_of_budget(_FEW, "savings"),
        *_of_budget(_OPEN, "savings_lower", "savings_upper"),
        Column(
            "gpu_hours", "double", "h", "Evaluations times hours of one", _NO_HOURS, better="lower"
        ),
        Column(
            "random_gpu_hours",
            "double",
            "h",
            "The same for random search",
            "the hours of an evaluation are not known",
        ),
        Column(
            "cost",
            "double",
            "money",
            "Evaluations times the cost of one",
            _NO_COST,
            better="lower",
        ),
        Column("random_cost", "double", "money", "The same for random search", "no cost given"),
        Column(
            "net_saving",
            "double",
            "money",
            "Cost saved minus --overhead",
            _NO_COST,
            better="higher",
        ),
        Column("net_saving_lower", "double", "money", _EXACT, f"{_OPEN}, or no cost was given"),
        Column("net_saving_upper", "double", "money", _EXACT, f"{_OPEN}, or no cost was given"),
        Column(
            "return_on_work",
            "double",
            "1",
            "Cost saved divided by --overhead; above 1 it pays off",
            "as for cost, or no --overhead",
            better="higher",
        ),
        Column(
            "reached_share",
            "double",
            "1",
            "Share of seeds that reach the target within n_train + --k",
            _NO_LIMIT,
            better="higher",
        ),
        Column("reached_lower", "double", "1", "95 % Clopper-Pearson interval", _NO_LIMIT),
        Column("reached_upper", "double", "1", "95 % Clopper-Pearson interval", _NO_LIMIT),
        Column(
            "random_reached",
            "double",
            "1",
            "Probability for random search with as many evaluations",
            _NO_LIMIT,
        ),
        Column(
            "kendall_tau", "double", "1", "Mean over seeds", "none, or a search", better="higher"
        ),
        Column("cheapest", "bool", "", "Whether nothing on this task takes fewer evaluations"),
    ),
)

CHOICES = Table(
    "choices",
    "What one loss needs when it is chosen before the task is known",
    (
        *_DECIDED,
        Column("k", "int64", "evaluations", "Evaluations after the training set, worst task"),
        Column(
            "evaluations",
            "int64",
            "evaluations",
            "All evaluations on the worst task",
            better="lower",
        ),
        Column("worst_task", "string", "", "Task on which it takes the most"),
    ),
)

STAGES = Table(
    "stages",
    "One step of the plan to carry out, in order",
    (
        Column("stage", "string", "", "What it is called"),
        Column("what", "string", "", "What to do and why"),
        Column("evaluations", "int64", "evaluations", "Architectures evaluated in it"),
        Column("total", "int64", "evaluations", "Architectures evaluated by its end"),
        Column("gpu_hours", "double", "h", "Of its evaluations", "hours of one are not known"),
        Column("cost", "double", "money", "Of its evaluations", "no cost was given"),
        Column("command", "string", "", "What to type", "nothing"),
    ),
)

TRANSFER = Table(
    "transfer",
    "A plan made without one group of tasks, followed on a task of that group",
    (
        Column("left_out", "string", "", "The space or task the plan has not seen"),
        Column("task", "string", "", "Task of it on which the plan is followed"),
        *_DECIDED,
        Column("planned", "int64", "evaluations", "Evaluations of the plan", better="lower"),
        Column("n_seeds", "int64", "runs", "Seeds of the task"),
        Column(
            "reached",
            "int64",
            "runs",
            "Seeds that reach the target within the plan",
            better="higher",
        ),
        Column(
            "needed",
            "int64",
            "evaluations",
            "Evaluations this choice needs on the task",
            _FEW,
            better="lower",
        ),
        Column(
            "cheapest", "int64", "evaluations", "Evaluations of the task's own cheapest choice"
        ),
    ),
)

RECOMMENDATION = Table(
    "recommendation",
    "One loss for one training size and goal",
    (
        Column("goal", "string", "", "order, top or value"),
        Column("measure", "string", "", "Column that measures the goal"),
        Column("n_train", "int64", "architectures", "Training architectures asked for"),
        Column("loss", "string", "", "Canonical spelling of the loss"),
        Column("place", "int64", "rank", "1 is the recommended loss"),
        Column("mean", "double", "metric", "Measure, weighted over cells by likeness"),
        Column("cost", "double", "metric", "Regret against each cell's best loss", better="lower"),
        Column("cost_lower", "double", "metric", "95 % Student interval over seeds", "one seed"),
        Column("cost_upper", "double", "metric", "95 % Student interval over seeds", "one seed"),
        Column(
            "cost_worst", "double", "metric", "The largest regret in a single cell", better="lower"
        ),
        Column("best", "int64", "cells", "Cells in which it is the best", better="higher"),
        Column(
            "as_good",
            "int64",
            "cells",
            "Cells in which it is best or not significantly worse",
            better="higher",
        ),
        Column("cells", "int64", "cells", "Cells compared: a task at a training size"),
        Column(
            "p_holm",
            "double",
            "1",
            "Paired test against the recommended loss, Holm-corrected",
            "the recommended loss itself, or no shared seeds",
        ),
    ),
)

HOLDOUT = Table(
    "holdout",
    "What one rule would have chosen for one cell, having seen only other spaces or tasks",
    (
        Column("left_out", "string", "", "The space or task the rule has not seen"),
        Column("task", "string", "", "Task of the cell"),
        Column("n_train", "int64", "architectures", "Training architectures of the cell"),
        Column("rule", "string", "", "recommend, best-on-average, listmle, or any-loss"),
        Column("loss", "string", "", "What it chose", "any loss, all of them equally often"),
        Column(
            "best",
            "double",
            "1",
            "Whether that was the best there, or the probability of it",
            better="higher",
        ),
        Column(
            "as_good",
            "double",
            "1",
            "Whether it was best or not significantly worse",
            better="higher",
        ),
        Column("cost", "double", "metric", "Regret against the best loss", better="lower"),
        Column("best_loss", "string", "", "The best there"),
    ),
)

RULES = Table(
    "rules",
    "One rule over all cells of ``holdout``",
    (
        Column("rule", "string", "", "As in holdout"),
        Column("cells", "int64", "cells", "Cells it chose for"),
        Column("best", "double", "1", "Share of them in which it took the best", better="higher"),
        Column(
            "as_good",
            "double",
            "1",
            "Share with the best or one not significantly worse",
            better="higher",
        ),
        Column("cost", "double", "metric", "Regret against the best loss", better="lower"),
        Column("cost_lower", "double", "metric", "95 % Student interval over seeds", "one seed"),
        Column("cost_upper", "double", "metric", "95 % Student interval over seeds", "one seed"),
        Column(
            "cost_worst", "double", "metric", "The largest regret in a single cell", better="lower"
        ),
    ),
)
