"""Write the tables of pages from the tables of results.

    python tests/figures_in_pages.py

A page holds ``<!-- table: NAME -->`` and ``<!-- end -->``; what stands between them is written by
the function of that name. ``tests/test_figures.py`` fails where a page says anything else.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from nasrank.runs.lists import lists_table
from nasrank.runs.tables import DISCOVERY
from nasrank.statistics import paired_p, ratio_interval
from nasrank.tables import read_parquet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
BLOCK = re.compile(r"(<!-- table: ([a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
LOSSES = ("mse", "mse+sr", "hr", "lr", "softtau", "listmle", "listnet", "approxndcg", "ew",
          "mape", "warp", "lambdarank")  # fmt: skip
MARKS = {"equivalent": " =", "undecided": " ?"}


def frame(name):
    return read_parquet(RESULTS / f"{name}.parquet").to_pandas()


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def tuned(predictor):
    rows = []
    for row in frame(f"tuning/tuned-{predictor}").to_dict("records"):
        same = row["loss"] == row["setting"]
        ends = "" if same else f" [{row['gain_lower']:+.3f}, {row['gain_upper']:+.3f}]"
        gains = ("", "") if same else (f"{row['tuned_gain']:+.3f}", f"{row['gain']:+.3f}{ends}")
        kept = "the default" if same else f"`{row['setting']}`"
        tau = f"{row['kendall_tau']:.3f}"
        rows.append([f"`{row['loss']}`", kept, *gains, "" if same else row["verdict"], tau])
    return table(
        ["loss", "chosen", "gain there", "gain elsewhere [95 %]", "verdict", "tau elsewhere"], rows
    )


def losses():
    """Tau of the reference comparison, marked by verdict against the best of a column."""
    cells = [("nb201/cifar10", n) for n in (39, 78, 156, 469)]
    cells += [("nb201/cifar100", 78), ("nb201/imagenet16-120", 78)]
    summary = frame("summary")
    named = {"nb201/cifar10": "CIFAR-10", "nb201/cifar100": "CIFAR-100",
             "nb201/imagenet16-120": "ImageNet16-120"}  # fmt: skip

    def cell(loss, task, n, metric, digits):
        here = (summary["task"] == task) & (summary["n_train"] == n)
        of = (summary["metric"] == metric) & (summary["loss"] == loss)
        own = summary[here & of].iloc[0]
        text = f"{own['mean']:.{digits}f}"
        return f"**{text}**" if own["rank"] == 1 else text + MARKS.get(own["verdict"], "")

    rows = [
        [
            f"`{loss}`",
            *(cell(loss, task, n, "kendall_tau", 3) for task, n in cells),
            cell(loss, "nb201/cifar10", 78, "discovery_1pct_at_100", 2),
        ]
        for loss in LOSSES
    ]
    return table(["loss", *(f"{named[t]}, {n}" for t, n in cells), "top 1 % found"], rows)


TAU = ("gnn", "gnn(features=proxies)", "mlp", "gp", "gp(features=proxies)", "trees",
       "trees(features=proxies)", "boosting", "blend", "blend(features=proxies)")  # fmt: skip


def predictors(folders, sizes):
    """Tau of predictors by task, sizes side by side, the best of each bold."""
    runs = pd.concat(frame(f"predictors/{folder}/runs") for folder in folders)
    mean = runs.groupby(["predictor", "task", "n_train"])["kendall_tau"].mean()
    known = [name for name in TAU if name in mean.index.get_level_values(0)]
    tasks = list(dict.fromkeys(runs["task"]))
    rows = []
    for name in known:
        cells = []
        for task in tasks:
            texts = []
            for n in sizes:
                text = f"{mean[name, task, n]:.3f}"
                best = max(mean[each, task, n] for each in known)
                texts.append(f"**{text}**" if mean[name, task, n] == best else text)
            cells.append(" / ".join(texts))
        rows.append([f"`{name}`", *cells])
    shown = [task.split("/")[1].removesuffix(":test_acc") for task in tasks]
    by = " / ".join(f"{n:,}" for n in sizes)
    return table(["predictor", *(f"{task}: {by}" for task in shown)], rows)


OURS = ("auto", "kernel", "gp", "gnn", "boosting", "trees", "ridge")


def by_task():
    """Mean tau of our predictors and the best of other libraries, sizes side by side."""
    runs = frame("predictors/tasks/runs")
    sizes = sorted(runs["n_train"].unique())
    tau = runs.pivot_table(
        index=["task", "n_train"], columns="predictor", values="kendall_tau", sort=False
    )
    others = [name for name in tau.columns if ":" in name]
    rows = []
    for task in dict.fromkeys(runs["task"]):
        cells = {name: [] for name in OURS}
        strongest = []
        for n in sizes:
            here = tau.loc[(task, n)]
            for name in OURS:
                text = f"{here[name]:.3f}"
                cells[name].append(f"**{text}**" if here[name] == here.max() else text)
            name = here[others].idxmax()
            text = f"{here[name]:.3f}"
            text = f"**{text}**" if here[name] == here.max() else text
            strongest.append(f"{text} {name.split(':')[1]}")
        rows.append([task, *(" / ".join(own) for own in cells.values()), " / ".join(strongest)])
    by = " / ".join(f"{n:,}" for n in sizes)
    return table([f"task, {by} labels", *(f"`{name}`" for name in OURS), "best other"], rows)


def of_predictors():
    """Mean tau over tasks, places near the best, and seconds, of every predictor."""
    runs = frame("predictors/tasks/runs")
    runs = runs.assign(seconds=runs["fit_seconds"] + runs["predict_seconds"])
    tau, time = (
        runs.pivot_table(index=["task", "n_train"], columns="predictor", values=of, aggfunc=how)
        for of, how in (("kendall_tau", "mean"), ("seconds", "median"))
    )
    space = tau.index.get_level_values("task").str.split("/").str[0]
    settings = space.str.startswith(("hpo", "scaling"))
    near = tau.ge(tau.max(axis=1) - 0.005, axis=0)
    sizes, rows = sorted(runs["n_train"].unique()), []
    for name in tau.mean().sort_values(ascending=False).index:
        parts = [
            " / ".join(f"{own.xs(n, level='n_train')[name].mean():.3f}" for n in sizes)
            for own in (tau[~settings], tau[settings])
        ]
        seconds = " / ".join(
            f"{np.exp(np.log(time.xs(n, level='n_train')[name]).mean()):.2g}" for n in sizes
        )
        rows.append([f"`{name}`", *parts, f"{near[name].sum()} of {len(near)}", seconds])
    by = " / ".join(f"{n:,}" for n in sizes)
    header = ["predictor", f"graphs, {by}", f"settings, {by}", "within .005 of the best",
              f"seconds, {by}"]  # fmt: skip
    return table(header, rows)


def seconds():
    """Tau on CIFAR-10 and the seconds that were stored with it."""
    runs = pd.concat(frame(f"predictors/{f}/runs") for f in ("nb201-test", "nb201-test-large"))
    runs = runs[runs["task"] == "nb201/cifar10:test_acc"]
    runs = runs.assign(seconds=runs["fit_seconds"] + runs["predict_seconds"])
    groups = runs.groupby(["predictor", "n_train"])
    # One run that waited for other work would decide a mean.
    mean = pd.DataFrame({"kendall_tau": groups["kendall_tau"].mean(),
                         "seconds": groups["seconds"].median()})  # fmt: skip
    sizes = sorted(runs["n_train"].unique())
    order = sorted(TAU, key=lambda name: mean.loc[(name, 156), "kendall_tau"])
    best = {n: mean["kendall_tau"].xs(n, level="n_train").max() for n in sizes}
    rows = []
    for name in order:
        taus = [mean.loc[(name, n), "kendall_tau"] for n in sizes]
        texts = [
            f"**{tau:.3f}**" if tau == best[n] else f"{tau:.3f}"
            for n, tau in zip(sizes, taus, strict=True)
        ]
        taken = [f"{mean.loc[(name, n), 'seconds']:.1f}" for n in (78, 156, 469, 1563)]
        rows.append([f"`{name}`", *texts, " / ".join(taken)])
    header = ["predictor", *(f"{n:,}" for n in sizes), "seconds at 78 / 156 / 469 / 1,563"]
    return table(header, rows)


PAIRS = {
    "nb201/cifar10:test_acc": ("losses-nb201-test", "hr", "mape"),
    "nb201/cifar100:test_acc": ("losses-nb201-test", "hr", "mape"),
    "nb201/imagenet16-120:test_acc": ("losses-nb201-test", "hr", "mape"),
    "transnas-micro/jigsaw": ("losses-transnas-jigsaw", "mse", "ew"),
    "transnas-micro/object": ("losses-transnas", "hr", "warp"),
    "transnas-micro/scene": ("losses-transnas", "hr", "warp"),
    "nbgraph/cora": ("losses-nbgraph", "hr", "mape"),
    "nbgraph/arxiv": ("losses-nbgraph", "hr", "mape"),
}


def pairs():
    """Regret after 100 evaluations of piecewise pairs, beside their parts."""
    rows = []
    for task, (folder, first, second) in PAIRS.items():
        own = frame(f"search/{folder}/search")
        own = own[(own["task"] == task) & own["loss"].notna() & (own["evaluations"] <= 100)]
        regret = own.pivot_table(index="loss", columns="seed", values="regret", aggfunc="last")
        pair, reverse = f"pw({first},{second},50)", f"pw({second},{first},50)"
        shown = (first, second, pair, reverse, "listmle")
        against = (first, second, reverse, "listmle")
        rng = np.random.default_rng(0)
        p = [paired_p(regret.loc[pair], regret.loc[each], rng) for each in against]
        rows.append(
            [
                task.removesuffix(":test_acc"),
                f"{first}, {second}",
                *(f"{regret.loc[each].mean():.3f}" for each in shown),
                ", ".join(f"{each:.2f}" for each in p),
            ]
        )
    header = ["task", "A, B", "A alone", "B alone", "A then B", "B then A", "`listmle`",
              "p against A, B, reverse, `listmle`"]  # fmt: skip
    return table(header, rows)


def medians():
    """Evaluations to the optimum on test accuracies."""
    methods = frame("search/nb201-test/search_methods")
    named = {"gp ei": "`gp`, expected improvement", "local": "local search",
             "evolution": "regularised evolution", "random": "random search"}  # fmt: skip
    tasks = list(dict.fromkeys(methods["task"]))
    rows = []
    for method, name in named.items():
        cells = []
        for task in tasks:
            own = methods[(methods["task"] == task) & (methods["method"] == method)].iloc[0]
            middle, low, high = (
                own[f"evaluations_to_optimum{e}"] for e in ("", "_lower", "_upper")
            )
            bold = "**" if method == "gp ei" else ""
            found = f"> {own['budget']} ({100 * own['hit_share']:.0f} % found)"
            known = f"{bold}{middle:g}{bold} [{low:g}, {high:g}]"
            cells.append(found if np.isnan(middle) else known)
        rows.append([name, *cells])
    shown = ["CIFAR-10", "CIFAR-100", "ImageNet16-120"]
    return table(["evaluations to the optimum, median", *shown], rows)


def closed(folder, loss="listmle", fed="mse(targets=robust)"):
    """Share of the gap between raw mse and a loss that robust targets close, task by task."""
    runs = frame(f"targets/{folder}/runs")
    sizes = sorted(runs["n_train"].unique())
    rows = []
    for task in dict.fromkeys(runs["task"]):
        cells = []
        for n in sizes:
            own = runs[(runs["task"] == task) & (runs["n_train"] == n) & ~runs["diverged"]]
            tau = own.pivot_table(index="seed", columns="loss", values="kendall_tau")
            found = ratio_interval(tau[fed] - tau["mse"], tau[loss] - tau["mse"])
            means = " / ".join(f"{tau[name].mean():.3f}" for name in ("mse", fed, loss))
            share = "no sure gap"
            if found.lower is not None:
                share = f"{found.mean:.2f} [{found.lower:.2f}, {found.upper:.2f}]"
            cells += [means, share]
        rows.append([task, *cells])
    header = [title for n in sizes for title in (f"{n}: raw / robust / `{loss}`", "closed [95 %]")]
    return table(["task", *header], rows)


def closed_over_spaces(folder, loss="listmle", fed="mse(targets=robust)"):
    """Share of the mean gap that robust targets close, with spaces as units, in %."""
    runs = frame(f"targets/{folder}/runs")
    tau = runs[~runs["diverged"]].pivot_table(
        index=["task", "n_train"], columns="loss", values="kendall_tau"
    )
    by_space = tau.groupby(tau.index.get_level_values("task").str.split("/").str[0]).mean()
    found = ratio_interval(by_space[fed] - by_space["mse"], by_space[loss] - by_space["mse"])
    return " ".join(
        (f"{100 * found.mean:.0f} %", f"[{100 * found.lower:.0f}, {100 * found.upper:.0f}]")
    )


def fed():
    """Mean tau of what regression is fed with, beside listmle, on both predictors."""
    shown = {
        "`mse` as published": "mse",
        "`mse`, robust targets": "mse(targets=robust)",
        "`listmle`": "listmle",
    }
    rows = []
    for predictor in ("kernel", "gnn"):
        runs = frame(f"targets/{predictor}/runs").query("not diverged")
        tau = runs.pivot_table(index="n_train", columns="loss", values="kendall_tau")
        cells = [" / ".join(f"{each:.3f}" for each in tau[loss]) for loss in shown.values()]
        seeds = f"`{predictor}`, {runs['seed'].nunique()} seeds"
        rows.append([seeds, *cells, closed_over_spaces(predictor)])
    sizes = " / ".join(map(str, tau.index))
    title = f"tau with {sizes} labels, {runs['task'].nunique()} tasks"
    return table([title, *shown, "the targets' share of the gap"], rows)


def listed(folder, wish, name):
    """Precision or recall of lists by loss, CIFAR-10 with 78 labels, in %."""
    runs = frame(f"{folder}runs").query("task == 'nb201/cifar10' and n_train == 78")
    found = frame(f"{folder}discovery")
    found = found[found["run_id"].isin(runs["run_id"])].groupby("run_id")
    rows = [
        {**run, **{f"{DISCOVERY.name}.{key}": values.tolist() for key, values in own.items()}}
        for run in runs.to_dict("records")
        for own in [found.get_group(run["run_id"])]
    ]
    return {row["loss"]: f"{100 * row[name]:.0f}" for row in lists_table(rows, [wish])}


def advice():
    """What distances between spaces say of where advice carries over."""
    found = frame("reliability/advice-transfer")
    labels = found[found["distance"] == "labels"]
    known = found[(found["distance"] == "gaps") & (found["predictor"] == "gnn")]["correlation"]

    def short(value):
        return f"{value:.2f}".replace("0.", ".")

    low, high = (
        short(each) for each in (labels["correlation"].min(), labels["correlation"].max())
    )
    least = np.floor(10 * labels["p_value"].min()) / 10
    return [
        f"between {low} and {high}, p at least {least:.1f}".replace("0.", "."),
        f"does on a network ({short(known.min())} to {short(known.max())})",
    ]


def beside_others():
    """Places of `auto` among all predictors, and its lead over others' on settings."""
    runs = frame("predictors/tasks/runs")
    tau = runs.pivot_table(index="task", columns="predictor", values="kendall_tau")
    behind = tau.max(axis=1) - tau["auto"]
    others = tau[[name for name in tau if ":" in name]].max(axis=1)
    lead = (tau["auto"] - others)[tau.index.str.startswith(("hpo", "scaling"))]
    first, near = int((behind == 0).sum()), np.ceil(1000 * behind.max()) / 1000
    within = f"within {near:.3f}".replace("0.", ".")
    return first, within, f"{lead.mean():.3f}".removeprefix("0")


