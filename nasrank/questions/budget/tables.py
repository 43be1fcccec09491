"""The tables of ``budget`` and ``recommend``: what every column means."""

from dataclasses import replace

from nasrank.runs.tables import BUDGET, RUNS
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
        text("task", "Task it was measured on"),
        text("method", "rank-once, or the method of a search in rounds"),
        *(replace(column, null=_SEARCH) for column in _DECIDED),
        share("confidence", "Probability of having reached the target"),
        BUDGET.column("n_seeds"),
        count("k", "evaluations", "Evaluations after the training set", _FEW),
        count("evaluations", "evaluations", "All evaluations", _FEW, better="lower"),
        *_of_budget(_OPEN, "evaluations_lower", "evaluations_upper"),
        flag("exact", "False where the stored steps of k give an upper bound"),
        count("random_evaluations", "evaluations", "Evaluations of random search with the same "
              "confidence; a lower bound where not exact"),
        flag("random_exact", "Whether the size of the target set is known exactly"),
        *_of_budget(_FEW, "savings"),
        *_of_budget(_OPEN, "savings_lower", "savings_upper"),
        number("gpu_hours", "h", "Evaluations times hours of one", _NO_HOURS, better="lower"),
        number("random_gpu_hours", "h", "The same for random search",
               "the hours of an evaluation are not known"),
        number("cost", "money", "Evaluations times the cost of one", _NO_COST, better="lower"),
        number("random_cost", "money", "The same for random search", "no cost given"),
        number("net_saving", "money", "Cost saved minus --overhead", _NO_COST, better="higher"),
        *bounds("money", _EXACT, f"{_OPEN}, or no cost was given", of="net_saving"),
        share("return_on_work", "Cost saved divided by --overhead; above 1 it pays off",
              "as for cost, or no --overhead", better="higher"),
        share("reached_share", "Share of seeds that reach the target within n_train + --k",
              _NO_LIMIT, better="higher"),
        *bounds("1", "95 % Clopper-Pearson interval", _NO_LIMIT, of="reached"),
        share("random_reached", "Probability for random search with as many evaluations",
              _NO_LIMIT),
        share("kendall_tau", "Mean over seeds", "none, or a search", better="higher"),
        flag("cheapest", "Whether nothing on this task takes fewer evaluations"),
    ),
)  # fmt: skip

CHOICES = Table(
    "choices",
    "What one loss needs when it is chosen before the task is known",
    (
        *_DECIDED,
        count("k", "evaluations", "Evaluations after the training set, worst task"),
        count("evaluations", "evaluations", "All evaluations on the worst task", better="lower"),
        text("worst_task", "Task on which it takes the most"),
    ),
)

STAGES = Table(
    "stages",
    "One step of the plan to carry out, in order",
    (
        text("stage", "What it is called"),
        text("what", "What to do and why"),
        count("evaluations", "evaluations", "Architectures evaluated in it"),
        count("total", "evaluations", "Architectures evaluated by its end"),
        number("gpu_hours", "h", "Of its evaluations", "hours of one are not known"),
        number("cost", "money", "Of its evaluations", "no cost was given"),
        text("command", "What to type", "nothing"),
    ),
)

TRANSFER = Table(
    "transfer",
    "A plan made without one group of tasks, followed on a task of that group",
    (
        text("left_out", "The space or task the plan has not seen"),
        text("task", "Task of it on which the plan is followed"),
        *_DECIDED,
        count("planned", "evaluations", "Evaluations of the plan", better="lower"),
        count("n_seeds", "runs", "Seeds of the task"),
        count("reached", "runs", "Seeds that reach the target within the plan", better="higher"),
        count("needed", "evaluations", "Evaluations this choice needs on the task", _FEW,
              better="lower"),
        count("cheapest", "evaluations", "Evaluations of the task's own cheapest choice"),
    ),
)  # fmt: skip

_OVER_SPACES = "95 % Student interval over what was left out: spaces, or tasks of one space"

RECOMMENDATION = Table(
    "recommendation",
    "One loss for one training size and goal",
    (
        text("goal", "order, top or value"),
        text("measure", "Column that measures the goal"),
        count("n_train", "architectures", "Training architectures asked for"),
        spelling("loss", "Canonical spelling of the loss"),
        count("place", "rank", "1 is the recommended loss"),
        text("rule", "Rule that recommends the loss of place 1, as in rules; the simplest unless "
             "another was surely better on spaces left out"),
        number("mean", "metric", "Measure, weighted over cells by likeness"),
        number("cost", "metric", "Regret against each cell's best loss", better="lower"),
        *bounds("metric", "95 % Student interval over seeds", "one seed", of="cost"),
        number("cost_worst", "metric", "The largest regret in a single cell", better="lower"),
        count("best", "cells", "Cells in which it is the best", better="higher"),
        count("equivalent", "cells", "Cells in which it is the best or surely within the margin "
              "of it", better="higher"),
        count("worse", "cells", "Cells in which it is surely worse by more than the margin",
              better="lower"),
        count("cells", "cells", "Cells compared: a task at a training size"),
        number("difference", "metric", "Regret less that of the recommended loss, on these tasks",
               "the recommended loss itself"),
        *bounds("metric", "95 % Student interval over seeds",
                "the recommended loss itself, or one seed", of="difference"),
        number("margin", "metric", "Difference that does not matter"),
        text("verdict", "better or worse than the recommended loss where the interval is beyond "
             "the margin, equivalent where it is within, or undecided",
             "the recommended loss itself"),
    ),
)  # fmt: skip

HOLDOUT = Table(
    "holdout",
    "What one rule would have chosen for one cell, having seen only other spaces or tasks",
    (
        text("left_out", "The space or task the rule has not seen"),
        text("task", "Task of the cell"),
        count("n_train", "architectures", "Training architectures of the cell"),
        text("rule", "listmle, best-on-average, recommend, or any-loss"),
        spelling("loss", "What it chose", "any loss, all of them equally often"),
        share("best", "Whether that was the best there, or the probability of it",
              better="higher"),
        share("equivalent", "Whether it was the best or surely within the margin of it",
              better="higher"),
        share("worse", "Whether it was surely worse by more than the margin", better="lower"),
        number("cost", "metric", "Regret against the best loss", better="lower"),
        text("best_loss", "The best there"),
    ),
)  # fmt: skip

RULES = Table(
    "rules",
    "One rule over all cells of ``holdout``, the simplest first",
    (
        text("rule", "As in holdout"),
        flag("followed", "Whether the advice follows it"),
        count("cells", "cells", "Cells it chose for"),
        count("groups", "", "What was left out: spaces, or tasks of one space"),
        share("best", "Share of cells in which it took the best", better="higher"),
        share("equivalent", "Share with the best or one surely within the margin of it",
              better="higher"),
        share("worse", "Share with one surely worse by more than the margin", better="lower"),
        number("cost", "metric", "Regret against the best loss, mean over what was left out of "
               "the mean over its cells", better="lower"),
        *bounds("metric", _OVER_SPACES, "one", of="cost"),
        number("cost_worst", "metric", "The largest regret in a single cell", better="lower"),
        number("difference", "metric", "Regret less that of the simplest rule",
               "the simplest rule itself"),
        *bounds("metric", _OVER_SPACES, "the simplest rule itself", of="difference"),
        text("verdict", "better or worse than the simplest rule, equivalent or undecided",
             "the simplest rule itself"),
    ),
)  # fmt: skip
