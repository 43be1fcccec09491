"""The command line: parse, call the library once, show what it returned."""

import sys

__all__ = ["run"]


def run() -> int:
    """Run the command line and return its exit code."""
    try:
        # Imported inside, because importing takes long enough for a Control-C during it.
        from nasrank.cli.app import run as command

        return command()
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped. Run the same command again to resume\n")
        return 130
