"""Runs on images of every kind: what is trained, sampled, translated, inverted and scored of them."""

import json
import zipfile

import numpy as np
import pytest
import torch
from conftest import fit, run_cli, small
from PIL import Image

import lit_gans
from lit_gans import DCGAN, CycleGAN, ImageFolder, Pix2Pix, Unpaired
from lit_gans.cli.main import main
from lit_gans.images.deep_png import deep_png
from lit_gans.images.kinds import Kind
from lit_gans.networks import ResNetTranslation, UNetTranslation

SIDE = 16


def share(number, channels):
    """A disc in [0, 1] that is somewhere, opaque in the fourth channel."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    middle, radius = rng.uniform(5, 11, 2), rng.uniform(3, 5)
    inside = ((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2)[..., None]
    colours = rng.uniform(0.3, 1, channels)
    if channels == 4:
        colours[3] = 1
    return inside * colours


def transparent(number, file):
    Image.fromarray((share(number, 4) * 255).astype(np.uint8)).save(file)


def five(number, file):
    np.save(file, share(number, 5).astype(np.float32))


def deep(number, file):
    Image.fromarray((share(number, 1)[..., 0] * 65535).astype(np.uint16)).save(file)


def deep_colour(number, file):
    file.write_bytes(deep_png((share(number, 3) * 4095).astype(np.uint16)))


def floats(number, file):
    np.save(file, (share(number, 1)[..., 0] * 2 - 1).astype(np.float32))


KINDS = {  # what writes a file, its ending, options of the data, and what samples are: ending, channels, type, range
    "transparent": (transparent, "png", {}, ("png", 4, np.uint8, (0, 255))),
    "five": (five, "npy", {}, ("npy", 5, np.float32, (0, 1))),
    "deep": (deep, "png", {}, ("png", 1, np.uint16, (0, 65535))),
    "deep colour": (deep_colour, "png", {"file_range": (0, 4095)}, ("png", 3, np.uint16, (0, 4095))),
    "floats": (floats, "npy", {}, ("npy", 1, np.float32, (-1, 1))),
}


def drawn(folder, kind, count=20):
    write, ending, options, _ = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write(number, folder / f"{number}.{ending}")
    return {"root": str(folder), "size": SIDE, "batch_size": 4, **options}


def numbers_in(file):
    """The numbers (H, W, C) of a sample, read by nothing of ours."""
    if file.suffix == ".npy":
        return np.atleast_3d(np.load(file))
    return np.atleast_3d(pytest.importorskip("imagecodecs").png_decode(file.read_bytes()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A model of every kind, hardly trained."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        data = ImageFolder(**drawn(folder / kind / "set", kind))
        fit(folder / kind / "run", small(DCGAN, image_shape=data.image_shape), data, max_steps=2, limit_val_batches=0)
    return {kind: folder / kind for kind in KINDS}


def checkpoint(runs, kind):
    return str(runs[kind] / "run" / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_of_their_own_kind(kind, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ending, channels, dtype, (low, high) = KINDS[kind][-1]
    for output in ("out/", "out.zip", "out.npz", "grid.png"):
        main(["sample", checkpoint(runs, kind), "--count", "3", "--seed", "0", "--output", output])
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"0000{n}.{ending}" for n in range(3)]
    images = lit_gans.load(checkpoint(runs, kind)).eval().sample(3, seed=0)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [file.name for file in files]
        archive.extractall(tmp_path / "unpacked")
    arrays = np.load(tmp_path / "out.npz")["arr_0"]
    for number, file in enumerate(files):
        found = numbers_in(file)
        assert found.shape == (SIDE, SIDE, channels) and found.dtype == dtype
        expected = low + (images[number].permute(1, 2, 0).double().numpy() + 1) / 2 * (high - low)
        np.testing.assert_allclose(found, expected, atol=1e-6 if dtype == np.float32 else 0.51)
        assert np.array_equal(found, numbers_in(tmp_path / "unpacked" / file.name))
        assert np.array_equal(found, arrays[number])
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.mode == "RGB"
    main(["sample", checkpoint(runs, kind), "--count", "2", "--output", "out/", "--force"])
    again = ImageFolder(str(tmp_path / "out"), size=SIDE, **KINDS[kind][2])  # what was drawn is a set of the same kind
    assert again.image_kind.bits == lit_gans.load(checkpoint(runs, kind)).image_kind.bits


def test_a_checkpoint_and_what_is_made_of_it_keep_the_kind(runs, tmp_path):
    model = lit_gans.load(checkpoint(runs, "deep colour"))
    assert model.image_kind == Kind(16, (0, 4095))
    lit_gans.save(model, tmp_path / "a.safetensors")
    assert lit_gans.load(str(tmp_path / "a.safetensors")).image_kind == Kind(16, (0, 4095))
    content = torch.load(checkpoint(runs, "deep colour"), weights_only=True)
    for wrong in ("x", {"bits": 16, "limits": [5, 5]}, {"bits": 16, "limits": ["a", 1]}, None):
        content["lit_gans"]["image_kind"] = wrong
        torch.save(content, tmp_path / "b.ckpt")
        assert lit_gans.load(str(tmp_path / "b.ckpt")).image_kind == Kind()


@pytest.mark.parametrize("kind", KINDS)
def test_inversion_and_interpolation(kind, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--steps", "2", "--restarts", "1", "--output", "a.png"]
    main(["invert", checkpoint(runs, kind), str(runs[kind] / "set"), *options])
    assert "20 pictures, each above its reconstruction" in capsys.readouterr().out
    main(["interpolate", checkpoint(runs, kind), "--output", "b.png"])
    for name in ("a.png", "b.png"):
        with Image.open(name) as picture:
            assert picture.mode == "RGB"


@pytest.mark.parametrize("kind", ["transparent", "five", "deep"])
def test_scores_say_what_they_saw(kind, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, _, options, _ = KINDS[kind]
    assert not options
    flags = ["--data", "ImageFolder", "--data.root", str(runs[kind] / "set"), "--features", "digits", "--count", "30"]
    main(["evaluate", checkpoint(runs, kind), *flags, "--metrics", "kid,swd,sharpness", "--output", "scores.json"])
    protocol = json.loads((tmp_path / "scores.json").read_text())["protocol"]
    said = {"transparent": ", of images on white", "five": ", of the first 3 of 5 channels", "deep": ""}[kind]
    assert protocol["features"] == lit_gans.metrics.load_classifier().name + said
    kinds = {"transparent": "", "five": " floats, 0 to 1", "deep": " 16 bits, 0 to 65535"}
    assert protocol["data"].endswith(f"fit=crop{kinds[kind]}")


def test_translations_of_transparent_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for side in "AB":
        drawn(tmp_path / "set" / f"train{side}", "transparent", 6)
    data = Unpaired(str(tmp_path / "set"), size=SIDE, batch_size=2)
    model = CycleGAN(image_shape=data.image_shape, backbone=ResNetTranslation(width=4, blocks=1))
    assert data.image_shape[0] == 4
    fit(tmp_path / "run", model, data, max_steps=1, limit_val_batches=0)
    photos = tmp_path / "photos"
    photos.mkdir()
    transparent(0, photos / "a.png")
    Image.effect_noise((20, 18), 60).save(photos / "b.jpg")
    Image.effect_noise((9, 18), 60).save(photos / "a.jp2")
    main(["translate", "run/checkpoints/last.ckpt", "photos", "--output", "out"])
    made = {file.name: Image.open(file) for file in (tmp_path / "out").iterdir()}
    assert {name: (image.mode, image.size) for name, image in made.items()} == {
        "a.png": ("RGBA", (SIDE, SIDE)),
        "a.jp2.png": ("RGBA", (9, 18)),
        "b.png": ("RGBA", (20, 18)),  # a JPEG has no transparency
    }


def test_translations_to_floats(tmp_path, monkeypatch, capsys):
    from lit_gans import Paired

    monkeypatch.chdir(tmp_path)
    drawn(tmp_path / "set" / "trainA", "floats", 6)
    (tmp_path / "set" / "trainB").mkdir()
    for number in range(6):
        np.save(tmp_path / "set" / "trainB" / f"{number}.npy", share(number, 5) * 2 - 1)
    data = Paired(str(tmp_path / "set"), size=SIDE, batch_size=2, channels=5, source_channels=1)
    shapes = {"image_shape": data.image_shape, "source_shape": data.source_shape}
    model = Pix2Pix(**shapes, backbone=UNetTranslation(width=4), augment=["color", "translation"])
    fit(tmp_path / "run", model, data, max_steps=1, limit_val_batches=0)
    main(["translate", "run/checkpoints/last.ckpt", str(tmp_path / "set" / "trainA" / "0.npy"), "--output", "out"])
    made = np.load(tmp_path / "out" / "0.npy")
    assert made.shape == (SIDE, SIDE, 5) and made.dtype == np.float32 and made.min() >= -1 and made.max() <= 1
    main(["translate", "run/checkpoints/last.ckpt", str(tmp_path / "set" / "trainA" / "0.npy"), "--output", "one.png"])
    assert capsys.readouterr().out.endswith("1 picture in one.npy\n") and (tmp_path / "one.npy").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transparent", "five", "deep", "floats"])
def test_a_whole_run_with_its_defaults(kind, tmp_path):
    options = drawn(tmp_path / "set", kind)
    flags = [f"--data.root={options['root']}", "--data.size=16", "--data.batch_size=4", "--trainer.max_steps=5"]
    run = run_cli("fit", "--model=DCGAN", "--data=ImageFolder", *flags, "--quality.count=40", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    told = " ".join((run.stdout + run.stderr).split())
    said = {
        "transparent": ("colour and transparency, 8 bits, 0 to 255", "of images on white"),
        "five": ("5 channels, floats, 0 to 1", "of the first 3 of 5 channels"),
        "deep": ("grey, 16 bits, 0 to 65535", "by digits,"),
        "floats": ("grey, floats, -1 to 1", "by digits,"),
    }[kind]
    assert all(part in told for part in said), told
    folder = next((tmp_path / "runs").glob("*/*"))
    score = json.loads((folder / "scores.jsonl").read_text().splitlines()[-1])
    assert kind in ("deep", "floats") or score["protocol"]["features"].endswith(said[1])
    with Image.open(folder / "samples" / "real.png") as picture:
        assert picture.mode == "RGB"
    sample = run_cli("sample", folder, "--count=2", "--output=out/", cwd=tmp_path)
    assert sample.returncode == 0, sample.stderr
    ending, channels, dtype, _ = KINDS[kind][-1]
    made = numbers_in(tmp_path / "out" / f"00000.{ending}")
    assert made.shape == (SIDE, SIDE, channels) and made.dtype == dtype
