"""Options that the studies on samples have in common."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ConfigOption",
    "DataDirOption",
    "DeviceOption",
    "DryRunOption",
    "ForceOption",
    "OnlyCachedOption",
    "OutOption",
    "QuietOption",
    "SeedOption",
    "SeedsOption",
]

_WORK, _OUTPUT = "How to run", "Output"

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of image files; where their packages put them by default.",
        rich_help_panel=_WORK,
    ),
]
SeedsOption = Annotated[
    int | None,
    typer.Option("--seeds", help="Runs of each setting. [default: 3]", rich_help_panel=_WORK),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="The first seed. [default: 0]", rich_help_panel=_WORK),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where to compute. [default: auto]",
        rich_help_panel=_WORK,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with these options; the command line beats it.",
        rich_help_panel=_WORK,
    ),
]
OnlyCachedOption = Annotated[
    bool,
    typer.Option("--only-cached", help="Train nothing.", rich_help_panel=_WORK),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Train every model again.", rich_help_panel=_WORK)
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Print runs and folder.", rich_help_panel=_WORK),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder of runs, tables and pictures. [default: nasrank-out/COMMAND]",
        rich_help_panel=_OUTPUT,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="No progress on stderr.", rich_help_panel=_OUTPUT)
]
