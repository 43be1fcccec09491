import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nasrank.study.measurement import seconds_of, watched_memory

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
def test_a_block_s_memory_is_seen_though_it_is_freed():
    # In a process of its own: what earlier tests have freed may be kept for the next block, whose
    # memory is then no new one. A system short of memory takes pages of files back while the block
    # runs, which hides as much: three times in a row it does not.
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    blocks, idle = json.loads(done.stdout)
    if None in blocks:
        pytest.skip("this system does not let a process forget its peak")
    assert 39 < max(blocks) < 120
    assert min(idle) < 20


WATCHED = """
import json
import numpy as np
import torch
from nasrank.study.measurement import watched_memory

def mebibytes_of(work):
    with watched_memory(torch.device("cpu")) as memory:
        work()
    return memory.mebibytes

block = lambda: np.ones(40 * 2**20 // 8)
print(json.dumps([[mebibytes_of(work) for _ in range(3)] for work in (block, lambda: None)]))
"""


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