def coverage():
    """How often intervals hold, in %, by number of seeds."""
    found = frame("reliability/coverage")
    shown = (
        ("mean, Student", "normal"),
        ("mean, Student", "Kendall tau of listmle, nb201/cifar10"),
        ("mean, Student", "exponential"),
        ("mean, Student", "regret at 50 of a search, nb201/imagenet16-120"),
        ("paired difference, Student", "normal, shared"),
        ("evaluations at confidence 0.8, exact", "exponential"),
        ("share, Clopper-Pearson", "0.9"),
    )
    rows = []
    for interval, law in shown:
        cells = []
        for seeds in (5, 10, 20, 30):
            own = found[(found["interval"] == interval) & (found["law"] == law)
                        & (found["n_seeds"] == seeds)].iloc[0]  # fmt: skip
            cells.append(f"{100 * own['coverage']:.1f}" + (", open" if own["open_above"] else ""))
        rows.append([interval, law, *cells])
    return table(["interval", "values", "5", "10", "20", "30"], rows)


def power():
    """Seeds that 20 % more evaluations take: median over tasks, for half and nine in ten pairs."""
    found = frame("reliability/evaluation-power")
    rows = []
    for (predictor, n), own in found.groupby(["predictor", "n_train"], sort=True):
        cells = [
            ", ".join(f"{np.ceil(part[name].median()):.0f}" for name in ("seeds", "seeds_90"))
            for _, part in own.groupby("metric")
        ]
        rows.append([f"`{predictor}`", n, *cells])
    return table(["predictor", "training set", "top 0.1 %", "top 1 %"], rows)


