"""Tidy table of DARTS genotypes with a surrogate's accuracies and proxies."""

from nasrank.benchmarks.importers.darts_cells import (
    CONTRACT,
    DROP,
    genotype_graphs,
    genotype_of_fields,
    genotype_text,
)
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.parquet_file import ParquetColumns
from nasrank.benchmarks.importers.proxies import clean_scores, proxy_metric
from nasrank.benchmarks.space import Metric

__all__ = ["read_darts"]

_EDGES = 8
_DATASET = "cifar10"


def read_darts(table: ParquetColumns) -> Imported:
    """Read the table: one row per genotype, in the order of the file."""
    cells = []
    for cell in ("normal", "reduce"):
        names = [table.texts(f"{cell}_{edge}_op") for edge in range(_EDGES)]
        sources = [
            table.whole_numbers(f"{cell}_{edge}_input", low=0, high=_EDGES).tolist()
            for edge in range(_EDGES)
        ]
        cells.append(
            [
                [list(edge) for edge in zip(row_names, row_sources, strict=True)]
                for row_names, row_sources in zip(
                    zip(*names, strict=True), zip(*sources, strict=True), strict=True
                )
            ]
        )
    genotypes = []
    for row, (normal, reduce) in enumerate(zip(*cells, strict=True)):
        try:
            genotypes.append(genotype_of_fields({"normal": normal, "reduce": reduce}))
        except ValueError as error:
            raise table.error(f"row {row}: {error}") from error
    accuracy = Metric(
        "val_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy that the surrogate of NAS-Bench-301 predicts; a "
        "prediction, not a training",
    )
    predicted = table.percents("val_acc_nb301_surrogate")
    measurements = [Measurement(_DATASET, accuracy, predicted[:, None])]
    measurements += [
        Measurement(
            _DATASET,
            proxy_metric(name.removeprefix("zc_")),
            clean_scores(table.numbers(name))[:, None],
        )
        for name in table.names
        if name.startswith("zc_")
    ]
    return Imported(
        space="darts",
        title="DARTS genotypes with accuracies of the NAS-Bench-301 surrogate",
        architectures=tuple(map(genotype_text, genotypes)),
        graphs=genotype_graphs(genotypes),
        drop=DROP,
        contract=CONTRACT,
        measurements=tuple(measurements),
        cost_seconds={},
        parameters=None,
        chance={_DATASET: 10.0},
        note="every accuracy is the prediction of a surrogate, not a training; genotypes without "
        "one are a pool of candidates",
        source=table.path.name,
        licence="Apache-2.0",
        citation="Zela et al. (2022), Surrogate NAS Benchmarks: Going Beyond the Limited Search "
        "Spaces of Tabular NAS Benchmarks, ICLR",
    )
