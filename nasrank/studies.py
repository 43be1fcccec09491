"""Every study, by the words of its command; a study is imported only when it is asked for."""

import ast
from importlib import import_module
from importlib.resources import files
from inspect import cleandoc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasrank.study.options import Config

__all__ = ["STUDIES", "config_of", "summary_of"]

STUDIES = {
    "compare": "nasrank.questions.compare.options:CompareConfig",
    "rank": "nasrank.questions.rank.options:RankConfig",
    "explain": "nasrank.questions.explain.options:ExplainConfig",
    "ot train": "nasrank.companions.optimal_transport.options:TrainConfig",
    "ot diagnose": "nasrank.companions.optimal_transport.options:DiagnoseConfig",
    "ot speed": "nasrank.companions.optimal_transport.options:SpeedConfig",
    "search": "nasrank.questions.search.options:SearchConfig",
    "bench": "nasrank.questions.bench.options:BenchConfig",
    "budget": "nasrank.questions.budget.options:BudgetConfig",
    "check": "nasrank.questions.check.options:CheckConfig",
    "recommend": "nasrank.questions.budget.options:RecommendConfig",
    "pr theory": "nasrank.companions.precision_recall.options:TheoryConfig",
    "pr train": "nasrank.companions.precision_recall.options:TrainConfig",
    "hard": "nasrank.companions.hard_samples.options:HardConfig",
    "supcon theory": "nasrank.companions.supcon.options:TheoryConfig",
    "supcon simulate": "nasrank.companions.supcon.options:SimulateConfig",
    "supcon train": "nasrank.companions.supcon.options:TrainConfig",
    "supcon diagnose": "nasrank.companions.supcon.options:DiagnoseConfig",
}
"""Location of the configuration of each command, which names its study."""


def config_of(command: str) -> "type[Config]":
    """Return the configuration of a command.

    Args:
        command: Its words, such as ``ot train``.
    """
    module, _, name = STUDIES[command].partition(":")
    found: type[Config] = getattr(import_module(module), name)
    return found


def summary_of(command: str) -> str:
    """Return the first paragraph of a command's description, from its source alone.

    ``--help`` shows all of them, and importing all configurations takes longer than the rest of
    it together. Empty where no source is installed.

    Args:
        command: Its words, such as ``ot train``.
    """
    module, _, name = STUDIES[command].partition(":")
    package, *folders, file = module.split(".")
    source = files(package).joinpath(*folders, f"{file}.py")
    if not source.is_file():
        return ""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return cleandoc(ast.get_docstring(node) or "").partition("\n\n")[0]
    return ""
