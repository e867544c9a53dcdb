"""``sync_batchnorm``, batch norm over the batches of all devices, as far as it can be tried without GPUs."""

import pytest
import torch
from conftest import assert_equal, fit, refused, small, trainer
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn

from lit_gans import ACGAN, DCGAN, load
from lit_gans.core.checks import refuse_strategy
from lit_gans.core.reduction import moving_statistics


def test_processors_are_refused(tmp_path):
    strategy = trainer(tmp_path, devices=2, sync_batchnorm=True).strategy
    refused(lambda: refuse_strategy(strategy), "sync_batchnorm needs GPUs", "leave it out")
    refuse_strategy(trainer(tmp_path, sync_batchnorm=True).strategy)  # one device has nothing to synchronise


@pytest.mark.parametrize("cls", [DCGAN, ACGAN])
def test_what_lightning_converts_trains_and_is_saved_as_before(cls, tmp_path):
    """Without other processes the synchronised norm is the plain one, so that all numbers must be the same."""
    plain = small(cls)
    before = fit(tmp_path / "plain", plain)
    converted = TorchSyncBatchNorm().apply(small(cls))
    norms = [module for module in converted.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(type(module) is nn.SyncBatchNorm for module in norms)  # of the averages, too
    after = fit(tmp_path / "converted", converted)
    for name in ("state_dict", "optimizer_states"):
        assert_equal(before[name], after[name])
    again = load(tmp_path / "converted" / "checkpoints" / "last.ckpt")
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in again.modules())
    assert torch.equal(again.sample(2, seed=1), plain.sample(2, seed=1))
    assert torch.equal(TorchSyncBatchNorm().revert(converted).sample(2, seed=1), plain.sample(2, seed=1))


def test_statistics_of_all_batches_need_no_mean():
    converted = TorchSyncBatchNorm().apply(small(DCGAN))
    assert moving_statistics([converted.generator, converted.discriminator]) == []
