import hashlib
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.benchmarks import sources
from nasrank.benchmarks.scaling import CLIP, LLM, SHIPPED, TABPFN, Sweep, benchmark_of
from nasrank.benchmarks.space import Metric
from nasrank.benchmarks.splits import make_split
from nasrank.errors import DataError
from nasrank.graphs.settings import Setting
from nasrank.installing import install_again

BENCHMARKS = (LLM, CLIP, TABPFN)

# Counted and read in the files of scan-bench with pandas, apart from this project.
COUNTS = {
    # trainings, labelled, failed
    "scaling-llm/valid_loss": (1_194, 1_194, 0),
    "scaling-llm/large": (5, 5, 0),
    "scaling-clip/val_loss": (1_500, 1_366, 134),
    "scaling-clip/large": (35, 35, 0),
    "scaling-tabpfn/val_loss": (2_222, 2_222, 0),
    "scaling-llm/valid_loss:valid_loss_50": (1_194, 958, 0),
    "scaling-llm/valid_loss:openbookqa": (1_194, 864, 0),
    "scaling-clip/val_loss:imagenet1k_acc1": (1_500, 1_366, 134),
    "scaling-clip/val_loss:val_loss_25": (1_500, 1_018, 70),
}
BEST = {
    "scaling-llm/valid_loss": 1.2824604343781705,
    "scaling-llm/large": 1.241597052986295,
    "scaling-clip/val_loss": 0.3243006467819214,
    "scaling-clip/large": 0.4465008676052093,
    "scaling-clip/val_loss:imagenet1k_acc1": 29.01,
    "scaling-tabpfn/val_loss": 0.8017667817515152,
}


@pytest.mark.parametrize("name", COUNTS)
def test_trainings_are_counted(name, load):
    task = load(name)
    trainings, labelled, failed = COUNTS[name]
    assert len(task) == task.space.classes == len(set(task.space.architectures)) == trainings
    assert (~np.isnan(task.labels)).sum() == labelled
    if failed:
        assert task.failed.sum() == failed
        assert np.isnan(task.labels[task.failed]).all()
    else:
        assert task.failed is None
    assert task.space.graphs.only_settings
    assert task.sources[0].known


@pytest.mark.parametrize("name", BEST)
def test_the_best_label(name, load):
    task = load(name)
    best = np.nanmax(task.oriented_labels)
    assert best == pytest.approx(BEST[name] if task.metric.higher_is_better else -BEST[name])


def test_a_language_model_by_hand(load):
    task = load("scaling-llm/valid_loss")
    # The source's config_id 1, and the checkpoint at half of its training.
    assert task.space.architectures[0].startswith(
        "d_model=320, n_layers=12, n_heads=16, n_tokens="
    )
    assert task.labels[0] == pytest.approx(1.913161, abs=1e-6)
    assert load("scaling-llm/valid_loss:valid_loss_50").labels[0] == pytest.approx(2.0723317)
    assert load("scaling-llm/valid_loss:flops").labels[0] == 280_990_337_434_583_040
    assert task.parameters[0] == 32_808_320
    assert task.cost_seconds is None
    # Checkpoints of config_id 2 lie at .173, .345, .518, .690 of it: the last is near .75.
    curve = [
        load(f"scaling-llm/valid_loss:valid_loss_{share}").labels[1] for share in (25, 50, 75)
    ]
    assert curve == pytest.approx([1.824097, 1.720354, 1.702323], abs=1e-6)


def test_the_last_checkpoint_is_that_of_the_last_step(load):
    """All five of the last training stand at a share of 1 in the source."""
    assert load("scaling-llm/valid_loss").labels[-1] == pytest.approx(3.708248, abs=1e-6)
    assert load("scaling-llm/valid_loss:valid_loss_25").labels[-1] == pytest.approx(3.587246, 1e-6)


