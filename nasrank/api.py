"""Studies as functions: the options of a command are the keywords of its function."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.registry import unknown_name
from nasrank.studies import config_of
from nasrank.study.options import checked, ordered_fields, shown_as
from nasrank.study.study import Result

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["StudyFunction", "budget", "check", "compare", "explain", "rank", "recommend", "search"]


class StudyFunction:
    """A study as a function; imported only when it is called or inspected.

    Args:
        command: The words of its command.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.__name__ = self.__qualname__ = command.replace(" ", "_")

    def __call__(
        self,
        *places: Any,  # noqa: ANN401 - of every type
        out: str | Path | None = None,
        subset: str | None = None,
        only_cached: bool = False,
        any_code: bool = False,
        force: bool = False,
        **options: Any,  # noqa: ANN401 - of every type
    ) -> Result[Any]:
        """Compute the missing runs of the study, write its tables and return them.

        Args:
            *places: The positional arguments of the command, in order.
            out: Folder of the study; by default the same as for the command.
            subset: Fixed settings by name; other options override them.
            only_cached: Compute nothing; report the finished runs.
            any_code: Report runs that other code has computed, too.
            force: Compute every run again.
            **options: The options of the command, ``n_train`` for ``--n-train``.

        Raises:
            NasrankError: The error of one line that the command would print.
            TypeError: There are too many positional arguments, or an argument is given twice.
        """
        from nasrank.study.conduct import conduct

        config = config_of(self.command)
        by_place = [name for name, field in ordered_fields(config).items() if _by_place(field)]
        placed = dict(zip(by_place, places, strict=False))
        if len(places) > len(placed) or placed.keys() & options.keys():
            only = f"only {', '.join(by_place)} by position, each once"
            raise TypeError(
                f"{self.__name__}() takes {only if by_place else 'no positional arguments'}"
            )
        options |= placed
        if subset is not None and subset not in config.subsets:
            raise unknown_name("subset", subset, config.subsets)
        chosen = checked(config, {**config.subsets.get(subset or "", {}), **options})
        folder = None if out is None else Path(out)
        return conduct(chosen, folder, only_cached=only_cached, any_code=any_code, force=force)

    def __repr__(self) -> str:
        return f"<nasrank {self.command}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return inspect.cleandoc(config_of(self.command).__doc__ or "")

    @property
    def __signature__(self) -> inspect.Signature:
        keyword = inspect.Parameter.KEYWORD_ONLY
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD
        options = [
            inspect.Parameter(
                name,
                place if _by_place(field) else keyword,
                default=inspect.Parameter.empty if field.is_required() else field.default,
                annotation=field.annotation,
            )
            for name, field in ordered_fields(config_of(self.command)).items()
        ]
        call = inspect.signature(StudyFunction.__call__).parameters.values()
        own = [each for each in call if each.kind is keyword]
        options.sort(key=lambda each: each.kind)
        return inspect.Signature([*options, *own], return_annotation=Result)


def _by_place(field: FieldInfo) -> bool:
    return bool(shown_as(field)["argument"])


compare = StudyFunction("compare")
search = StudyFunction("search")
rank = StudyFunction("rank")
explain = StudyFunction("explain")
budget = StudyFunction("budget")
recommend = StudyFunction("recommend")
check = StudyFunction("check")
