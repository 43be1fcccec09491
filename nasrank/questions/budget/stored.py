"""Result tables of earlier studies, read back: the reference results or one's own folders."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.search.tables import SEARCH
from nasrank.runs.tables import BUDGET, DISCOVERY, PREDICTIONS, RUNS
from nasrank.tables import about_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CHOICE",
    "StoredResults",
    "load_results",
    "make_command",
    "reference_folders",
    "runs_of",
    "seed_range",
    "without_each",
]

CHOICE = ("predictor", "sampling", "loss", "n_train")
"""What is chosen before anything is evaluated."""

_PROTOCOL = ("split", "labels", "test")

_NEEDED: Mapping[str, tuple[str, ...]] = {
    RUNS.name: (
        "run_id", "task", "space_size", *CHOICE, "n_test", "seed", *_PROTOCOL, "kendall_tau",
        "regret_at_10", "first_hit_0.1pct", "first_hit_0.5pct", "first_hit_1pct",
        "first_hit_5pct", "replicate_tau", "diverged",
    ),
    DISCOVERY.name: (
        "run_id", "top_fraction", "top_size", "k", "discovery_rate", "best_rank", "best_label",
        "regret",
    ),
    BUDGET.name: ("task", "random_evaluations", "random_gpu_hours"),
}  # fmt: skip

_OF_SEARCH = (
    "task", "universe", "method", "loss", "seed", "evaluations", "best_label", "regret", "rank",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class StoredResults:
    """Tables of one or several folders, as one.

    Attributes:
        folders: Where they come from.
        runs: Rows of ``runs``, with ``universe``: train and test architectures together.
        discovery: Rows of ``discovery``, for the same runs.
        hours: GPU-hours of one evaluation, on average, by task; tasks without are missing.
        search: Rows of ``search``, or None.
        predictions: Folders that hold every score of their runs.
        config: The configuration of the first folder's command.
    """

    folders: tuple[Path, ...]
    runs: pd.DataFrame
    discovery: pd.DataFrame
    hours: Mapping[str, float]
    search: pd.DataFrame | None
    predictions: tuple[Path, ...]
    config: Mapping[str, Any]

    @property
    def tasks(self) -> list[str]:
        """Tasks of the runs, in their order."""
        return [str(task) for task in self.runs["task"].unique()]


def reference_folders() -> list[Path]:
    """Return the folders of the reference results: those of the package, or of its repository.

    Raises:
        DataError: The package was installed without them.
    """
    package = Path(__file__).parents[2]
    for base in (package / "reference", package.parent / "results"):
        # Beside the tables of one space lie those of others, a folder each.
        inner = sorted(path.parent for path in base.glob(f"losses/*/{RUNS.name}.parquet"))
        if (base / f"{RUNS.name}.parquet").exists():
            return [base, *inner]
        if inner:
            return inner
    raise DataError(
        "this installation holds no reference results. Make some: nasrank compare --out "
        "nasrank-out/compare, then add --results nasrank-out/compare"
    )


def load_results(folders: Sequence[Path] = ()) -> StoredResults:
    """Read the tables of folders, and check that they can be combined.

    A run found in several folders counts once.

    Args:
        folders: Folders that ``compare`` has written; the reference results by default.

    Raises:
        DataError: A table is missing, damaged, or of another version.
        NothingToCompare: There is no run.
        UsageError: The folders differ in split, labels or what is scored.
    """
    import pandas as pd

    places = list(dict.fromkeys(folders)) or reference_folders()
    for place in places:
        if not (place / f"{RUNS.name}.parquet").exists():
            raise DataError(
                f"{place}: no {RUNS.name}.parquet there. Make it: nasrank compare --out "
                f"{shlex.quote(str(place))}"
            )
    arrow = {
        table.name: [
            table.load(place / f"{table.name}.parquet", _NEEDED[table.name]) for place in places
        ]
        for table in (RUNS, DISCOVERY, BUDGET)
    }
    frames = {
        name: pd.concat([table.to_pandas() for table in tables], ignore_index=True)
        for name, tables in arrow.items()
    }
    runs = frames[RUNS.name].drop_duplicates("run_id", ignore_index=True)
    if runs.empty:
        raise NothingToCompare(
            f"{', '.join(map(str, places))}: the tables hold no run. Make some: nasrank compare "
            f"--out {shlex.quote(str(places[0]))}"
        )
    for name in _PROTOCOL:
        values = runs[name].unique().tolist()
        if len(values) > 1:
            raise UsageError(
                f"runs with different --{name} ({', '.join(map(str, values))}) cannot be "
                "combined. Give --results folders made with the same"
            )
    runs["universe"] = runs["n_test"] + runs["n_train"].where(runs["test"] == "rest", 0)
    discovery = frames[DISCOVERY.name].drop_duplicates(["run_id", "top_fraction", "k"])
    discovery = discovery[discovery["run_id"].isin(runs["run_id"])]
    lost = len(runs) - discovery["run_id"].nunique()
    if lost:
        raise DataError(
            f"{places[0]}: {DISCOVERY.name}.parquet lacks {lost} of the runs in "
            f"{RUNS.name}.parquet. Repeat the command that made them"
        )
    _require_possible(places[0], runs, discovery)
    budget = frames[BUDGET.name].dropna(subset=["random_gpu_hours"])
    hours = (budget["random_gpu_hours"] / budget["random_evaluations"]).groupby(budget["task"])
    config = about_of(arrow[RUNS.name][0].schema).get("config", {})
    return StoredResults(
        tuple(places),
        runs,
        discovery,
        {str(task): float(value) for task, value in hours.first().items()},
        _search(places),
        tuple(p for p in places if (p / f"{PREDICTIONS.name}.parquet").exists()),
        config if isinstance(config, dict) else {},
    )


def _require_possible(place: Path, runs: pd.DataFrame, discovery: pd.DataFrame) -> None:
    """Refuse numbers that no comparison can give, as counts in the tables are reckoned with.

    Raises:
        DataError: There are some.
    """
    of = discovery["run_id"].map(runs.set_index("run_id")["universe"])
    hits = [name for name in runs.columns if name.startswith("first_hit")]
    steps = discovery.dropna(subset=["best_label", "regret", "best_rank"])
    ranks, most = discovery["best_rank"], runs["universe"]
    counts = runs[["n_train", "n_test"]]
    wrong = {
        "n_train or n_test": not ((counts >= 1) & (counts <= 2**31)).all(axis=None),
        "space_size": not runs["space_size"].between(2, 2**62).all(),
        "top_size": not discovery["top_size"].between(1, of).all(),
        "k": not discovery["k"].between(0, of).all(),
        "best_rank": not (ranks.isna() | ranks.between(1, of)).all(),
        "first_hit": any(not (runs[name].isna() | (runs[name] <= most)).all() for name in hits),
        "best_label": steps["run_id"].nunique() < len(runs),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise DataError(
                f"{place}: {name} of a run in the tables is impossible or missing. Repeat the "
                "command that made them"
            )


def without_each(tasks: Sequence[str]) -> tuple[str, dict[str, list[str]]]:
    """Say what can be left out of tasks to see how a choice carries over.

    Returns:
        ``"space"`` and the tasks of each where there are two spaces or more, else ``"task"``.

    Example:
        >>> without_each(["nb201/cifar10", "nb201/cifar100"])
        ('task', {'nb201/cifar10': ['nb201/cifar10'], 'nb201/cifar100': ['nb201/cifar100']})
        >>> without_each(["nb201/cifar10", "nbgraph/cora"])[0]
        'space'
    """
    spaces: dict[str, list[str]] = {}
    for task in tasks:
        spaces.setdefault(task.split("/")[0], []).append(task)
    if len(spaces) > 1:
        return "space", spaces
    return "task", {task: [task] for task in tasks}


def runs_of(choice: Mapping[str, Any], runs: pd.DataFrame) -> pd.DataFrame:
    """Return those runs that a choice was made in."""
    for name in CHOICE:
        runs = runs[runs[name] == choice[name]]
    return runs


def seed_range(results: StoredResults) -> str:
    """Say how many seeds the choices of the tables have, such as ``10`` or ``5 to 10``."""
    counts = results.runs.groupby(["task", *CHOICE])["seed"].nunique()
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def make_command(results: StoredResults, **changes: object) -> str:
    """Spell the command that made the first folder again, with other options.

    Args:
        results: The tables.
        changes: Options by name: a list, a number, or True for a flag.
    """
    options: dict[str, object] = {
        name: results.config[name]
        for name in ("tasks", "losses", "n_train", "seeds", *_PROTOCOL, "sampling", "predictors")
        if name in results.config and results.config[name] not in _DEFAULTS
    }
    for subset, grid in CompareConfig.subsets.items():
        if all(options.get(name) in (value, _listed(value)) for name, value in grid.items()):
            kept = {name: value for name, value in options.items() if name not in grid}
            options = {"subset": subset, **kept}
    words = ["nasrank", "compare"]
    for name, value in {**options, **changes}.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            words.append(option)
        else:
            listed = _listed(value)
            text = ",".join(map(str, listed)) if isinstance(listed, list) else str(listed)
            words += [option, shlex.quote(text)]
    return " ".join([*words, "--out", "nasrank-out/more"])


_DEFAULTS: tuple[object, ...] = ("class", "mean", "rest", ["random"], ["gnn"])


def _listed(value: object) -> object:
    """A list as JSON has it."""
    return list(value) if isinstance(value, list | tuple) else value


def _search(folders: Sequence[Path]) -> pd.DataFrame | None:
    """Searches of the folders and of a folder ``search`` within each."""
    import pandas as pd

    paths = [
        path
        for folder in folders
        for path in (folder / "search.parquet", folder / "search" / "search.parquet")
        if path.exists()
    ]
    once = {path.resolve(): path for path in paths}.values()
    frames = [SEARCH.load(path, _OF_SEARCH).to_pandas() for path in once]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else None
