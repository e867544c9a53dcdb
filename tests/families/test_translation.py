"""What the papers of the games that translate images say, and sides of different channels."""

import pytest
import torch
from conftest import data_for, fit, refused, small, trainer
from lightning.pytorch import Callback
from torch import nn
from torch.utils.data import DataLoader

from lit_gans import CUT, Colorizer, CycleGAN, Pix2Pix
from lit_gans.models.cyclegan import ImagePool
from lit_gans.networks import PatchDiscriminator, ResNetTranslation, ResNetTranslator, UNet
from lit_gans.networks.layers import InstanceNorm
from lit_gans.penalties import zero_centered

SIDE = 16
GAMES = [Pix2Pix, CycleGAN, CUT]


@pytest.fixture(params=GAMES, ids=lambda cls: cls.__name__)
def game(request):
    return request.param


def test_grey_to_colour_and_back(game, tmp_path):
    """The two sides may have different channels."""
    source, target = ("source", "target") if game is Pix2Pix else ("a", "b")
    entry = {source: torch.rand(1, SIDE, SIDE) * 2 - 1, target: torch.rand(3, SIDE, SIDE) * 2 - 1}
    options = {} if game is Pix2Pix else {"identity": 0.0}
    model = small(game, image_shape=(3, SIDE, SIDE), source_shape=(1, SIDE, SIDE), **options)
    run = trainer(tmp_path, max_steps=2)
    run.fit(model, DataLoader([entry] * 4, batch_size=2), DataLoader([entry] * 2, batch_size=2))
    assert model.translate(entry[source][None]).shape == (1, 3, SIDE, SIDE)


def test_wrong_data_is_refused(game, tmp_path):
    loader = DataLoader(torch.rand(4, 1, SIDE, SIDE) * 2 - 1, batch_size=2)
    refused(lambda: trainer(tmp_path).fit(small(game), loader), game.__name__, *game.needs)


# -------------------------------------------------------------------- pix2pix


def test_pix2pix_losses():
    model = small(Pix2Pix, l1=7.0)
    model.discriminator = nn.Conv2d(sum(s[0] for s in (model.source_shape, model.image_shape)), 1, 4, 2)
    batch = {"source": torch.rand(2, *model.source_shape), "target": torch.rand(2, *model.image_shape)}
    fake = model.generate(batch)
    real = model.discriminator(torch.cat([batch["source"], batch["target"]], 1))
    fooled = model.discriminator(torch.cat([batch["source"], fake], 1))
    cross = nn.functional.binary_cross_entropy_with_logits
    terms = model.discriminator_loss(batch, fake)
    wanted = (cross(real, torch.ones_like(real)) + cross(fooled, torch.zeros_like(fooled))) / 2
    torch.testing.assert_close(terms["real"] + terms["fake"], wanted)
    terms = model.generator_loss(batch, fake)
    torch.testing.assert_close(terms["fake"], cross(fooled, torch.ones_like(fooled)))
    torch.testing.assert_close(terms["l1"], 7 * nn.functional.l1_loss(fake, batch["target"]))
    model.adversarial = 0.0
    assert list(model.generator_loss(batch, fake)) == ["l1"]


def test_dropout_is_the_noise_of_a_translation():
    model = small(Pix2Pix)
    images = torch.rand(1, *model.source_shape)
    assert not torch.equal(model.translate(images, seed=0), model.translate(images, seed=1))
    model = small(Pix2Pix, dropout=0.0, norm="layer")
    assert torch.equal(model.translate(images, seed=0), model.translate(images, seed=1))
    for player in (model.generator, model.discriminator):
        assert not any(isinstance(module, nn.InstanceNorm2d) for module in player.modules())


def test_a_patch_sees_seventy_pixels():
    """The paper's 70x70: no pixel further away moves a logit, and the farthest within does."""
    network = PatchDiscriminator((1, 256, 256), width=2, norm="none")
    image = torch.randn(1, 1, 256, 256, requires_grad=True)
    logits = network(image)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero()[:, 0]
    assert int(rows.max() - rows.min()) + 1 == 70


def test_u_net_has_the_papers_size():
    assert sum(p.numel() for p in UNet((3, 256, 256)).parameters()) == 54_404_675
    assert len(UNet((3, 256, 256)).down) == 8 and UNet((3, 32, 32)).stride == 32


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (40, 24), (9, 64)])
@pytest.mark.parametrize("network", [UNet, ResNetTranslator])
def test_any_size(network, size):
    made = network((3, 32, 32), (1, 32, 32), width=4).eval()(torch.rand(1, 1, *size))
    assert made.shape == (1, 3, *size)


