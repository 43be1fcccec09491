"""The studies of ``nasrank budget`` and ``nasrank recommend``, declared."""

from __future__ import annotations

from typing import Any

from nasrank.questions.budget.options import BudgetConfig, RecommendConfig
from nasrank.questions.budget.plan import plan_budget
from nasrank.questions.budget.recommend import recommend
from nasrank.questions.budget.stored import load_results
from nasrank.questions.budget.tables import PLAN, RECOMMENDATION
from nasrank.questions.budget.view import view_budget, view_recommendation
from nasrank.study.study import Answer, Job, Study

__all__ = ["BUDGET", "RECOMMEND"]


def _planned(job: Job[BudgetConfig, Any]) -> Answer:
    return plan_budget(job.config, load_results(job.config.results))


def _recommended(job: Job[RecommendConfig, Any]) -> Answer:
    return recommend(job.config, load_results(job.config.results))


BUDGET = Study(config=BudgetConfig, main=PLAN, answer=_planned, view=view_budget)
RECOMMEND = Study(
    config=RecommendConfig,
    main=RECOMMENDATION,
    answer=_recommended,
    view=view_recommendation,
)
