"""Claims as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.cli.output import Column, print_text, rich_table

__all__ = ["print_claims"]

_COLUMNS = (
    Column("statement", "claim"),
    Column("verdict"),
    Column("estimate", "estimate", right=True),
    Column("interval", "95 % interval", right=True),
    Column("n_seeds", "seeds", right=True),
)


def print_claims(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of ``claims`` with a line of reading help; nothing where there are none."""
    if not rows:
        return
    shown = [
        {
            **row,
            "estimate": "-" if row["estimate"] is None else f"{row['estimate']:+.3f}",
            "interval": "-"
            if row["lower"] is None
            else f"[{row['lower']:+.3f}, {row['upper']:+.3f}]",
        }
        for row in rows
    ]
    print_text(
        rich_table(shown, _COLUMNS, title="Claims"),
        "Estimates above 0 speak for the claim; it holds, or fails, where the whole interval "
        "does, and\nis undecided with fewer than 5 seeds.",
    )
