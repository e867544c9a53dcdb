"""Weights of pytorch-CycleGAN-and-pix2pix: its networks, written here from their description, and ours do the same."""

import pytest
import torch
from conftest import refused
from PIL import Image
from torch import nn

import lit_gans
from lit_gans import CUT, CycleGAN, Pix2Pix
from lit_gans.cli.main import main
from lit_gans.networks import ResNetTranslation, UNetTranslation

WIDTH = 4


def norm(kind, features):
    """The program's norms: batch norm has weights and statistics, instance norm neither; none is a module as well."""
    kinds = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": lambda _: nn.Identity()}
    return kinds[kind](features)


class Block(nn.Module):
    def __init__(self, features, kind, dropout):
        super().__init__()
        bias = kind == "instance"
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(features, features, 3, bias=bias), norm(kind, features)]
        layers += [nn.ReLU(), *([nn.Dropout(0.5)] if dropout else [])]
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(features, features, 3, bias=bias), norm(kind, features)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, maps):
        return maps + self.conv_block(maps)


class ResNet(nn.Module):
    """resnet_6blocks and resnet_9blocks: Johnson's network, with a doubling by 3x3 kernels."""

    def __init__(self, blocks, kind, dropout=False, taken=3, made=3, width=WIDTH):
        super().__init__()
        bias = kind == "instance"
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(taken, width, 7, bias=bias), norm(kind, width), nn.ReLU()]
        for i in (width, 2 * width):
            layers += [nn.Conv2d(i, 2 * i, 3, 2, 1, bias=bias), norm(kind, 2 * i), nn.ReLU()]
        layers += [Block(4 * width, kind, dropout) for _ in range(blocks)]
        for i in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(i, i // 2, 3, 2, 1, 1, bias=bias), norm(kind, i // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, made, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, image):
        return self.model(image)


class Level(nn.Module):
    """A halving, what is inside it, and a doubling; all but the outermost give what they are given as well."""

    def __init__(self, outer, inner, kind, inside=None, dropout=False, taken=None):
        super().__init__()
        bias, self.outermost = kind == "instance", taken is not None
        down = [nn.Conv2d(taken or outer, inner, 4, 2, 1, bias=bias)]
        if not self.outermost:
            down = [nn.LeakyReLU(0.2, True), *down, *([norm(kind, inner)] if inside else [])]
        joined = inner * 2 if inside else inner
        up = [nn.ReLU(True), nn.ConvTranspose2d(joined, outer, 4, 2, 1, bias=bias or self.outermost)]
        up += [nn.Tanh()] if self.outermost else [norm(kind, outer)]
        middle = [inside] if inside else []
        self.model = nn.Sequential(*down, *middle, *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, maps):
        return self.model(maps) if self.outermost else torch.cat([maps, self.model(maps)], 1)


class Outer(nn.Module):
    """unet_128 and unet_256, with 7 and 8 halvings."""

    def __init__(self, halvings, kind, dropout=False, taken=3, made=3, width=WIDTH):
        super().__init__()
        level = Level(8 * width, 8 * width, kind)
        for _ in range(halvings - 5):
            level = Level(8 * width, 8 * width, kind, level, dropout)
        for outer in (4, 2, 1):
            level = Level(outer * width, 2 * outer * width, kind, level)
        self.model = Level(made, width, kind, level, taken=taken)

    def forward(self, image):
        return self.model(image)


class Judge(nn.Module):
    """The program's default discriminator, of patches of 70x70 pixels."""

    def __init__(self, channels, kind, width=WIDTH):
        super().__init__()
        bias = kind == "instance"
        layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, stride in ((1, 2), (2, 2), (4, 1)):
            layers += [nn.Conv2d(i * width, 2 * i * width, 4, stride, 1, bias=bias), norm(kind, 2 * i * width)]
            layers += [nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))

    def forward(self, image):
        return self.model(image)