def shares():
    """Share of cells in which so many seeds serve half of the pairs of losses."""
    found = frame("reliability/evaluation-power")
    named = {"evaluations_0.1pct": "top 0.1 %", "evaluations_1pct": "top 1 %"}
    rows = [
        [named[metric], len(own), *(f"{100 * (own['seeds'] <= n).mean():.0f} %"
                                    for n in (10, 30, 100))]
        for metric, own in found.groupby("metric")
    ]  # fmt: skip
    return table(["evaluations to the", "cells", "10 seeds", "30 seeds", "100 seeds"], rows)


def list_coverage():
    """Shares of the first 20, and of all candidates, whose interval of 90 % holds."""
    found = frame("reliability/list-coverage")
    sizes = sorted(found["n_train"].unique())

    def cell(own):
        return f"{100 * own['listed'].mean():.0f}, all {100 * own['all'].mean():.0f}"

    rows = [
        [f"`{task}`", *(cell(own[own["n_train"] == size]) for size in sizes)]
        for task, own in found.groupby("task")
    ]
    mean = ["mean", *(cell(found[found["n_train"] == size]) for size in sizes)]
    draws = found.groupby(["task", "n_train"]).size()
    count = [["draws", *(f"{min(of)} to {max(of)}" for _, of in draws.groupby("n_train"))]]
    return table(["task", *(f"{size} labels" for size in sizes)], [*rows, mean, *count])


