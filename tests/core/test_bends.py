"""Games that are not two networks drawing images from noise: each bends the base in one place, by a few lines."""

import copy
import pickle
from dataclasses import dataclass
from math import prod

import pytest
import torch
import torch.nn.functional as F
from conftest import assert_equal, fit, glyphs, refused, trainer, training_state
from test_contract import Watch
from torch import nn
from torch.utils.data import DataLoader

import lit_gans
from lit_gans import AutoEncoder, LabelGAN, LatentGAN, PairedGlyphs, UnpairedGlyphs
from lit_gans.core.joint import JointModel
from lit_gans.families import PairedGAN, TranslationGAN
from lit_gans.losses import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    non_saturating_generator,
)
from lit_gans.networks import Backbone, DCGANBackbone, Discriminator, MLPBackbone, ResNetTranslation, UNetTranslation

SMALL = MLPBackbone((16,), (16,), latent_dim=4)


class Hinge(LatentGAN):
    """The plain game that the others bend."""

    default_backbone = DCGANBackbone(width=4, latent_dim=8)

    def discriminator_loss(self, batch, fake):
        return hinge_discriminator(self.discriminator(batch[self.subject]), self.discriminator(fake))

    def generator_loss(self, batch, fake):
        return hinge_generator(self.discriminator(fake))


def loader(*shape, scale=1.0, n=24):
    """Batches of random numbers, in [-scale, scale]."""
    return DataLoader((torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1) * scale, batch_size=4)


def round_trip(model, folder, data=None):
    """Trains some batches, and comes back from the checkpoint as it was."""
    run = trainer(folder, limit_val_batches=2)
    run.fit(model, data or glyphs())
    run.save_checkpoint(folder / "model.ckpt")
    loaded = lit_gans.load(folder / "model.ckpt")
    assert_equal(dict(model.state_dict()), dict(loaded.state_dict()))
    return loaded


def seeded(cls, **arguments):
    torch.manual_seed(0)
    return cls(image_shape=(1, 16, 16), **arguments)


def resumed(folder, cls, half, steps, **arguments):
    """The end of a run that was stopped after ``half`` of its batches, and went on."""
    fit(folder / "first", seeded(cls, **arguments), max_steps=half, limit_val_batches=0)
    last = folder / "first" / "checkpoints" / "last.ckpt"
    return fit(folder / "second", seeded(cls, **arguments), max_steps=steps, limit_val_batches=0, ckpt_path=last)


# -------------------------------------------------------------------- samples of any kind


@pytest.mark.parametrize("shape", [(12,), (2, 16), (1, 4, 6, 8), (1, 5, 3)], ids=str)
def test_vectors_sequences_volumes_and_tiny_images(shape, tmp_path):
    model = Hinge(image_shape=shape)
    loaded = round_trip(model, tmp_path, loader(*shape))
    assert loaded.sample(3, seed=0).shape == (3, *shape)
    assert torch.equal(loaded.sample(3, seed=0), model.sample(3, seed=0))


@pytest.mark.parametrize("shape", [28, (), (1, 0, 8), (1.5, 8, 8), "abc"])
def test_a_shape_is_whole_numbers(shape):
    refused(lambda: Hinge(image_shape=shape), "image_shape must be (channels, height, width)", "got")


class Table(Hinge):
    value_range = None
    subject = "row"


def test_rows_of_a_table_are_no_images(tmp_path):
    """Their values are beyond [-1, 1], the batch has no image, and the generator ends without a tanh."""
    data = DataLoader([{"row": row} for row in torch.randn(24, 5) * 10], batch_size=4)
    generator = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 5))
    model = Table(image_shape=(5,), generator=generator, latent_dim=3)
    assert model.needs == ("row",)
    run = trainer(tmp_path)
    run.fit(model, data, data)
    assert model.sample(2, seed=0).shape == (2, 5)
    assert len(run.predict(model, data)) == 6
    refused(lambda: trainer(tmp_path).fit(Hinge(image_shape=(5,)), loader(5, scale=10.0)), "value_range = None")
    unnamed = DataLoader([{"x": row} for row in torch.randn(8, 5)], batch_size=4)
    refused(lambda: trainer(tmp_path).fit(Table(image_shape=(5,)), unnamed), "needs batches with row", "x")


