"""The scores that a run logs, their record, and the warnings when a game ends early."""

import json
import warnings

import pytest
import torch
from conftest import assert_equal, few, fit, glyphs, logged_by, refused, small, trainer, training_state
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from lit_gans import BEGAN, DCGAN, EBGAN, GAN, Gaussians
from lit_gans.callbacks import Best, CollapseMonitor, Quality, SampleGrid, SaveLast
from lit_gans.metrics import Classifier, Features, feature_network, load_classifier
from lit_gans.metrics.scoring import Scoring
from lit_gans.networks import DCGANBackbone, MLPBackbone


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
    logged_by(tmp_path, few(), small(DCGAN), glyphs(count=160, batch_size=40), max_steps=12)
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
        assert logged_by(tmp_path, few(), max_epochs=1, max_steps=-1)["val/fid"] > 0


def test_limited_validation_draws_as_few(tmp_path):
    quality = few()
    logged_by(tmp_path, quality, max_epochs=1, max_steps=-1, limit_val_batches=2)
    assert quality.scorings["train"].counts == {True: 90, False: 8}


def test_points_get_the_sliced_distance(tmp_path):
    model = GAN(
        image_shape=(2, 1, 1), latent_dim=2, backbone=MLPBackbone(generator_hidden=(8,), discriminator_hidden=(8,))
    )
    data = Gaussians(batch_size=50_000)
    logged = logged_by(tmp_path, few(), model, data, max_epochs=1, max_steps=-1)
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
    model = Stuck(image_shape=(1, 16, 16), latent_dim=8, backbone=DCGANBackbone(width=4))
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


# -------------------------------------------------------------------- before the first batch


@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"scores": ["fidd"]}, "'fidd'"),
        ({"features": "incepton"}, "incepton"),
        ({"scores": ["accuracy"]}, "accuracy"),
        ({"every": 0}, "got 0"),
    ],
    ids=["score", "network", "no classes", "pace"],
)
def test_wrong_settings_cost_no_epoch(tmp_path, arguments, part):
    model = small(DCGAN)
    refused(lambda: logged_by(tmp_path, few(**arguments), model), part)
    assert model._trainer is None or model.trainer.global_step == 0


@pytest.mark.parametrize(
    "monitor, part", [("val/kid", "quality.scores"), ("val/fdi", "did you mean val/fid"), ("fid", "val/fid")]
)
def test_a_monitor_that_nothing_logs_is_refused(tmp_path, monitor, part):
    best = Best(tmp_path / "checkpoints", monitor=monitor)
    whole = trainer(tmp_path, callbacks=[few(), best], enable_checkpointing=True)
    whole.num_sanity_val_steps = 1
    refused(lambda: whole.fit(small(DCGAN), datamodule=glyphs(count=160)), part)
    assert whole.global_step == 0


def test_a_network_of_nans_is_refused():
    network = load_classifier()
    network.head.weight.data[0, 0] = float("nan")
    refused(lambda: feature_network(network), "digits", "not finite", "head.weight")


def test_features_that_are_not_finite_are_refused_for_every_score():
    class Broken(Features):
        name, num_features = "broken", 4

        def forward(self, images):
            return images.flatten(1)[:, :4] / 0

    refused(lambda: Scoring(["kid"], Broken()).add(torch.zeros(4, 1, 8, 8), real=True), "'broken'", "not finite")


# -------------------------------------------------------------------- what cannot be scored


@pytest.mark.parametrize("shape", [(12,), (1, 8, 8, 8)], ids=str)
def test_data_that_is_no_picture_is_left_out_once(tmp_path, shape):
    class Numbers(torch.nn.Module):
        latent_dim = 8

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(8, torch.Size(shape).numel())

        def forward(self, noise):
            return self.layer(noise).tanh().view(-1, *shape)

    judge = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(torch.Size(shape).numel(), 1))
    loader = DataLoader(TensorDataset(torch.rand(16, *shape) * 2 - 1), batch_size=4)
    best = Best(tmp_path / "best", monitor="val/fid")
    whole = trainer(tmp_path, max_steps=8, callbacks=[few(), SampleGrid(), best], enable_checkpointing=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        whole.fit(DCGAN(generator=Numbers(), discriminator=judge), loader, loader)
    said = [str(w.message) for w in caught]
    assert whole.global_step == 8
    for part in ("not scored: ", "no pictures: ", "val/fid was not measured"):
        assert len([message for message in said if message.startswith(part)]) == 1, said
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("*.ckpt"))


