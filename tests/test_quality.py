"""The scores that a run logs, their record, and the warnings when a game ends early."""

import json
import warnings

import pytest
import torch
from conftest import assert_equal, fit, glyphs, refused, small, trainer, training_state
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from lit_gans import BEGAN, DCGAN, EBGAN, GAN, Gaussians
from lit_gans.callbacks import CollapseMonitor, Quality
from lit_gans.metrics import Features


class Log(dict):
    """Keeps what a model logs."""

    def __call__(self, values, *args, **kwargs):
        self.update({name: float(value) for name, value in values.items()})


def run(folder, quality, model=None, data=None, **arguments):
    arguments = {"max_steps": 4, **arguments}
    model = small(DCGAN) if model is None else model
    logged = Log()
    original = model.log_dict
    model.log_dict = lambda values, **kwargs: (logged(values), original(values, **kwargs))
    fit(folder, model, data if data is not None else glyphs(count=160), callbacks=[quality], **arguments)
    return logged


def few(**arguments):
    return Quality(**{"count": 60, "real_count": 90, "every": 1, **arguments})


def test_scores_are_logged_and_recorded(tmp_path):
    quality = few(scores=["fid", "kid", "density_coverage"])
    whole = trainer(tmp_path, logger=CSVLogger(tmp_path), callbacks=[quality], max_epochs=1, max_steps=-1)
    whole.fit(small(DCGAN), datamodule=glyphs(count=160))
    logged = {name: float(value) for name, value in whole.callback_metrics.items()}
    assert {"val/fid", "val/fid_normalised", "val/kid", "val/density", "val/coverage"} <= set(logged)
    (path,) = tmp_path.rglob("scores.jsonl")
    record = json.loads(path.read_text().splitlines()[-1])
    assert record["values"]["fid"] == pytest.approx(logged["val/fid"]) and record["model"] == "DCGAN"
    card = record["protocol"]
    assert (card["split"], card["real"], card["fake"], card["averaged"]) == ("train", 90, 60, True)
    assert card["data"].startswith("Glyphs 1x16x16") and card["features"] == "digits" and "bicubic" in card["resize"]


def test_real_features_are_computed_once(tmp_path, monkeypatch):
    seen = []

    class Pixels(Features):
        name, num_features = "pixels", 256

        def forward(self, images):
            seen.append(len(images))
            return images.flatten(1)

    monkeypatch.setattr("lit_gans.callbacks.quality.feature_network", lambda given: Pixels())
    run(tmp_path, few(), small(DCGAN), glyphs(count=160, batch_size=40), max_steps=12)
    assert seen == [90, 60, 60, 60]  # the real images, then three epochs of samples


def test_measuring_leaves_no_trace(tmp_path):
    """A run with scores is the run without them, bit for bit."""
    plain = fit(tmp_path / "plain", small(DCGAN), glyphs(count=160), max_steps=90)
    measured = fit(
        tmp_path / "measured",
        small(DCGAN),
        glyphs(count=160),
        max_steps=90,
        callbacks=[few(), CollapseMonitor(after=0)],
    )
    assert_equal(training_state(plain), training_state(measured))


def test_fewer_images_than_features_are_scored_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match=r"val/fid compares 60 images by 128 features"):
        assert run(tmp_path, few(), max_epochs=1, max_steps=-1)["val/fid"] > 0


def test_limited_validation_draws_as_few(tmp_path):
    quality = few()
    run(tmp_path, quality, max_epochs=1, max_steps=-1, limit_val_batches=2)
    assert quality.scorings["train"].counts == {True: 90, False: 8}


def test_points_get_the_sliced_distance(tmp_path):
    model = GAN(image_shape=(2, 1, 1), latent_dim=2, generator_hidden=(8,), discriminator_hidden=(8,))
    data = Gaussians(batch_size=50_000)
    logged = run(tmp_path, few(), model, data, max_epochs=1, max_steps=-1)
    assert "val/swd" in logged and "val/fid" not in logged
    assert few().monitor((2, 1, 1)) == "val/swd" and few().monitor((1, 16, 16)) == "val/fid"


