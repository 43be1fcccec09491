"""Studies as functions: the options of a command are the keywords of its function."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from nasrank.registry import unknown_name
from nasrank.studies import config_of
from nasrank.study.options import checked, ordered_fields
from nasrank.study.study import Result

__all__ = ["StudyFunction", "budget", "check", "compare", "rank", "recommend", "search"]


class StudyFunction:
    """A study as a function; nothing of it is imported before it is called or looked at.

    Args:
        command: The words of its command.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.__name__ = self.__qualname__ = command.replace(" ", "_")

    def __call__(
        self,
        *,
        out: str | Path | None = None,
        subset: str | None = None,
        only_cached: bool = False,
        force: bool = False,
        **options: Any,  # noqa: ANN401 - of every type
    ) -> Result[Any]:
        """Do what is missing of the study, write its tables and return them.

        Args:
            out: Folder of the study; that of the command by default.
            subset: Fixed settings by name; other options beat them.
            only_cached: Compute no run; report those that are there.
            force: Compute every run again.
            **options: The options of the command, ``n_train`` for ``--n-train``.

        Raises:
            NasrankError: What the command would say in one line.
        """
        from nasrank.study.conduct import conduct

        config = config_of(self.command)
        if subset is not None and subset not in config.subsets:
            raise unknown_name("subset", subset, config.subsets)
        chosen = checked(config, {**config.subsets.get(subset or "", {}), **options})
        folder = None if out is None else Path(out)
        return conduct(chosen, folder, only_cached=only_cached, force=force)

    def __repr__(self) -> str:
        return f"<nasrank {self.command}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return inspect.cleandoc(config_of(self.command).__doc__ or "")

    @property
    def __signature__(self) -> inspect.Signature:
        keyword = inspect.Parameter.KEYWORD_ONLY
        options = [
            inspect.Parameter(
                name,
                keyword,
                default=inspect.Parameter.empty if field.is_required() else field.default,
                annotation=field.annotation,
            )
            for name, field in ordered_fields(config_of(self.command)).items()
        ]
        call = inspect.signature(StudyFunction.__call__).parameters.values()
        own = [each for each in call if each.kind is keyword]
        return inspect.Signature([*options, *own], return_annotation=Result)


compare = StudyFunction("compare")
search = StudyFunction("search")
rank = StudyFunction("rank")
budget = StudyFunction("budget")
recommend = StudyFunction("recommend")
check = StudyFunction("check")
