"""The command ``nasrank``, and how it reports errors."""

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from typing import cast

import typer

from nasrank.cli import (
    data,
    env,
    names,
    report,
)
from nasrank.cli.lazy import group_of
from nasrank.cli.output import say
from nasrank.errors import DataError, Interrupted, NasrankError, UsageError
from nasrank.installing import install_command
from nasrank.version import __version__

__all__ = ["app", "run"]

_OUR_FAULT = 70
"""Exit code of an error that is no user's fault, as in sysexits.h."""

_Misused = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""An unknown command or option, or a value of another type; typer does not export the class."""
_ORDER = (
    "compare", "search", "budget", "rank", "explain", "recommend", "check", "report", "losses",
    "predictors", "metrics", "data", "pr", "ot", "hard", "supcon", "bench", "env",
)  # fmt: skip

app = typer.Typer(
    cls=group_of(order=_ORDER),
    name="nasrank",
    help="Which training loss finds the best architectures with the fewest evaluations?",
    epilog="Example: nasrank compare --losses mse,hr,listmle",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)
pr = typer.Typer(
    cls=group_of("pr"),
    help="Generators trained for a chosen trade-off between precision and recall.",
    epilog="Example: nasrank pr train --data ring --lambdas 0.1,1,10",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(data.app, name="data")
app.add_typer(pr, name="pr")
app.add_typer(
    typer.Typer(
        cls=group_of("ot"),
        help="Class hierarchies preserved in features by optimal transport.",
        epilog="Example: nasrank ot train --data digits --distances l2,emd,fastft",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    ),
    name="ot",
)
app.add_typer(
    typer.Typer(
        cls=group_of("supcon"),
        help="Supervised contrastive learning: when do classes collapse, and does it hurt?",
        epilog="Example: nasrank supcon theory --classes 10 --instances 50 --temperatures 0.1",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    ),
    name="supcon",
)
for _kind in names.COMMANDS:
    app.command(_kind, epilog=names.epilog_of(_kind))(names.command_of_names(_kind))
app.command("report", epilog=report.EPILOG)(report.report)
app.command("env", epilog=env.EPILOG)(env.env)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and exit.",
        callback=_version,
        is_eager=True,
    ),
) -> None:
    """Which training loss finds the best architectures with the fewest evaluations?"""


def run() -> int:
    """Run the command line and return its exit code."""
    # Threads that busy-wait for one another make two concurrent programs ten times slower; the
    # setting is read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with _log_on_stderr():
            code = app(standalone_mode=False)
    except _Misused as error:
        return _say_misuse(error)
    except NasrankError as error:
        # One line, even if a message from a library has several.
        say(f"error: {error}")
        return error.exit_code
    except OSError as error:
        # Errors of files were reported as such, so this is mostly a stdout on a full disk.
        where = error.filename or "stdout"
        say(f"error: {where}: {error.strerror}. Free some space and run it again")
        _silence_stdout()
        return DataError.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort: one line here too
        return _say_fault(error)
    # What typer leaves with; a command itself returns nothing.
    if code == Interrupted.exit_code:
        # Control-C where the command has no message of its own.
        say("error: stopped. Run the same command again to resume")
    return code if isinstance(code, int) else 0


def _say_misuse(error: typer.BadParameter) -> int:
    """Say in a line what typer would say in a box; return the exit code."""
    if not (said := error.format_message()):
        # A group without a command: its help.
        error.show()
        return error.exit_code
    command = "nasrank" if error.ctx is None else error.ctx.command_path
    end = "" if said.endswith(("?", ".")) else "."
    say(f"error: {said[:1].lower()}{' '.join(said[1:].split())}{end} See: {command} --help")
    return error.exit_code


def _say_fault(error: Exception) -> int:
    """Say in a line what no part of the program has foreseen; return the exit code."""
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package not in {"", "nasrank"}:
        # As where nasrank was installed without its dependencies, which suffices for planning.
        say(f"error: {package} is not installed. Install it with: {install_command(package)}")
        return UsageError.exit_code
    say(f"error: {_reported(error)}")
    return _OUR_FAULT


def _reported(error: Exception) -> str:
    """Keep the traceback of an error that is no user's fault, and say where."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    where = "not kept, as there is no place to write"
    with contextlib.suppress(OSError):
        number, path = tempfile.mkstemp(prefix="nasrank-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(f"nasrank {__version__}: {sys.argv}\n{traceback.format_exc()}")
        where = path
    return f"this is a fault of nasrank ({what}). Please report it with what is in: {where}"


def _silence_stdout() -> None:
    """Discard buffered output, or the interpreter fails when it exits."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


class _Lines(logging.Handler):
    """A message is a line on stderr, like an error: what it is, then what it says."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "note" if record.levelno < logging.WARNING else record.levelname.lower()
        say(f"{kind}: {record.getMessage()}")


@contextlib.contextmanager
def _log_on_stderr() -> Iterator[None]:
    logger = logging.getLogger("nasrank")
    before = logger.propagate, logger.level
    handler = _Lines()
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate, level = before
        logger.setLevel(level)
