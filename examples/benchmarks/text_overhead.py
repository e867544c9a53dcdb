"""What a training step on texts costs here, against a bare PyTorch loop.

    python examples/benchmarks/text_overhead.py [--rounds 12] [--steps 10]

`Seq2Seq` on numbers in English and German, in characters, batch 64. Both loops run in one process and take turns, block
by block, so that whatever else happens on the machine happens to both. The bare loop has the same networks, batches,
optimizer, schedule, clipping and average. Printed are tokens a second (of source and target, without filling), the time
of a step and the ratio of the times: the medians over the rounds.
"""

import argparse
import statistics
import tempfile
import time

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger

from lit_gans import NumberPairs, Seq2Seq
from lit_gans.callbacks import ProgressBar
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.networks.sequences import begun
from lit_gans.optim import ExponentialAverage, TextAdam, WarmUp
from lit_gans.text import PAD

BACKBONES = {"GRU + attention": RecurrentBackbone(), "Transformer": TransformerBackbone()}


class Bare:
    """A loop without Lightning."""

    def __init__(self, data, backbone):
        shapes = {"source_text_shape": data.source_text_shape, "text_shape": data.text_shape}
        self.network = Seq2Seq(**shapes, backbone=backbone, ema_decay=0).generator
        self.optimizer = TextAdam(self.network.parameters())
        self.schedule, self.average = WarmUp(self.optimizer), ExponentialAverage(self.network, 0.999)
        self.batches, self.tokens = self.endless(data), 0

    def endless(self, data):
        while True:
            yield from data.train_dataloader()

    def run(self, steps):
        start, self.tokens = time.perf_counter(), 0
        for _ in range(steps):
            batch = next(self.batches)
            source, target = batch["source"], batch["target"]
            self.tokens += int((source != PAD).sum() + (target != PAD).sum())
            logits = self.network(source, begun(target)).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(logits, target.flatten(), ignore_index=PAD)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
        return time.perf_counter() - start


class Turns(Callback):
    """Lets the bare loop run whenever Lightning has run as many batches."""

    def __init__(self, bare, steps, rounds):
        self.bare, self.steps, self.rounds = bare, steps, rounds
        self.times, self.start, self.tokens = [], None, 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.tokens += int((batch["source"] != PAD).sum() + (batch["target"] != PAD).sum())
        if trainer.global_step % self.steps:
            return
        ours = None if self.start is None else (time.perf_counter() - self.start, self.tokens)
        with torch.enable_grad():
            seconds = self.bare.run(self.steps)
        if ours is not None:  # the first round warms up
            # batches are of different lengths: seconds a token are compared
            self.times.append((ours[0], ours[0] / ours[1], seconds / self.bare.tokens))
        if len(self.times) >= self.rounds:
            trainer.should_stop = True
        self.start, self.tokens = time.perf_counter(), 0


def measure(name, data, steps, rounds, folder):
    """A row of the table."""
    seed_everything(0, verbose=False)
    turns = Turns(Bare(data, BACKBONES[name]), steps, rounds)
    trainer = Trainer(
        max_epochs=1000,
        accelerator="cpu",
        devices=1,
        callbacks=[ProgressBar(), turns],
        logger=CSVLogger(folder),
        enable_checkpointing=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    shapes = {"source_text_shape": data.source_text_shape, "text_shape": data.text_shape}
    trainer.fit(Seq2Seq(**shapes, backbone=BACKBONES[name]), datamodule=data)
    step = statistics.median(seconds for seconds, _, _ in turns.times) / steps
    ours, bare = (statistics.median(times[i] for times in turns.times) for i in (1, 2))
    ratio = statistics.median(a / b for _, a, b in turns.times)
    return f"| {name} | {1 / ours:,.0f} | {1 / bare:,.0f} | {1000 * step:.0f} | {ratio:.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10, help="batches a loop and round")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.backbones:
            data = NumberPairs("en", "de", tokens="characters")
            rows.append(measure(name, data, arguments.steps, arguments.rounds, folder))
    print(f"\n{torch.get_num_threads()} threads, batch 64")
    print("| network | tokens a second | bare loop | ms a step | time of a step / bare loop |\n|---|---|---|---|---|")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