def test_an_image_model_by_hand(load):
    task = load("scaling-clip/val_loss")
    row = 9  # config_id 10: five epochs on four GPUs
    assert task.labels[row] == pytest.approx(2.711981, abs=1e-6)
    seconds = 994.543458 + 975.584812 + 986.380558 + 974.003336 + 977.397589
    assert task.cost_seconds[row] == pytest.approx(4 * seconds, abs=1e-4)
    assert task.parameters[row] == 2_570_000
    curve = [load(f"scaling-clip/val_loss:val_loss_{share}").labels[row] for share in (25, 50, 75)]
    assert curve == pytest.approx([3.554451, 3.065033, 2.735994], abs=1e-6)
    # config_id 1 diverged with a loss cut off at 5, which is no label.
    assert task.failed[0]
    assert np.isnan(task.labels[0])
    assert np.isfinite(load("scaling-clip/val_loss:flops").labels).all()
    assert load("scaling-clip/val_loss:flops").failed is None


def test_a_model_for_tables_by_hand(load):
    task = load("scaling-tabpfn/val_loss")
    assert task.labels[0] == 1.6369713148645435
    nll = load("scaling-tabpfn/val_loss:real_nll")
    assert nll.labels[0] == 1.0823256526747198
    assert not nll.metric.higher_is_better
    area = load("scaling-tabpfn/val_loss:real_roc_auc")
    assert area.labels[0] == pytest.approx(51.45429847929847)
    assert area.metric.higher_is_better


def test_settings_are_spelt_as_the_architectures_are(load):
    for name in ("scaling-llm/large", "scaling-clip/val_loss", "scaling-tabpfn/val_loss"):
        space = load(name).space
        settings = space.graphs.settings
        assert list(space.architectures) == [settings.text(row) for row in range(len(space))]
        assert not np.isnan(settings.values).any()


def test_failed_trainings_are_drawn_and_never_scored(load):
    task = load("scaling-clip/val_loss")
    split = make_split(task, 156, 0)
    assert task.failed[split.train].any()
    assert not task.failed[split.test].any()


def test_every_metric_can_be_read(load):
    for benchmark in BENCHMARKS:
        dataset = benchmark.datasets[0]
        for metric in benchmark.metrics_of(dataset):
            labels = load(f"{benchmark.name}/{dataset}:{metric.name}").labels
            known = labels[~np.isnan(labels)]
            assert len(known) > 400
            if metric.unit == "%":
                assert -10 < known.min() <= known.max() <= 100


def test_five_large_trainings_are_too_few_to_train_on(load):
    with pytest.raises(DataError, match="scaling-llm/large: too few labelled classes"):
        make_split(load("scaling-llm/large"), 2, 0)


def test_the_tables_are_small_and_come_with_their_licence():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1_000_000
    assert "Permission is hereby granted" in (SHIPPED / "LICENSE-scan-bench").read_text()
    for benchmark in BENCHMARKS:
        (origin,) = {*benchmark.origins.values()}
        content = origin.path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == origin.sha256
        metadata = pq.read_schema(origin.path).metadata
        assert metadata[b"package"] == b"scan-bench 0.2.3"
        made_from = [key for key in metadata if key.startswith(b"source.")]
        assert made_from
        assert all(len(metadata[key]) == 64 for key in made_from)


TOY = Sweep(
    name="scaling-toy",
    title="a toy",
    sha256="0" * 64,
    settings=(Setting("lr", "number", "log"), Setting("depth", "number")),
    metrics=(
        Metric("loss", "loss", False, "a loss"),
        Metric("acc", "%", True, "a score"),
        Metric("parameters", "parameters", False, "weights"),
    ),
    trainings={"loss": 3, "large": 1},
    notes={},
    extra=("failed", "large"),
)


def toy_table():
    return {
        "lr": [0.1, 0.01, 0.001, 0.1],
        "depth": [1.0, 2.0, 3.0, 9.0],
        "loss": [2.5, np.nan, 1.5, 0.5],
        "acc": [0.25, np.nan, 0.5, 1.0],
        "parameters": [10.0, 20.0, 30.0, 90.0],
        "failed": [0.0, 1.0, 0.0, 0.0],
        "large": [0.0, 0.0, 0.0, 1.0],
    }