def test_needs_alone_name_the_subject():
    class Codes(Hinge):
        needs = ("code",)

    assert Codes.subject == "code" and Table.needs == ("row",) and Hinge.subject == "image"


# -------------------------------------------------------------------- noise


class Uniform(Hinge):
    """Noise of another distribution and shape, (N, 8, 1, 1) in [0, 1), as the DCGAN tutorial's generator takes it."""

    def draw_noise(self, n, rng=None):
        return torch.rand(n, 8, 1, 1, generator=rng)

    def make_generator(self):
        return nn.Sequential(nn.ConvTranspose2d(8, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 4), nn.Tanh())


def test_noise_is_drawn_the_same_way_in_training_and_for_samples(tmp_path):
    seen = []
    model = Uniform(image_shape=(1, 16, 16))
    model.generator.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    model.generator_ema.module.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    loaded = round_trip(model, tmp_path)
    model.sample(5, seed=1)
    assert len(seen) == 4 + 1 and all(z.shape[1:] == (8, 1, 1) and z.min() >= 0 and z.max() < 1 for z in seen)
    assert torch.equal(loaded.sample(5, seed=1), model.sample(5, seed=1))
    assert model.latent_dim is None


def test_the_size_of_noise_is_said_once():
    generator = nn.Sequential(nn.Linear(6, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    assert Hinge(image_shape=(1, 16, 16), generator=generator, latent_dim=6).latent_dim == 6
    assert Hinge(image_shape=(1, 16, 16), latent_dim=6).generator.latent_dim == 6
    refused(lambda: Hinge(image_shape=(1, 16, 16), generator=generator), "pass latent_dim")
    generator.latent_dim = 6
    refused(lambda: Hinge(image_shape=(1, 16, 16), generator=generator, latent_dim=99), "takes noise of size 6", "99")


# -------------------------------------------------------------------- players


class Phases(Hinge):
    """The generator alone at first, then nobody, then the discriminator alone, then both."""

    def movers(self):
        return [("generator",), (), ("discriminator",), ("discriminator", "generator")][min(self.batch_number, 3)]


def test_players_rest_and_every_batch_is_a_step(tmp_path):
    watch = Watch()
    straight = fit(tmp_path, seeded(Phases), callbacks=[watch], max_steps=6, limit_val_batches=0)
    moved = [{name.split("/")[0] for name in outputs} for outputs in watch.outputs]
    assert moved == [{"generator"}, set(), {"discriminator"}, *[{"discriminator", "generator"}] * 3]
    assert straight["global_step"] == 6
    assert_equal(training_state(straight), training_state(resumed(tmp_path, Phases, 3, 6)))


def test_movers_are_players(tmp_path):
    class Wrong(Hinge):
        def movers(self):
            return ("critic",)

    refused(lambda: fit(tmp_path, Wrong(image_shape=(1, 16, 16))), "movers()", "critic")


class Inverted(Hinge):
    """A third player, which learns to read the noise off an image."""

    players = ("generator", "discriminator", "encoder")

    def make_encoder(self):
        return self.backbone.encoder(self.shape, self.noise_size)

    def encoder_loss(self, batch, fake):
        noise = self.noise_for(batch)
        with torch.no_grad():
            images = self.generator(noise)
        return {"noise": F.mse_loss(self.encoder(images), noise)}


def test_a_third_player_has_its_own_optimizer(tmp_path):
    watch, model = Watch(), seeded(Inverted)
    before = [p.clone() for p in model.encoder.parameters()]
    straight = fit(tmp_path, model, callbacks=[watch], max_steps=6, limit_val_batches=0)
    assert len(straight["optimizer_states"]) == 3
    assert all({"encoder/noise", "discriminator/real", "generator/fake"} <= outputs.keys() for outputs in watch.outputs)
    assert all(not torch.equal(a, b) for a, b in zip(model.encoder.parameters(), before, strict=True) if a.ndim > 1)
    assert_equal(training_state(straight), training_state(resumed(tmp_path, Inverted, 3, 6)))


class Pair(Hinge):
    """Two networks in the generator, one of which draws."""

    def make_generator(self):
        return nn.ModuleDict({"draws": super().make_generator(), "reads": self.backbone.encoder(self.shape, 8)})

    def drawing(self, player):
        return player["draws"]

    def generator_loss(self, batch, fake):
        return {**super().generator_loss(batch, fake), "code": self.generator["reads"](fake).square().mean()}


def test_of_several_networks_one_draws(tmp_path):
    model = Pair(image_shape=(1, 16, 16))
    loaded = round_trip(model, tmp_path)
    assert loaded.sample(2, seed=0).shape == (2, 1, 16, 16)
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))
    networks = nn.ModuleDict({"a": nn.Linear(2, 2)})
    refused(lambda: Hinge(image_shape=(1, 16, 16), generator=networks), "nn.ModuleDict of a", "drawing(self, player)")


