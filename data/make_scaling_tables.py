"""Makes the tables of scaling studies that nasrank carries from the wheel of scan-bench.

The wheel is some 24 MB and needs heavy packages, so that it is no dependency; what is kept of it
is a row for each training. To make the tables again:

    pip download --no-deps scan-bench==0.2.3
    python data/make_scaling_tables.py scan_bench-0.2.3-py3-none-any.whl

Every file of the wheel is checked by its sha256 before it is read. Values are kept as they are but
for names; see data/README.md for what the columns mean and which traps the files hold.
"""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa

from nasrank.benchmarks.scaling import CURVE, NEAR, SHIPPED
from nasrank.tables import write_parquet

SOURCES = {
    "llm/configs_intermediate_summary.csv": (
        "fe7fb43e38410f966556564404f7467c8126720a9e424d3f688f3939cbe5c249"
    ),
    "llm/large_runs.csv": "84b8220f180a9b0a8ee73ba6957392c6975c13c571b51be15c33b31224d28cb6",
    "vlm/data.csv": "4a7db751bdca8a66ace40ad71a0827b821434f6f7e46d9a08f96f8a82df6332f",
    "vlm/large_runs.csv": "bad3f48a4287106c5848a83640d64e3dd9c3389267e4ac5e72f85a3f1af3b71e",
    "tabpfn/data.csv": "cdfbd5120cd81e9b8f5d3aaccf819eff2eea0fcbf42b1277a322a8ac234b2677",
}
LICENCE = "scan_bench-0.2.3.dist-info/licenses/LICENSE"

LLM_SETTINGS = [
    "d_model", "n_layers", "n_heads", "n_tokens", "lr", "weight_decay", "beta1", "beta2",
    "cooldown_steps",
]  # fmt: skip
CLIP_SETTINGS = [
    "text_width", "vision_width", "global_batch_size", "total_samples_planned", "lr", "wd",
    "beta1", "beta2", "eps", "warmup_fraction",
]  # fmt: skip
# The last columns of the file, from the first of them on.
CLIP_FIRST_SCORE = "vtab_caltech101_mean_per_class_recall"


def metric_name(column: str) -> str:
    """Spell a column of the source as the name of a metric."""
    plain = column.removeprefix("downstream_").lower()
    return plain.replace("@", "_at_").replace("-", "_")


def curve(rows: pd.DataFrame, step: str, whole: pd.Series, loss: str) -> pd.DataFrame:
    """Take the loss nearest to each share of a training, where there is one that is near enough.

    Args:
        rows: Checkpoints, with the column ``config_id``.
        step: The column that counts.
        whole: The count at which the training of each row ends.
        loss: The column that is taken.
    """
    share = rows[step] / whole
    found = {}
    for percent in CURVE:
        away = (share - percent / 100).abs()
        near = rows.assign(away=away)[(away <= NEAR) & (share < 1)]
        nearest = near.sort_values("away", kind="stable").groupby("config_id")[loss].first()
        found[f"{loss}_{percent}"] = nearest
    return pd.DataFrame(found)


def language_models(rows: pd.DataFrame) -> pd.DataFrame:
    """Make a row for each training of a decoder."""
    # The shares of the source are 1 for every checkpoint of some trainings, their steps are right.
    last_step = rows.groupby("config_id")["eval_step"].transform("max")
    last = rows[rows["eval_step"] == last_step].set_index("config_id").sort_index()
    scores = [c for c in last if c.startswith("downstream_") and c != "downstream_tasks"]
    return pd.concat(
        [
            last[[*LLM_SETTINGS, "valid_loss", "test_loss"]],
            last["train_loss_so_far"].rename("train_loss"),
            curve(rows, "eval_step", last_step, "valid_loss"),
            last[scores].rename(columns=metric_name),
            last["total_flops"].astype("float64").rename("flops"),
            last["total_params"].rename("parameters"),
        ],
        axis=1,
    )