def test_padding_keeps_the_place():
    """A shift-invariant translator gives an image with a side off the stride what it gives the whole one."""

    class Same(ResNetTranslator):
        def translate(self, image):
            return image

    image = torch.rand(1, 3, 18, 23)
    assert torch.equal(Same((3, 32, 32), width=2, blocks=0)(image), image)


# -------------------------------------------------------------------- CycleGAN


def test_the_pool_gives_back_each_fake_until_it_is_full():
    torch.manual_seed(0)
    pool = ImagePool(4, (1, 1, 1))
    first = torch.arange(4.0).view(4, 1, 1, 1)
    assert torch.equal(pool(first), first) and int(pool.kept) == 4
    seen, older = set(range(4)), 0
    for number in range(4, 404):
        (given,) = pool(torch.full((1, 1, 1, 1), float(number))).flatten().tolist()
        seen.add(number)
        assert given in seen
        older += given != number
    assert 150 < older < 250  # every second one, by the toss of a coin
    assert torch.equal(ImagePool(0, (1, 1, 1))(first), first)


def test_the_pool_gives_what_it_had_not_what_replaced_it():
    torch.manual_seed(0)
    pool = ImagePool(1, (1, 1, 1))
    pool(torch.zeros(1, 1, 1, 1))
    given = [float(pool(torch.full((1, 1, 1, 1), float(n)))) for n in range(1, 20)]
    old = [g for n, g in enumerate(given, 1) if g != n]
    assert old and all(g < n for n, g in enumerate(given, 1) if g != n)


def test_a_forward_for_each_fake_and_each_way_back(tmp_path):
    """Two translations and two ways back a batch; the identity has every image go through once more."""
    for identity, images in ((0.0, 2), (0.5, 3)):
        model, seen = small(CycleGAN, identity=identity), []
        for network in model.generator.values():
            network.register_forward_hook(lambda network, given, made, seen=seen: seen.append(len(made)))
        data = data_for(CycleGAN)
        fit(tmp_path / str(identity), model, data, max_steps=3, limit_val_batches=0)
        assert sum(seen) == 2 * 3 * images * data.batch_size


def forwards(model, side):
    """The terms of the generators and their gradients, and how often a generator was called for them."""
    torch.manual_seed(0)
    batch = {domain: torch.rand(1, 3, side, side) * 2 - 1 for domain in ("a", "b")}
    fake, calls = model.generate(batch), []
    hooks = [g.register_forward_hook(lambda *_: calls.append(1)) for g in model.generator.values()]
    terms = model.generator_loss(batch, fake)
    for hook in hooks:
        hook.remove()
    weights = dict(model.generator.named_parameters())
    gradients = torch.autograd.grad(sum(terms.values()), list(weights.values()))
    return terms, dict(zip(weights, gradients, strict=True)), len(calls)


@pytest.mark.parametrize("norm, side, calls", [("instance", 16, 2), ("layer", 64, 2), ("instance", 68, 4)])
def test_the_way_back_and_the_identity_are_one_batch_of_small_images(norm, side, calls):
    model = small(CycleGAN, norm=norm)
    terms, gradients, called = forwards(model, side)
    assert called == calls
    model._apart = True
    apart, wanted, called = forwards(model, side)
    assert called == 4 and list(terms) == list(apart)
    torch.testing.assert_close(terms, apart)
    torch.testing.assert_close(gradients, wanted)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_images_that_would_notice_each_other_are_not_one_batch(norm):
    assert forwards(small(CycleGAN, norm=norm), 16)[2] == 4


def test_cyclegan_losses():
    model = small(CycleGAN, cycle=10.0, identity=0.5, pool=0)
    batch = {"a": torch.rand(2, *model.source_shape), "b": torch.rand(2, *model.image_shape)}
    fake = model.generate(batch)
    there, back = model.generator["a_to_b"], model.generator["b_to_a"]
    torch.testing.assert_close(fake["b"], there(batch["a"]))
    terms = model.generator_loss(batch, fake)
    torch.testing.assert_close(terms["cycle_a"], 10 * (back(fake["b"]) - batch["a"]).abs().mean())
    torch.testing.assert_close(terms["identity_b"], 5 * (there(batch["b"]) - batch["b"]).abs().mean())
    torch.testing.assert_close(terms["validity_a"], (model.discriminator["a"](fake["a"]) - 1).square().mean())
    terms = model.discriminator_loss(batch, fake)
    torch.testing.assert_close(terms["real_b"], (model.discriminator["b"](batch["b"]) - 1).square().mean() / 2)
    torch.testing.assert_close(terms["fake_b"], model.discriminator["b"](fake["b"]).square().mean() / 2)


