"""The callbacks look at anybody's LightningModule that has ``sample``."""

import lightning.pytorch as pl
import pytest
import torch
from conftest import refused
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans.callbacks import CollapseMonitor, Quality, SampleGrid, SaveLast
from lit_gans.callbacks.strangers import seen

IMAGES = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


class TutorialGAN(pl.LightningModule):
    """As Lightning's own tutorial has it."""

    def __init__(self, last=None):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(8, 256), last or nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))

    def sample(self, n):
        assert not torch.is_grad_enabled() and not self.training
        return self.generator(torch.randn(n, 8, device=self.device))

    def training_step(self, batch, batch_idx):
        real, *_ = batch
        fake = self.generator(torch.randn(len(real), 8))
        for optimizer, loss in zip(
            self.optimizers(),
            (
                lambda: F.softplus(-self.discriminator(fake)).mean(),
                lambda: F.softplus(self.discriminator(fake.detach()) - self.discriminator(real)).mean(),
            ),
            strict=True,
        ):
            optimizer.zero_grad()
            self.manual_backward(loss())
            optimizer.step()

    def validation_step(self, batch, batch_idx):
        return None

    def configure_optimizers(self):
        return [torch.optim.Adam(net.parameters(), 1e-3) for net in (self.generator, self.discriminator)]


class Bare(pl.LightningModule):
    """Nothing but a sampler that was trained elsewhere."""

    def __init__(self, samples=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.samples = samples

    def sample(self, n):
        return torch.randn(n, 1, 16, 16).tanh() if self.samples is None else self.samples[:n]

    def training_step(self, batch, batch_idx):
        return self.weight.square().sum()

    def validation_step(self, batch, batch_idx):
        return None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(model, images=IMAGES, **arguments):
    loader = DataLoader(TensorDataset(images), batch_size=16)
    options = {"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False, "log_every_n_steps": 1}
    trainer = lit_gans.Trainer(callbacks=[Quality(count=32)], **options, **arguments)
    trainer.fit(model, loader, loader)
    return trainer


def test_images_of_bytes_are_brought_into_the_range_and_labels_are_not():
    images, label = torch.tensor([[[[0, 255]]]], dtype=torch.uint8), torch.tensor([3], dtype=torch.uint8)
    batch = seen(Bare()).receive((images, label))
    assert batch["image"].tolist() == [[[[-1, 1]]]] and batch["label"] is label


def test_a_game_of_anybodys_has_scores_pictures_and_checkpoints():
    trainer = run(TutorialGAN())
    values = trainer.callback_metrics
    assert {"val/fid", "val/diversity", "val/discriminator_auroc"} <= values.keys()
    run_folder = trainer.run
    assert run_folder.last.is_file() and (run_folder.checkpoints / "best.ckpt").is_file()
    assert (run_folder.samples / "real.png").is_file() and len([*run_folder.samples.glob("step_*.png")]) == 1
    assert '"model": "TutorialGAN"' in run_folder.scores.read_text()


def test_a_module_that_only_samples():
    trainer = run(Bare())
    assert {"val/fid", "val/diversity"} <= trainer.callback_metrics.keys()


def test_samples_are_the_same_at_every_look():
    module = TutorialGAN()
    from lit_gans.callbacks.strangers import seen

    before = torch.get_rng_state()
    assert torch.equal(seen(module).sample(4, seed=1), seen(module).sample(4, seed=1))
    assert torch.equal(before, torch.get_rng_state()) and module.training


@pytest.mark.parametrize("callback", [Quality, SampleGrid, CollapseMonitor])
def test_a_module_that_does_not_sample_is_told(callback):
    class NoSample(Bare):
        sample = None

    trainer = pl.Trainer(callbacks=[callback()], max_epochs=1, accelerator="cpu", logger=False)
    refused(lambda: trainer.fit(NoSample(), DataLoader(IMAGES)), callback.__name__, "sample(n)", "NoSample")


@pytest.mark.parametrize(
    "model, images, part",
    [
        (Bare(torch.ones(64, 1, 16)), IMAGES, "scores compare images"),
        (Bare(torch.ones(2, 1, 16, 16)), IMAGES, "must give 32 samples"),
        (TutorialGAN(nn.Sigmoid()), IMAGES / 2 + 0.5, "image * 2 - 1"),
        (Bare(), (IMAGES + 1) * 127.5, "image / 127.5 - 1"),
    ],
    ids=["no images", "too few", "unit range", "bytes"],
)
def test_what_cannot_be_measured_is_said_and_the_run_goes_on(model, images, part):
    with pytest.warns(UserWarning) as said:
        trainer = run(model, images, pictures=False, monitor=False)
    assert any("not scored" in str(each.message) and part in str(each.message) for each in said)
    assert trainer.run.last.is_file()


def test_save_last_needs_nothing(tmp_path):
    trainer = pl.Trainer(max_epochs=1, accelerator="cpu", callbacks=[SaveLast()], enable_progress_bar=False)
    trainer.fit(Bare(), DataLoader(IMAGES, batch_size=32))
    assert len([*tmp_path.rglob("last.ckpt")]) == 1
