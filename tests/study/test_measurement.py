import sys

import numpy as np
import pytest
import torch

from nasrank.study.measurement import seconds_of, watched_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
def test_a_block_s_memory_is_seen_though_it_is_freed():
    # A system short of memory takes pages of files back while the block runs, which hides as much:
    # three times in a row it does not.
    found = [mebibytes_of(lambda: np.ones(40 * 2**20 // 8)) for _ in range(3)]
    if None in found:
        pytest.skip("this system does not let a process forget its peak")
    assert 39 < max(found) < 120
    assert min(mebibytes_of(lambda: None) for _ in range(3)) < 20


def mebibytes_of(work):
    with watched_memory(torch.device("cpu")) as memory:
        work()
    return memory.mebibytes


def test_seconds():
    done = []
    assert 0 <= seconds_of(lambda: done.append(1), torch.device("cpu")) < 1
    assert done == [1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_of_the_device():
    device = torch.device("cuda")
    with watched_memory(device) as memory:
        torch.ones(2**20, device=device)
    # Four bytes a number.
    assert memory.mebibytes == pytest.approx(4, abs=0.1)