def test_few_images_bound_no_inception_score():
    """Ten images of ten classes, which ten parts of one image each would give a score of 1."""

    class Certain(Classifier):
        def forward(self, images):
            digit = ((images[:, 0, 0, 0] + 1) * 127.5).round().long()
            return 30 * torch.nn.functional.one_hot(digit, 128).float()

    network = Certain((1, 8, 8), 10).eval()
    network.head.weight.data = torch.eye(10, 128)
    network.head.bias.data.zero_()
    images = (torch.arange(10) / 127.5 - 1).view(10, 1, 1, 1).expand(-1, 1, 8, 8)
    scoring = Scoring(["is"], network)
    for real in (True, False):
        scoring.add(images, real)
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as of the deviation of a single part
            assert float(scoring.compute()["is"]) == pytest.approx(10, rel=1e-3)
    finally:
        torch.set_warn_always(before)
    scoring.reset()
    scoring.add(images[:9], real=False)
    refused(scoring.compute, "is of 9 images")


def test_one_score_that_cannot_be_had_leaves_the_others(tmp_path):
    """With a few validation images kid and coverage have nothing to say; the run goes on to its end."""
    quality = few(scores=["fid", "kid", "density_coverage"], every=None)
    best = Best(tmp_path / "best", monitor="val/kid", filename="best")
    with pytest.warns(UserWarning, match="val/kid is not measured: kid of fewer than 10 images"):
        whole = trainer(
            tmp_path,
            max_epochs=2,
            max_steps=-1,
            limit_val_batches=1,
            callbacks=[quality, best],
            enable_checkpointing=True,
        )
        whole.fit(small(DCGAN), datamodule=glyphs(count=160))
    assert whole.current_epoch == 2 and "val/fid" in whole.callback_metrics and "val/kid" not in whole.callback_metrics
    assert not list(tmp_path.rglob("best*.ckpt"))


# -------------------------------------------------------------------- the pace


def scored(folder, *callbacks, ckpt_path=None, **arguments):
    """The batches after which a run was scored, and its trainer."""
    arguments = {"max_epochs": 5, "max_steps": -1, "logger": CSVLogger(folder), **arguments}
    whole = trainer(folder, callbacks=list(callbacks), enable_checkpointing=True, **arguments)
    whole.fit(small(DCGAN), datamodule=glyphs(count=40), ckpt_path=ckpt_path)
    lines = [line for path in folder.rglob("scores.jsonl") for line in path.read_text().splitlines()]
    return sorted(json.loads(line)["step"] for line in lines), whole


def test_every_so_many_validations_and_the_last(tmp_path):
    best = Best(tmp_path / "best", monitor="val/fid", filename="{step}", save_top_k=-1, enable_version_counter=False)
    steps, _ = scored(tmp_path, few(every=2), best)
    assert steps == [20, 40, 50]
    saved = sorted(int(path.stem.partition("=")[2]) for path in (tmp_path / "best").glob("*.ckpt"))
    assert saved == steps  # nothing of a score that is another validation's
    assert scored(tmp_path / "steps", few(every=3), max_steps=45, max_epochs=-1)[0] == [30, 45]
    assert scored(tmp_path / "short", few(every=1), max_steps=9, max_epochs=-1)[0] == []  # never validated before
    assert scored(tmp_path / "second", few(every=1), max_steps=25, max_epochs=-1, check_val_every_n_epoch=2)[0] == [20]


def test_the_first_scoring_fixes_the_pace_and_a_resumed_run_keeps_it(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("lit_gans.callbacks.quality.rank_zero_info", told.append)
    clock = iter(range(10**6))
    monkeypatch.setattr("lit_gans.callbacks.pace.monotonic", lambda: float(next(clock)))  # training: 1 s
    monkeypatch.setattr("lit_gans.callbacks.quality.monotonic", lambda: float(next(clock)) / 3)  # scores: 1/3 s
    steps, whole = scored(tmp_path / "first", few(every=None), SaveLast(), max_epochs=4)
    assert steps == [30, 40] and whole.callbacks[0].pace.fixed == 3  # by a guess the first one waits, too
    assert len(told) == 1 and told[0].startswith("scores take 0.33 s")
    last = next((tmp_path / "first").rglob("last.ckpt"))
    monkeypatch.undo()
    steps, _ = scored(tmp_path / "second", few(every=None), ckpt_path=last, max_epochs=8)
    assert steps == [60, 80]


def test_what_another_callback_watches_is_measured_every_time(tmp_path):
    stop = EarlyStopping("val/fid", patience=9)
    assert scored(tmp_path, few(every=None), stop)[0] == [10, 20, 30, 40, 50]
    refused(lambda: scored(tmp_path, few(every=2), stop), "EarlyStopping", "quality.every=2")


@pytest.mark.parametrize("name", ["best_{val/fid:.1f}", "{epoch}-{val/fid:.3f}"])
def test_a_score_in_a_name_makes_no_folder(tmp_path, name):
    best = Best(tmp_path / "run" / "checkpoints", monitor="val/fid", filename=name)
    scored(tmp_path / "run", few(), best, max_epochs=1)
    (path,) = (tmp_path / "run").rglob("*.ckpt")
    assert path.parent == tmp_path / "run" / "checkpoints" and "val_fid=" in path.name