def image_models(rows: pd.DataFrame) -> pd.DataFrame:
    """Make a row for each training of OpenCLIP; those that diverged keep no final value.

    The training loss is left out, since it depends on the size of a batch.
    """
    last = rows.loc[rows.groupby("config_id")["epoch"].idxmax()].set_index("config_id")
    last = last.sort_index()
    failed = last["epoch_diverged"].astype(bool)
    first = list(last).index(CLIP_FIRST_SCORE)
    values = last[["val_loss", "test_loss", *list(last)[first:]]]
    # Some losses of trainings that diverged are cut off at 5, some are missing: none is a label.
    values = values.where(~failed)
    whole = rows[~rows["epoch_diverged"].astype(bool)]
    seconds = rows["train_duration(s)"].fillna(0.0) * rows["world_size"]
    return pd.concat(
        [
            last[CLIP_SETTINGS],
            values[["val_loss", "test_loss"]],
            curve(whole, "epoch", whole["total_epochs"], "val_loss"),
            values.iloc[:, 2:].rename(columns=metric_name),
            (1e9 * last["total_compute_planned"]).rename("flops"),
            (1e6 * last["mparams"]).round().rename("parameters"),
            seconds.groupby(rows["config_id"]).sum().rename("train_seconds"),
            failed.rename("failed"),
        ],
        axis=1,
    )


def table_models(rows: pd.DataFrame) -> pd.DataFrame:
    """Make a row for each training of TabPFN, in the order of the source."""
    rows = rows.rename(columns=lambda c: c.removeprefix("config/").removeprefix("model_config."))
    names = {
        "val/val_loss": "val_loss",
        **{f"val/{size}/val_loss": f"val_loss_{size}" for size in ("small", "medium", "large")},
        "real_data/nll": "real_nll",
        "real_data/roc_auc": "real_roc_auc",
        "total_flops": "flops",
    }
    settings = [
        "embedding_size", "num_layers", "effective_batch_size", "lr", "max_features",
        "num_datapoints_max", "total_cells",
    ]  # fmt: skip
    return rows[[*settings, *names, "parameters"]].rename(columns=names)


def joined(small: pd.DataFrame, large: pd.DataFrame) -> pd.DataFrame:
    """Put larger trainings behind the others and mark them."""
    return pd.concat([small.assign(large=False), large.assign(large=True)])


def main() -> None:
    """Read the wheel and write the tables and their licence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="scan_bench-0.2.3-py3-none-any.whl")
    wheel = zipfile.ZipFile(parser.parse_args().wheel)
    files = {}
    for name, sha256 in SOURCES.items():
        content = wheel.read(f"scan_bench/{name}")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise SystemExit(f"{name}: its sha256 is not {sha256}. Use scan-bench 0.2.3")
        files[name] = pd.read_csv(io.BytesIO(content), low_memory=False)
    tables = {
        "llm": joined(
            language_models(files["llm/configs_intermediate_summary.csv"]),
            language_models(files["llm/large_runs.csv"]),
        ),
        "clip": joined(
            image_models(files["vlm/data.csv"]), image_models(files["vlm/large_runs.csv"])
        ),
        "tabpfn": table_models(files["tabpfn/data.csv"]),
    }
    for name, table in tables.items():
        made_from = {
            f"source.{file}": sha256
            for file, sha256 in SOURCES.items()
            if file.split("/")[0].replace("vlm", "clip") == name
        }
        columns = {column: table[column].to_numpy("float64") for column in table}
        content = pa.table(columns, metadata={"package": "scan-bench 0.2.3", **made_from})
        path = SHIPPED / f"scaling-{name}.parquet"
        write_parquet(content, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}  {len(table)} rows, {path.stat().st_size} bytes  {digest}")
    (SHIPPED / "LICENSE-scan-bench").write_bytes(wheel.read(LICENCE))


if __name__ == "__main__":
    main()