def test_a_users_own_loaders(tmp_path):
    images = torch.rand(64, 1, 16, 16) * 2 - 1
    loader = DataLoader(TensorDataset(images, torch.zeros(64)), batch_size=16)
    quality = few()
    trainer(tmp_path, max_epochs=1, max_steps=-1, callbacks=[quality]).fit(small(DCGAN), loader, loader)
    assert quality.scorings["train"].counts == {True: 64, False: 60}


@pytest.mark.parametrize(
    "arguments, part", [({"count": 1}, "count=1"), ({"reference": "dev"}, "'dev'")], ids=["count", "reference"]
)
def test_quality_refuses(arguments, part):
    refused(lambda: Quality(**arguments), part)


def test_no_score_to_choose_by():
    refused(lambda: Quality(scores=["density_coverage"]).monitor((1, 16, 16)), "best.monitor")


# -------------------------------------------------------------------- collapse


class Stuck(DCGAN):
    """Draws the same picture whatever the noise."""

    def sample(self, n=64, *, seed=None, noise=None):
        return super().sample(1, seed=0).expand(n, -1, -1, -1)


def test_one_image_is_noticed(tmp_path):
    model = Stuck(image_shape=(1, 16, 16), latent_dim=8, width=4)
    with pytest.warns(UserWarning, match="nearly one image"):
        fit(tmp_path, model, glyphs(count=160), callbacks=[CollapseMonitor(after=0)], max_epochs=1, max_steps=-1)


@pytest.mark.parametrize("verdict, message", [(1.0, "never fooled"), (-1.0, "more real than real")])
def test_a_player_that_has_won_is_noticed(tmp_path, verdict, message):
    """A discriminator that knows real images by their first pixel, or takes the others for real."""

    class Knows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, images):
            real = (images[:, 0, 0, 0] > 0.95).float() * 2 - 1
            return self.scale * verdict * (real + 0.001 * images.mean((1, 2, 3)))

    data = glyphs(count=160)
    data.setup()
    for split in data.splits.values():
        split.groups[0]["image"][:, :, 0, 0] = 255
    model = small(DCGAN, discriminator=Knows())
    monitor = CollapseMonitor(after=0)
    with pytest.warns(UserWarning, match=message):
        fit(tmp_path, model, data, callbacks=[monitor], max_epochs=4, max_steps=-1)
    assert len(monitor.warned - {"collapse"}) == 1


@pytest.mark.parametrize("cls", [BEGAN, EBGAN])
def test_energies_are_not_taken_for_scores(tmp_path, cls):
    """Reals of energy 0 and fakes of a high one are what these games want, and no generator that has won."""

    class Copies(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, images):
            return self.scale.abs() * (1 - images[:, 0, 0, 0])

    data = glyphs(count=160)
    data.setup()
    for split in data.splits.values():
        split.groups[0]["image"][:, :, 0, 0] = 255
    monitor = CollapseMonitor(after=0)
    fit(tmp_path, small(cls, discriminator=Copies()), data, callbacks=[monitor], max_epochs=4, max_steps=-1)
    assert not monitor.warned - {"collapse"} and not any(monitor.won.values())


def test_a_healthy_game_is_left_in_peace(tmp_path):
    monitor = CollapseMonitor(after=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logged = {}
        model = small(DCGAN)
        model.log = lambda name, value, **kwargs: logged.update({name: float(value)})
        fit(tmp_path, model, glyphs(count=160), callbacks=[monitor], max_steps=60, log_every_n_steps=10)
    assert 0.05 < logged["val/discriminator_auroc"] <= 1 and logged["val/diversity"] > 0
    assert logged["generator/gradient_norm"] > 0 and logged["discriminator/gradient_norm"] > 0
    assert not [w for w in caught if "never fooled" in str(w.message) or "more real" in str(w.message)]
