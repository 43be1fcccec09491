"""``python -m nasrank`` is the same as ``nasrank``."""

import sys

from nasrank.cli import run

if __name__ == "__main__":
    sys.exit(run())
