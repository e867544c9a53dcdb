"""What a small step costs: a bare loop, Lightning's loop with nothing of ours, and ours.

    python examples/benchmarks/small_steps.py [--rounds 20] [--steps 40]

GAN of 28x28, batch 64, on noise. Every loop makes a block of steps in turn, in one process; processor time, medians of
the ratios within a round.

    bare        a PyTorch loop, with the same networks, losses, optimizers and average
    lightning   the same arithmetic in a LightningModule with manual optimization: Lightning's Trainer, no callbacks,
                no logger, no bar
    plain       `lit_gans`, in that same Trainer
    ours        `lit_gans.Trainer`, every default on
"""

import argparse
import itertools
import logging
import statistics
import tempfile
import threading
import time
import warnings

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from loops import Loop
from torch.utils.data import DataLoader

import lit_gans
from lit_gans import GAN

SHAPE, BATCH = (1, 28, 28), 64
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "limit_val_batches": 0,
    "accelerator": "cpu",
    "devices": 1,
    "max_epochs": 1,
}


class Empty(LightningModule):
    """The bare loop's step, by Lightning's optimizers and backward."""

    def __init__(self, loop):
        super().__init__()
        self.automatic_optimization = False
        self.game = [loop]  # in a list: no submodule

    def configure_optimizers(self):
        return list(self.game[0].optimizers.values())

    def training_step(self, batch, batch_idx):
        model = self.game[0].model
        discriminator, generator = self.optimizers()
        fake = model.generate(batch)
        self.move(discriminator, model.discriminator_loss(batch, fake.detach()))
        model.discriminator.requires_grad_(False)
        self.move(generator, model.generator_loss(batch, fake))
        model.discriminator.requires_grad_(True)
        model.generator_ema.update_parameters(model.generator)

    def move(self, optimizer, terms):
        optimizer.zero_grad()
        self.manual_backward(sum(terms.values()))
        optimizer.step()


class Turn(Callback):
    """Holds a Trainer, in a thread of its own, until it is told to go on for a block."""

    def __init__(self, fit, steps):
        self.steps, self.go, self.done = steps, threading.Semaphore(0), threading.Semaphore(0)
        self.seconds, self.count, self.over = 0.0, 0, False
        self.thread = threading.Thread(target=fit, args=(self,))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.count += 1
        if self.count % self.steps:
            return
        self.seconds = time.thread_time() - self.start if self.count > self.steps else 0.0
        self.done.release()
        self.go.acquire()
        trainer.should_stop = self.over
        self.start = time.thread_time()

    def run(self):
        """Seconds of one block; of the first, which starts the Trainer, 0."""
        self.thread.start() if not self.count else self.go.release()
        self.done.acquire()
        return self.seconds

    def end(self):
        self.over = True
        self.go.release()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=40, help="a block")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    batches = [{"image": torch.rand(BATCH, *SHAPE) * 2 - 1} for _ in range(8)]
    count = given.steps * (given.rounds + 2)

    def loader():
        return DataLoader([*itertools.islice(itertools.cycle(batches), count)], batch_size=None)

    def loop():
        return Loop(GAN(image_shape=SHAPE), batches)

    with tempfile.TemporaryDirectory() as folder:
        turns = {
            "lightning": lambda turn: Trainer(callbacks=[turn], **QUIET).fit(Empty(loop()), loader()),
            "plain": lambda turn: Trainer(callbacks=[turn], **QUIET).fit(GAN(image_shape=SHAPE), loader()),
            "ours": lambda turn: lit_gans.Trainer(
                max_epochs=1,
                limit_val_batches=0,
                accelerator="cpu",
                devices=1,
                callbacks=[turn],
                default_root_dir=folder,
                report=False,
            ).fit(GAN(image_shape=SHAPE), loader()),
        }
        loops, bare = {name: Turn(fit, given.steps) for name, fit in turns.items()}, loop()
        times = []
        for _ in range(given.rounds + 2):
            start = time.thread_time()
            bare.run(given.steps)
            times.append({"bare": time.thread_time() - start, **{name: each.run() for name, each in loops.items()}})
        for each in loops.values():
            each.end()
    times = times[2:]  # the first starts, the second warms up
    for name in times[0]:
        ratios = [block[name] / block["bare"] for block in times]
        low, middle, high = statistics.quantiles(ratios, n=4)
        spent = 1e6 * statistics.median(block[name] for block in times) / given.steps
        more = 1e6 * statistics.median(block[name] - block["bare"] for block in times) / given.steps
        print(f"{name:10} {middle:.2f} ({low:.2f} to {high:.2f}), {spent:.0f} us a step, {more:.0f} more than bare")


if __name__ == "__main__":
    main()
