"""Benchmark files that their authors publish, with addresses and digests."""

from dataclasses import dataclass

from nasrank.benchmarks.tasks import SPACES
from nasrank.errors import UsageError
from nasrank.registry import unknown_name

__all__ = ["REMOTE_FILES", "RemoteFile", "find_remote"]


@dataclass(frozen=True)
class RemoteFile:
    """One file or folder of a benchmark.

    Attributes:
        name: Its name here.
        space: The space it is imported as.
        file: Name of the file or folder.
        page: Page where its authors describe it.
        licence: Licence of the data, as an SPDX name, or what is known about it.
        url: Its address; None where there is no direct one.
        sha256: Its digest; None without a direct address.
        limit: Maximum number of bytes accepted; 0 without a direct address.
    """

    name: str
    space: str
    file: str
    page: str
    licence: str
    url: str | None = None
    sha256: str | None = None
    limit: int = 0


_NB101 = "https://github.com/google-research/nasbench"
_NATS = "https://github.com/D-X-Y/NATS-Bench"
_TRANSNAS = "https://github.com/yawen-d/TransNASBench"
_TRANSNAS_LICENCE = "not stated by its authors"
_MACRO = "xiusu/NAS-Bench-Macro/b1ee7c6ff9d83e6bc002adcaf5c6a9a2ba1a4ac7/data"

REMOTE_FILES: tuple[RemoteFile, ...] = (
    RemoteFile(
        "nb101-only108",
        "nb101",
        "nasbench_only108.tfrecord",
        _NB101,
        "Apache-2.0",
        "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        600_000_000,
    ),
    RemoteFile(
        "nb101-full",
        "nb101",
        "nasbench_full.tfrecord",
        _NB101,
        "Apache-2.0",
        "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        2_200_000_000,
    ),
    RemoteFile(
        "macro",
        "macro",
        "nas-bench-macro_cifar10.json",
        "https://github.com/xiusu/NAS-Bench-Macro",
        "Apache-2.0",
        f"https://raw.githubusercontent.com/{_MACRO}/nas-bench-macro_cifar10.json",
        "686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297",
        2_000_000,
    ),
    RemoteFile(
        "nb201-pth",
        "nb201",
        "NAS-Bench-201-v1_1-096897.pth",
        "https://github.com/D-X-Y/NAS-Bench-201",
        "MIT",
    ),
    RemoteFile("nats-topology", "nb201", "NATS-tss-v1_0-3ffb9-simple", _NATS, "MIT"),
    RemoteFile(
        "hw",
        "nb201",
        "HW-NAS-Bench-v1_0.pickle",
        "https://github.com/GATECH-EIC/HW-NAS-Bench",
        "MIT",
    ),
    RemoteFile(
        "suite-zero",
        "nb201",
        "zc_nasbench201.json",
        "https://github.com/automl/NASLib",
        "Apache-2.0",
    ),
    RemoteFile("nats-size", "nats-size", "NATS-sss-v1_0-50262-simple", _NATS, "MIT"),
    RemoteFile(
        "transnas-micro",
        "transnas-micro",
        "transnas-bench_v10141024.pth",
        _TRANSNAS,
        _TRANSNAS_LICENCE,
    ),
    RemoteFile(
        "transnas-macro",
        "transnas-macro",
        "transnas-bench_v10141024.pth",
        _TRANSNAS,
        _TRANSNAS_LICENCE,
    ),
)
"""All of them; the first of a space is the one to start with."""


def find_remote(name: str) -> RemoteFile:
    """Find a file by its own name, or the first one of a space.

    Raises:
        UsageError: There is none of that name.

    Example:
        >>> find_remote("nb101").file
        'nasbench_only108.tfrecord'
    """
    for remote in REMOTE_FILES:
        if remote.name == name:
            return remote
    for remote in REMOTE_FILES:
        if remote.space == name:
            return remote
    if SPACES.built_in(name) is not None:
        raise UsageError(
            f"{name} came with nasrank: there is nothing to download. "
            "See its tasks with: nasrank data list"
        )
    known = dict.fromkeys((*(r.name for r in REMOTE_FILES), *(r.space for r in REMOTE_FILES)))
    raise unknown_name("source", name, known)
