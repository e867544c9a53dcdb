"""DCGAN's players: shapes, ranges, initialisation and where the norms are."""

import pytest
import torch
from players import SHAPES, check_discriminator, check_generator
from torch import nn

from lit_gans.errors import UsageError
from lit_gans.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator

UPSAMPLINGS = ["transposed", "resize"]
CONVS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
upsamplings = pytest.mark.parametrize("upsampling", UPSAMPLINGS)


def leaves(net):
    return [m for m in net.modules() if not list(m.children())]


@shapes
@upsamplings
def test_dcgan_generator(shape, upsampling):
    check_generator(DCGANGenerator(shape, latent_dim=5, width=4, upsampling=upsampling), shape)


@shapes
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_dcgan_discriminator(shape, norm):
    check_discriminator(DCGANDiscriminator(shape, width=4, norm=norm), shape)


@pytest.mark.parametrize("net", [DCGANGenerator((3, 32, 32), width=4), MLPGenerator((3, 32, 32))], ids=["dcgan", "mlp"])
def test_default_noise_has_100_dimensions(net):
    assert net.latent_dim == 100 and net(torch.randn(2, 100)).shape == (2, 3, 32, 32)


def test_eval_judges_samples_one_by_one():
    images = torch.rand(4, 3, 16, 16)
    for net in (DCGANDiscriminator((3, 16, 16), width=4).eval(), MLPDiscriminator((3, 16, 16), dropout=0.5).eval()):
        torch.testing.assert_close(net(images), torch.cat([net(image[None]) for image in images]))


@pytest.mark.parametrize(
    "side, coarse", [(8, 4), (9, 4), (12, 3), (16, 4), (24, 3), (28, 3), (32, 4), (46, 5), (64, 4)]
)
def test_discriminator_halves_until_it_judges_whole_figures(side, coarse):
    net, maps = DCGANDiscriminator((1, side, side), width=4), []
    net.layers[-1].register_forward_hook(lambda module, inputs, output: maps.append(inputs[0].shape))
    net(torch.zeros(2, 1, side, side))
    assert maps[0][2:] == (coarse, coarse)


@upsamplings
@pytest.mark.parametrize("shape", [(1, 9, 15), (3, 17, 31), (1, 30, 28)], ids=str)
def test_crop_is_central(shape, upsampling):
    net, drawn = DCGANGenerator(shape, latent_dim=5, width=4, upsampling=upsampling), []
    net.layers.register_forward_hook(lambda module, inputs, output: drawn.append(output.tanh()))
    image = net(torch.randn(2, 5))
    spare = [big - side for big, side in zip(drawn[0].shape[2:], shape[1:], strict=True)]
    assert max(spare) > 0
    top, left = (s // 2 for s in spare)
    assert torch.equal(image, drawn[0][:, :, top : top + shape[1], left : left + shape[2]])


@pytest.mark.parametrize("net", [DCGANGenerator, DCGANDiscriminator])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 7, 64), (3, 64, 7)], ids=str)
def test_too_small_for_dcgan(net, shape):
    with pytest.raises(UsageError, match="at least 8x8") as error:
        net(shape)
    assert str(shape) in str(error.value) and "MLPBackbone, whose networks take any shape" in str(error.value)


def test_unknown_upsampling():
    with pytest.raises(UsageError, match="'transposed', 'resize', 'bilinear' or 'subpixel', got 'cubic'"):
        DCGANGenerator((1, 8, 8), upsampling="cubic")


# -------------------------------------------------------------------- layers


@upsamplings
def test_kind_of_upsampling(upsampling):
    kinds = {type(m) for m in DCGANGenerator((3, 32, 32), width=4, upsampling=upsampling).modules()}
    assert (nn.ConvTranspose2d in kinds) == (upsampling == "transposed")
    assert (nn.Upsample in kinds) == (nn.Conv2d in kinds) == (upsampling == "resize")


