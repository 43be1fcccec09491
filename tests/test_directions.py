"""What is better stands once, with the column, and is what the name of the column says."""

import importlib
import pkgutil
import re

import nasrank
from nasrank.tables import Table

HIGHER = (
    r".*(tau|rho|cpcc|cpcc_l2|cpcc_emd|accuracy|map|nmi|f1|separation|coverage|own_share)",
    r"(rare_|predictor_)?(precision|recall)(_at_.*)?", r"true_.*|classifier_.*",
    r".*(discovery|discovery_rate|discovery_1pct_at_100|top_stability|top_found|hit_share|hit)",
    r"fine_probe_.*|constraint_met",
    r"objective|modes_found|alpha|beta|converged|within_noise|noise_share|score",
    r"savings|net_saving|return_on_work|reached(_share)?|best|equivalent|difference|gain|effect",
)  # fmt: skip
LOWER = (
    r".*(regret|loss|cost|seconds|mebibytes|gpu_hours|gpu_hours_to_(optimum|noise)|rank)(_at_.*|_worst)?",
    r"n_at_\d+|first_hit_.*|evaluations(_to_.*)?|planned|needed|best_rank",
    r"fpr_at_.*|false_.*_rate|degenerate_batches|diverged(_share)?|collapsed|gradient_norm|drift",
    r"(mistake|mean)_distance|worse|before|after|change|divergence|rebuilt|error|ratio(_lowest|_highest)?",
)  # fmt: skip


def tables():
    found = {}
    for module in pkgutil.walk_packages(nasrank.__path__, "nasrank."):
        if module.name.startswith("nasrank.__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Table):
                found[value.name, len(value.columns)] = value
    return found.values()


def test_directions_are_those_that_names_say():
    wrong = []
    seen = 0
    for table in tables():
        for column in table.columns:
            # Lists of another table's column are named after both.
            name = re.sub(r"^[a-z]+\.(?=[a-z])", "", column.name)
            by_name = {
                way
                for way, patterns in (("higher", HIGHER), ("lower", LOWER))
                if any(re.fullmatch(each, name) for each in patterns)
            }
            seen += column.better is not None
            if column.better is not None and by_name != {column.better}:
                wrong.append((table.name, column.name, column.better, by_name))
    assert not wrong
    assert seen > 100


def test_no_text_says_again_what_is_better():
    again = [
        (table.name, column.name)
        for table in tables()
        for column in table.columns
        if re.search(r"(higher|lower) is\s+better", column.about)
    ]
    assert not again