class Growing(Hinge):
    """The generator gets a layer more at the third and the sixth batch."""

    default_backbone = SMALL

    def __init__(self, **game):
        super().__init__(**game)
        self.register_buffer("stage", torch.zeros((), dtype=torch.long))

    def make_generator(self):
        layers = nn.Linear(self.noise_size, 16), nn.ReLU(), nn.Linear(16, prod(self.shape)), nn.Tanh()
        return nn.Sequential(*layers, nn.Unflatten(1, self.shape))

    def grow(self):
        self.generator.insert(2, nn.Linear(16, 16))
        self.stage += 1
        self.renew()

    def on_train_batch_start(self, batch, batch_idx):
        if self.batch_number in (3, 6):
            self.grow()

    def on_load_checkpoint(self, checkpoint):
        for _ in range(int(checkpoint["state_dict"]["stage"])):
            self.grow()


def test_a_network_that_grows_comes_back(tmp_path):
    model = seeded(Growing, latent_dim=4)
    straight = fit(tmp_path, model, max_steps=9, limit_val_batches=0)
    assert len(model.generator) == 7 and len(model.generator_ema.module) == 7
    assert len(straight["optimizer_states"][0]["state"]) == len(list(model.generator.parameters()))
    loaded = lit_gans.load(tmp_path / "checkpoints/last.ckpt")
    assert torch.equal(loaded.sample(4, seed=0), model.sample(4, seed=0))
    assert_equal(training_state(straight), training_state(resumed(tmp_path, Growing, 5, 9, latent_dim=4)))


def test_a_network_may_be_replaced_between_runs(tmp_path):
    model = seeded(Hinge)
    fit(tmp_path, model, max_steps=2)
    model.generator = DCGANBackbone(width=8).generator((1, 16, 16), 8)
    fit(tmp_path / "again", model, max_steps=2)
    path = tmp_path / "again/checkpoints/last.ckpt"
    refused(lambda: lit_gans.load(path), "generator passed as an object")
    again = lit_gans.load(path, generator=DCGANBackbone(width=8).generator((1, 16, 16), 8))
    assert torch.equal(again.sample(2, seed=0), model.sample(2, seed=0))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"]
)
def test_a_copy_of_a_model_needs_no_network_again(duplicate, tmp_path):
    """Nor does one whose network was compiled since."""
    model = duplicate(seeded(Hinge))
    model.discriminator = torch.compile(model.discriminator, backend="eager")
    fit(tmp_path, model, max_steps=2, limit_val_batches=0)
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt")
    assert model.given_networks == {} and torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))


# -------------------------------------------------------------------- discriminators


