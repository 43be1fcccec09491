"""The command line: parse, call the library once, show what it returned."""

import os
import sys

from nasrank.lifetime import as_control_c

__all__ = ["run"]


def run() -> int:
    """Run the command line and return its exit code."""
    _open_closed_streams()
    with as_control_c() as ending:
        try:
            code = _run()
        except SystemExit:
            if ending.signal is None:
                raise
    return code if ending.signal is None else 128 + ending.signal


def _open_closed_streams() -> None:
    """Let a stream that is closed lead nowhere, or the next file that is opened would be it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Not closed before the process ends, as with any other stream.
            nowhere = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, nowhere)


def _run() -> int:
    try:
        # Imported inside, because importing takes long enough for a Control-C during it.
        from nasrank.cli.app import run as command

        return command()
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped. Run the same command again to resume\n")
        return 130
