"""What test_devices.py runs on one and on two processes; writes what every rank has into the working directory.

Several models one after the other, since the start of two processes takes longer than a run.
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from conftest import EVERY_MODEL, SHAPE, data_for, glyphs, small, trainer
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import BaseFinetuning
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from lit_gans import (
    DCGAN,
    GAN,
    VAE,
    CycleGAN,
    Glyphs,
    GrammarLines,
    LanguageModel,
    NumberPairs,
    PairedGlyphs,
    Pix2Pix,
    Seq2Seq,
    UnpairedGlyphs,
)
from lit_gans.callbacks import CollapseMonitor, Quality, Reconstruction, SaveLast
from lit_gans.callbacks.precision import FastestPrecision
from lit_gans.callbacks.trial import seconds_a_batch
from lit_gans.core import reduction
from lit_gans.networks import DCGANBackbone, MLPBackbone, RecurrentBackbone, ResNetTranslation, UNetTranslation


class Noise(GAN):
    """Takes its noise from the batch, so that one process can be given what two had together."""

    def generate(self, batch):
        return self.generator(batch["noise"])

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch


class NoisyGlyphs(Glyphs):
    """Glyphs whose noise is a function of the image."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        return {**batch, "noise": batch["image"].flatten(1)[:, 100:108].contiguous()}


class Watchful(DCGAN):
    """Logs a number of every sample; its schedule watches one that every rank has its own of."""

    plateau = "state/rank"

    def discriminator_step(self, batch, fake):
        rank = torch.tensor(float(self.batch_number * (2 * self.global_rank - 1)))  # falls on one, rises on the other
        return {**super().discriminator_step(batch, fake), "state/rank": rank}

    def validation_step(self, batch, batch_idx):
        batch = self.receive(batch)
        self.log("val/mean", batch["image"].mean(), batch_size=len(batch["image"]), sync_dist=True)
        return super().validation_step(batch, batch_idx)


class Unfreeze(BaseFinetuning):
    """Gives a frozen layer of the discriminator to its optimizer in the second epoch, as people do who fine-tune."""

    def freeze_before_training(self, module):
        self.freeze(module.discriminator.layers[1])

    def finetune_function(self, module, epoch, optimizer):
        if epoch == 1 and optimizer.param_groups[0]["params"][-1].shape == (1,):
            self.unfreeze_and_add_param_group(module.discriminator.layers[1], optimizer, lr=1e-2)


class UnfrozenVAE(VAE):
    """Whose encoder learns from the fourth batch on."""

    def setup(self, stage):
        self.encoder.requires_grad_(False)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def on_train_batch_start(self, batch, batch_idx):
        self.encoder.requires_grad_(self.batch_number >= 3)


class Keep(Callback):
    """Every rank's last draw and, at the end, all of its tensors."""

    def __init__(self, name):
        self.name = name

    def on_train_end(self, trainer, pl_module):
        rates = [float(o.param_groups[0]["lr"]) for o in trainer.optimizers]
        kept = {"state": pl_module.state_dict(), "draw": torch.randn(4), "rates": rates}
        kept["precision"] = trainer.precision
        torch.save(kept, f"{self.name}.rank{trainer.global_rank}.pt")


def tried(trainer, model, names):
    """Tries the precisions, on the first process alone, and finds the mixed one the fastest."""
    assert trainer.is_global_zero and seconds_a_batch(trainer, model, names).keys() == {*names}
    return {name: float(name == "32-true") for name in names}


