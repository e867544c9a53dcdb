"""Scores in one call, of any model and any data; a model is saved without a Trainer."""

import pytest
import torch
from conftest import glyphs, refused, small
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import CGAN, DCGAN, VAE, Pix2Pix
from lit_gans.errors import NonFiniteLoss

IMAGES = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def fid(data, model=None, **arguments):
    options = {"features": nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), "count": 40, **arguments}
    return lit_gans.score(model or small(DCGAN), data, "fid", **options)["fid"]


def test_all_kinds_of_data_give_the_same_score():
    whole = fid(IMAGES)
    assert whole > 0 and whole == fid(IMAGES)
    assert fid(DataLoader(IMAGES, batch_size=7)) == pytest.approx(whole, rel=1e-4)
    assert fid(DataLoader(TensorDataset(IMAGES, torch.zeros(40).long()), batch_size=40)) == pytest.approx(
        whole, rel=1e-4
    )
    assert fid([{"image": IMAGES}]) == pytest.approx(whole, rel=1e-4)
    assert fid(((IMAGES + 1) * 127.5).round().to(torch.uint8)) == pytest.approx(whole, rel=1e-4)


def test_a_folder_of_pictures(tmp_path):
    for number, image in enumerate(IMAGES):
        grey = ((image[0] + 1) * 127.5).round().to(torch.uint8).numpy()
        Image.fromarray(grey).save(tmp_path / f"{number:02}.png")
    assert fid(str(tmp_path)) == pytest.approx(fid(IMAGES), rel=1e-4)
    assert fid(tmp_path) == pytest.approx(fid(IMAGES), rel=1e-4)


def test_a_data_module_and_several_scores():
    values = lit_gans.score(small(CGAN), glyphs(), ["swd", "kid", "precision_recall"], count=40)
    assert {"swd", "kid", "precision", "recall"} <= values.keys()
    assert all(isinstance(value, float) for value in values.values())


def test_scores_are_those_of_the_command(tmp_path, monkeypatch, capsys):
    from lit_gans.cli.main import main

    monkeypatch.chdir(tmp_path)
    trainer = lit_gans.fit(small(DCGAN), glyphs(), steps=1, scores=False, accelerator="cpu", enable_progress_bar=False)
    path = trainer.run.last
    main(["evaluate", str(path), "--data=Glyphs", "--metrics=swd", "--count=40", "--output=scores.json"])
    asked = lit_gans.score(lit_gans.load(path), lit_gans.Glyphs(size=16), "swd", count=40)["swd"]
    from lit_gans.metrics import Scores

    assert Scores.load(tmp_path / "scores.json").values["swd"] == pytest.approx(asked, rel=1e-5)


@pytest.mark.parametrize(
    "data, arguments, parts",
    [
        (IMAGES, {"scores": "fidd"}, ["fidd", "choose from"]),
        (IMAGES, {"scores": []}, ["at least one score"]),
        (IMAGES, {"features": "incepton"}, ["incepton", "did you mean inception"]),
        (IMAGES / 2 + 5, {}, ["[-1, 1]"]),
        (7, {}, ["got a int"]),
        ([], {}, ["no images"]),
        (IMAGES, {"count": 1}, ["count"]),
        (glyphs(), {"reference": "dev"}, ["'dev'"]),
    ],
    ids=str,
)
def test_what_cannot_be_scored_is_said(data, arguments, parts):
    refused(lambda: lit_gans.score(small(DCGAN), data, **arguments), *parts)


def test_models_that_do_not_draw_from_noise():
    refused(lambda: lit_gans.score(nn.Linear(1, 1), IMAGES), "sample(n)")
    refused(lambda: lit_gans.score(small(Pix2Pix), IMAGES), "translates")


# ---------------------------------------------------------------- save


def test_a_model_is_saved_without_a_trainer(tmp_path):
    model, path = small(CGAN), tmp_path / "new" / "model.ckpt"
    lit_gans.save(model, path)
    loaded = lit_gans.load(path)
    assert type(loaded) is CGAN and torch.equal(loaded.sample(4, seed=1), model.sample(4, seed=1))
    refused(lambda: lit_gans.save(model, path), "model.ckpt")
    lit_gans.save(model, path, force=True)


def test_a_saved_model_says_that_training_cannot_go_on_from_it(tmp_path):
    model, path = small(VAE), tmp_path / "model.ckpt"
    lit_gans.save(model, path)
    trainer = lit_gans.Trainer(max_steps=1, folder=False, scores=False, accelerator="cpu", enable_progress_bar=False)
    refused(lambda: trainer.fit(model, glyphs(), ckpt_path=path), "weights alone")


def test_what_cannot_be_saved(tmp_path):
    refused(lambda: lit_gans.save(nn.Linear(1, 1), tmp_path / "x.ckpt"), "Linear", "torch.save")
    broken = small(DCGAN)
    next(broken.parameters()).data.fill_(torch.nan)
    with pytest.raises(NonFiniteLoss):
        lit_gans.save(broken, tmp_path / "x.ckpt")
    assert not (tmp_path / "x.ckpt").exists()


def test_a_network_of_ones_own_is_asked_for_again(tmp_path):
    model = small(DCGAN, generator=nn.Sequential(nn.Linear(8, 256), nn.Unflatten(1, (1, 16, 16))), latent_dim=8)
    lit_gans.save(model, tmp_path / "own.ckpt")
    refused(lambda: lit_gans.load(tmp_path / "own.ckpt"), "generator=")


def test_too_few_images_for_a_distance_are_refused_before_any_is_drawn(monkeypatch):
    monkeypatch.setattr("lit_gans.metrics.evaluation.drawn", lambda *given, **more: pytest.fail("drew"))
    for counts, said in (({"count": 100}, "128 fake samples, got 100"), ({"real_count": 100}, "128 real samples, got")):
        refused(lambda counts=counts: lit_gans.score(small(DCGAN), glyphs(count=200), "fid", **counts), said)
