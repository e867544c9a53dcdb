"""``lit-gans sample``: where images go, and what they are drawn from."""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from conftest import fails, fit, glyphs, small
from PIL import Image
from safetensors.torch import save_file

import lit_gans
from lit_gans import CGAN, DCGAN, VAE, CycleGAN, StyleGAN2, UnpairedGlyphs
from lit_gans.cli.main import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    for cls in (DCGAN, CGAN, StyleGAN2, VAE):
        fit(home / cls.__name__, small(cls), glyphs(), max_steps=2, limit_val_batches=0)
    data = UnpairedGlyphs(size=16, count=20, batch_size=2)
    fit(home / "CycleGAN", small(CycleGAN), data, max_steps=1, limit_val_batches=0)
    return home


@pytest.fixture
def sample(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(name, *words):
        main(["sample", str(runs / name), *map(str, words)])
        return tmp_path

    return call


def pixels(path):
    return np.asarray(Image.open(path))


def model(runs, name):
    return lit_gans.load(runs / name / "checkpoints/last.ckpt")


def test_a_run_is_enough_and_the_checkpoint_is_named(sample, capsys):
    folder = sample("DCGAN", "--seed=1", "--count=4")
    assert "DCGAN/checkpoints/last.ckpt" in capsys.readouterr().err
    shutil.copy(folder / "samples.png", folder / "first.png")
    sample("DCGAN/checkpoints", "--seed=1", "--count=4", "--force")
    assert (pixels(folder / "samples.png") == pixels(folder / "first.png")).all()


@pytest.mark.parametrize("name", ["grid.jpg", "grid.WEBP", "grid.jpeg"])
def test_a_grid_is_of_the_kind_of_its_name(name, sample):
    folder = sample("DCGAN", "--count=4", f"--output={name}")
    with Image.open(folder / name) as picture:
        assert picture.format in ("JPEG", "WEBP") and picture.size == (38, 38)


def test_arrays_are_what_evaluators_read(sample, runs):
    folder = sample("CGAN", "--count=6", "--seed=2", "--label", 1, "--output=drawn.npz")
    with np.load(folder / "drawn.npz") as arrays:
        assert arrays.files == ["arr_0", "arr_1"]
        images, classes = arrays["arr_0"], arrays["arr_1"]
    assert images.dtype == np.uint8 and images.shape == (6, 16, 16, 1) and classes.tolist() == [1] * 6
    again = model(runs, "CGAN").sample(6, seed=2, label=1)
    assert (images == ((again + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()).all()


def test_a_zip_and_a_folder_hold_the_same_pictures(sample):
    folder = sample("DCGAN", "--count=3", "--seed=2", "--output=drawn.zip")
    sample("DCGAN", "--count=3", "--seed=2", "--output=my.run/")
    with zipfile.ZipFile(folder / "drawn.zip") as archive:
        assert archive.namelist() == ["00000.png", "00001.png", "00002.png"]
        for name in archive.namelist():
            assert (pixels(archive.open(name)) == pixels(folder / "my.run" / name)).all()


def test_many_are_drawn_part_by_part_and_are_the_same(sample, runs, monkeypatch):
    import lit_gans.cli.sample

    whole = sample("CGAN", "--count=11", "--seed=2", "--output=whole.npz")
    sizes = []
    monkeypatch.setattr(lit_gans.cli.sample, "_AT_ONCE", 4)
    monkeypatch.setattr("lit_gans.CGAN.sample", recording(sizes, CGAN.sample))
    sample("CGAN", "--count=11", "--seed=2", "--output=parts.npz", "--batch_size=2")
    with np.load(whole / "whole.npz") as one, np.load(whole / "parts.npz") as other:
        assert np.abs(one["arr_0"].astype(int) - other["arr_0"]).max() <= 1 and (one["arr_1"] == other["arr_1"]).all()
    assert sizes == [4, 4, 3]


def recording(sizes, original):
    def sample(self, *arguments, **options):
        images = original(self, *arguments, **options)
        sizes.append(len(images))
        return images

    return sample


def test_each_seed_draws_its_own_image(sample, runs):
    folder = sample("CGAN", "--seed=3,5,9", "--output=seeds")
    assert sorted(path.name for path in (folder / "seeds").iterdir()) == [
        "seed0003.png",
        "seed0005.png",
        "seed0009.png",
    ]
    turns = [0, 1, 0]  # classes take turns
    for seed, label in zip((3, 5, 9), turns, strict=True):
        alone = model(runs, "CGAN").sample(1, seed=seed, label=label)
        assert (
            np.abs(pixels(folder / f"seeds/seed{seed:04}.png").astype(float) - (alone[0, 0].numpy() + 1) * 127.5).max()
            < 1
        )
    sample("CGAN", "--seed=1-2", "--output=seeds", "--force")
    assert sorted(path.name for path in (folder / "seeds").iterdir()) == ["seed0001.png", "seed0002.png"]


def test_noise_from_a_file(sample, runs):
    noise = torch.randn(3, 8)
    folder = sample("DCGAN", "--count=1", "--output=unused.png")
    np.save(folder / "rows.npy", noise.numpy())
    np.savez(folder / "rows.npz", noise=noise.numpy(), other=np.zeros(3))
    save_file({"noise": noise, "errors": torch.zeros(3)}, folder / "rows.safetensors")
    drawn = ((model(runs, "DCGAN").sample(noise=noise) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    for name in ("rows.npy", "rows.npz", "rows.safetensors"):
        sample("DCGAN", f"--noise={name}", "--output=drawn.npz", "--force")
        with np.load(folder / "drawn.npz") as arrays:
            assert (arrays["arr_0"] == drawn).all()


def test_truncation_scales_styles_or_noise(sample, runs):
    for name in ("StyleGAN2", "VAE", "DCGAN"):
        folder = sample(name, "--count=5", "--seed=0", "--truncation=0", f"--output={name}.npz")
        with np.load(folder / f"{name}.npz") as arrays:
            assert (arrays["arr_0"] == arrays["arr_0"][0]).all()
    for name in ("StyleGAN2", "VAE"):
        drawn = model(runs, name)
        half = drawn.sample(4, seed=0, truncation=0.5)
        noise = drawn.rows(4, seed=0)["noise"]
        expected = (
            drawn.generator_ema.module.eval()(noise, truncation=0.5)
            if name == "StyleGAN2"
            else drawn.sample(noise=noise / 2)
        )
        assert torch.allclose(half, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("DCGAN", ["--output=x.tiff"], "a folder with a dot in its name is written with a slash: x.tiff/"),
        ("DCGAN", ["--seed=0-3", "--count=2"], "each of the 4 seeds draws one sample; leave out --count"),
        ("DCGAN", ["--noise=no.npy"], "there is no file no.npy"),
        ("DCGAN", ["--noise=words.npy"], "words.npy cannot be read as an array of noise"),
        ("DCGAN", ["--noise=long.npy"], "long.npy must hold noise of the shape (images, 8)"),
        ("DCGAN", ["--noise=nan.npy"], "nan.npy has noise that is NaN or infinite"),
        ("DCGAN", ["--noise=good.npy", "--count=3"], "good.npy has 2 rows of noise, fewer than count=3"),
        ("DCGAN", ["--noise=good.npy", "--seed=1,2"], "leave out --seed or --noise"),
        ("DCGAN", ["--truncation=inf"], "truncation must be a finite number"),
        ("DCGAN", ["--batch_size=0"], "batch_size must be at least 1"),
        ("DCGAN", ["--device=toaster"], "device 'toaster' cannot be used"),
        ("CycleGAN", [], "makes pictures of pictures and does not draw from noise; use 'lit-gans translate"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(name, words, said, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.npy").write_text("no array")
    for file, rows in {"long": np.zeros((2, 9)), "nan": np.full((2, 8), np.nan), "good": np.zeros((2, 8))}.items():
        np.save(tmp_path / f"{file}.npy", rows)
    assert said in fails("sample", runs / name, *words)
