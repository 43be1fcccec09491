"""The page that ``nasrank data info`` shows people."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from nasrank.cli.setting_page import setting_sheet
from nasrank.study.view import Field, Part, Sheet
from nasrank.study.view import number as shown

__all__ = ["histogram", "task_page"]

BAR_WIDTH = 40
Record = Mapping[str, Any]

_SCALES = {
    "linear": "",
    "log": ", in bins of equal ratio",
    "tails": ", the tails in a bin each",
}
_STATES = {
    "known": "known",
    "other": "not the file nasrank was built with",
    "imported": "of all imports for this space",
}


def histogram(edges: list[float], counts: list[int], *, ascii_only: bool = False) -> Sheet:
    """Return a horizontal bar for each bin.

    Args:
        edges: Bounds of the bins, one more than there are bins.
        counts: Number of items in each; the fullest bin gets the longest bar, and a bin that is
            not empty gets at least a mark.
        ascii_only: Draw with characters that every terminal has.
    """
    full, thin = ("#", ".") if ascii_only else ("█", "▏")
    most = max(counts, default=0) or 1
    rows = [
        {
            "low": low,
            "count": count,
            "bar": full * round(BAR_WIDTH * count / most) or thin * (count > 0),
        }
        for low, count in zip(edges, counts, strict=False)
    ]
    return Sheet(
        rows,
        (
            Field("low", "", right=True, keep=9),
            Field("count", "", right=True, keep=9),
            Field("bar", "", keep=9),
        ),
    )


def task_page(record: Record) -> list[Part]:
    """Lay out a description of a task.

    Args:
        record: What :func:`nasrank.questions.describe.describe.describe_task` returns.

    Returns:
        Heading, facts, settings, warnings, best architectures, and the histogram of labels.
    """
    unit = record["metric"]["unit"]
    facts = [{"name": name, "fact": fact} for name, fact in _facts(record)]
    named = (Field("name", "", keep=9), Field("fact", "", keep=9))
    warnings: list[Part] = [f"! {each['text']}" for each in record["warnings"]]
    if warnings:
        warnings = ["Pitfalls", *warnings, ""]
    best = (Field("label", f"best, {unit}", right=True, keep=9), Field("architecture", keep=9))
    scale = record["histogram"]["scale"]
    encoding = (sys.stdout.encoding or "ascii").lower()
    bars = histogram(
        record["histogram"]["edges"],
        record["histogram"]["counts"],
        ascii_only=not encoding.startswith("utf"),
    )
    settings = [setting_sheet(record["settings"])] if record["settings"] else []
    return [
        f"{record['task']}  {record['title']}",
        "",
        Sheet(facts, named),
        *settings,
        *warnings,
        Sheet(record["best"], best),
        f"Number of architectures by lower bound of the label ({unit}){_SCALES[scale]}",
        bars,
    ]


def _facts(record: Record) -> Iterable[tuple[str, str]]:
    metric, spread, ties = record["metric"], record["spread"], record["ties"]
    yield "metric", f"{metric['name']}, {metric['unit']}, {metric['better']} is better"
    yield "", metric["description"]
    counts = [shown(record["architectures"]), f"{shown(record['labelled'])} labelled"]
    if record["failed"]:
        counts.append(f"{shown(record['failed'])} failed")
    yield "architectures", ", ".join(counts)
    by = "by isomorphism of canonical graphs"
    if record["told_by"] == "settings":
        by = "by their settings"
    yield "classes", f"{shown(record['classes'])} {by}"
    if record["field_classes"] is not None:
        yield "", f"{shown(record['field_classes'])} by the field's string form, not used here"
    if record["attributes"]:
        yield "attributes", ", ".join(record["attributes"])
    if record["groups"] is not None:
        yield "groups", f"{shown(record['groups'])}, none on both sides of a split by class"
    quartiles = ", ".join(shown(spread[q]) for q in ("quarter", "median", "three_quarters"))
    yield "labels", f"{shown(spread['min'])} to {shown(spread['max'])}, quartiles {quartiles}"
    yield "", f"mean {shown(spread['mean'])}, sd {shown(spread['sd'])}"
    if record["chance"] is not None:
        yield "chance", shown(record["chance"])
    share = f"{100 * ties['tied_pairs']:.3g} % of pairs are tied"
    yield "ties", f"{shown(ties['distinct_labels'])} distinct labels; {share}"
    yield "", f"at most {shown(ties['largest'])} architectures share one"
    yield "training seeds", _seeds(record["replicates"])
    if record["replicate_tau"] is not None:
        yield "replicate tau", f"{shown(record['replicate_tau'])} (one seed against the others)"
    if record["ceiling_tau"] is not None:
        yield "ceiling tau", f"{shown(record['ceiling_tau'])} (no predictor is expected above it)"
    yield "cost", _cost(record["cost_gpu_seconds"])
    largest = record["largest_n_train"]
    sizes = [f"{shown(size)} (--split {split})" for split, size in largest.items()]
    yield "most n_train", ", ".join(sizes)
    if record["note"]:
        yield "note", record["note"]
    for source in record["sources"]:
        known = _STATES[source["state"]]
        named = f"{source['package']} {source['version']}".strip()
        yield "source", f"{named}, {source['licence']}; {known}"
        if source["citation"]:
            yield "", source["citation"]
        yield "", source["path"]
        yield "sha256", source["sha256"]


def _seeds(replicates: Record) -> str:
    if replicates["most"] < 2:
        return "1 value per architecture"
    counts = ", ".join(
        f"{number} for {shown(count)}" for number, count in replicates["architectures"].items()
    )
    return f"{counts} architectures, sd between seeds {shown(replicates['seed_sd'])}"


def _cost(cost: Record | None) -> str:
    if cost is None:
        return "not known"
    return (
        f"{shown(cost['mean'])} GPU-seconds per architecture ({shown(cost['min'])} to "
        f"{shown(cost['max'])}), {shown(cost['total'] / 3600)} GPU-hours in all"
    )
