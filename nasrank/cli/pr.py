"""``nasrank pr``: generators for a chosen trade-off of precision and recall."""

import typer

from nasrank.cli.pr_theory import EPILOG as THEORY_EPILOG
from nasrank.cli.pr_theory import theory
from nasrank.cli.pr_train import EPILOG as TRAIN_EPILOG
from nasrank.cli.pr_train import train

__all__ = ["app"]

app = typer.Typer(
    help="Generators trained for a chosen trade-off of precision and recall.",
    epilog="Example: nasrank pr train --data ring --lambdas 0.1,1,10",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command("theory", epilog=THEORY_EPILOG)(theory)
app.command("train", epilog=TRAIN_EPILOG)(train)