def wild(network, seed=0):
    """The network with random values everywhere: weights, biases and statistics."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
            if "running_var" in name or (value.ndim == 1 and name.endswith("weight")):
                value.add_(1).abs_()
    return network


def pictures(side=64, channels=3, n=1):
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def saved(network, path, **options):
    torch.save(network.state_dict(), path, **options)
    return path


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert theirs.std() > 0.05  # not all the same


@pytest.mark.parametrize("kind", ["batch", "instance", "none"])
@pytest.mark.parametrize("blocks", [6, 9])
def test_residual_generators(tmp_path, blocks, kind):
    theirs = wild(ResNet(blocks, kind))
    model = lit_gans.load(saved(theirs, tmp_path / "latest_net_G.pth"))
    assert isinstance(model, CUT if kind == "instance" else Pix2Pix) and model.backbone.blocks == blocks
    with torch.no_grad():  # in training mode: test.py leaves the network in it
        for image in pictures(n=2).split(1):
            close(model.translate(image), theirs(image))
    close(model.translate(pictures(n=2))[:1], model.translate(pictures(n=2)[:1]))  # each by itself


@pytest.mark.parametrize("kind", ["batch", "instance", "none"])
@pytest.mark.parametrize("halvings", [7, 8])
def test_u_nets(tmp_path, halvings, kind):
    theirs = wild(Outer(halvings, kind, dropout=kind == "batch"))
    model = lit_gans.load(saved(theirs, tmp_path / "latest_net_G.pth"))
    assert isinstance(model, Pix2Pix) and model.image_shape == (3, 2**halvings, 2**halvings)
    image = pictures(2**halvings)
    with torch.no_grad():
        torch.manual_seed(3)
        close(model.translate(image, seed=3), theirs(image))  # the same values are dropped, too
        if kind == "batch":
            assert not torch.equal(model.translate(image, seed=3), model.translate(image, seed=4))


@pytest.mark.parametrize("network", [ResNet(6, "batch", dropout=True), Outer(7, "batch", dropout=True)])
def test_running_statistics_as_with_eval(tmp_path, network):
    theirs = wild(network)
    residual = isinstance(network, ResNet)
    quiet = ResNetTranslation(WIDTH, 6, "batch") if residual else UNetTranslation(WIDTH, "batch", dropout=0)
    model = lit_gans.load(saved(theirs, tmp_path / "G.pth"), backbone=quiet)
    with torch.no_grad():
        close(model.translate(pictures(128)), theirs.eval()(pictures(128)))


def test_dropout_of_residual_blocks(tmp_path):
    theirs = wild(ResNet(6, "batch", dropout=True))
    model = lit_gans.load(saved(theirs, tmp_path / "G.pth"))
    assert model.backbone.dropout == 0.5
    with torch.no_grad():
        torch.manual_seed(3)
        close(model.translate(pictures(), seed=3), theirs(pictures()))


def test_files_of_old_versions(tmp_path):
    """Before 1.6, PyTorch wrote no zip files; in its first versions instance norm had statistics, which are dropped."""
    theirs = wild(ResNet(6, "instance"))
    content = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    for place, layer in theirs.named_modules():
        if isinstance(layer, nn.InstanceNorm2d):
            statistics = {"running_mean": torch.ones(layer.num_features), "num_batches_tracked": torch.tensor(7)}
            statistics["running_var"] = torch.rand(layer.num_features)
            content |= {f"module.{place}.{name}": value for name, value in statistics.items()}
    path = tmp_path / "horse2zebra.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    with torch.no_grad():
        close(lit_gans.load(path).translate(pictures()), theirs(pictures()))
    path.write_bytes(path.read_bytes()[:3000])
    refused(lambda: lit_gans.load(path), path, "cannot be read as a checkpoint")


@pytest.fixture
def horses(tmp_path):
    """The folder of a CycleGAN of that program, from grey to coloured images."""
    networks = {"G_A": ResNet(6, "instance", taken=1), "G_B": ResNet(6, "instance", made=1)}
    networks |= {"D_A": Judge(3, "instance"), "D_B": Judge(1, "instance")}
    for seed, (name, network) in enumerate(networks.items()):
        saved(wild(network, seed), tmp_path / f"latest_net_{name}.pth")
    return tmp_path, networks


def test_a_folder_is_a_model_of_both_ways(horses):
    folder, networks = horses
    model = lit_gans.load(folder / "latest_net_G_A.pth")
    assert isinstance(model, CycleGAN) and (model.image_shape[0], model.source_shape[0]) == (3, 1)
    grey, coloured = pictures(channels=1), pictures()
    with torch.no_grad():
        close(model.translate(grey), networks["G_A"](grey))
        close(model.translate(coloured, to="a"), networks["G_B"](coloured))
        for domain, name, image in (("b", "D_A", coloured), ("a", "D_B", grey)):  # D_A judges what G_A makes
            torch.testing.assert_close(model.discriminator[domain](image), networks[name](image), atol=1e-5, rtol=1e-5)
    back = lit_gans.load(folder / "latest_net_G_B.pth")  # alone, as it is named
    assert isinstance(back, CUT)
    with torch.no_grad():
        close(back.translate(coloured), networks["G_B"](coloured))


def test_pairs_with_their_discriminator(tmp_path):
    saved(wild(Outer(8, "batch", dropout=True)), tmp_path / "latest_net_G.pth")
    judge = wild(Judge(6, "batch"))
    saved(judge, tmp_path / "latest_net_D.pth")
    model = lit_gans.load(tmp_path / "latest_net_G.pth")
    source, image = pictures(), pictures().flip(3)
    with torch.no_grad():
        torch.testing.assert_close(
            model.judge(source, image), judge(torch.cat([source, image], 1)), atol=1e-5, rtol=1e-5
        )


def test_a_checkpoint_of_ours_that_is_trained_further(horses):
    folder, networks = horses
    model = lit_gans.load(folder / "latest_net_G_A.pth")
    lit_gans.save(model, folder / "horses.ckpt")
    again = lit_gans.load(folder / "horses.ckpt")
    grey = pictures(channels=1)
    with torch.no_grad():
        close(again.translate(grey), networks["G_A"](grey))
    batch = {"a": grey, "b": pictures()}
    fake = again.generate(batch)
    sum(again.generator_loss(batch, fake).values()).backward()
    assert all(weight.grad is not None for weight in again.generator.parameters())


def test_take_gives_any_model_and_network_what_fits(horses):
    folder, networks = horses
    path, grey = folder / "latest_net_G_A.pth", pictures(channels=1)
    shapes = {"image_shape": (3, 32, 32), "source_shape": (1, 32, 32), "backbone": ResNetTranslation(WIDTH, 6)}
    pairs, cut, both = Pix2Pix(**shapes), CUT(**shapes, identity=0), CycleGAN(**shapes, identity=0, pool=0)
    network = ResNetTranslation(WIDTH, 6).generator((3, 32, 32), (1, 32, 32))
    for model in (pairs, cut, both, network):
        lit_gans.take(model, path)
    with torch.no_grad():
        for translate in (pairs.translate, cut.translate, both.translate, network):
            close(translate(grey), networks["G_A"](grey))
    lit_gans.take(network, networks["G_A"])  # a network in memory
    with torch.no_grad():
        close(network(grey), networks["G_A"](grey))


def test_the_command_translates(tmp_path, capsys):
    path = saved(wild(ResNet(6, "instance")), tmp_path / "latest_net_G_A.pth")
    (tmp_path / "horses").mkdir()
    for n in range(2):
        Image.effect_noise((40, 36), 90).convert("RGB").save(tmp_path / "horses" / f"{n}.png")
    main(["translate", str(path), str(tmp_path / "horses"), "--output", str(tmp_path / "zebras"), "--device", "cpu"])
    assert [Image.open(file).size for file in sorted((tmp_path / "zebras").iterdir())] == [(40, 36)] * 2
    assert "2 pictures" in capsys.readouterr().out


def test_what_cannot_be_held_is_said(tmp_path):
    path = tmp_path / "latest_net_G.pth"
    saved(Outer(9, "none", width=1), path)
    refused(lambda: lit_gans.load(path), path, "halves 9 times")
    content = ResNet(6, "instance").state_dict()
    torch.save({name.replace("conv_block.1", "conv_block.0"): value for name, value in content.items()}, path)
    refused(lambda: lit_gans.load(path), path, "pad with zeros")
    torch.save({**content, "model.1.weight": torch.zeros(4, 3, 5, 5)}, path)
    refused(lambda: lit_gans.load(path), "does not say which class it holds")
    saved(ResNet(6, "instance"), path)
    other = ResNetTranslation(width=8, blocks=6)
    refused(lambda: lit_gans.load(path, backbone=other), "holds a resnet_6blocks", "leave out image_shape and backbone")