def made(name, devices=1):
    """A small model and its data."""
    if name == "Noise":
        torch.manual_seed(0)
        networks = MLPBackbone(generator_hidden=(16,), discriminator_hidden=(16,))
        model = Noise(image_shape=SHAPE, latent_dim=8, backbone=networks, accumulate=devices)  # in parts, too
        return model, NoisyGlyphs("01", SHAPE[1:], count=80, batch_size=8 // devices)
    if name == "Watchful":
        torch.manual_seed(0)
        schedule = partial(ReduceLROnPlateau, patience=2, factor=0.5)
        return Watchful(
            image_shape=SHAPE, backbone=DCGANBackbone(width=4), latent_dim=8, discriminator_scheduler=schedule
        ), glyphs(count=160)
    if name == "Unfrozen":
        torch.manual_seed(0)
        return GAN(
            image_shape=SHAPE, latent_dim=8, backbone=MLPBackbone(generator_hidden=(16,), discriminator_hidden=(16, 16))
        ), glyphs()
    if name == "UnfrozenVAE":
        return small(UnfrozenVAE), glyphs(count=160)
    if name == "CycleGAN":
        torch.manual_seed(0)
        model = CycleGAN(
            image_shape=(3, 16, 16), source_shape=(3, 16, 16), backbone=ResNetTranslation(width=4, blocks=1), pool=8
        )
        return model, UnpairedGlyphs(size=16, count=100, batch_size=3)
    if name == "Pix2Pix":
        torch.manual_seed(0)
        data = PairedGlyphs(size=16, count=110, batch_size=4)
        return Pix2Pix(
            image_shape=data.image_shape, source_shape=data.source_shape, backbone=UNetTranslation(width=4)
        ), data
    if name in ("LanguageModel", "Seq2Seq"):
        return texts(name)
    (cls,) = [m for m in EVERY_MODEL if m.__name__ == name]
    if name in ("SeqGAN", "Seq2SeqGAN"):  # 12 batches go through all of their phases
        phases = {"likelihood_steps": 3, "discriminator_steps": 3, "generator_every": 2}
        return small(cls, **phases), data_for(cls, count=160)
    if name == "ACGAN":  # with classes that the feature network knows
        return small(cls, num_classes=10), glyphs(characters="0123456789", count=160)
    return small(cls), data_for(cls, count=160)


def texts(name):
    """A model of texts, and 10 held-out ones in batches of 4."""
    torch.manual_seed(0)
    backbone = RecurrentBackbone(width=8)
    if name == "LanguageModel":
        data = GrammarLines(count=100, batch_size=4)
        return LanguageModel(text_shape=data.text_shape, backbone=backbone), data
    data = NumberPairs("digits", "en", count=100, largest=999, batch_size=4)
    shapes = {"text_shape": data.text_shape, "source_text_shape": data.source_text_shape}
    return Seq2Seq(**shapes, backbone=backbone, scored=7), data


def train(names, devices, steps, resume=""):
    for name in names.split(","):
        model, data = made(name, int(devices))
        folder = Path(name)
        own = {"Unfrozen": [Unfreeze()], "Watchful": [FastestPrecision(tried)]}
        callbacks = [Keep(name), SaveLast(), *own.get(name, [])]
        run = trainer(folder, max_steps=int(steps), devices=int(devices), callbacks=callbacks)
        run.fit(model, datamodule=data, ckpt_path=f"{resume}/{name}/checkpoints/last.ckpt" if resume else None)


def validate(names, devices):
    """All that a validation of untrained models logs, with scores of every kind, of an uneven number of batches."""
    scores = ["fid", "kid", "precision_recall", "density_coverage", "swd", "sharpness", "checkerboard"]
    found = {}
    for name in names.split(","):
        model, data = made(name)
        if model.subject in ("tokens", "target") and model.value_range is None:
            (found[name],) = trainer(".", devices=int(devices)).validate(model, datamodule=data, verbose=False)
            continue
        draws = model.draws
        quality = Quality([*scores, "is"] if draws else scores, features="digits", count=1010, real_count=1020)
        callbacks = [quality, CollapseMonitor(), *([Reconstruction(images=7, steps=2)] if draws else [])]
        run = trainer(".", devices=int(devices), callbacks=callbacks)
        if draws:
            data = glyphs(characters=data.characters, count=1300, batch_size=50)
            data.setup()
            for group in data.splits["val"].groups:  # 2 full batches and one of 17
                group.update({key: values[:117] for key, values in group.items()})
        (values,) = run.validate(model, datamodule=data, verbose=False)
        found[name] = values
    images = torch.linspace(-1, 0.5, 7).view(7, 1, 1, 1).expand(-1, *SHAPE).contiguous()
    (values,) = trainer(".", devices=int(devices)).validate(
        made("Watchful")[0], DataLoader(TensorDataset(images), batch_size=2), verbose=False
    )
    found["own"] = values
    if run.is_global_zero:
        Path("values.json").write_text(json.dumps(found))


if __name__ == "__main__":
    reduction._SMALLEST = 1024  # bytes: the gradients of small networks travel in several buckets, too
    seed_everything(0)
    {"train": train, "validate": validate}[sys.argv[1]](*sys.argv[2:])
