"""A batch in parts: the same move as that of the whole batch, and a small part of its memory."""

import pytest
import torch
from conftest import data_for, fit, glyphs, refused, small
from torch import nn

from lit_gans import ACGAN, BEGAN, R3GAN, CycleGAN, StackGAN
from lit_gans.core.micro_batches import MicroBatches


class Told(R3GAN):
    """A game whose noise is a function of the image, so that it is the same for a row wherever that stands."""

    def generate(self, batch):
        return self.generator(batch["image"].flatten(1)[:, : self.latent_dim] + 1)


def in_sgd(cls, accumulate, folder, **options):
    model = small(cls, optimizer=torch.optim.SGD, accumulate=accumulate, **options)
    return model, fit(folder, model, glyphs(batch_size=10), max_steps=3)["state_dict"]


@pytest.mark.parametrize("accumulate", [2, 4, 64])  # 10 rows: halves, three and one, one by one
def test_the_move_is_that_of_the_whole_batch(accumulate, tmp_path):
    options = {"penalty": 0.5}
    whole, expected = in_sgd(Told, 1, tmp_path / "whole", **options)
    parted, found = in_sgd(Told, accumulate, tmp_path / "parts", **options)
    start = small(Told, **options).state_dict()
    assert any(not torch.equal(start[name], value) for name, value in expected.items() if name in start)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)
    for name, value in whole._shown.items():
        torch.testing.assert_close(parted._shown[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_all_players_see_the_same_fakes_and_later_numbers_are_as_ever(tmp_path):
    seen = {"discriminator": [], "generator": []}

    class Seen(R3GAN):
        def discriminator_loss(self, batch, fake):
            seen["discriminator"].append(fake)
            return super().discriminator_loss(batch, fake)

        def generator_loss(self, batch, fake):
            assert fake.requires_grad
            seen["generator"].append(fake.detach())
            return super().generator_loss(batch, fake)

    fit(tmp_path, small(Seen, accumulate=2), max_steps=2)
    assert len(seen["discriminator"]) == len(seen["generator"]) == 4
    for drawn, again in zip(seen["discriminator"], seen["generator"], strict=True):
        assert len(drawn) == 2 and not drawn.requires_grad
        torch.testing.assert_close(drawn, again)
    assert not torch.equal(seen["generator"][0], seen["generator"][1])


def test_only_one_part_has_a_graph_at_a_time():
    layer, graphs = nn.Linear(3, 3), []

    def generate(batch):
        graphs.append(torch.is_grad_enabled())
        return {"image": layer(batch["image"]), "size": torch.tensor(2.0), "name": "one"}

    batch = {"image": torch.randn(5, 3), "caption": list("abcde"), "scale": torch.tensor(1.0)}
    parts = MicroBatches(generate, batch, 2)
    assert graphs == [False, False] and parts.fake["image"].shape == (5, 3) and not parts.fake["image"].requires_grad
    assert parts.fake["size"] == 2 and parts.fake["name"] == "one"
    turns = parts.turns(with_graph=True)
    share, part, fake = next(turns)
    assert graphs == [False, False, True] and fake["image"].requires_grad
    assert share == 3 / 5 and part["caption"] == list("abc") and part["scale"] == 1
    assert next(turns)[1]["caption"] == list("de")


@pytest.mark.parametrize("cls", [ACGAN, BEGAN, CycleGAN, StackGAN], ids=lambda cls: cls.__name__)
def test_games_of_every_kind_play_in_parts_and_go_on_exactly(cls, tmp_path):
    def made():
        return small(cls, accumulate=2)

    whole = fit(tmp_path / "whole", made(), data_for(cls), max_steps=4)["state_dict"]
    fit(tmp_path / "first", made(), data_for(cls), max_steps=2)
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    again = fit(tmp_path / "again", made(), data_for(cls), max_steps=4, ckpt_path=path)["state_dict"]
    for name, value in whole.items():
        assert torch.equal(again[name], value), name


def test_augmentation_adapts_by_all_parts(tmp_path):
    from lit_gans import DCGAN

    model = small(DCGAN, augment="color", augment_target=0.6, accumulate=2, discriminator_norm="none")
    fit(tmp_path, model, max_steps=2)
    assert "state/augment_p" in model._shown


def test_a_wrong_number_of_parts_is_refused():
    refused(lambda: small(R3GAN, accumulate=0), "accumulate", "at least 1")