class Scales(Discriminator):
    """Judges an image at two sizes."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(1, 1, 4, 2), nn.Conv2d(1, 1, 4, 2)

    def forward(self, image):
        return [self.fine(image), self.coarse(F.avg_pool2d(image, 2))]


def test_losses_and_r1_over_several_scales(tmp_path):
    model = Hinge(image_shape=(1, 16, 16), discriminator=Scales(), r1=1.0, r1_every=2)
    fit(tmp_path, model, max_steps=4)
    real, fake = [torch.randn(4, 1, 7, 7), torch.randn(4, 1, 3, 3)], [torch.randn(4, 1, 7, 7), torch.randn(4, 1, 3, 3)]
    for discriminator, generator in (
        (hinge_discriminator, hinge_generator),
        (minimax_discriminator, non_saturating_generator),
        (least_squares_discriminator, least_squares_generator),
    ):
        both, each = discriminator(real, fake), [discriminator(r, f) for r, f in zip(real, fake, strict=True)]
        assert all(torch.equal(both[k], torch.stack([e[k] for e in each]).mean()) for k in both)
        assert torch.equal(generator(fake)["fake"], torch.stack([generator(f)["fake"] for f in fake]).mean())
    refused(lambda: hinge_generator(None), "tensors of scores", "NoneType")


class Two(Discriminator):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(256, 2)

    def forward(self, image):
        return self.layer(image.flatten(1)).unbind(1)


class TwoHeads(Hinge):
    def discriminator_loss(self, batch, fake):
        return hinge_discriminator(self.discriminator(batch["image"])[0], self.discriminator(fake)[0])

    def generator_loss(self, batch, fake):
        return hinge_generator(self.discriminator(fake)[0])


class Critic(TwoHeads):
    def critic(self, batch):
        return lambda image: self.discriminator(image)[0]


def test_r1_asks_a_discriminator_of_two_heads_for_its_critic(tmp_path):
    arguments = {"image_shape": (1, 16, 16), "r1": 1.0}
    refused(lambda: fit(tmp_path, TwoHeads(discriminator=Two(), **arguments)), "critic(batch)", "tuple")
    fit(tmp_path, Critic(discriminator=Two(), **arguments), max_steps=2)


# -------------------------------------------------------------------- translation


class Colours(PairedGAN):
    """A paired game of the least-squares kind."""

    default_backbone = UNetTranslation(width=4)

    def discriminator_loss(self, batch, fake):
        return least_squares_discriminator(self.discriminator(batch["target"]), self.discriminator(fake))

    def generator_loss(self, batch, fake):
        return least_squares_generator(self.discriminator(fake))


def test_r1_and_augmentation_of_a_translation(tmp_path):
    data = PairedGlyphs(size=16, count=12, batch_size=2)
    shapes = {"image_shape": data.image_shape, "source_shape": data.source_shape}
    model = Colours(**shapes, r1=1.0, r1_every=2, augment=["translation"], augment_target=0.6)
    loaded = round_trip(model, tmp_path, data)
    assert loaded.r1 == 1.0 and not model.discriminator._forward_pre_hooks
    assert model.augment.tally.abs().sum() + model.augment.batches > 0


class Star(TranslationGAN):
    """One generator to several domains: the domain comes as further channels."""

    needs = ("a", "b")
    subject = "b"
    domains = ("a", "b")
    default_backbone = ResNetTranslation(width=4, blocks=1)

    def make_generator(self):
        channels, *sides = self.source
        return self.backbone.generator(self.shape, (channels + 2, *sides))

    def towards(self, images, to):
        planes = F.one_hot(torch.tensor(self.domains.index(to)), 2).to(images)[None, :, None, None]
        return torch.cat([images, planes.expand(len(images), -1, *images.shape[2:])], 1)

    def generate(self, batch):
        return self.generator(self.towards(batch["a"], "b"))

    def discriminator_loss(self, batch, fake):
        return least_squares_discriminator(self.discriminator(batch["b"]), self.discriminator(fake))

    def generator_loss(self, batch, fake):
        return least_squares_generator(self.discriminator(fake))

    def translate(self, images, *, to=None, seed=None):
        return self._through(lambda generator: generator, self.towards(images, self.domain(to)), seed)


def test_a_translation_to_several_domains(tmp_path):
    data = UnpairedGlyphs(size=16, count=12, batch_size=2)
    model = Star(image_shape=data.image_shape, source_shape=data.source_shape)
    loaded = round_trip(model, tmp_path, data)
    images = torch.rand(2, *model.source) * 2 - 1
    assert torch.equal(loaded.translate(images), loaded.translate(images, to="a"))
    assert not torch.equal(loaded.translate(images, to="b"), loaded.translate(images, to="a"))
    refused(lambda: model.translate(images, to="c"), "translates to a or b", "'c'")
    refused(lambda: model.sample(2), "Star", "translate(images)")


# -------------------------------------------------------------------- without a game, and backbones of one's own


class Rotation(JointModel):
    """Learns by how many quarters an image was turned."""

    needs = ("image",)

    def __init__(self, **model):
        super().__init__(**model)
        self.set_generator(DCGANBackbone(width=4).discriminator(self.shape, 4, "none"))

    def loss(self, batch):
        turns = torch.arange(len(batch["image"])) % 4
        images = torch.stack([image.rot90(int(k), (1, 2)) for image, k in zip(batch["image"], turns, strict=True)])
        return {"entropy": F.cross_entropy(self.generator(images), turns)}


def test_a_model_without_a_game(tmp_path):
    model = Rotation(image_shape=(1, 16, 16))
    loaded = round_trip(model, tmp_path)
    images = torch.rand(2, 1, 16, 16) * 2 - 1
    assert torch.equal(loaded(images), model(images)) and loaded(images).shape == (2, 4)
    assert int(model.generator_ema.n_averaged) == 4
    refused(lambda: model.sample(2), "Rotation does not draw samples")


@dataclass(frozen=True)
class Flat(Backbone):
    """Somebody's own pair of networks."""

    units: int = 8
    latent_dim: int = 3

    def generator(self, image_shape, inputs):
        layers = nn.Linear(inputs, self.units), nn.ReLU(), nn.Linear(self.units, prod(image_shape)), nn.Tanh()
        return nn.Sequential(*layers, nn.Unflatten(1, image_shape))

    def discriminator(self, image_shape, outputs=1, norm=None):
        scores = nn.Sequential(nn.Flatten(), nn.Linear(prod(image_shape), outputs))
        return scores.append(nn.Flatten(0)) if outputs == 1 else scores


