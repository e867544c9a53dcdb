"""``lit-gans evaluate`` of models that translate: which images are compared, and what is refused."""

import json

import pytest
import torch
from conftest import fails, fit, narrow

from lit_gans import Colorizer, CycleGAN, Glyphs, PairedGlyphs, Pix2Pix, UnpairedGlyphs
from lit_gans.cli.main import main
from lit_gans.metrics.material import translated

SHAPE = (3, 16, 16)
DATA = {
    CycleGAN: UnpairedGlyphs(size=16, count=150, batch_size=4),
    Pix2Pix: PairedGlyphs(size=16, count=150, batch_size=4),
    Colorizer: Glyphs(size=16, count=150, channels=3, batch_size=4),
}


def model(game):
    torch.manual_seed(0)
    return game(image_shape=SHAPE, backbone=narrow(game.default_backbone))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Hardly trained, with the configuration that a run would have written."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for game, data in DATA.items():
        run = folder / game.__name__
        fit(run, model(game), data, max_steps=1, limit_val_batches=0)
        channels = ", channels: 3" if game is Colorizer else ""
        section = f"data: {{class_path: {type(data).__name__}, init_args: {{size: 16, count: 150{channels}}}}}\n"
        (run / "config.yaml").write_text(section)
    return folder


def scored(checkpoints, game, *arguments):
    checkpoint = checkpoints / game.__name__ / "checkpoints" / "last.ckpt"
    main(["evaluate", str(checkpoint), "--features=digits", *arguments, "--force"])
    return json.loads(checkpoint.with_suffix(".json").read_text())


@pytest.mark.parametrize("game, real, fake", [(CycleGAN, 187, 150), (Pix2Pix, 150, 150), (Colorizer, 150, 150)])
def test_every_image_counts_once(game, real, fake, checkpoints):
    """Domain b of the striped shapes has a quarter more images than a, none of which is translated twice."""
    card = scored(checkpoints, game)
    assert (card["protocol"]["real"], card["protocol"]["fake"]) == (real, fake)
    assert {"fid", "kid", "swd", "sharpness"} <= card["values"].keys()


def test_the_other_way(checkpoints):
    there = scored(checkpoints, CycleGAN, "--metrics=swd")
    back = scored(checkpoints, CycleGAN, "--metrics=swd", "--direction=BtoA")
    assert back["protocol"]["data"].endswith("BtoA") and not there["protocol"]["data"].endswith("BtoA")
    assert (back["protocol"]["real"], back["protocol"]["fake"]) == (150, 187)
    assert there["values"] != back["values"]


def test_few_images_have_no_frechet_distance(checkpoints, capsys):
    card = scored(checkpoints, Pix2Pix, "--reference=test")
    assert "fid" not in card["values"] and "kid" in card["values"] and card["protocol"]["real"] == 15
    assert "fid is left out: it takes more than 128 images" in capsys.readouterr().err
    checkpoint = str(checkpoints / "Pix2Pix" / "checkpoints" / "last.ckpt")
    assert "needs more than 128" in fails(
        "evaluate", checkpoint, "--reference=test", "--metrics=fid", "--features=digits"
    )


def test_what_is_compared_is_in_its_place():
    """The translations are those of the sources, part by part, and the others are the targets."""
    game, data = model(CycleGAN), DATA[CycleGAN]
    ((fakes, real),) = translated(game, data, "train", 1_000, to="a")
    batch = data.on_after_batch_transfer(data.splits["train"][:], 0)
    torch.testing.assert_close(fakes, game.translate(batch["b"], to="a", seed=0))
    assert torch.equal(real, batch["a"][:150])
    ((fakes, real),) = translated(game, data, "train", 7)
    assert len(fakes) == len(real) == 7


@pytest.mark.parametrize(
    "game, arguments, words",
    [
        (Pix2Pix, ["--direction=BtoA"], "a Pix2Pix translates one way only"),
        (Pix2Pix, ["--metrics=ppl"], "ppl measures what is drawn from noise"),
        (Pix2Pix, ["--metrics=accuracy"], "accuracy measures what is drawn from noise"),
        (Pix2Pix, ["--data=glyphs.yaml"], "Pix2Pix translates images named source, but Glyphs has image and label"),
    ],
)
def test_refuses(game, arguments, words, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glyphs.yaml").write_text("data: {class_path: Glyphs, init_args: {size: 16, channels: 3, count: 50}}")
    assert words in fails("evaluate", str(checkpoints / game.__name__ / "checkpoints" / "last.ckpt"), *arguments)
