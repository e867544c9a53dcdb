"""What the paper of the game that colours images says, and the command."""

from functools import partial

import pytest
import torch
from conftest import arguments_for, fit, refused, trainer
from lightning.pytorch import Callback
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from lit_gans import DCGAN, CaptionedGlyphs, Colorizer
from lit_gans.cli.main import main
from lit_gans.images.hints import place_hints, simulate_hints
from lit_gans.images.lab import lab_to_rgb, rgb_to_lab
from lit_gans.networks import DCGANBackbone, PatchDiscriminator, ResNetTranslator
from lit_gans.optim import Adam

SIDE = 16


class Validations(Callback):
    """Keeps what every batch of a validation gave."""

    def __init__(self):
        self.validations = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.validations.append(outputs)


class Repeats(nn.Module):
    """A generator that answers with its hints where there are some and with 0.1 elsewhere."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, given):
        known = given[:, 3:] + 0.5
        return self.weight * torch.where(known > 0.5, given[:, 1:3] * 25 / 110, 0.1)


def scenes(**arguments):
    return CaptionedGlyphs(**{"size": SIDE, "count": 24, "batch_size": 4, **arguments})


def small(**arguments):
    torch.manual_seed(0)
    return Colorizer(**arguments_for(Colorizer, **{"image_shape": (3, SIDE, SIDE), **arguments}))


def images(count=3, height=SIDE, width=SIDE):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(5)) * 2 - 1


# -------------------------------------------------------------------- the game


def test_losses():
    """Huber's loss rounded off below one unit of a or b, in 110ths; the judge sees lightness and colours."""
    model = small(regression=7.0, hint=2.0, adversarial=3.0, discriminator=nn.Conv2d(3, 1, 4, 2))
    batch = {"image": images(2)}
    fake = model.generate(batch)
    lab = rgb_to_lab(batch["image"])
    scaled = torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / 110], 1)
    distance = (fake["ab"] * 110 - lab[:, 1:]).abs()
    huber = torch.where(distance < 1, distance.square() / 2, distance - 0.5) / 110
    known = (fake["mask"] > 0).expand(-1, 2, -1, -1)
    assert 0 < known.float().mean() < 1
    real, fooled = (model.discriminator(torch.cat([scaled[:, :1], ab], 1)) for ab in (scaled[:, 1:], fake["ab"]))
    cross = nn.functional.binary_cross_entropy_with_logits
    terms = model.generator_loss(batch, fake)
    torch.testing.assert_close(terms["regression"], 7 * huber.mean())
    torch.testing.assert_close(terms["hint"], 2 * huber[known].mean())
    torch.testing.assert_close(terms["fake"], 3 * cross(fooled, torch.ones_like(fooled)))
    terms = model.discriminator_loss(batch, fake)
    wanted = (cross(real, torch.ones_like(real)) + cross(fooled, torch.zeros_like(fooled))) / 2
    torch.testing.assert_close(terms["real"] + terms["fake"], wanted)
    none = {**fake, "mask": torch.zeros_like(fake["mask"])}
    assert model.generator_loss(batch, none)["hint"] == 0
    model.adversarial = model.hint = 0.0
    assert list(model.generator_loss(batch, fake)) == ["regression"]


def test_training_gives_lightness_hints_and_mask():
    """What the generator is given in training is what simulate_hints draws, and nothing of the other colours."""
    model, given = small(generator=Repeats()), []
    model.generator.register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    batch = {"image": images(16)}
    torch.manual_seed(3)
    fake = model.generate(batch)
    lab = rgb_to_lab(batch["image"])
    torch.manual_seed(3)
    hints, mask = simulate_hints(lab[:, 1:])
    torch.testing.assert_close(given[0], torch.cat([lab[:, :1] / 50 - 1, hints / 25, mask - 0.5], 1))
    assert 0 < mask.mean() < 1 and not given[0][:, 1:3][(mask == 0).expand(-1, 2, -1, -1)].any()
    torch.testing.assert_close(fake["ab"], torch.where(mask > 0, hints / 110, 0.1))


def test_other_networks():
    generator = ResNetTranslator((2, SIDE, SIDE), (4, SIDE, SIDE), width=4, blocks=1)
    model = Colorizer(generator=generator, discriminator=PatchDiscriminator((3, SIDE, SIDE), width=4))
    assert model.translate(images(2)).shape == (2, 3, SIDE, SIDE)


