"""``nasrank supcon diagnose``: are the user's own embeddings collapsed?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.output import Column, FormatOption, print_record, print_text, rich_table
from nasrank.errors import UsageError

__all__ = ["EPILOG", "diagnose"]

EPILOG = """Examples:

nasrank supcon diagnose embeddings.parquet --label class

nasrank supcon diagnose embeddings.npz --suggest --instances 50 --temperature 0.1
"""

_BATCH, _OUTPUT = "How you train", "Output"


def diagnose(
    embeddings: Annotated[
        Path,
        typer.Argument(
            metavar="EMBEDDINGS",
            help=".parquet with a class column, or .npz with values and classes.",
        ),
    ],
    *,
    label: Annotated[
        str | None, typer.Option("--label", help="Column with the classes, of a .parquet file.")
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Also propose an alpha to train with.")
    ] = False,
    sweep: Annotated[
        Path | None,
        typer.Option(
            "--sweep",
            help="Folder of nasrank supcon train, to check the proposed alpha against.",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            "--classes",
            help="Classes of a batch. [default: those found]",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    instances: Annotated[
        int,
        typer.Option(
            "--instances", help="Instances of each class in a batch.", rich_help_panel=_BATCH
        ),
    ] = 16,
    views: Annotated[
        int,
        typer.Option("--views", help="Views of each instance.", rich_help_panel=_BATCH),
    ] = 2,
    temperature: Annotated[
        float,
        typer.Option("--temperature", help="Temperature of the softmax.", rich_help_panel=_BATCH),
    ] = 0.1,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="Alpha of the loss, to compare with theory.",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    anchor: Annotated[
        str,
        typer.Option(
            "--anchor",
            metavar="included|excluded",
            help="Whether an anchor is in its own softmax.",
            rich_help_panel=_BATCH,
        ),
    ] = "excluded",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the table; nothing is written without.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    output_format: FormatOption = "table",
) -> None:
    """Say whether the classes of embeddings are collapsed, and what to train with instead.

    Embeddings are scaled to length 1 first. Variance within classes is judged as a share of all
    variance: collapsed below 5 %, near below 15 %, healthy otherwise.

    Keys of --format json: verdict, reason, embeddings, within_share, within_variance,
    between_variance, effective_rank, total_variance, simplex_distance (0: the class means form a
    regular simplex), neighbours (share whose nearest embedding is of their class), guideline
    (alpha_star, expected_within at --alpha, lower, suggested and upper: the alphas with 25, 50
    and 75 % of the largest variance, sweep) and per_class, a list.
    """
    from nasrank.companions.supcon import diagnose as study
    from nasrank.companions.supcon.advice import guideline
    from nasrank.companions.supcon.closed_form import optimum
    from nasrank.companions.supcon.tables import DIAGNOSIS

    if sweep is not None and not suggest:
        raise UsageError("--sweep checks what --suggest proposes. Give --suggest too")
    found = study.diagnose(embeddings, label)
    m = len(found.rows) - 1 if classes is None else classes
    setting = (m, instances, views, temperature)
    advice = guideline(*setting, anchor=anchor)
    expected = None
    if alpha is not None:
        expected = float(optimum(*setting, alpha, anchor=anchor).within_variance)
    seen = None if sweep is None else vars(study.check_sweep(sweep, advice.suggested))
    whole = {name: value for name, value in found.rows[0].items() if name in _WHOLE}
    record: dict[str, Any] = {
        "verdict": found.verdict,
        "reason": found.reason,
        **whole,
        "total_variance": found.total_variance,
        "simplex_distance": found.simplex_distance,
        "neighbours": found.neighbours,
        "guideline": {
            "classes": m,
            "instances": instances,
            "views": views,
            "temperature": temperature,
            "anchor": anchor,
            "alpha_star": advice.alpha_star,
            "largest_within": advice.largest_within,
            "expected_within": expected,
            "lower": advice.lower,
            "suggested": advice.suggested if suggest else None,
            "upper": advice.upper,
            "sweep": seen,
        },
        "per_class": found.rows[1:],
    }
    if output_format == "table":
        _print(record)
    else:
        print_record(record, output_format)
    if out is not None:
        about = {"command": "supcon diagnose", "embeddings": embeddings.name, "label": label}
        DIAGNOSIS.write(found.rows, out / "diagnosis.parquet", about)


_WHOLE = ("embeddings", "within_share", "within_variance", "between_variance", "effective_rank")
_COLUMNS = (
    Column("class"),
    Column("embeddings", right=True),
    Column("within_variance", "variance\nwithin", right=True),
    Column("between_variance", "squared distance\nto the centre", right=True),
    Column("share", "within,\nof all", right=True),
    Column("mean_cosine", "mean\ncosine", right=True),
    Column("effective_rank", "effective\nrank", right=True),
    Column("verdict"),
)


def _print(record: dict[str, Any]) -> None:
    rows = [{**row, "share": f"{100 * row['within_share']:.1f} %"} for row in record["per_class"]]
    print_text(
        rich_table(rows, _COLUMNS),
        "",
        f"{record['verdict']}: {record['reason']}.",
        "",
        f"Variance within classes {record['within_variance']:.4f}, between them "
        f"{record['between_variance']:.4f}, in all {record['total_variance']:.4f} (at most 1).\n"
        f"Effective rank {record['effective_rank']:.1f}. The class means are "
        f"{record['simplex_distance']:.2f} from a simplex (0: on it, 1.41: as far as can be).\n"
        f"{100 * record['neighbours']:.1f} % of the embeddings have a nearest one of their class.",
        "",
        "\n".join(_advice(record["guideline"])),
    )


def _advice(said: dict[str, Any]) -> list[str]:
    batch = f"{said['classes']} classes, {said['instances']} instances, {said['views']} views"
    lines = [
        f"Theory for {batch}, temperature {said['temperature']:g}, anchor {said['anchor']}:",
        f"- classes collapse for alpha up to {said['alpha_star']:.4f};",
    ]
    if said["expected_within"] is not None:
        lines.append(
            f"- with your alpha, free embeddings have {said['expected_within']:.4f} within;"
        )
    lines.append(
        f"- alpha {said['lower']:.2f} to {said['upper']:.2f} keeps a quarter to three quarters "
        f"of the largest variance, {said['largest_within']:.2f}."
    )
    if said["suggested"] is not None:
        lines.append(f"Suggested: alpha {said['suggested']:.2f}, which keeps half of it.")
    if said["sweep"] is not None:
        seen = said["sweep"]
        lines.append(
            f"The sweep reads finer labels at {100 * seen['accuracy']:.1f} % with alpha "
            f"{seen['alpha']:g}, the nearest; at best {100 * seen['best_accuracy']:.1f} %, with "
            f"alpha {seen['best_alpha']:g} (means over seeds: {seen['seeds']})."
        )
    return lines
