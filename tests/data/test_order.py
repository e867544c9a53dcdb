"""Held-out samples on several devices: which of them another device has too; the random numbers of an epoch."""

import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from lit_gans.data.order import BatchStream, InOrder, first_of, repeated, size_of
from lit_gans.data.samples import Draws


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("samples", [7, 8, 12])
def test_what_is_not_repeated_is_everything_once(samples, world_size):
    """In this library's own loaders and in those whose sampler Lightning replaces."""
    data = TensorDataset(torch.arange(samples))
    own, lightnings = [], []
    for rank in range(world_size):
        order = InOrder((samples,), 2, rank, world_size)
        loader = DataLoader(data, batch_size=None, sampler=order)
        for number, pick in enumerate(order):
            assert repeated(loader, number) in (0, None)
            own += [] if repeated(loader, number) is None else pick.rows[0].tolist()
        sampler = DistributedSampler(data, world_size, rank, shuffle=False)
        loader = DataLoader(data, batch_size=2, sampler=sampler)
        for number, (rows,) in enumerate(loader):
            lightnings += rows[: len(rows) - repeated(loader, number)].tolist()
    assert sorted(own) == sorted(lightnings) == list(range(samples))


def test_nothing_is_repeated_in_training_and_without_devices():
    data = TensorDataset(torch.arange(3))
    stream = BatchStream((3,), 1, 0, lambda: 0, rank=1, world_size=2)
    assert repeated(DataLoader(data, batch_size=None, sampler=stream), 0) == 0
    assert repeated(DataLoader(data), 2) == 0
    assert repeated([torch.zeros(2)], 0) == 0


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (torch.zeros(3, 2), 3),
        ({"caption": ["a", "b"], "image": torch.zeros(2, 1)}, 2),
        ([torch.zeros(()), torch.zeros(5)], 5),
        ((["a"], torch.zeros(1)), 1),
        ("abc", None),
        ({}, None),
    ],
    ids=repr,
)
def test_the_size_of_a_batch(batch, size):
    assert size_of(batch) == size


def test_the_first_samples_of_a_batch():
    batch = {"image": torch.arange(6).view(3, 2), "caption": ["a", "b", "c"], "pair": (torch.arange(3), 7)}
    first = first_of(batch, 2)
    assert first["image"].tolist() == [[0, 1], [2, 3]]
    assert first["caption"] == ["a", "b"]
    assert first["pair"][0].tolist() == [0, 1] and first["pair"][1] == 7


def test_random_numbers_of_an_epoch():
    """As many a sample and group as `Draws` has names; the next epoch has others, none without augmentation."""

    def epoch(number, augmented=True):
        return list(BatchStream((6, 4), 2, 5, lambda: 3 * number, augmented=augmented))

    first = epoch(0)
    assert [pick.draws.shape for pick in first] == 3 * [(2, 2, len(Draws._fields))]
    numbers = torch.cat([pick.draws for pick in first]).flatten()
    assert len(numbers.unique()) == len(numbers) and numbers.min() >= 0 and numbers.max() < 1
    assert not torch.equal(first[0].draws, epoch(1)[0].draws)
    assert torch.equal(first[0].draws, epoch(0)[0].draws)
    assert epoch(0, augmented=False)[0].draws is None
