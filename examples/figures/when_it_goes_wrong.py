"""Draws the pictures of docs/when-it-goes-wrong.md, from short runs, and prints the numbers that it names.

python examples/figures/when_it_goes_wrong.py docs/images
"""

import argparse
import io
import logging
import warnings
from functools import partial
from pathlib import Path

import matplotlib
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from PIL import Image

import lit_gans
from lit_gans.callbacks import CollapseMonitor
from lit_gans.errors import NonFiniteLoss
from lit_gans.networks import MLPBackbone
from lit_gans.optim import Adam, AdamWithoutMomentum

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS = 600
PLAIN = MLPBackbone((64, 64), (64, 64), latent_dim=2)
SETTLED = partial(AdamWithoutMomentum, lr=2e-3, betas=(0.0, 0.99))


def players(generator, discriminator):
    """Adam for both, with these learning rates."""
    return {
        "generator_optimizer": partial(Adam, lr=generator),
        "discriminator_optimizer": partial(Adam, lr=discriminator),
    }


RUNS = {
    "as it should be": (lit_gans.R3GAN, {"penalty": 0.1, "optimizer": SETTLED}),
    "collapse": (lit_gans.GAN, players(1e-2, 1e-3)),
    "discriminator wins": (lit_gans.GAN, {"saturating": True, **players(1e-5, 1e-2)}),
    "explodes": (lit_gans.WGANGP, {"penalty": 0.0, "generator_every": 1, **players(1e-2, 1e-2)}),
}


class Curves(Callback):
    """Keeps the losses of every batch."""

    def __init__(self):
        self.losses = {"discriminator": [], "generator": []}

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        for player, kept in self.losses.items():
            kept.append(float(trainer.callback_metrics[f"{player}/loss"]))


def train(cls, arguments):
    """A trained model, its losses, and what the library said about the run."""
    seed_everything(0, verbose=False)
    data = lit_gans.Gaussians(batch_size=64)
    model = cls(image_shape=data.image_shape, backbone=PLAIN, **arguments)
    curves = Curves()
    trainer = Trainer(
        max_steps=STEPS,
        max_epochs=-1,
        accelerator="cpu",
        callbacks=[curves, CollapseMonitor(after=100)],
        val_check_interval=100,
        log_every_n_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            trainer.fit(model, datamodule=data)
        except NonFiniteLoss as error:
            print(f"  stopped: {error}")
    return (
        model,
        data,
        curves.losses,
        [str(w.message) for w in said if "differ" in str(w.message) or "fooled" in str(w.message)],
    )


def scatter(axes, data, network):
    """The eight places, and 300 points that a network draws."""
    noise = torch.randn(300, network.latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        points = data.to_plane(network(noise))
    axes.scatter(*data.means.T, marker="+", s=60, color="tab:blue")
    axes.scatter(*points.T, s=4, color="tab:orange")
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.5, 1.5)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])


def save(figure, path):
    """A png of few colours."""
    written = io.BytesIO()
    figure.tight_layout()
    figure.savefig(written, dpi=100)
    Image.open(written).convert("RGB").quantize(64).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    figure, axes = plt.subplots(2, len(RUNS), figsize=(10, 4.4), height_ratios=(3, 2))
    for (name, (cls, arguments)), (above, below) in zip(RUNS.items(), axes.T, strict=True):
        print(name)
        model, data, losses, said = train(cls, arguments)
        if name == "as it should be":
            healthy = model
        scatter(above, data, model.generator)
        above.set_title(name)
        for player, kept in losses.items():
            below.plot(kept, linewidth=0.8, label=player)
        last = {player: round(kept[-1], 3) for player, kept in losses.items()}
        shown = {key: round(float(value), 3) for key, value in model.trainer.callback_metrics.items() if "val/" in key}
        print(f"  losses {last}, {shown}")
        print(*(f"  says: {sentence}" for sentence in said), sep="\n")
    axes[1, 0].legend(fontsize=7)
    save(figure, given.folder / "goes_wrong.png")
    figure, pair = plt.subplots(1, 2, figsize=(5, 2.8))
    for axis, network, title in zip(
        pair, (healthy.generator, healthy.generator_ema.module), ("generator", "its average"), strict=True
    ):
        scatter(axis, data, network)
        axis.set_title(title)
    save(figure, given.folder / "average_lags.png")


if __name__ == "__main__":
    main()