class Labelled(LabelGAN):
    conditioning = "input"

    def discriminator_loss(self, batch, fake):
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake["image"]))

    def generator_loss(self, batch, fake):
        return hinge_generator(self.discriminator(fake["image"]))


@pytest.mark.parametrize("game, arguments", [(Hinge, {}), (Labelled, {"num_classes": 2}), (AutoEncoder, {})])
def test_a_checkpoint_describes_a_backbone_of_ones_own(game, arguments, tmp_path):
    model = game(image_shape=(1, 16, 16), backbone=Flat(units=5), **arguments)
    loaded = round_trip(model, tmp_path)
    assert loaded.backbone == Flat(units=5) and loaded.latent_dim == 3 and loaded.given_networks == {}
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))


class Loose(Backbone):
    """Not a dataclass."""

    latent_dim = 3
    generator, discriminator = Flat.generator, Flat.discriminator


def test_a_backbone_is_a_dataclass():
    refused(lambda: Hinge(image_shape=(1, 16, 16), backbone=Loose()), "backbone is a Loose", "@dataclass(frozen=True)")


def test_a_likelihood_of_logits_refuses_networks_without():
    arguments = {"image_shape": (1, 16, 16), "backbone": Flat(), "likelihood": "bernoulli"}
    refused(lambda: AutoEncoder(**arguments), "bernoulli", "Sequential", "logits")


def test_a_backbone_without_networks_to_make_is_refused():
    pair = {"generator": Flat().generator((1, 16, 16), 3), "discriminator": Flat().discriminator((1, 16, 16))}
    refused(lambda: Hinge(image_shape=(1, 16, 16), latent_dim=3, backbone=Flat(), **pair), "backbone", "leave out")
    refused(lambda: Hinge(image_shape=(1, 16, 16), backbone=UNetTranslation()), "must be a Backbone", "UNetTranslation")
    refused(lambda: Star(image_shape=(1, 16, 16), backbone=DCGANBackbone), "must be a TranslationBackbone")
    refused(lambda: Hinge(), "image_shape", "a generator and a discriminator of your own")
