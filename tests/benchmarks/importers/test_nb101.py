import base64
import json
import struct

import numpy as np
import pytest

from nasrank.benchmarks.importers import crc32c
from nasrank.benchmarks.importers.nb101 import MOST_REPEATS, read, recognises
from nasrank.benchmarks.importers.nb101_cells import cell_hash
from nasrank.errors import DataError

from .conftest import MUTATIONS

CHAIN = ("010001000", "input,maxpool3x3,output")
DIAMOND = ("0110000100010000", "input,conv1x1-bn-relu,maxpool3x3,output")
DIAMOND_TURNED = (DIAMOND[0], "input,maxpool3x3,conv1x1-bn-relu,output")


def frames(records):
    """The records of a TFRecord file."""
    lengths = [struct.pack("<Q", len(record)) for record in records]

    def masked(strings):
        values = crc32c.checksums(strings).tolist()
        return [struct.pack("<I", ((v >> 15 | v << 17) + 0xA282EAD8) % 2**32) for v in values]

    parts = zip(lengths, masked(lengths), records, masked(records), strict=True)
    return b"".join(b"".join(part) for part in parts)


def varint(number):
    content = b""
    while number > 127:
        content += bytes([number & 127 | 128])
        number >>= 7
    return content + bytes([number])


def evaluation(epoch, seconds, train, val, test, *, path=b""):
    numbers = zip((0x09, 0x11, 0x19, 0x21, 0x29), (epoch, seconds, train, val, test), strict=True)
    content = b"".join(struct.pack("<Bd", tag, number) for tag, number in numbers)
    if path:
        content += b"\x32" + varint(len(path)) + path
    return b"\x0a" + varint(len(content)) + content


def message(epochs, val, *, test=0.5, train=0.75, seconds=10.0, parameters=300, path=b"/m/1"):
    """A row's numbers: before training, half-way, at the end."""
    return (
        evaluation(0, 0, 0.1, 0.1, 0.1)
        + evaluation(epochs / 2, seconds / 2, 0.2, 0.2, 0.2)
        + evaluation(epochs, seconds, train, val, test, path=path)
        + b"\x10" + varint(parameters)
        + b"\x19" + struct.pack("<d", 2 * seconds)
    )  # fmt: skip


def row(cell, epochs, val=0.5, *, name=None, encoded=None, **numbers):
    content = message(epochs, val, **numbers) if encoded is None else encoded
    text = base64.encodebytes(content).decode()
    return json.dumps([name or cell_hash(*cell), epochs, *cell, text]).encode()


@pytest.fixture
def file(tmp_path):
    def write(*records, name="rows.tfrecord"):
        path = tmp_path / name
        path.write_bytes(frames(list(records)))
        return path

    return write