@pytest.fixture
def toy(tmp_path, monkeypatch, cache):
    """Read a table of one's own in place of a shipped one."""
    monkeypatch.setattr(sources, "_SITE", tmp_path / "site")
    file = tmp_path / "site" / TOY.origin.file
    file.parent.mkdir(parents=True)

    def read(columns, dataset="loss", metric=TOY.metrics[0]):
        if isinstance(columns, bytes):
            file.write_bytes(columns)
        else:
            pq.write_table(
                pa.table({name: np.array(each) for name, each in columns.items()}), file
            )
        # As if this were the file that nasrank brings: what it holds is checked too.
        sweep = replace(TOY, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        return benchmark_of(sweep).load("scaling-toy/loss", dataset, metric)

    return file, read


def test_a_table_of_one_s_own(toy):
    _, read = toy
    task = read(toy_table())
    np.testing.assert_array_equal(task.labels, [2.5, np.nan, 1.5])
    assert task.failed.tolist() == [False, True, False]
    assert task.space.architectures == ("lr=0.1, depth=1", "lr=0.01, depth=2", "lr=0.001, depth=3")
    np.testing.assert_array_equal(
        read(toy_table(), metric=TOY.metrics[1]).labels, [25, np.nan, 50]
    )
    large = read(toy_table(), dataset="large")
    assert large.labels.tolist() == [0.5]
    assert large.failed is None
    assert large.fingerprint != task.fingerprint


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"lr": [0.1, 0.1, 0.1]}, "it does not hold 4 trainings"),
        ({"depth": [1, 2, 3, 4]}, "its columns are not those of scaling-toy"),
        ({"more": [1.0, 2.0, 3.0, 4.0]}, "its columns are not those of scaling-toy"),
        ({"lr": [0.1, np.nan, 0.1, 0.1]}, "it lacks settings"),
        ({"failed": [0.0, 2.0, 0.0, 0.0]}, "it has marks other than 0 and 1"),
        ({"large": [0.0, 0.0, 1.0, 1.0]}, "it has another number of larger trainings"),
        ({"failed": [0.0, 0.0, 0.0, 0.0]}, "its labels do not fit what it says has failed"),
        ({"failed": [1.0, 1.0, 0.0, 0.0]}, "its labels do not fit what it says has failed"),
        ({"acc": [25.0, np.nan, 0.5, 1.0]}, "it has fractions outside -1 to 1"),
        ({"loss": [np.inf, np.nan, 1, 2]}, "it has losses or costs that are negative or infinite"),
        ({"loss": [-2.0, np.nan, 1, 2]}, "it has losses or costs that are negative or infinite"),
    ],
)
def test_wrong_content_is_refused_in_one_line(change, complaint, toy):
    file, read = toy
    columns = {**toy_table(), **change}
    rows = min(map(len, columns.values()))
    with pytest.raises(DataError) as caught:
        read({name: each[:rows] for name, each in columns.items()})
    assert str(caught.value) == f"{file}: {complaint}. {install_again('nasrank')}"


def test_damaged_and_missing_files_are_told_in_one_line(toy):
    file, read = toy
    read(toy_table())
    content = file.read_bytes()
    for damaged in (b"", b"PAR1", content[:-20], content[:40] + b"x" * 40 + content[80:]):
        with pytest.raises(DataError, match="it is no readable table") as caught:
            read(damaged)
        assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        benchmark_of(TOY).load("scaling-toy/loss", "loss", TOY.metrics[0])


def test_flipped_bytes_are_told_in_one_line_or_harmless(toy):
    file, read = toy
    read(toy_table())
    content = file.read_bytes()
    generator = random.Random(0)
    told = []
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(damaged))] ^= generator.randint(1, 255)
        try:
            task = read(bytes(damaged))
        except DataError as error:
            told.append(str(error))
        else:
            assert task.values.shape == (3, 1)
    assert len(told) > 200
    assert all(text.startswith(f"{file}: ") and "\n" not in text for text in told)