def command_costs():
    rows = [
        [
            f"`{row['command']}`",
            f"{row['cpu_seconds']:.1f}",
            f"{row['peak_memory']:.0f}",
            "yes" if row["imports_torch"] else "no",
        ]
        for row in frame("reliability/command-costs").to_dict("records")
    ]
    return table(["command", "CPU, s", "memory, MiB", "imports torch"], rows)


def bench_paths():
    """What a path costs beside the least that it could, and how many times that it is."""
    rows = frame("bench/bench")
    shown = rows[rows["floor"].notna()]
    cells = [
        [f"`{row['name']}`", f"{row['value']:.3g} {row['unit']}", f"{row['floor']:.3g}",
         f"{row['ratio']:.1f}"]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    return table(["path", "figure", "floor", "ratio"], cells)


def bench_notes():
    """How each of them was measured."""
    rows = frame("bench/bench")
    shown = rows[rows["floor"].notna()]
    return table(
        ["path", "how"], [[f"`{r['name']}`", r["note"]] for r in shown.to_dict("records")]
    )


def hostile_inputs():
    """What came of hostile inputs, by command, and of all files together."""
    found = frame("reliability/hostile-inputs")
    counts = ["inputs", "refused", "failures", "code_run", "foreign_changed"]
    files = found["reader"].str.contains(r"\.[a-z]+(?: in parts)?$")

    def row(name, own):
        return [name, *(f"{own[each].sum():,}" for each in counts)]

    rows = [row(f"`{each.reader}`", found[found["reader"] == each.reader])
            for each in found[~files].itertuples()]  # fmt: skip
    return table(
        ["reader", "inputs", "refused", "failures", "code run", "files of others changed"],
        [row(f"{files.sum()} readers of files", found[files]), *rows, row("all", found)],
    )


def engine_kills():
    counts = {
        "command_kills": "command killed", "worker_kills": "worker", "scheduler_kills":
        "scheduler", "finished": "got through", "runs_lost": "runs lost", "files_damaged":
        "files damaged", "orphans": "orphans", "tracebacks": "tracebacks",
    }  # fmt: skip
    rows = [[f"`{row['engine']}`", *(f"{row[each]}" for each in counts)]
            for row in frame("reliability/engine-kills").to_dict("records")]  # fmt: skip
    return table(["engine", *counts.values()], rows)


def matrix():
    """How often each environment and condition worked."""
    found = frame("reliability/matrix").fillna({"condition": ""})
    rows = []
    for (environment, condition), own in found.groupby(["environment", "condition"], sort=False):
        verdicts = own["verdict"].value_counts()
        said = ", ".join(f"{verdict}: {count}" for verdict, count in verdicts.items())
        if "not to be had" in verdicts:
            said = f"not to be had: {', '.join(own['said'].unique())}"
        rows.append([environment.removesuffix("+cpu"), condition or "-", said])
    return table(["environment", "what is less than usual", "commands"], rows)


TABLES = {
    "bench-paths": bench_paths,
    "bench-notes": bench_notes,
    "hostile-inputs": hostile_inputs,
    "engine-kills": engine_kills,
    "matrix": matrix,
    "command-costs": command_costs,
    "tuned-kernel": lambda: tuned("kernel"),
    "tuned-gnn": lambda: tuned("gnn"),
    "list-coverage": list_coverage,
    "losses": losses,
    "seconds": seconds,
    "predictors-nb201-test": lambda: predictors(
        ("nb201-test", "nb201-test-large"), (78, 156, 469, 781, 1563)
    ),
    "predictors-by-task": by_task,
    "predictors-all": of_predictors,
    "pairs": pairs,
    "medians": medians,
    "coverage": coverage,
    "power": power,
    "targets": fed,
    "targets-kernel": lambda: closed("kernel"),
    "targets-gnn": lambda: closed("gnn"),
    "shares": shares,
}
"""Tables of pages by name."""


def sentences():
    """What pages say of figures, by page; blanks do not matter."""
    found = frame("reliability/coverage")
    ratios = found[(found["interval"] == "mean of log ratios, Student") & (found["n_seeds"] == 10)]
    low, high = (
        f"{100 * end:.0f}" for end in (ratios["coverage"].min(), ratios["coverage"].max())
    )
    exact = found[found["interval"] == "median of ratios, exact"]["coverage"]
    methods = frame("search/nb201-validation/search_methods").set_index(["method", "task"])
    tasks = list(dict.fromkeys(methods.index.get_level_values(1)))
    reached = [
        ["> 150" if np.isnan(value) else f"{value:g}"
         for value in methods.loc[method].loc[tasks, "evaluations_to_optimum"]]
        for method in ("gp ei", "local")
    ]  # fmt: skip
    own, local = (f"{a}, {b} and {c}" for a, b, c in reached)
    hits = [
        [f"{100 * share:.0f}" for share in frame(f"search/{folder}/search_methods")
         .query("method == 'gp ei'")["hit_share"]]
        for folder in ("transnas-micro", "nbgraph")
    ]  # fmt: skip
    kernel, network = (closed_over_spaces(folder) for folder in ("kernel", "gnn"))
    first, within, lead = beside_others()
    place = f"`auto` is the best of fifteen on {first}"
    short, long = listed("", 10, "precision"), listed("", 0.1, "recall")
    ten = listed("targets/gnn/", 10, "precision")
    return {
        "README.md": [f"closes {kernel} of its gap", place, within, f"it is {lead} ahead"],
        "docs/results.md": [
            f"targets close {kernel} of the gap",
            f"the mean gap, {network} with spaces",
            within,
        ],
        "results/targets/README.md": [
            f"it is {kernel} (Fieller",
            f"as the units {network}",
        ],
        "results/predictors/README.md": [f"{place} of 20 tasks", within, f"{lead} in the mean"],
        "docs/companions.md": advice(),
        "docs/compare.md": [
            f"({short['mse']} %), and four of those by `listmle` ({short['listmle']} %)",
            f"they hold {long['mse']} and {long['listmle']} % of it",
            f"`mse` has {ten['mse']} % as published and {ten['mse(targets=robust)']} % with",
            f"`listmle` {ten['listmle']} %, and the last two",
            f"Student interval at 95 % holds in {low} to {high} of 100 cases",
        ],
        "results/reliability/README.md": [
            f"would have an interval that holds in {low} to {high} % of cases with 10 seeds",
            *(["whose exact interval held in all of 4,000"] if (exact == 1).all() else []),
        ],
        "docs/search.md": [
            f"the medians are {own} (local search {local})",
            f"TransNAS micro in {hits[0][0]}, {hits[0][1]} and {hits[0][2]} % of 20 searches",
            f"NAS-Bench-Graph in {hits[1][0]} and {hits[1][1]} %",
        ],
    }


def pages():
    """Pages that hold a table."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *RESULTS.rglob("*.md")]
    return [page for page in sorted(found) if BLOCK.search(page.read_text(encoding="utf-8"))]


def written(text):
    """Return a page with its tables as the results say."""
    return BLOCK.sub(lambda m: m[1] + "\n" + TABLES[m[2]]() + "\n" + m[3], text)


def main():
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = written(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: tables written")  # noqa: T201


if __name__ == "__main__":
    main()