def refused(path):
    with pytest.raises(DataError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < 500 + len(str(path))
    return text.removeprefix(f"{path}: ")


def by_name(imported):
    return {each.metric.name: each.values for each in imported.measurements}


def test_rows_become_one_space(file):
    found = read(
        file(
            row(DIAMOND, 108, 0.9, test=0.8, train=1.0, seconds=100.0, parameters=70_000),
            row(CHAIN, 4, 0.25),
            row(DIAMOND, 108, 0.875, seconds=104.0, parameters=70_000),
            row(CHAIN, 108, 0.5, seconds=7.0),
        )
    )
    chain, diamond = (cell_hash(*cell) for cell in (CHAIN, DIAMOND))
    first, second = (0, 1) if chain < diamond else (1, 0)
    texts = [f"010/001/000 {CHAIN[1]}", f"0110/0001/0001/0000 {DIAMOND[1]}"]
    assert list(found.architectures) == [texts[first], texts[second]]
    assert found.space == "nb101"
    assert found.source == "rows.tfrecord"
    assert found.datasets == ("cifar10",)
    assert found.graphs.sizes()[[first, second]].tolist() == [3, 4]
    metrics = {each.metric.name: each.metric for each in found.measurements}
    assert list(metrics) == ["val_acc", "test_acc", "train_acc"] + [
        f"{split}_acc_4" for split in ("val", "test", "train")
    ]
    assert metrics["val_acc"].replicates
    assert not metrics["val_acc_4"].replicates
    assert (
        metrics["test_acc_4"].description
        == "accuracy on 10,000 test images after 4 epochs of training"
    )
    values = by_name(found)
    order = [first, second]
    np.testing.assert_array_equal(values["val_acc"][order], [[50.0, np.nan], [90.0, 87.5]])
    np.testing.assert_array_equal(values["test_acc"][order], [[50.0, np.nan], [80.0, 50.0]])
    np.testing.assert_array_equal(values["train_acc"][order], [[75.0, np.nan], [100.0, 75.0]])
    np.testing.assert_array_equal(values["val_acc_4"][order], [[25.0], [np.nan]])
    assert found.cost_seconds["cifar10"][order].tolist() == [7.0, 102.0]  # (100 + 104) / 2
    assert found.parameters[order].tolist() == [300.0, 70_000.0]
    assert found.chance == {"cifar10": 10.0}


def test_a_file_with_small_budgets_alone(file):
    found = read(file(row(CHAIN, 4, 0.25, seconds=3.0), row(CHAIN, 12, 0.5, seconds=9.0)))
    assert [each.metric.name for each in found.measurements][::3] == ["val_acc_12", "val_acc_4"]
    assert found.cost_seconds["cifar10"].tolist() == [9.0]


def test_the_order_does_not_depend_on_the_file(file):
    rows = [row(CHAIN, 108, 0.5), row(DIAMOND, 108, 0.25)]
    one, other = read(file(*rows)), read(file(*reversed(rows)))
    assert one.architectures == other.architectures
    assert by_name(one)["val_acc"].tolist() == by_name(other)["val_acc"].tolist()


def test_isomorphic_spellings_are_one_cell(file):
    found = read(file(row(DIAMOND, 108, 0.5), row(DIAMOND_TURNED, 108, 0.25)))
    assert found.architectures == [f"0110/0001/0001/0000 {DIAMOND[1]}"]
    assert by_name(found)["val_acc"].tolist() == [[50.0, 25.0]]


def test_the_real_rows_are_those_of_the_plain_table(shared_data):
    import pandas as pd

    seen = []
    path = shared_data / "formats" / "ecnas_energy_4V9E.tfrecord"
    found = read(path, on_progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    assert recognises(path)
    assert "EC-NAS" in found.note

    table = pd.read_parquet(shared_data / "nb101_ecnas_4v_full.parquet")
    table["text"] = table["matrix_rows"] + " " + table["ops"]
    first = table.drop_duplicates("nb101_hash").sort_values("nb101_hash")
    assert list(found.architectures) == first["text"].tolist()
    assert found.parameters.tolist() == first["trainable_params"].tolist()
    values = by_name(found)
    for split in ("val", "test", "train"):
        for epochs in (4, 12, 36, 108):
            part = table[table["epochs"] == epochs]
            wide = part.pivot_table(f"{split}_acc", "nb101_hash", "repeat").sort_index()
            name = f"{split}_acc" if epochs == 108 else f"{split}_acc_{epochs}"
            np.testing.assert_array_equal(values[name], wide.to_numpy() * 100)
    full = table[table["epochs"] == 108].groupby("nb101_hash")["train_time_s"].mean()
    np.testing.assert_allclose(found.cost_seconds["cifar10"], full.to_numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (b"", "it is not JSON text"),
        (b"\xff\xfe", "it is not JSON text"),
        (b"[" * 60_000, "it is not JSON text"),
        (b"[1" + b"0" * 50_000 + b"]", "it is not JSON text"),
        (b"{}", "it is not a row of"),
        (b'["a", 108, "b", "c"]', "it is not a row of"),
        (row(CHAIN, 108).replace(b" 108,", b" true,"), "it is not a row of"),
        (row(CHAIN, 108).replace(b" 108,", b" 108.0,"), "it is not a row of"),
        (row(CHAIN, 108).replace(b" 108,", b" NaN,"), "it is not a row of"),
        (row(CHAIN, 7), "its number of epochs is none of 4, 12, 36, 108"),
        (row(CHAIN, 108).replace(b" 108,", b" 36,"), "its last evaluation is not that after 36"),
        (row(CHAIN, 108, name="0" * 32), f"hash of its cell is {cell_hash(*CHAIN)}, not '000"),
        (row(CHAIN, 108, name="\udc80\n" * 5_000), "hash of its cell is"),
        (row(("010001010", CHAIN[1]), 108, name="a"), "edge does not lead to a later vertex"),
        (row((CHAIN[0], "input,conv9x9,output"), 108, name="a"), "'conv9x9' is unknown"),
        (row(("1" * 49, CHAIN[1]), 108, name="a"), "edge does not lead to a later vertex"),
        (row(CHAIN, 108, encoded=b""), "it has no evaluation"),
        (row(CHAIN, 108, encoded=b"\x0a\x09abc"), "the message ends early"),
        (row(CHAIN, 108, encoded=b"\x08\x01"), "it has no evaluation"),
        (row(CHAIN, 108, encoded=b"\x0a\x09\x09" + struct.pack("<d", 108)), "are missing"),
        (row(CHAIN, 108, encoded=evaluation(108, 1, 0, 0, 0)), "number of parameters"),
        (row(CHAIN, 108, parameters=0), "number of parameters"),
        (row(CHAIN, 108, parameters=2**63), "number of parameters"),
        (row(CHAIN, 108, float("nan")), "an accuracy is not between 0 and 1"),
        (row(CHAIN, 108, float("inf")), "an accuracy is not between 0 and 1"),
        (row(CHAIN, 108, 91.5), "an accuracy is not between 0 and 1"),
        (row(CHAIN, 108, test=-0.01), "an accuracy is not between 0 and 1"),
        (row(CHAIN, 108, seconds=float("inf")), "seconds of training are negative or infinite"),
        (row(CHAIN, 108, seconds=-1.0), "seconds of training are negative or infinite"),
        (json.dumps([cell_hash(*CHAIN), 108, *CHAIN, "A"]).encode(), "base64"),
        (json.dumps([cell_hash(*CHAIN), 108, *CHAIN, "\u00e9"]).encode(), "ASCII"),
    ],
)
def test_a_bad_row_is_named(file, record, complaint):
    text = refused(file(row(DIAMOND, 108), record))
    assert text.startswith("record 2: ")
    assert complaint in text


def test_a_hash_is_checked_where_the_cell_is_known(file):
    text = refused(file(row(CHAIN, 108), row(CHAIN, 108, 0.25, name=cell_hash(*DIAMOND))))
    assert text.startswith(f"record 2: the hash of its cell is {cell_hash(*CHAIN)}, not ")


def test_a_row_that_comes_twice_is_no_repeat(file):
    text = refused(file(row(DIAMOND, 108), row(CHAIN, 108), row(DIAMOND, 108)))
    assert text.startswith("record 3: it is a copy of record 1. ")


def test_equal_accuracies_are_no_copies(file):
    found = read(file(row(CHAIN, 108, seconds=1.0), row(CHAIN, 108, seconds=1.5)))
    assert by_name(found)["val_acc"].tolist() == [[50.0, 50.0]]


def test_too_many_repeats_are_refused(file):
    rows = [row(CHAIN, 108, seconds=float(n)) for n in range(MOST_REPEATS + 1)]
    assert by_name(read(file(*rows[:-1])))["val_acc"].shape == (1, MOST_REPEATS)
    assert refused(file(*rows)).startswith("record 17: its cell has more than 16 repeats")


def test_no_rows(file, tmp_path):
    assert refused(file()).startswith("it holds no record. ")
    assert refused(tmp_path).startswith("cannot be read (Is a directory)")


def test_recognition(file, tmp_path):
    rows = [row(CHAIN, 108)]
    assert recognises(file(*rows))
    assert recognises(file(*rows, name="anything"))
    assert not recognises(file(b"not a row"))
    assert not recognises(file())
    assert not recognises(tmp_path)
    assert not recognises(tmp_path / "nasbench_full.tfrecord")
    (tmp_path / "nasbench_full.tfrecord").write_bytes(b"damaged")
    assert recognises(tmp_path / "nasbench_full.tfrecord")
    assert refused(tmp_path / "nasbench_full.tfrecord").startswith("record 1: the file ends")


ROWS = (row(DIAMOND, 108), row(CHAIN, 4, 0.25), row(DIAMOND, 108, 0.75), row(CHAIN, 108, 0.5))


def mutated(content, rng):
    """Damage bytes as copying, editing and storage do."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(content)))
        match rng.integers(5):
            case 0:
                content[at] ^= 1 << int(rng.integers(8))
            case 1:
                content[at] = int(rng.integers(256))
            case 2:
                del content[at : at + int(rng.integers(1, 40))]
            case 3:
                content[at:at] = content[: int(rng.integers(60))]
            case _:
                content[at : at + 4] = rng.bytes(4)
        content = content or bytearray(b"x")
    return bytes(content)


def survives(path):
    try:
        found = read(path)
    except DataError:
        return False
    assert len(found) >= 1
    return True


def test_files_with_damaged_bytes_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    whole = frames(list(ROWS))
    path = tmp_path / "rows.tfrecord"
    for _ in range(MUTATIONS):
        content = mutated(whole, rng)
        path.write_bytes(content)
        if content != whole:
            # A cut between two records, or a whole record more, would be fine; none is drawn.
            assert not survives(path)


def test_damage_below_right_checksums_is_refused_or_harmless(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "rows.tfrecord"
    outcomes = []
    for _ in range(MUTATIONS):
        rows = list(ROWS)
        which = int(rng.integers(len(rows)))
        if rng.random() < 0.5:
            rows[which] = mutated(rows[which], rng)
        else:
            parts = json.loads(rows[which])
            content = mutated(base64.b64decode(parts[4]), rng)
            rows[which] = json.dumps([*parts[:4], base64.b64encode(content).decode()]).encode()
        path.write_bytes(frames(rows))
        outcomes.append(survives(path))
    # Bits of an unused number may change.
    assert 0 < sum(outcomes) < MUTATIONS // 2
