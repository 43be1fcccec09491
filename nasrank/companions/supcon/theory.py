"""The theory as a calculator: grids of settings and phase diagrams."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.companions.supcon.closed_form import (
    Batch,
    alpha_star,
    gram_matrix,
    noisy_optimum,
    optimum,
    temperature_star,
)
from nasrank.companions.supcon.options import TheoryConfig
from nasrank.errors import UsageError

__all__ = ["gram_rows", "noise_rows", "phases", "theory_rows"]

_MOST_SETTINGS = 1_000_000
_MOST_GRAM = 400
_MOST_PANELS = 6
_FINE = 41
Array = NDArray[np.float64]
Row = dict[str, Any]


def theory_rows(config: TheoryConfig) -> list[Row]:
    """Compute every setting of a grid.

    Returns:
        Rows of :data:`~nasrank.companions.supcon.tables.THEORY`, alpha changing fastest.

    Raises:
        UsageError: There are more than a million settings, or an excluded anchor has one view.
    """
    lists = (config.classes, config.instances, config.views, config.temperatures, config.alphas)
    sizes = [len(each) for each in lists]
    if float(np.prod([float(size) for size in sizes])) * len(config.anchors) > _MOST_SETTINGS:
        raise UsageError(f"more than {_MOST_SETTINGS:,} settings. Give shorter lists")
    rows = []
    for anchor in dict.fromkeys(config.anchors):
        m, n, p, t, alpha = (each.ravel() for each in np.meshgrid(*lists, indexing="ij"))
        batch = Batch(m, n, p, t, anchor)
        found = optimum(batch, alpha)
        edge = alpha_star(batch)
        warm = temperature_star(batch, alpha)
        columns = {
            "classes": m,
            "instances": n,
            "views": p,
            "temperature": t,
            "alpha": alpha,
            "anchor": np.full(len(m), anchor),
            "alpha_star": edge,
            "temperature_star": warm,
            "collapsed": found.collapsed,
            "within_variance": found.within_variance,
            "between_variance": found.between_variance,
            "view_cosine": found.view_cosine,
            "within_cosine": found.within_cosine,
            "between_cosine": found.between_cosine,
            "loss": found.loss,
        }
        lines = zip(*(values.tolist() for values in columns.values()), strict=True)
        rows += [dict(zip(columns, line, strict=True)) for line in lines]
    return rows


def noise_rows(config: TheoryConfig) -> list[Row]:
    """Compute the optimum of pure supervision under label noise.

    Returns:
        Rows of :data:`~nasrank.companions.supcon.tables.NOISE`; none where no noise is asked for.

    Raises:
        UsageError: More labels are wrong than there can be.
    """
    if not any(config.label_noises):
        return []
    lists = (config.classes, config.temperatures, config.label_noises)
    m, t, e = (each.ravel() for each in np.meshgrid(*lists, indexing="ij"))
    found = noisy_optimum(m, t, e)
    columns = {
        "classes": m,
        "temperature": t,
        "label_noise": e,
        "wrong_pairs": found.wrong_pairs,
        "between_cosine": found.between_cosine,
        "total_variance": found.total_variance,
    }
    lines = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, line, strict=True)) for line in lines]


def gram_rows(config: TheoryConfig) -> list[Row]:
    """Return the Gram matrix of the optimal embeddings of one setting, row by row.

    Returns:
        One row an embedding: its ``class``, ``instance`` and ``view``, counted from 1, and its
        cosine with each embedding by number.

    Raises:
        UsageError: There are several settings, or more than 400 embeddings.
    """
    lists = (config.classes, config.instances, config.views, config.temperatures, config.alphas,
             config.anchors)  # fmt: skip
    if any(len(each) != 1 for each in lists):
        raise UsageError("--gram shows one setting: give every option one value, --anchors too")
    m, n, p = config.classes[0], config.instances[0], config.views[0]
    t, alpha, anchor = config.temperatures[0], config.alphas[0], config.anchors[0]
    if m * n * p > _MOST_GRAM:
        raise UsageError(
            f"--gram of {m * n * p:,} embeddings is too long to read: its cosines are those of "
            f"the table without it. Ask for {_MOST_GRAM} or fewer"
        )
    gram = gram_matrix(Batch(m, n, p, t, anchor), alpha)
    return [
        {
            "class": number // (n * p) + 1,
            "instance": number // p % n + 1,
            "view": number % p + 1,
            **{str(other + 1): value for other, value in enumerate(line)},
        }
        for number, line in enumerate(gram.tolist())
    ]


def phases(config: TheoryConfig) -> tuple[Array, Array, list[tuple[str, Array, Array]]]:
    """Compute the phase diagram of the first six kinds of batch of a grid.

    Args:
        config: The grid; its temperatures and alphas do not matter.

    Returns:
        Temperatures, alphas and panels of `nasrank.companions.supcon.figures.draw_phases`.
    """
    alphas = np.linspace(0, 1, _FINE)
    temperatures = np.geomspace(0.05, 2, _FINE)
    kinds = [
        (m, n, p, anchor)
        for anchor in dict.fromkeys(config.anchors)
        for m in config.classes
        for n in config.instances
        for p in config.views
        if anchor == "included" or p > 1
    ][:_MOST_PANELS]
    panels = []
    for m, n, p, anchor in kinds:
        batch = Batch(m, n, p, temperatures, anchor)
        found = optimum(batch, alphas[:, None])
        edge = alpha_star(batch)
        title = f"{m} classes, {n} instances" + (
            f"\nanchor excluded, {p} views" if anchor == "excluded" else "\nanchor included"
        )
        panels.append((title, found.within_variance, edge))
    return temperatures, alphas, panels
