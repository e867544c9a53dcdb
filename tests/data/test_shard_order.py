"""The order of samples in shards: each once an epoch, the same from any position and for any number of devices."""

import pytest
import torch
from conftest import refused

from lit_gans.data.order import repeated
from lit_gans.data.shard_order import LANES, OPEN, ShardStream

SHARDS = torch.tensor([*[20] * 39, 7])
SHARD_OF = torch.arange(len(SHARDS)).repeat_interleave(SHARDS)


def epoch(number=0, first=0, seed=5, batch_size=16, shards=SHARDS, **options):
    length = int(shards.sum()) // (batch_size * options.get("world_size", 1))
    return list(ShardStream(shards, batch_size, seed, lambda: number * length + first, **options))


def rows(picks):
    return torch.cat([pick.rows[0] for pick in picks])


@pytest.mark.parametrize("batch_size", [1, 12, 15, 16, 40])
@pytest.mark.parametrize("shards", [SHARDS, SHARDS[-3:], torch.tensor([0, 90, 0, 1, 1, 1, 1, 1, 1, 1, 40])], ids=len)
def test_every_sample_comes_once(batch_size, shards):
    found = rows(epoch(batch_size=batch_size, shards=shards))
    total = int(shards.sum())
    assert len(found) == total // batch_size * batch_size
    assert len(found.unique()) == len(found) and int(found.min()) >= 0 and int(found.max()) < total


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    first = rows(epoch())
    assert torch.equal(first, rows(epoch()))
    assert not torch.equal(first, rows(epoch(1))) and not torch.equal(first, rows(epoch(seed=6)))
    left_out = [set(range(int(SHARDS.sum()))) - {*rows(epoch(number)).tolist()} for number in range(2)]
    assert left_out[0] != left_out[1] and all(len(rest) == 787 % 16 for rest in left_out)


@pytest.mark.parametrize("first", [1, 9, 23, 48])
def test_it_goes_on_from_any_position(first):
    """And into the next epoch, with the same random numbers."""
    straight = [*epoch(augmented=True), *epoch(1, augmented=True)][first:]
    for left, right in zip(epoch(0, first, augmented=True), straight, strict=False):
        assert torch.equal(left.rows[0], right.rows[0]) and torch.equal(left.draws, right.draws)
        assert left.draws.shape == (16, 1, 4)


@pytest.mark.parametrize("world_size", [2, 4])
def test_devices_share_every_batch_and_read_different_shards(world_size):
    alone = epoch(batch_size=16, augmented=True)
    each = [
        epoch(batch_size=16 // world_size, rank=r, world_size=world_size, augmented=True) for r in range(world_size)
    ]
    for whole, *parts in zip(alone, *each, strict=True):
        assert torch.equal(whole.rows[0], torch.cat([part.rows[0] for part in parts]))
        assert torch.equal(whole.draws, torch.cat([part.draws for part in parts]))
    read = [{*SHARD_OF[rows(picks)].tolist()} for picks in each]
    assert sum(map(len, read)) <= len(SHARDS) + world_size  # one in common where two lanes meet


def test_few_shards_are_open_and_mixed():
    picks = epoch()
    stream = ShardStream(SHARDS, 16, 5, lambda: 0)
    rounds = [rows(picks[first : first + stream.round]) for first in range(0, len(picks), stream.round)]
    assert max(len(SHARD_OF[part].unique()) for part in rounds) <= OPEN + LANES
    assert min(len(SHARD_OF[pick.rows[0]].unique()) for pick in picks) >= OPEN // 2


def test_what_it_says_of_itself():
    refused(lambda: ShardStream(torch.tensor([5, 5]), 8, 0, lambda: 0, world_size=2), "lower data.batch_size")
    loader = torch.utils.data.DataLoader(range(787), batch_size=None, sampler=ShardStream(SHARDS, 16, 0, lambda: 0))
    assert len(loader) == 49 and repeated(loader, 48) == 0
