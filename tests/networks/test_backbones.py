"""What every backbone keeps: options that a file can hold, and networks for any shape, with heads or without."""

from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace

import pytest
import torch
from conftest import refused
from players import check_discriminator, check_generator
from torch import nn

import lit_gans.networks
from lit_gans.networks import (
    AuxiliaryDiscriminator,
    Backbone,
    BEGANBackbone,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DCGANBackbone,
    Discriminator,
    FastGANBackbone,
    FusionBackbone,
    MLPBackbone,
    PackedDiscriminator,
    ProjectionDiscriminator,
    R3Backbone,
    RecurrentBackbone,
    ResNetBackbone,
    ResNetTranslation,
    SemiSupervisedBackbone,
    SequenceBackbone,
    StyleBackbone,
    TransformerBackbone,
    TranslationBackbone,
    UNetTranslation,
    WeightNormBackbone,
    WithFeatures,
)

SMALL = {
    MLPBackbone: MLPBackbone((8, 8, 8), (8,)),
    DCGANBackbone: DCGANBackbone(width=4),
    ResNetBackbone: ResNetBackbone(width=2),
    R3Backbone: R3Backbone(width=4, blocks=1),
    StyleBackbone: StyleBackbone(width=4, style_dim=8),
    WeightNormBackbone: WeightNormBackbone(width=4),
    SemiSupervisedBackbone: SemiSupervisedBackbone(width=4),
    BEGANBackbone: BEGANBackbone(width=4),
    FusionBackbone: FusionBackbone(width=4),
    FastGANBackbone: FastGANBackbone(width=4),
}
TRANSLATIONS = {ResNetTranslation: ResNetTranslation(width=4, blocks=1), UNetTranslation: UNetTranslation(width=4)}
TEXTS = {RecurrentBackbone: RecurrentBackbone(width=4), TransformerBackbone: TransformerBackbone(width=4)}
NORMLESS = (R3Backbone, StyleBackbone, WeightNormBackbone, SemiSupervisedBackbone, FusionBackbone)
SHAPES = [(1, 8, 8), (3, 17, 31), (3, 32, 32)]
every_backbone = pytest.mark.parametrize("backbone", SMALL.values(), ids=lambda backbone: type(backbone).__name__)
every_normed = pytest.mark.parametrize(
    "backbone", [b for kind, b in SMALL.items() if kind not in NORMLESS], ids=lambda backbone: type(backbone).__name__
)
every_translation = pytest.mark.parametrize("backbone", TRANSLATIONS.values(), ids=lambda b: type(b).__name__)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def test_all_are_here():
    exported = {getattr(lit_gans.networks, name) for name in lit_gans.networks.__all__}
    made = {kind for kind in exported if isinstance(kind, type) and is_dataclass(kind)}
    assert {kind for kind in made if issubclass(kind, Backbone)} == set(SMALL)
    assert {kind for kind in made if issubclass(kind, TranslationBackbone)} == set(TRANSLATIONS)
    assert {kind for kind in made if issubclass(kind, SequenceBackbone)} == set(TEXTS)


@pytest.mark.parametrize(
    "backbone", [*SMALL.values(), *TRANSLATIONS.values(), *TEXTS.values()], ids=lambda b: type(b).__name__
)
def test_options_are_plain_values_that_nobody_changes(backbone):
    assert type(backbone)(**asdict(backbone)) == backbone and hash(backbone) == hash(replace(backbone))
    assert all(isinstance(v, (int, float, str, tuple, type(None))) for v in asdict(backbone).values())
    with pytest.raises(FrozenInstanceError):
        backbone.width = 3
    assert "smallest" not in [field.name for field in fields(backbone)]
    documented = type(backbone).__doc__
    assert all(f"        {field.name}: " in documented for field in fields(backbone)), documented


@every_backbone
@shapes
def test_players_for_any_shape(backbone, shape):
    torch.manual_seed(0)
    check_generator(backbone.generator(shape, backbone.latent_dim), shape)
    check_discriminator(backbone.discriminator(shape, norm="none"), shape)


@every_backbone
@pytest.mark.parametrize("outputs", [1, 5])
def test_as_many_scores_as_asked_for(backbone, outputs):
    """A discriminator of five scores, and an encoder of codes, also of one number."""
    torch.manual_seed(0)
    shape = (3, 16, 24)
    image, discriminator = torch.rand(3, *shape), backbone.discriminator(shape, outputs, norm="none")
    check_discriminator(discriminator, shape, outputs)
    encoder = backbone.encoder(shape, outputs)
    assert encoder(image).shape == (3, outputs)
    encoder(image).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


