"""Pictures in tiles are those in one piece, with the same statistics."""

import pytest
import torch
import torch.nn.functional as F
from conftest import refused, small
from torch import nn

from lit_gans import CUT, Colorizer, CycleGAN, Pix2Pix
from lit_gans.checkpoints import save
from lit_gans.cli import translate as command
from lit_gans.cli.main import main
from lit_gans.images.photos import read_pixels, write_picture
from lit_gans.networks import ResNetTranslation, UNetTranslation
from lit_gans.networks.tiles import _floats, _shrunk, in_tiles, reach, statistics_of


def photo(height, width, channels=3):
    rng = torch.Generator().manual_seed(0)
    rough = torch.randint(0, 256, (1, channels, height // 9, width // 9), generator=rng).float()
    return F.interpolate(rough, (height, width), mode="bicubic").clamp(0, 255)[0].to(torch.uint8)


@pytest.mark.parametrize("size", [(192, 160), (203, 131), (40, 300)])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@torch.no_grad()
def test_no_seams(size, upsampling, norm):
    torch.manual_seed(0)
    backbone = ResNetTranslation(width=4, blocks=1, upsampling=upsampling, norm=norm)
    network, picture, like = backbone.generator((3, 32, 32), (3, 32, 32)).eval(), photo(*size), torch.zeros(1)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight)  # as large as after training
    tiled = in_tiles(network, picture, 64, like)
    with statistics_of(network, _floats(_shrunk(picture, 64), like)):
        whole = network(_floats(picture, like))[0].add(1).mul(127.5)
    assert tiled.shape == picture.shape and tiled.float().std() > 5
    assert (whole - tiled).abs().max() <= 2
    # what was held is let go
    assert torch.equal(network(_floats(picture, like)), network(_floats(picture, like)))
    assert all(norm.running_mean is None for norm in network.modules() if isinstance(norm, nn.InstanceNorm2d))


@torch.no_grad()
def test_how_far_a_network_looks():
    like = torch.zeros(1)
    assert 0 <= reach(nn.Conv2d(3, 3, 1), 3, like) - 8 <= 0
    assert reach(nn.Conv2d(3, 3, 7, padding=3), 3, like) - 8 == 3
    assert reach(nn.Sequential(nn.Conv2d(3, 3, 5, padding=2), nn.ReLU(), nn.Conv2d(3, 3, 5, padding=2)), 3, like) == 12
    assert reach(nn.InstanceNorm2d(3), 3, like) is None


def test_networks_that_cannot():
    picture = photo(40, 40)
    refused(lambda: small(Pix2Pix, image_shape=(3, 32, 32)).translate_large(picture, tile=32), "draws noise")
    refused(lambda: small(Colorizer).translate_large(picture), "whole picture")
    deep = UNetTranslation(width=4, dropout=0.0)
    model = Pix2Pix(image_shape=(3, 256, 256), backbone=deep)
    refused(lambda: model.translate_large(picture, tile=32), "looks further around a pixel than tiles overlap")


@pytest.mark.parametrize("cls", [CycleGAN, CUT])
def test_every_direction_from_the_command_line(cls, tmp_path, monkeypatch):
    model = small(cls)
    channels = {"a": model.source[0], "b": model.shape[0]}
    save(model, tmp_path / "model.ckpt")
    picture = photo(90, 110)
    write_picture(picture, tmp_path / "in.png")
    done = []
    monkeypatch.setattr(command, "_TILED", 90 * 110 - 1)
    monkeypatch.setattr(cls, "translate_large", lambda *a, f=cls.translate_large, **k: done.append(k) or f(*a, **k))
    for direction, to in (("AtoB", "b"), ("BtoA", "a"))[: len(model.domains)]:
        out = tmp_path / f"{to}.png"
        words = ["translate", str(tmp_path / "model.ckpt"), str(tmp_path / "in.png"), "--direction", direction]
        main([*words, "--output", str(out), "--tile", "32", "--device", "cpu"])
        source = read_pixels(tmp_path / "in.png", channels["a" if to == "b" else "b"])
        assert torch.equal(read_pixels(out, channels[to]), model.translate_large(source, to=to, tile=32))
    tiled = len(done)
    assert tiled >= 1 and done[0]["tile"] == 32
    main([*words, "--output", str(tmp_path / "whole.png"), "--tile", "0", "--device", "cpu"])
    assert len(done) == tiled