def test_hints_reach_the_colours(tmp_path):
    """Colours that only hints can tell: after some steps, a hinted image is nearer to its own than one without."""
    adam = partial(Adam, lr=2e-3)
    model = small(width=8, ema_decay=0.9, generator_optimizer=adam)
    flat = torch.rand(64, 3, 1, 1, generator=torch.Generator().manual_seed(0)).mul(1.6).sub(0.8)
    data = flat.expand(64, 3, SIDE, SIDE).contiguous()
    loader = DataLoader(data, batch_size=16, shuffle=True)
    trainer(tmp_path, max_steps=120).fit(model, loader)
    ab = rgb_to_lab(data)[:, 1:]
    errors = {}
    for count in (0, 20):
        hints = simulate_hints(ab, count, rng=torch.Generator().manual_seed(1))
        errors[count] = float((model.colours(data, *hints) - ab).abs().mean())
    assert errors[20] < 0.5 * errors[0], errors


# -------------------------------------------------------------------- use


def test_hints_are_obeyed_as_far_as_the_mask_goes():
    model = small(generator=Repeats())
    red = place_hints((SIDE, SIDE), [(3, 6, (160, 90, 90))], side=3)
    ab = model.colours(torch.zeros(1, 1, SIDE, SIDE), *red)
    known = red[1].expand(-1, 2, -1, -1) > 0
    torch.testing.assert_close(ab[known], red[0][known])
    torch.testing.assert_close(ab[~known], torch.full_like(ab[~known], 11.0))
    # what lies outside of the mask is not given away
    spoilt = red[0] + 50 * (1 - red[1])
    assert torch.equal(model.colours(torch.zeros(1, 1, SIDE, SIDE), spoilt, red[1]), ab)
    made = model.colorize(torch.zeros(1, 1, SIDE, SIDE), *red)
    torch.testing.assert_close(rgb_to_lab(made)[:, 1:], ab, atol=1e-2, rtol=0)


def test_no_hints_is_automatic():
    model, pictures = small(), images()
    empty = torch.zeros(3, 2, SIDE, SIDE), torch.zeros(3, 1, SIDE, SIDE)
    made = model.translate(pictures)
    assert torch.equal(made, model.colorize(pictures, *empty)) and torch.equal(made, model.colorize(pictures))
    some = simulate_hints(rgb_to_lab(pictures)[:, 1:], 5)
    assert not torch.equal(made, model.colorize(pictures, *some))


@pytest.mark.parametrize("size", [(SIDE, SIDE), (21, 38), (9, 64)])
def test_lightness_is_kept_and_colours_do_not_count(size):
    model, pictures = small(generator=Repeats()), images(2, *size) / 2
    made = model.colorize(pictures)
    assert made.shape == pictures.shape and made.abs().max() <= 1 and not made.requires_grad
    lightness = rgb_to_lab(pictures)[:, :1]
    torch.testing.assert_close(rgb_to_lab(made)[:, :1], lightness, atol=1e-2, rtol=0)
    other = lab_to_rgb(torch.cat([lightness, torch.zeros(2, 2, *size)], 1))
    torch.testing.assert_close(model.colorize(other[:, :1]), made, atol=1e-3, rtol=0)


def test_default_network_takes_any_size():
    model = small()
    state = torch.get_rng_state()
    assert model.translate(images(1, 21, 38)[:, :1]).shape == (1, 3, 21, 38)
    assert torch.equal(state, torch.get_rng_state())