@every_backbone
def test_heads_go_on_any(backbone):
    torch.manual_seed(0)
    shape, label = (3, 16, 16), torch.eye(4)[[0, 2, 3]]
    images = torch.rand(3, *shape)
    scores, guess = AuxiliaryDiscriminator(backbone.discriminator(shape), 4, hidden=6)(images)
    assert scores.shape == (3,) and guess.shape == (3, 4)
    assert ProjectionDiscriminator(backbone.discriminator(shape), 4)(images, label).shape == (3,)
    assert ConditionalDiscriminator(backbone.discriminator((7, 16, 16)))(images, label).shape == (3,)
    assert PackedDiscriminator(backbone.discriminator((6, 16, 16)), 2)(images).shape == (2,)
    scores, features = WithFeatures(backbone.discriminator(shape, outputs=5))(images)
    assert scores.shape == (3, 5) and features.ndim == 2
    generator = ConditionalGenerator(backbone.generator(shape, backbone.latent_dim + 4), 4).eval()
    noise = torch.randn(3, generator.latent_dim)
    assert generator.latent_dim == backbone.latent_dim
    assert torch.equal(generator(noise, label), generator.logits(noise, label).tanh())


def has(network, kind):
    return any(isinstance(m, kind) for m in network.modules())


@every_normed
def test_whose_norm_a_discriminator_has(backbone):
    """The backbone's own, else the game's, else the paper's."""
    papers = {DCGANBackbone: "batch", ResNetBackbone: "spectral", FastGANBackbone: "batch"}
    shape, paper = (1, 16, 16), papers.get(type(backbone), "none")
    assert backbone.discriminator(shape).norm == paper
    for norm in ("none", "spectral", "layer"):
        assert backbone.discriminator(shape, norm=norm).norm == norm
        own = replace(backbone, discriminator_norm=norm)
        assert own.discriminator(shape, norm="batch").norm == own.discriminator(shape).norm == norm
        assert own.encoder(shape, 3).discriminator.norm == norm
        layers = [m for m in own.discriminator(shape).modules() if isinstance(m, (nn.GroupNorm, nn.LayerNorm))]
        assert bool(layers) == (norm == "layer")


@pytest.mark.parametrize("kind", NORMLESS, ids=lambda kind: kind.__name__)
def test_a_norm_that_a_backbone_cannot_have(kind):
    backbone, shape = SMALL[kind], (3, 16, 16)
    for norm in (None, "none"):
        assert backbone.discriminator(shape, norm=norm).norm == "none"
    for norm in ("spectral", "batch"):
        refused(
            lambda norm=norm: backbone.discriminator(shape, norm=norm),
            f"asks for {norm} norm",
            kind.__name__,
            "use DCGANBackbone, ResNetBackbone, BEGANBackbone or MLPBackbone",
        )


@pytest.mark.parametrize("shape", [(12,), (28, 28), (2, 12), (3, 4, 6, 6), (1, 4, 4)], ids=str)
@every_backbone
def test_shapes_that_are_no_images(backbone, shape):
    """Vectors, series and volumes are for MLPs; the others say so in a sentence."""
    if backbone.smallest == 1:
        check_generator(backbone.generator(shape, 5), shape)
        check_discriminator(backbone.discriminator(shape), shape)
        assert backbone.encoder(shape, 2)(torch.rand(3, *shape)).shape == (3, 2)
    else:
        for make in (lambda: backbone.generator(shape, 5), lambda: backbone.discriminator(shape)):
            refused(make, "a convolutional network takes images", str(shape), "MLPBackbone")


def test_a_condition_beside_any_shape():
    """A constant channel each: what an MLP sees of a vector, a series or a volume."""
    label = torch.eye(4)[[0, 2]]
    for shape in [(12,), (2, 5), (3, 4, 6, 6)]:
        seen = []
        network = MLPBackbone().discriminator((shape[0] + 4, *shape[1:]))
        network.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0]))
        image = torch.rand(2, *shape)
        assert ConditionalDiscriminator(network)(image, label).shape == (2,)
        assert torch.equal(seen[0][:, : shape[0]], image)
        planes = seen[0][:, shape[0] :].flatten(2) if len(shape) > 1 else seen[0][:, shape[0] :, None]
        assert torch.equal(planes, label[:, :, None].expand_as(planes))


