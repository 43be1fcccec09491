"""The command line: parse, call the library once, show what it returned."""

import sys

from nasrank.lifetime import as_control_c

__all__ = ["run"]


def run() -> int:
    """Run the command line and return its exit code."""
    with as_control_c() as ending:
        try:
            code = _run()
        except SystemExit:
            if ending.signal is None:
                raise
    return code if ending.signal is None else 128 + ending.signal


def _run() -> int:
    try:
        # Imported inside, because importing takes long enough for a Control-C during it.
        from nasrank.cli.app import run as command

        return command()
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped. Run the same command again to resume\n")
        return 130
