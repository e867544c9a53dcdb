"""What a batch costs the games that translate: time, and memory that the generator's turn holds for its gradient.

    python examples/benchmarks/translation_steps.py [--size 64] [--width 16] [--batch 1] [--rounds 10]

All games run in one process and take turns, block by block, so that whatever else happens on the machine happens to all
of them. The images are noise, of which no time depends. Printed is, for every game, the median time of a step, the
median over the rounds of its ratio to CycleGAN's, and the megabytes of activations that wait for the backward pass.
"""

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from dataclasses import replace

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.data import DataLoader

from lit_gans import CUT, CycleGAN, Pix2Pix

PAPER = "CycleGAN"
GAMES = {
    PAPER: (CycleGAN, {}),
    "CycleGAN, identity 0": (CycleGAN, {"identity": 0.0}),
    "CycleGAN, identity 0, cycle 0": (CycleGAN, {"identity": 0.0, "cycle": 0.0}),
    "CUT": (CUT, {}),
    "FastCUT": (CUT, {"identity": 0.0, "contrast": 10.0}),
    "Pix2Pix": (Pix2Pix, {}),
    "Pix2Pix, adversarial 0": (Pix2Pix, {"adversarial": 0.0}),
}


class Clock(Callback):
    """Seconds from one batch's end to the next one's; the first batch warms up."""

    def __init__(self):
        self.ends = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.ends.append(time.perf_counter())

    def step(self):
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def timed(model, batch, steps, folder):
    """Seconds a step of a short run."""
    clock = Clock()
    trainer = Trainer(
        max_steps=steps + 1,
        accelerator="cpu",
        devices=1,
        precision="bf16-mixed",
        callbacks=[clock],
        logger=False,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(model, DataLoader([batch] * (steps + 1), batch_size=None))
    return clock.step()


def held(model, batch):
    """Bytes that the graph of the generator's loss keeps, weights aside."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no other takes its place
        return tensor

    model.discriminator.requires_grad_(False)
    with saved_tensors_hooks(pack, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model.generator_loss(batch, model.generate(batch))
    model.discriminator.requires_grad_(True)
    return sum(size for size, _ in kept.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=1, help="images of each domain")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=10, help="batches a game and round")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    seed_everything(0, verbose=False)
    shape = (3, given.size, given.size)
    images = [torch.rand(given.batch, *shape) * 2 - 1 for _ in range(2)]
    batch = dict(zip(("a", "b"), images, strict=True)) | dict(zip(("source", "target"), images, strict=True))
    models = {
        name: game(image_shape=shape, backbone=replace(game.default_backbone, width=given.width), **arguments)
        for name, (game, arguments) in GAMES.items()
    }
    seconds = {name: [] for name in models}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for name, model in models.items():
                seconds[name].append(timed(model, batch, given.steps, folder))
    print(f"{given.size}x{given.size}, width {given.width}, {given.batch} a domain, {torch.get_num_threads()} threads")
    print("| game | ms a step | of CycleGAN's | MB held |\n|---|---|---|---|")
    for name, times in seconds.items():
        ratio = statistics.median(own / paper for own, paper in zip(times, seconds[PAPER], strict=True))
        print(
            f"| {name} | {1e3 * statistics.median(times):.0f} | {ratio:.2f} | {held(models[name], batch) / 1e6:.1f} |"
        )


if __name__ == "__main__":
    main()