def test_options_reach_the_networks():
    assert DCGANBackbone(8, generator_width=16).generator((1, 16, 16), 3).layers[2].in_channels == 32
    assert DCGANBackbone(8).generator((1, 16, 16), 3).layers[2].out_channels == 8
    dense = DCGANBackbone(8, generator_width=4, dense=3)
    assert dense.generator((1, 16, 16), 3).project.in_features == 12
    assert dense.discriminator((1, 16, 16)).size == dense.encoder((1, 16, 16), 2).discriminator.size == 24
    attended = ResNetBackbone(2, attention=8)
    for network in (attended.generator((1, 16, 16), 3), attended.discriminator((1, 16, 16))):
        assert has(network, lit_gans.networks.SelfAttention)
    assert StyleBackbone(4, style_dim=8, mapping_layers=3).generator((1, 8, 8), 3).mapping.layers[2:]
    assert StyleBackbone(4, mixing=0.5).generator((1, 8, 8), 3).mixing == 0.5
    assert StyleBackbone(4, group=3).discriminator((1, 8, 8)).deviation.group == 3
    assert len(R3Backbone((8, 4), blocks=2).generator((1, 8, 8), 3).layers) == 6
    assert R3Backbone((8, 4), blocks=1, expansion=2, group_size=4).discriminator((1, 8, 8)).size == 8
    assert has(DCGANBackbone(4, upsampling="resize").generator((1, 8, 8), 3), nn.Upsample)
    assert has(BEGANBackbone(4, upsampling="transposed").generator((1, 16, 16), 3), nn.ConvTranspose2d)
    assert has(BEGANBackbone(4, generator_norm="layer").generator((1, 16, 16), 3), nn.GroupNorm)
    for layers, norm in ((2, False), (3, True)):
        assert has(MLPBackbone((8,) * layers).generator((5,), 3), nn.BatchNorm1d) == norm
    assert not has(MLPBackbone((8,) * 3, generator_norm="none").generator((5,), 3), nn.BatchNorm1d)
    judge = MLPBackbone(discriminator_hidden=(7,), dropout=0.5, octaves=2).discriminator((2,))
    assert judge.layers[2].in_features == 10 and judge.size == 7 and has(judge, nn.Dropout)


@pytest.mark.parametrize("side, convolved", [(31, False), (32, True)])
def test_the_semi_supervised_networks_of_small_and_large_images(side, convolved):
    backbone = SemiSupervisedBackbone(width=4, minibatch=3)
    discriminator = backbone.discriminator((3, 40, side), outputs=11)
    assert has(discriminator, nn.Conv2d) == convolved
    assert has(backbone.generator((3, 40, side), 5), nn.ConvTranspose2d) == convolved
    judge = WithFeatures(discriminator)
    assert (
        not judge.independent and WithFeatures(replace(backbone, minibatch=0).discriminator((3, 40, side))).independent
    )
    assert judge.size == discriminator.size and judge(torch.rand(2, 3, 40, side))[0].shape == (2, 11)


@every_translation
def test_translations(backbone):
    source, target = (1, 32, 40), (3, 32, 40)
    translator = backbone.generator(target, source)
    assert translator(torch.rand(2, *source)).shape == (2, *target)
    assert backbone.discriminator(target)(torch.rand(2, *target)).shape[:2] == (2, 1)
    for own, norm in ((None, "batch"), ("instance", "instance"), ("none", "none")):
        judge = replace(backbone, norm="batch", discriminator_norm=own).discriminator(target)
        assert judge.norm == norm
        assert (has(judge, nn.BatchNorm2d), has(judge, nn.InstanceNorm2d)) == (
            norm == "batch",
            norm == "instance",
        )
    for make in (lambda: backbone.generator((12,), source), lambda: backbone.generator(target, (1, 4, 6, 6))):
        refused(make, "take images (channels, height, width)")
    refused(lambda: backbone.discriminator((28, 28)), "take images (channels, height, width)", "(28, 28)")
    refused(lambda: AuxiliaryDiscriminator(backbone.discriminator(target), 4), "PatchDiscriminator does not have")


def test_heads_need_features():
    class Own(Discriminator):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)  # a user's name for a layer, not one of ours
            self.judge, self.size = nn.Linear(3, 1), 3

        def features(self, image):
            return self.norm(image.flatten(1))

    class Deaf(nn.Module):
        size = 3
        judge = None

    for head in (lambda d: AuxiliaryDiscriminator(d, 4), lambda d: ProjectionDiscriminator(d, 4), WithFeatures):
        assert head(Own()).norm == "none"
        refused(lambda head=head: head(Deaf()), "Deaf does not have a method features(image)", "give yours all three")
        refused(lambda head=head: head(nn.Flatten()), "Flatten does not have")
    judge = Own()
    del judge.size
    refused(lambda: WithFeatures(judge), "Own does not have", "an int 'size'")