def test_identity_needs_equal_channels():
    refused(
        lambda: CycleGAN(image_shape=(3, 16, 16), source_shape=(1, 16, 16), backbone=ResNetTranslation(width=4)),
        "identity",
        "3",
        "1",
    )


@pytest.mark.parametrize("unpaired", [CycleGAN, CUT])
@pytest.mark.parametrize("norm, same", [("instance", True), ("layer", False)])
def test_layer_norm_keeps_brightness(unpaired, norm, same):
    """Instance norm takes a map's mean away, so that an image and a lighter one become the same."""
    dark = torch.rand(1, 3, 16, 16) - 1
    model = small(unpaired, norm=norm, image_shape=(3, 16, 16))
    there = model.generator["a_to_b"]
    for network in (there, model.discriminator):
        kinds = {type(module) for module in network.modules()}
        assert (InstanceNorm in kinds) == same and (nn.GroupNorm in kinds) != same
    assert torch.allclose(there(dark), there(dark + 1), atol=1e-2) == same


@pytest.mark.parametrize("network", [UNet, ResNetTranslator])
def test_norms_of_the_weights_reach_a_translator(network):
    made = network((3, 16, 16), width=4, norm="spectral")
    assert all(hasattr(layer, "parametrizations") for layer in made.modules() if isinstance(layer, torch.nn.Conv2d))


def test_directions():
    model = small(CycleGAN)
    image = torch.rand(1, *model.source_shape)
    assert not torch.equal(model.translate(image, to="b"), model.translate(image, to="a"))
    assert torch.equal(model.translate(image), model.translate(image, to="b"))
    refused(lambda: small(Pix2Pix).translate(image, to="a"), "Pix2Pix translates to b", "'a'")
    refused(lambda: model.translate(image, to="c"), "CycleGAN translates to b or a", "'c'")


# -------------------------------------------------------------------- what every game can have


class Terms(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append({name: float(value) for name, value in outputs.items()})


@pytest.mark.parametrize("cls", [Pix2Pix, CycleGAN, CUT, Colorizer])
def test_r1_and_augmentation(cls, tmp_path):
    model, terms, seen = small(cls, r1=2.0, r1_every=2, augment=["cutout"]), Terms(), []
    networks = model.discriminator.values() if cls is CycleGAN else [model.discriminator]
    fit(tmp_path, model, data_for(cls), max_steps=3, callbacks=[terms], limit_val_batches=0)
    names = {"discriminator/r1_a", "discriminator/r1_b"} if cls is CycleGAN else {"discriminator/r1"}
    assert [names <= outputs.keys() for outputs in terms.seen] == [True, False, True]
    assert all(outputs[name] > 0 for outputs in terms.seen[::2] for name in names)
    # after training nothing is cut out any more
    for network in networks:
        network.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        image = torch.rand(2, network.layers[0].in_channels, SIDE, SIDE) + 1
        network(image)
        assert torch.equal(seen[-1], image)


def test_r1_of_pairs_is_of_the_target_beside_its_source():
    model = small(Pix2Pix)
    batch = {"source": torch.rand(2, *model.source), "target": torch.rand(2, *model.shape)}
    penalty = zero_centered(model.critic(batch), batch["target"])
    image = batch["target"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.judge(batch["source"], image).sum(), image)
    torch.testing.assert_close(penalty, slope.square().flatten(1).sum(1).mean())


@pytest.mark.parametrize("cls", [CycleGAN, CUT])
def test_scores_of_least_squares_steer_no_augmentation(cls):
    refused(lambda: small(cls, augment=["blit"], augment_target=0.6), cls.__name__, "augment_target")


def test_networks_of_ones_own_for_both_ways():
    shape = (3, SIDE, SIDE)
    generators = {name: ResNetTranslator(shape, width=4, blocks=1) for name in ("a_to_b", "b_to_a")}
    judges = {domain: PatchDiscriminator(shape, width=4) for domain in ("a", "b")}
    networks = {"generator": nn.ModuleDict(generators), "discriminator": nn.ModuleDict(judges)}
    model = CycleGAN(image_shape=shape, **networks)
    image = torch.rand(1, *shape)
    torch.testing.assert_close(model.eval().translate(image, to="a"), generators["b_to_a"].eval()(image))
    refused(lambda: CycleGAN(**networks), "image_shape")  # what the pools keep
    refused(lambda: CycleGAN(image_shape=shape, **networks, backbone=ResNetTranslation()), "backbone", "CycleGAN")
