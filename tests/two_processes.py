"""Trains on two processes; run by test_devices.py. Writes every rank's weights and noise into the working directory."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from conftest import MODELS, SHAPE, glyphs, small, trainer
from lightning.pytorch import Callback, seed_everything

from lit_gans import GAN, Glyphs
from lit_gans.callbacks import SaveLast


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


class Keep(Callback):
    """Every rank's last draw and, at the end, all of its tensors."""

    def on_train_end(self, trainer, pl_module):
        draw = torch.randn(4)
        torch.save({"state": pl_module.state_dict(), "draw": draw}, f"rank{trainer.global_rank}.pt")


def main(name, devices, steps, *resume):
    seed_everything(0)
    if name == "Noise":
        torch.manual_seed(0)
        model = Noise(image_shape=SHAPE, latent_dim=8, generator_hidden=(16,), discriminator_hidden=(16,))
        data = NoisyGlyphs("01", SHAPE[1:], count=80, batch_size=8 // int(devices))
    else:
        (cls,) = [m for m in MODELS if m.__name__ == name]
        model, data = small(cls), glyphs(count=160)
    run = trainer(".", max_steps=int(steps), devices=int(devices), callbacks=[Keep(), SaveLast()])
    run.fit(model, datamodule=data, ckpt_path=resume[0] if resume else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