def test_validation(tmp_path):
    """PSNR of RGB, the same hints every time, and no trace in the global random state."""
    model, watch = small(generator=Repeats(), generator_optimizer=partial(torch.optim.SGD, lr=0.0)), Validations()
    logged = []

    class Logged(Callback):
        def on_validation_epoch_end(self, trainer, pl_module):
            logged.append({k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")})

    data = scenes(count=100, batch_size=10)
    fit(tmp_path, model, data, callbacks=[watch, Logged()], max_epochs=2, max_steps=-1)
    first = watch.validations[0]
    assert list(first["shown"]) == ["grey", "automatic", "hints", "with_hints", "image"]
    mse = ((first["fake"] - first["real"]) / 2).square().mean((1, 2, 3))
    assert logged[0]["val/psnr"] == pytest.approx(float(-10 * mse.log10().mean()), abs=1e-3)
    assert logged[0]["val/psnr_10"] > logged[0]["val/psnr"] and logged[0] == logged[-1] and len(logged) == 2
    torch.testing.assert_close(first["shown"]["grey"][:, 0], first["shown"]["grey"][:, 2], atol=1e-3, rtol=0)
    state = torch.get_rng_state()
    model.trainer.validate(model, data, verbose=False)
    assert torch.equal(state, torch.get_rng_state())


def test_refusals():
    model = small()
    refused(lambda: model.sample(2), "Colorizer", "translate")
    refused(lambda: small(image_shape=(1, 16, 16)), "(1, 16, 16)", "colour")
    refused(lambda: small(adversarial=-1.0), "adversarial", "-1")
    refused(lambda: model.colorize(images(1), torch.zeros(1, 2, SIDE, SIDE)), "mask")
    refused(lambda: model.colorize(images(2), *place_hints((SIDE, SIDE), [])), "(2, 2, 16, 16)", "(1, 2, 16, 16)")


# -------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colorizer")
    fit(folder, small(), scenes(), max_steps=2)
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture
def photo(tmp_path):
    array = (images(1, 30, 50)[0].permute(1, 2, 0) * 60 + 128).to(torch.uint8).numpy()
    Image.fromarray(array).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def read(path):
    return rgb_to_lab(
        torch.tensor(list(Image.open(path).get_flattened_data())).float().T.view(1, 3, 30, 50) / 127.5 - 1
    )


def test_the_command_keeps_size_and_lightness(checkpoint, photo, tmp_path, capsys):
    output = tmp_path / "out.png"
    main(["colorize", str(checkpoint), str(photo), "--hint", "10,20,#ff0000", "30,4,#00ff00", "--output", str(output)])
    assert f"1 picture in {output}, 2 hints" in capsys.readouterr().out
    assert Image.open(output).size == (50, 30)
    assert (read(output)[:, 0] - read(photo)[:, 0]).abs().mean() < 1  # levels are rounded, some colours clipped
    plain = tmp_path / "plain.png"
    main(["colorize", str(checkpoint), str(photo), "--output", str(plain)])
    assert plain.read_bytes() != output.read_bytes()


def test_hints_are_of_the_photograph(photo):
    """Colours are found at a smaller size, and yet where the photograph has the hint."""
    from lit_gans.images.photos import read_picture

    model = small(generator=Repeats())
    made = rgb_to_lab(model.colorize_photo(read_picture(str(photo)), [(49, 0, (130, 60, 60))], 15))[0, 1:]
    wanted = rgb_to_lab(torch.tensor([130, 60, 60]).view(1, 3, 1, 1) / 127.5 - 1)[0, 1:, 0, 0]
    torch.testing.assert_close(made[:, 0, 49], wanted, atol=0.5, rtol=0)
    torch.testing.assert_close(made[:, 20, 10], torch.full((2,), 11.0), atol=0.5, rtol=0)


@pytest.mark.parametrize(
    "arguments, parts",
    [
        (["--hint", "50,3,#ff0000"], ["x=50", "50x30"]),
        (["--hint", "5,3,#ff00zz"], ["#ff00zz", "#rrggbb"]),
        (["--hint", "5,#ff0000"], ["x,y,colour", "5,#ff0000"]),
        (["--size", "4"], ["size", "4"]),
    ],
)
def test_errors_of_the_command(checkpoint, photo, arguments, parts, capsys):
    with pytest.raises(SystemExit) as end:
        main(["colorize", str(checkpoint), str(photo), *arguments])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 1 and all(part in line for part in parts), line


def test_wrong_files(checkpoint, photo, tmp_path, capsys):
    fit(tmp_path, DCGAN(image_shape=(1, SIDE, SIDE), backbone=DCGANBackbone(width=4)), max_steps=1)
    (tmp_path / "words.png").write_text("no picture")
    cases = [
        (tmp_path / "checkpoints" / "last.ckpt", photo, ["DCGAN", "Colorizer"]),
        (checkpoint, tmp_path / "none.jpg", ["none.jpg", "no file or folder"]),
        (checkpoint, tmp_path / "words.png", ["words.png", "picture"]),
        (tmp_path / "none.ckpt", photo, ["none.ckpt"]),
    ]
    for path, image, parts in cases:
        with pytest.raises(SystemExit):
            main(["colorize", str(path), str(image), "--output", str(tmp_path / "out.png")])
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert all(part in line for part in parts), line
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("size", [(1, 1), (40, 1), (1, 40)])
def test_a_photo_of_any_shape_is_coloured_or_refused(size, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fit(
        tmp_path,
        small(image_shape=(3, 16, 16)),
        CaptionedGlyphs(size=16, count=20, batch_size=4),
        max_steps=1,
    )
    Image.new("L", size, 90).save("grey.png")
    try:
        main(["colorize", "checkpoints/last.ckpt", "grey.png", "--output=out.png"])
    except SystemExit as ended:
        assert ended.code == 1 and "grey.png" in capsys.readouterr().err
    else:
        assert Image.open("out.png").size == size
