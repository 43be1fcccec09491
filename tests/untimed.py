"""The tables of a comparison without what the clock or the machine says, to be compared."""

from nasrank.runs.tables import BUDGET, DISCOVERY, RUNS, SUMMARY

__all__ = ["untimed_tables"]

CLOCK = {"fit_seconds", "predict_seconds", "device"}


def untimed_tables(folder):
    """Rows of every final table in a folder by its name, equal for equal predictors."""
    return {
        table.name: [
            {name: value for name, value in row.items() if name not in CLOCK}
            for row in table.read(folder / f"{table.name}.parquet")
        ]
        for table in (RUNS, DISCOVERY, BUDGET, SUMMARY)
    }
