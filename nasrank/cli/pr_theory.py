"""``nasrank pr theory``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.output import (
    Column,
    FormatOption,
    print_csv,
    print_json,
    print_text,
    rich_table,
)
from nasrank.cli.settings import checked, numbers, read_settings
from nasrank.cli.study_options import ConfigOption, QuietOption
from nasrank.errors import UsageError

__all__ = ["EPILOG", "theory"]

EPILOG = """Examples:

nasrank pr theory --mean 1 --lambdas 0.2,1,5

nasrank pr theory --pair discrete --p 0.5,0.3,0.2 --q 0.2,0.3,0.5

nasrank pr theory --pair ring --modes 4 --out nasrank-out/theory
"""

_PAIR = "Which pair"


def theory(
    *,
    pair: Annotated[
        str | None,
        typer.Option(
            "--pair",
            metavar="gaussians|discrete|ring|samples",
            help="Data and model with known densities. [default: gaussians]",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    mean: Annotated[
        float | None,
        typer.Option(
            "--mean",
            help="Gaussians: mean of the data; the model is N(0, 1). [default: 1]",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            "--sd",
            help="Gaussians: standard deviation of the data. [default: 1]",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    p: Annotated[
        str | None,
        typer.Option("--p", help="Discrete: masses of the data.", rich_help_panel=_PAIR),
    ] = None,
    q: Annotated[
        str | None,
        typer.Option("--q", help="Discrete: masses of the model.", rich_help_panel=_PAIR),
    ] = None,
    modes: Annotated[
        int | None,
        typer.Option(
            "--modes",
            help="Ring of 8 modes: how many of them the model has. [default: 4]",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    spread: Annotated[
        float | None,
        typer.Option(
            "--spread",
            help="Ring: standard deviation of the model's modes. [default: 0.15, the data's]",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            help="Samples: Parquet with densities p and q at each sample, and drawn (p or q).",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    lambdas: Annotated[
        str | None,
        typer.Option("--lambdas", help="Weights of precision. [default: 0.1,0.2,0.5,1,2,5,10]"),
    ] = None,
    config: ConfigOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of tables and pictures; nothing is written without."),
    ] = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Precision and recall of a pair in closed form, and what divergences make of them.

    Alpha is the precision, beta the recall on the frontier at a weight lambda, and the
    divergence is min(1, lambda) - alpha: 0 where the model leaves nothing to be desired. Every
    f-divergence is an average of these divergences over lambda; it is rebuilt from them by
    quadrature and held against its own definition.

    Keys of --format json: pair, pr_theory (lambda, alpha, beta, divergence), pr_conjugate
    (lambda, critic, conjugate: of the dual form, whose critic stops at lambda), pr_rebuilt
    (divergence, generator, weights, rebuilt, direct, error, recall_share), pr_weights
    (divergence, lambda, weight, formula). csv holds pr_theory.
    """
    from nasrank.companions.precision_recall import theory as study

    settings = read_settings(config, [*study.TheoryConfig.model_fields, "out"])
    given = {
        "pair": pair,
        "mean": mean,
        "sd": sd,
        "p": numbers(p, "--p"),
        "q": numbers(q, "--q"),
        "modes": modes,
        "spread": spread,
        "samples": samples,
        "lambdas": numbers(lambdas, "--lambdas"),
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    found = settings.pop("out", None)
    folder = out or (None if found is None else Path(str(found)))
    chosen = checked(study.TheoryConfig, settings)
    result = study.theory(chosen)
    match output_format:
        case "json":
            print_json({"pair": result.pair, **result.tables})
        case "csv":
            print_csv(result.frontier)
        case _:
            _print(result)
    if folder is None:
        return
    study.write_theory(result, chosen, folder)
    pictures = _draw(result, study, chosen, folder)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(result: Any, study: Any, chosen: Any, folder: Path) -> str:  # noqa: ANN401 - heavy types
    from nasrank.companions.precision_recall.figures import draw_theory

    try:
        paths = draw_theory(result.frontier, result.weights, result.pair, folder)
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(map(str, paths))}"


def _print(result: Any) -> None:  # noqa: ANN401 - a type that needs heavy imports
    lambdas = list(dict.fromkeys(row["lambda"] for row in result.weights))
    ends = {(row["lambda"], row["critic"]): row["conjugate"] for row in result.conjugate}
    by_name: dict[str, dict[str, Any]] = {}
    for row in result.weights:
        cells = by_name.setdefault(
            row["divergence"], {"divergence": row["divergence"], "formula": row["formula"]}
        )
        cells[f"at {row['lambda']:g}"] = "-" if row["weight"] is None else f"{row['weight']:.4g}"
    print_text(
        rich_table(
            [
                {
                    "lambda": f"{row['lambda']:g}",
                    **{name: f"{row[name]:.6f}" for name in ("alpha", "beta", "divergence")},
                    **{
                        f"at {share:g}": f"{ends[row['lambda'], share * row['lambda']]:g}"
                        for share in (0, 1)
                    },
                }
                for row in result.frontier
            ],
            [
                Column("lambda", right=True),
                Column("alpha", "precision\nalpha", right=True),
                Column("beta", "recall\nbeta", right=True),
                Column("divergence", "PR divergence", right=True),
                Column("at 0", "conjugate\nat critic 0", right=True),
                Column("at 1", "at critic\nlambda", right=True),
            ],
            title=result.pair,
        ),
        "",
        rich_table(
            [
                {
                    **row,
                    "rebuilt": f"{row['rebuilt']:.9g}",
                    "direct": "-" if row["direct"] is None else f"{row['direct']:.9g}",
                    "error": "-" if row["error"] is None else f"{row['error']:+.1e}",
                    "share": "-"
                    if row["recall_share"] is None
                    else f"{100 * row['recall_share']:.0f} %",
                }
                for row in result.rebuilt
            ],
            [
                Column("divergence"),
                Column("generator", "f(u), u = p/q"),
                Column("rebuilt", "rebuilt from PR\ndivergences", right=True),
                Column("direct", "by its own\ndefinition", right=True),
                Column("error", right=True),
                Column("share", "of it from\nlambda < 1", right=True),
            ],
            title="f-divergences as averages over lambda",
        ),
        "",
        rich_table(
            list(by_name.values()),
            [
                Column("divergence"),
                Column("formula", "weight"),
                *(Column(f"at {lam:g}", right=True) for lam in lambdas),
            ],
            title="weight that each divergence gives to a lambda",
        ),
        "Lambda below 1 looks at recall, above 1 at precision: kl weighs recall more than rkl by "
        "1/lambda.\nDivergences are 0 at best; inf where one distribution has mass that the other "
        "cannot excuse.\nThe conjugate is straight from critic 0 to lambda and infinite beyond: "
        "the best critic takes either end.",
    )