@pytest.mark.parametrize(
    "net, count",
    [
        (DCGANGenerator((3, 64, 64), width=4), 4),
        (DCGANGenerator((3, 64, 64), width=4, upsampling="resize"), 4),
        (DCGANDiscriminator((3, 64, 64), width=4), 3),
        (DCGANDiscriminator((3, 64, 64), width=4, norm="none"), 0),
        (MLPGenerator((1, 8, 8), hidden=(8, 8, 8), norm="batch"), 3),
        (MLPGenerator((1, 8, 8)), 0),
        (MLPDiscriminator((1, 8, 8)), 0),
    ],
)
def test_norms_have_torch_defaults(net, count):
    norms = [m for m in net.modules() if isinstance(m, NORMS)]
    assert len(norms) == count
    assert all((m.eps, m.momentum, m.affine, m.track_running_stats) == (1e-5, 0.1, True, True) for m in norms)


@upsamplings
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 32, 32)], ids=str)
def test_generator_ends_without_norm(shape, upsampling):
    layers = leaves(DCGANGenerator(shape, width=4, upsampling=upsampling))
    last = max(i for i, m in enumerate(layers) if isinstance(m, CONVS))
    assert layers[last + 1 :] == [] and layers[last].bias is not None
    convs = [i for i, m in enumerate(layers) if isinstance(m, CONVS) and i != last]
    assert all(isinstance(layers[i + 1], nn.BatchNorm2d) and layers[i].bias is None for i in convs)


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 32, 32)], ids=str)
def test_discriminator_begins_without_norm(shape):
    layers = leaves(DCGANDiscriminator(shape, width=4))
    convs = [i for i, m in enumerate(layers) if isinstance(m, nn.Conv2d)]
    assert convs[0] == 0 and isinstance(layers[1], nn.LeakyReLU) and layers[0].bias is not None
    assert all(isinstance(layers[i + 1], nn.BatchNorm2d) and layers[i].bias is None for i in convs[1:])
    assert all(m.negative_slope == 0.2 for m in layers if isinstance(m, nn.LeakyReLU))


@pytest.mark.parametrize("kind", ["transposed", "resize", "discriminator"])
def test_initial_weights(kind):
    torch.manual_seed(0)
    shape = (3, 32, 32)
    net = DCGANDiscriminator(shape) if kind == "discriminator" else DCGANGenerator(shape, upsampling=kind)
    weighted = [m for m in leaves(net) if isinstance(m, (*CONVS, nn.Linear))]
    assert len(weighted) == 4
    for module in weighted:
        weight = module.weight.detach()
        assert abs(float(weight.mean())) < 5 * 0.02 / weight.numel() ** 0.5
        assert float(weight.std()) == pytest.approx(0.02, rel=0.08)
        # a normal has 4.6% beyond two deviations, a uniform of the same deviation none
        assert float((weight.abs() > 0.04).float().mean()) == pytest.approx(0.0455, abs=0.015)
        assert module.bias is None or not module.bias.any()
    gains = torch.cat([m.weight.detach() for m in leaves(net) if isinstance(m, NORMS)])
    assert float(gains.mean()) == pytest.approx(1, abs=0.005) and float(gains.std()) == pytest.approx(0.02, rel=0.25)
    assert not any(m.bias.any() for m in leaves(net) if isinstance(m, NORMS))


@pytest.mark.parametrize("norm", ["batch", "layer", "weight", "spectral", "none"])
def test_a_fully_connected_layer_sees_the_whole_map(norm):
    """In place of the last halving, and its units are all that the judge gets."""
    judge = DCGANDiscriminator((1, 28, 28), 4, norm, dense=32)
    assert judge.features(torch.randn(2, 1, 28, 28)).shape == (2, 32) and judge(torch.randn(2, 1, 28, 28)).shape == (2,)
    strides = [layer for layer in judge.layers if isinstance(layer, nn.Conv2d)]
    assert (
        len(strides) == 2
        and len([x for x in DCGANDiscriminator((1, 28, 28), 4).layers if isinstance(x, nn.Conv2d)]) == 3
    )
    generator = DCGANGenerator((1, 28, 28), 8, 4, norm=norm, dense=32)
    assert generator(torch.randn(2, 8)).shape == (2, 1, 28, 28) and generator.project.in_features == 32
    assert "dense.0.bias" not in generator.state_dict() or norm not in ("batch", "layer")
