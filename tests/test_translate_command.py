"""``lit-gans translate``, as a user has it but in this process."""

import pytest
import torch
from conftest import fit, small
from PIL import Image

from lit_gans import DCGAN, CycleGAN, PairedGlyphs, Pix2Pix, UnpairedGlyphs
from lit_gans.cli import main


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Of every kind, hardly trained."""
    folder = tmp_path_factory.mktemp("checkpoints")
    models = {
        "cycle": (
            CycleGAN(image_shape=(3, 16, 16), width=4, blocks=1),
            UnpairedGlyphs(size=16, count=20, batch_size=4),
        ),
        "pix": (Pix2Pix(image_shape=(3, 16, 16), width=4), PairedGlyphs(size=16, count=20, batch_size=4)),
        "dcgan": (small(DCGAN), None),
    }
    for name, (model, data) in models.items():
        fit(folder / name, model, data, max_steps=1, limit_val_batches=0)
    return {name: folder / name / "checkpoints" / "last.ckpt" for name in models}


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures of two sizes, one of them grey, and of something else."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, size in enumerate([(20, 31), (20, 31), (17, 9)]):
        Image.effect_noise(size, 60).convert("L" if number == 1 else "RGB").save(folder / f"{number}.png")
    Image.effect_noise((20, 31), 60).convert("RGB").save(folder / "3.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def translate(*arguments):
    main(["translate", *map(str, arguments)])


def test_a_folder_keeps_names_and_sizes(checkpoints, photos, tmp_path, capsys):
    (photos / "broken.png").write_bytes(b"no picture")
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out", "--batch", 2)
    made = {file.name: Image.open(file).size for file in (tmp_path / "out").iterdir()}
    assert made == {"0.png": (20, 31), "1.png": (20, 31), "2.png": (17, 9), "3.jpg": (20, 31)}
    done = capsys.readouterr()
    assert "4 pictures in" in done.out and "skipped" in done.err and "broken.png" in done.err


def test_a_batch_changes_nothing(checkpoints, photos, tmp_path):
    for batch in (1, 8):
        translate(checkpoints["cycle"], photos, "--output", tmp_path / str(batch), "--batch", batch)
    for name in ("0.png", "2.png"):
        alone, together = (
            torch.frombuffer(bytearray(Image.open(tmp_path / str(b) / name).tobytes()), dtype=torch.uint8)
            for b in (1, 8)
        )
        assert (alone.int() - together.int()).abs().max() <= 1


def test_the_directions_differ(checkpoints, photos, tmp_path):
    for direction in ("AtoB", "BtoA"):
        output = tmp_path / f"{direction}.png"
        translate(checkpoints["cycle"], photos / "0.png", "--output", output, "--direction", direction)
    assert Image.open(tmp_path / "AtoB.png").tobytes() != Image.open(tmp_path / "BtoA.png").tobytes()


def test_by_way_of_a_smaller_size(checkpoints, photos, tmp_path):
    translate(checkpoints["pix"], photos / "0.png", "--output", tmp_path / "a.webp", "--size", 12)
    assert Image.open(tmp_path / "a.webp").size == (20, 31)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["pix", "nowhere.png"], "there is no picture or folder nowhere.png"),
        (["dcgan", "0.png"], "holds a DCGAN, which draws from noise"),
        (["pix", "0.png", "--direction", "BtoA"], "a Pix2Pix translates one way only"),
        (["pix", "notes.txt"], "cannot be used as a picture"),
        (["pix", ".", "--output", "out.png"], "is a folder, so output must be one too"),
        (["pix", "0.png", "--output", "0.png"], "would replace"),
        (["pix", ".", "--output", "."], "would replace"),
        (["pix", "0.png", "--batch", "0"], "batch must be at least 1"),
        (["pix", "0.png", "--size", "2"], "size must be at least 8"),
        (["pix", "0.png", "--device", "tpu9"], "cannot be used"),
    ],
)
def test_errors_are_one_sentence(arguments, message, checkpoints, photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    with pytest.raises(SystemExit):
        translate(checkpoints[arguments[0]], *arguments[1:])
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
