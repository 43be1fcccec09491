"""Laws of all claims of all studies: better rows do not refute a claim, nor worse ones prove it.

Rows are the grids of the committed results, one seed of them six times, with all measured columns
alike. For each claim an oracle that is written by hand says which rows it is in favour of. Then
every column of these rows is made better in its own direction, and the claim must hold; made
worse, it must fail. A sign that is turned, in a claim or in what judges it, breaks this.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import nasrank
from nasrank.companions.hard_samples.claims import hard_claims
from nasrank.companions.hard_samples.tables import HARD
from nasrank.companions.optimal_transport import speed
from nasrank.companions.optimal_transport.claims import ot_claims
from nasrank.companions.optimal_transport.tables import OT
from nasrank.companions.precision_recall.claims import claims_of
from nasrank.companions.precision_recall.tables import PR
from nasrank.companions.supcon.simulate_claims import simulation_claims
from nasrank.companions.supcon.tables import TRAINING
from nasrank.companions.supcon.train_claims import training_claims
from nasrank.runs.beside import Rivals
from nasrank.runs.tables import RUNS
from nasrank.tables import read_parquet

RESULTS = Path(__file__).parents[2] / "results"
JUDGING = {
    "runs.beside",
    "companions.hard_samples.claims",
    "companions.optimal_transport.claims",
    "companions.optimal_transport.speed",
    "companions.precision_recall.claims",
    "companions.supcon.simulate_claims",
    "companions.supcon.train_claims",
}
"""Modules that judge claims; a new one needs a case here."""
SEEDS = 6


def both_ways(metrics):
    return Rivals(
        metrics=dict.fromkeys(metrics, "better"),
        claim_id="{better}_over_{worse}_{metric}_n{n_train}",
        statement="{words}",
        source="runs",
        rivals=("triplet-random",),
    )


def method(better, worse=None):
    """Favour the rows of one method over those of another, or of all others."""

    def favour(row, _column):
        if row["method"] == better:
            return 1
        return -1 if row["method"] == worse or worse is None else 0

    return favour


def rising(option):
    """Favour rows the more, the larger an option is."""
    return lambda row, _column: 0 if row[option] is None else np.log2(row[option] + 0.01)


def falling(option):
    up = rising(option)
    return lambda row, column: -up(row, column)


def columns(more, less):
    """Favour one column over another, in the same rows."""
    return lambda _row, column: {more: 1, less: -1}.get(column, 0)


def where(**wanted):
    """Favour rows with these options over all others."""
    return lambda row, _column: 1 if all(row[k] == v for k, v in wanted.items()) else -1


@dataclass(frozen=True)
class Case:
    """The claims of one study.

    Attributes:
        path: The grid: a committed table.
        table: Its declaration.
        judge: Makes claims of rows.
        favour: For patterns of claim ids what they favour: a number by row and column, whose
            sign and size say which rows are to be better.
        neither: Columns that no direction is declared of, and that claims speak of.
        same: Pattern of claims that two things are the same: any difference refutes them.
        add: Columns with one value in all rows.
    """

    path: str
    table: object
    judge: object
    favour: dict
    neither: tuple = ()
    same: str = "$^"
    add: dict = field(default_factory=dict)


OT_FAVOUR = {
    r"(\w+)_over_(\w+)_(own|by_l2|by_emd)": lambda found: method(found[1], found[2]),
    r"(l2|emd|fastft)_(nearer_mistakes|error_cost|fine_retrieval|coarse_retrieval|fine_accuracy"
    r"|unseen_fine|unseen_coarse)": lambda found: method(found[1], "plain"),
    r"(\w+)_weight": lambda found: rising("weight"),
    r"(\w+)_batch_\w+": lambda found: (
        lambda row, column: np.log2(row["batch_size"]) if row["method"] == found[1] else 0
    ),
    "modes_inputs": lambda found: columns("raw_cpcc_emd", "raw_cpcc_l2"),
    "modes_trained": lambda found: method("emd", "l2"),
}
HARD_FAVOUR = {
    "hard-plain": lambda found: method("two-stage", "triplet-random"),
    "hard-(hdml|daml)": lambda found: method("two-stage", found[1]),
    "hard-with-(.+)": lambda found: method(f"two-stage+{found[1]}", found[1]),
    "hard-(condition|constraint|adaptive)": lambda found: method("two-stage"),
    "hard-training": lambda found: method("two-stage", "untrained"),
    "hard-own-class": lambda found: columns("positive_other_distance", "positive_own_distance"),
}
PR_FAVOUR = {
    "(true-)?precision-rises": lambda found: rising("lambda"),
    "(true-|rare-)?recall-falls": lambda found: falling("lambda"),
    r"beats-(hinge|mle)-\w+": lambda found: method("pr", found[1]),
    "auxiliary-over-(naive|dual)": lambda found: method("pr", found[1]),
    r"tuned-[\w-]+": lambda found: method("tuned", "pr"),
}
LOW = {"label_noise": 0.0, "imbalance": 1.0}


def shifted(factor, favour):
    return lambda row, column: favour(row[factor] != LOW[factor], row, column)


def supcon_favour(moderate, low):
    def gain(changed, row, _column):
        return changed * {moderate: 1, low: -1}.get(row["alpha"], 0)

    return {
        "variance-rises": lambda found: rising("alpha"),
        "same-.*": lambda found: where(alpha=moderate),
        "moderate-beats-self-supervision": lambda found: where(alpha=moderate),
        "moderate-beats-collapse.*|suggestion-is-near-best": lambda found: where(alpha=moderate),
        "collapse-is-worst": lambda found: lambda row, column: -(row["alpha"] == low),
        "label-noise-variance": lambda found: shifted(
            "label_noise", lambda changed, row, column: 1 if changed else -1
        ),
        "imbalance-variance": lambda found: columns(
            "largest_class_within", "smallest_class_within"
        ),
        "(label-noise|imbalance)-lowers-transfer": lambda found: shifted(
            found[1].replace("-", "_"), lambda changed, row, column: -1 if changed else 1
        ),
        "(label-noise|imbalance)-widens-gain": lambda found: shifted(
            found[1].replace("-", "_"), gain
        ),
    }


TRAIN_NEITHER = ("projector_within", "largest_class_within", "smallest_class_within")
CASES = {
    "ot": Case("ot/digits/ot", OT, ot_claims, OT_FAVOUR),
    "ot by weight": Case("ot/digits-weights/ot", OT, ot_claims, OT_FAVOUR),
    "ot by batch": Case("ot/digits-batches/ot", OT, ot_claims, OT_FAVOUR),
    "ot, two modes": Case("ot/two-modes/ot", OT, ot_claims, OT_FAVOUR),
    "ot, one mode": Case("ot/one-mode/ot", OT, ot_claims, OT_FAVOUR, same=r"modes_\w+"),
    "beside": Case(
        "hard/archs/hard_archs", RUNS,
        both_ways(["kendall_tau", "precision_at_5pct", "regret_at_10"]),
        {r"([\w-]+)_over_([\w-]+)_(kendall|precision|regret)\w+": lambda f: method(f[1], f[2])},
    ),
    "hard": Case(
        "hard/emoji/hard", HARD, lambda rows: hard_claims(rows, "emoji"), HARD_FAVOUR,
        ("positive_spread", "positive_own_distance", "positive_other_distance"),
    ),
    "pr, ring": Case("pr/ring/pr", PR, claims_of, PR_FAVOUR, same=r"tuned-\w+-same"),
    "pr, rare modes": Case("pr/ring-rare/pr", PR, claims_of, PR_FAVOUR),
    "supcon": Case(
        "supcon/digits/train", TRAINING, training_claims, supcon_favour, TRAIN_NEITHER,
        same="same-.*", add={"loss_floor": 0.0},
    ),
}  # fmt: skip


def grid(case):
    """The rows of one committed seed for each of six, with all that is measured alike."""
    kept = read_parquet(RESULTS / f"{case.path}.parquet").to_pylist()
    kept = [{**row, **case.add} for row in kept if row["seed"] == kept[0]["seed"]]
    rng = np.random.default_rng(0)
    rows = []
    for row in kept:
        for seed in range(SEEDS):
            alike = {
                name: 0.5 + 0.001 * rng.normal()
                for name in measured(case)
                if row.get(name) is not None
            }
            rows.append({**row, **alike, "seed": seed})
    return rows


def measured(case):
    declared = {c.name for c in case.table.columns if c.better and c.type in {"double", "int64"}}
    return declared | set(case.neither)


def pushed(case, rows, favour, way):
    """Make the rows that are favoured better in every column, the more the more they are."""
    signs = {c.name: c.sign for c in case.table.columns if c.better}
    result = []
    for row in rows:
        moved = {
            name: row[name] * (1 + 0.2 * way * signs.get(name, 1.0) * favour(row, name))
            for name in measured(case)
            if row.get(name) is not None
        }
        result.append({**row, **moved})
    return result


def favoured(case, rows):
    """For each claim what it favours; refuse one that the oracle does not know."""
    patterns = case.favour
    if callable(patterns):
        alphas = sorted({row["alpha"] for row in rows})
        # The claims name the moderate one.
        (moderate,) = {
            float(at)
            for claim in case.judge(rows)
            for at in re.findall(r"moderate variance \(alpha ([\d.]+)", claim["statement"])
        }
        patterns = patterns(moderate, alphas[0])
    for claim in case.judge(rows):
        name = claim["claim_id"]
        found = [
            make(match) for each, make in patterns.items() if (match := re.fullmatch(each, name))
        ]
        assert found, f"no oracle for {name}"
        yield claim, found[0]


def verdict_of(case, rows, claim):
    key = claim["claim_id"], claim["data"]
    (found,) = (c for c in case.judge(rows) if (c["claim_id"], c["data"]) == key)
    return found["verdict"]


def test_every_module_that_judges_has_a_case():
    root = Path(nasrank.__file__).parent
    judging = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "nasrank.study.claims":
                names = {alias.name for alias in node.names}
                if names & {"claim_row", "judge"}:
                    judging.add(".".join(path.relative_to(root).with_suffix("").parts))
    assert judging <= JUDGING, judging - JUDGING


@pytest.mark.parametrize("name", CASES)
def test_better_rows_confirm_and_worse_ones_refute(name):
    case = CASES[name]
    rows = grid(case)
    judged = list(favoured(case, rows))
    assert judged
    for claim, favour in judged:
        if re.fullmatch(case.same, claim["claim_id"]):
            continue
        seen = [verdict_of(case, pushed(case, rows, favour, way), claim) for way in (1, -1)]
        assert seen == ["holds", "fails"], (claim["claim_id"], claim["data"], seen)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.same != "$^"])
def test_what_is_claimed_to_be_the_same_holds_of_the_same_alone(name):
    case = CASES[name]
    rows = grid(case)
    for claim, favour in favoured(case, rows):
        if re.fullmatch(case.same, claim["claim_id"]):
            assert claim["verdict"] == "holds"
            seen = {verdict_of(case, pushed(case, rows, favour, way), claim) for way in (1, -1)}
            assert seen == {"fails"}, claim["claim_id"]


def test_equal_rows_decide_nothing_of_who_is_ahead():
    for name in ("ot", "hard", "beside"):
        case = CASES[name]
        rows = grid(case)
        for claim in case.judge(rows):
            assert claim["verdict"] in {"undecided", "equivalent", "holds", "fails"}
            # A thousandth of noise and a chance of one in twenty each way.
            assert claim["estimate"] is None or abs(claim["estimate"]) < 0.01


def test_speed_by_its_own_rows():
    def judged(power, factor):
        rows = [
            {"axis": "samples", "distance": distance, "repeat": repeat, "samples": samples,
             "seconds": times * samples**power * (1 + 0.01 * repeat)}
            for distance, times in (("fastft", 1.0), ("emd", factor))
            for repeat in range(SEEDS)
            for samples in (64, 128, 256, 512, 1024, 2048)
        ]  # fmt: skip
        return {claim["claim_id"]: claim["verdict"] for claim in speed._claims(rows)}

    assert judged(1.0, 90.0) == {"fastft_linear": "holds", "fastft_50_times": "holds"}
    assert judged(2.0, 10.0) == {"fastft_linear": "fails", "fastft_50_times": "fails"}


def test_the_simulation_is_as_predicted_or_it_is_not():
    kept = read_parquet(RESULTS / "supcon/grid/simulate.parquet").to_pylist()
    kept = [row for row in kept if row["seed"] == kept[0]["seed"] and row["counted"]]
    predicted = [
        {**row, "seed": seed, "within_variance": row["predicted_within"],
         "view_spread": row["predicted_spread"], "total_variance": 1.0}
        for row in kept for seed in range(SEEDS)
    ]  # fmt: skip
    names = {claim["claim_id"]: claim["verdict"] for claim in simulation_claims(predicted)}
    assert set(names.values()) == {"holds"}
    for column, broken in (
        ("within_variance", "closed-form"),
        ("view_spread", "view-spread"),
        ("total_variance", "total-variance"),
    ):
        for way in (1, -1):
            rows = [{**row, column: row[column] + way * 0.01} for row in predicted]
            found = {c["claim_id"]: c["verdict"] for c in simulation_claims(rows)}
            assert {v for n, v in found.items() if n.startswith(broken)} == {"fails"}, column
    collapsed = [{**row, "within_variance": 0.0, "view_spread": 0.0} for row in predicted]
    found = {c["claim_id"]: c["verdict"] for c in simulation_claims(collapsed)}
    assert {v for n, v in found.items() if n.startswith("threshold")} == {"fails"}
