"""What a training step costs here, against a bare PyTorch loop and against the usual tutorial loop.

    python examples/benchmarks/overhead.py [--data FOLDER] [--size 32] [--rounds 12] [--steps 20]

DCGAN on digits of 32x32 pixels, or of another size, batch 64. All loops run in one process and take turns, block by
block, so that whatever else happens on the machine happens to all of them; the figures are medians over the rounds of
ratios within a round.

1. ``lit_gans`` (Lightning's loop, CSV logging and progress bar on) against a bare loop with the same networks, the same
   data and the same arithmetic.
2. The tutorial loop (PIL transforms, two generator forwards, gradients for both players in the generator's step, plain
   Adam, contiguous float32), and the same loop with one thing after another put right, up to ours.
"""

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lit_gans import DCGAN, MNIST, Glyphs
from lit_gans.callbacks import ProgressBar
from lit_gans.losses import minimax_discriminator, non_saturating_generator
from lit_gans.optim import Adam, ExponentialAverage

BATCH, LATENT = 64, 100


@dataclass(frozen=True)
class Recipe:
    """How a loop without Lightning does its work; the defaults are the tutorials'."""

    name: str
    in_memory: bool = False
    one_fake: bool = False
    freeze: bool = False
    fused: bool = False
    channels_last: bool = False
    average: bool = False
    bf16: bool = False


TUTORIAL = Recipe("tutorial loop")
STEPS = [
    TUTORIAL,
    r := replace(TUTORIAL, name="+ data in memory as uint8", in_memory=True),
    r := replace(r, name="+ one fake a batch", one_fake=True),
    r := replace(r, name="+ the other player frozen", freeze=True),
    r := replace(r, name="+ fused Adam", fused=True),
    r := replace(r, name="+ channels_last", channels_last=True),
    BARE := replace(r, name="+ averaged generator (the bare loop)", average=True),
    BARE16 := replace(BARE, name="+ bfloat16", bf16=True),
]


class PILImages(Dataset):
    """torchvision's way: an array per image becomes a PIL image, then a tensor."""

    def __init__(self, images, size):
        self.images = images
        self.transform = transforms.Compose(
            [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index]))


class Bare:
    """A loop without Lightning."""

    def __init__(self, recipe, data, pil):
        self.recipe = recipe
        model = DCGAN(image_shape=data.image_shape, ema_decay=0)
        self.g, self.d = model.generator, model.discriminator
        if not recipe.channels_last:  # the same layers without the conversions
            self.g = nn.Sequential(self.g.project, nn.Unflatten(1, self.g.coarse), self.g.layers)
            self.d = nn.Sequential(self.d.layers, self.d.judge, nn.Flatten(0))
            for network in (self.g, self.d):
                network.to(memory_format=torch.contiguous_format)
        make = Adam if recipe.fused else lambda p: torch.optim.Adam(p, lr=2e-4, betas=(0.5, 0.999))
        self.g_optimizer, self.d_optimizer = make(self.g.parameters()), make(self.d.parameters())
        self.ema = ExponentialAverage(self.g, 0.999) if recipe.average else None
        self.batches = self.endless(data.train_dataloader() if recipe.in_memory else pil)

    def endless(self, loader):
        while True:
            for batch in loader:
                yield batch["image"].float().div_(127.5).sub_(1) if isinstance(batch, dict) else batch

    def run(self, steps):
        start = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16, cache_enabled=False):
                self.step(next(self.batches))
        return time.perf_counter() - start

    def step(self, real):
        fake = self.g(torch.randn(len(real), LATENT))
        self.freeze(self.g, False)
        loss = sum(minimax_discriminator(self.d(real), self.d(fake.detach())).values())
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        self.freeze(self.g, True)
        if not self.recipe.one_fake:
            fake = self.g(torch.randn(len(real), LATENT))
        self.freeze(self.d, False)
        loss = sum(non_saturating_generator(self.d(fake)).values())
        self.g_optimizer.zero_grad()
        loss.backward()
        self.g_optimizer.step()
        self.freeze(self.d, True)
        if self.ema is not None:
            self.ema.update_parameters(self.g)

    def freeze(self, network, requires_grad):
        if self.recipe.freeze:
            network.requires_grad_(requires_grad)


class Turns(Callback):
    """Lets the bare loops run whenever Lightning has run as many batches."""

    def __init__(self, loops, steps, rounds):
        self.loops, self.steps, self.rounds = loops, steps, rounds
        self.times = []
        self.start = None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step % self.steps:
            return
        now = time.perf_counter()
        block = {} if self.start is None else {"lit_gans": now - self.start}
        with torch.enable_grad():
            block |= {loop.recipe.name: loop.run(self.steps) for loop in self.loops}
        if self.start is not None:  # the first round warms up
            self.times.append(block)
        if len(self.times) >= self.rounds:
            trainer.should_stop = True
        self.start = time.perf_counter()


def measure(data, pil, recipes, precision, steps, rounds, folder):
    """Seconds a block of every loop, one dict a round."""
    seed_everything(0, verbose=False)
    turns = Turns([Bare(recipe, data, pil) for recipe in recipes], steps, rounds)
    trainer = Trainer(
        max_epochs=1000,
        accelerator="cpu",
        devices=1,
        precision=precision,
        callbacks=[ProgressBar(), turns],
        logger=CSVLogger(folder),
        enable_checkpointing=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(DCGAN(image_shape=data.image_shape), datamodule=data)
    return turns.times


def ratio(times, above, below):
    return statistics.median(block[above] / block[below] for block in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("LIT_GANS_DATA"), help="holds MNIST/raw; without it, Glyphs")
    parser.add_argument("--size", type=int, default=32, help="side of the digits, in pixels")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20, help="batches a loop and round")
    arguments = parser.parse_args()
    data = MNIST(arguments.data, size=arguments.size) if arguments.data else Glyphs(size=arguments.size)
    data.setup("fit")
    images = MNIST(arguments.data) if arguments.data else data
    images.setup("fit")
    arrays = np.asarray(images.splits["train"].values("image")[:, 0])
    pil = DataLoader(PILImages(arrays, arguments.size), BATCH, shuffle=True, drop_last=True)
    with tempfile.TemporaryDirectory() as folder:
        rest = (arguments.steps, arguments.rounds, folder)
        plain = measure(data, pil, STEPS[:-1], "32-true", *rest)
        mixed = measure(data, pil, [TUTORIAL, BARE16], "bf16-mixed", *rest)
    print(f"\nDCGAN {data.image_shape}, batch {BATCH}, {torch.get_num_threads()} threads, {type(data).__name__}")
    print(f"1. lit_gans / bare loop, time a step: {ratio(plain, 'lit_gans', BARE.name):.3f} in float32, ", end="")
    print(f"{ratio(mixed, 'lit_gans', BARE16.name):.3f} in bfloat16")
    print("2. images a second, as a multiple of the tutorial loop's:")
    for recipe in STEPS[:-1]:
        rate = arguments.steps * BATCH / statistics.median(block[recipe.name] for block in plain)
        print(f"   {ratio(plain, TUTORIAL.name, recipe.name):5.2f}  {rate:6.0f}/s  {recipe.name}")
    for name, times in (("lit_gans, float32", plain), ("lit_gans, bf16-mixed", mixed)):
        rate = arguments.steps * BATCH / statistics.median(block["lit_gans"] for block in times)
        print(f"   {ratio(times, TUTORIAL.name, 'lit_gans'):5.2f}  {rate:6.0f}/s  {name}")


if __name__ == "__main__":
    main()
