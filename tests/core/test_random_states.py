"""What a run draws from when it begins or goes on: every device has random numbers of its own."""

from types import SimpleNamespace

import pytest
import torch
from conftest import assert_equal, small, trainer

from lit_gans import DCGAN, CycleGAN, Glyphs
from lit_gans.checkpoints import random_state
from lit_gans.core.saving import Saving


def begins(model, rank=0, world_size=1):
    """The start of a training, as far as random numbers go; gives the state afterwards."""
    model._trainer = SimpleNamespace(world_size=world_size, global_rank=rank)
    try:
        Saving.on_train_start(model)
    finally:
        model._trainer = None
    return torch.get_rng_state()


@pytest.mark.parametrize(("rank", "world_size"), [(0, 1), (0, 2), (1, 2), (2, 3)])
def test_every_device_begins_with_a_seed_of_its_own(rank, world_size):
    model = small(DCGAN)
    torch.manual_seed(5)
    torch.rand(3)
    before = torch.get_rng_state()
    found = begins(model, rank, world_size)
    assert torch.equal(found, before if world_size == 1 else torch.Generator().manual_seed(5 + rank).get_state())


@pytest.mark.parametrize("rank", [0, 1])
def test_every_device_goes_on_with_its_own(rank):
    model, states = small(CycleGAN), []
    name, buffer = next((name, value) for name, value in model.named_buffers() if value.is_floating_point())
    for device in range(2):
        torch.manual_seed(100 + device)
        states.append({**random_state(torch.device("cpu")), "buffers": {name: torch.full_like(buffer, device + 1)}})
    torch.manual_seed(7)
    model._random_states = states
    assert torch.equal(begins(model, rank, 2), torch.Generator().manual_seed(100 + rank).get_state())
    assert_equal(model.get_buffer(name), torch.full_like(buffer, rank + 1))
    assert model._random_states is None


def test_states_of_another_number_of_devices_are_not_taken():
    model = small(DCGAN)
    model._random_states = 2 * [random_state(torch.device("cpu"))]
    before = torch.manual_seed(7).get_state()
    with pytest.warns(UserWarning, match=r"resuming on 1 device\(s\) what was saved on 2: the run goes on"):
        assert torch.equal(begins(model), before)


def test_a_logger_that_is_turned_off_takes_no_losses(tmp_path):
    model, data = small(DCGAN), Glyphs(characters="01", size=(16, 16), count=40, batch_size=4)
    run = trainer(tmp_path, log_every_n_steps=0, limit_val_batches=0, max_steps=2)
    run.fit(model, data)
    assert run.global_step == 2 and run.logged_metrics == {}
