"""What a command sets before PyTorch is loaded."""

import subprocess
import sys

import pytest

from lit_gans.cli import waiting

_COUNT = """
import resource, sys
from lit_gans.cli.waiting import keep_memory
if sys.argv[1:]:
    assert keep_memory()
import torch
torch.set_num_threads(1)
for number in range(20):
    if number == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**24).zero_()  # 64 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words):
    run = subprocess.run([sys.executable, "-c", _COUNT, *words], capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_freed_memory_is_used_again(monkeypatch):
    for name in waiting._ALLOCATION:
        monkeypatch.delenv(name, raising=False)
    if not waiting.keep_memory():
        pytest.skip("not GNU's C library")
    # the system gives ten tensors of 64 MiB anew, in pages of 4 KiB to 2 MiB, or none
    assert faults() > 10 * 32 > faults("keep")


@pytest.mark.parametrize("name", waiting._ALLOCATION)
def test_a_users_own_setting_of_memory_stays(name, monkeypatch):
    monkeypatch.setenv(name, "1000")
    assert not waiting.keep_memory()
