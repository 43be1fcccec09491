"""The page that ``nasrank data info`` shows people."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nasrank.cli.output import Column, rich_table, shown

__all__ = ["Histogram", "task_page"]

BAR_WIDTH = 40
Record = Mapping[str, Any]

_STATES = {
    "known": "known",
    "other": "not the file nasrank was built with",
    "imported": "of everything imported for this space",
}


class Histogram:
    """A horizontal bar for each bin.

    Args:
        edges: Bounds of the bins, one more than there are bins.
        counts: What is in each; the fullest bin gets the longest bar, and a bin that is not
            empty gets a mark.
    """

    def __init__(self, edges: list[float], counts: list[int]) -> None:
        self.edges, self.counts = edges, counts

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        full, thin = ("#", ".") if options.ascii_only else ("█", "▏")
        most = max(self.counts, default=0) or 1
        table = Table(box=None, show_header=False, pad_edge=False)
        for justify in ("right", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for low, count in zip(self.edges, self.counts, strict=False):
            length = round(BAR_WIDTH * count / most)
            table.add_row(shown(low), shown(count), Text(full * length or thin * (count > 0)))
        yield table


def task_page(record: Record) -> list[RenderableType]:
    """Lay out a description of a task.

    Args:
        record: What :func:`nasrank.questions.describe.describe.describe_task` returns.

    Returns:
        Heading, facts, warnings, best architectures, and the histogram of labels.
    """
    unit = record["metric"]["unit"]
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, fact in _facts(record):
        facts.add_row(name, escape(fact))
    warnings: list[RenderableType] = [Text(f"! {each['text']}") for each in record["warnings"]]
    if warnings:
        warnings = ["[bold]What will hurt[/bold]", *warnings, ""]
    best = [Column("label", f"best, {unit}", right=True), Column("architecture")]
    return [
        f"[bold]{escape(record['task'])}[/bold]  {escape(record['title'])}",
        "",
        facts,
        "",
        *warnings,
        rich_table(record["best"], best),
        "",
        f"How many architectures have a label from ... on ({escape(unit)})",
        Histogram(record["histogram"]["edges"], record["histogram"]["counts"]),
    ]


def _facts(record: Record) -> Iterable[tuple[str, str]]:
    metric, spread, ties = record["metric"], record["spread"], record["ties"]
    yield "metric", f"{metric['name']}, {metric['unit']}, {metric['better']} is better"
    yield "", metric["description"]
    yield (
        "architectures",
        f"{shown(record['architectures'])}, {shown(record['labelled'])} labelled",
    )
    yield "classes", f"{shown(record['classes'])} by isomorphism of canonical graphs"
    if record["field_classes"] is not None:
        yield "", f"{shown(record['field_classes'])} by the field's string form, not used here"
    if record["attributes"]:
        yield "attributes", ", ".join(record["attributes"])
    if record["groups"] is not None:
        yield "groups", f"{shown(record['groups'])}, none on both sides of a split by class"
    quartiles = ", ".join(shown(spread[q]) for q in ("quarter", "median", "three_quarters"))
    yield "labels", f"{shown(spread['min'])} to {shown(spread['max'])}, quartiles {quartiles}"
    yield "", f"mean {shown(spread['mean'])}, sd {shown(spread['sd'])}"
    yield "chance", shown(record["chance"])
    share = f"{100 * ties['tied_pairs']:.3g} % of pairs are tied"
    yield "distinct labels", f"{shown(ties['distinct_labels'])}; {share}"
    yield "", f"at most {shown(ties['largest'])} architectures share one"
    yield "training seeds", _seeds(record["replicates"])
    yield "replicate tau", f"{shown(record['replicate_tau'])} (one seed against the others)"
    yield "ceiling tau", f"{shown(record['ceiling_tau'])} (the best that noise lets one expect)"
    yield "cost", _cost(record["cost_gpu_seconds"])
    largest = record["largest_n_train"]
    sizes = [f"{shown(size)} (--split {split})" for split, size in largest.items()]
    yield "largest n_train", ", ".join(sizes)
    if record["note"]:
        yield "note", record["note"]
    for source in record["sources"]:
        known = _STATES[source["state"]]
        yield "source", f"{source['package']} {source['version']}, {source['licence']}"
        if source["citation"]:
            yield "", source["citation"]
        yield "", source["path"]
        yield "", f"sha256 {source['sha256']}, {known}"


def _seeds(replicates: Record) -> str:
    if replicates["most"] < 2:
        return "1 value an architecture"
    counts = ", ".join(
        f"{number} for {shown(count)}" for number, count in replicates["architectures"].items()
    )
    return f"{counts} architectures, sd between seeds {shown(replicates['seed_sd'])}"


def _cost(cost: Record | None) -> str:
    if cost is None:
        return "not known"
    return (
        f"{shown(cost['mean'])} GPU-seconds an architecture ({shown(cost['min'])} to "
        f"{shown(cost['max'])}), {shown(cost['total'] / 3600)} GPU-hours in all"
    )
