"""The command line: parse, call the library once, show what it returned."""

from nasrank.cli.app import run

__all__ = ["run"]
