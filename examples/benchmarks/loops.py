"""Ten models, batches for them, and their steps in a PyTorch loop without Lightning; for the benchmarks beside."""

import time
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

import lit_gans
from lit_gans import BaseGAN, LabelGAN

MODELS = ("GAN", "DCGAN", "WGANGP", "SNGAN", "ACGAN", "R3GAN", "StyleGAN2", "Pix2Pix", "CycleGAN", "CUT")
WIDTH = {"Pix2Pix": 32, "CycleGAN": 16, "CUT": 16}


def made(name: str, size: int, **options) -> BaseGAN:
    """A model for square images in colour, with its default networks and options of these, translators narrower."""
    cls = getattr(lit_gans, name)
    arguments = {"num_classes": 10} if issubclass(cls, LabelGAN) else {}
    if name in WIDTH:
        options = {"width": WIDTH[name], **options}
    return cls(image_shape=(3, size, size), backbone=replace(cls.default_backbone, **options), **arguments)


def noise(model: BaseGAN, size: int, batch: int, count: int) -> list[dict[str, Tensor]]:
    """Batches with all names that a model needs; translators get one image a batch."""
    several = batch if model.draws else 1
    return [
        {
            name: torch.randint(10, (several,)) if name == "label" else torch.rand(several, 3, size, size) * 2 - 1
            for name in model.needs
        }
        for _ in range(count)
    ]


class Loop:
    """The steps of a model, written out: the same networks, losses, optimizers and averaged generator.

    Args:
        model: whose networks it trains.
        batches: what it goes through, again and again.
        precision: 32-true or bf16-mixed.
        tutorial: as the usual tutorials have it: fakes drawn once for each player, gradients for all networks in every
            turn, PyTorch's Adam, no average. Of translators the widely used implementation: fakes drawn once, one
            player learns at a time.
        compiled: compile the players.
    """

    def __init__(self, model, batches, precision="32-true", *, tutorial=False, compiled=False):
        self.model, self.batches, self.precision, self.tutorial = model, batches, precision, tutorial
        self.wasteful = tutorial and model.draws
        self.players = {"discriminator": model.discriminator, "generator": model.generator}
        self.optimizers = {
            name: self.optimizer(name, list(player.parameters())) for name, player in self.players.items()
        }
        self.number = 0
        for player in self.players.values() if compiled else ():
            for part in player.values() if isinstance(player, torch.nn.ModuleDict) else (player,):
                part.compile()

    def optimizer(self, player, parameters):
        made = self.model.optimizer_factories[player](parameters)
        if not self.tutorial or not isinstance(made, torch.optim.Adam):
            return made
        return torch.optim.Adam(parameters, lr=made.defaults["lr"], betas=made.defaults["betas"])

    def run(self, steps: int) -> float:
        """Makes so many steps; the seconds that they took."""
        began = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16-mixed", cache_enabled=False):
                self.step(self.batches[self.number % len(self.batches)])
            self.number += 1
        return time.perf_counter() - began

    def step(self, batch) -> None:
        model, moves = self.model, self.number % self.model.generator_every == 0
        with torch.set_grad_enabled(moves and not self.wasteful):
            fake = model.generate(batch)
        detached = tree_map_only(Tensor, Tensor.detach, fake)
        terms = model.discriminator_loss(batch, detached)
        if not (model.r1 and self.number % model.r1_every):  # R1 is lazy, and without a Trainer it always is due
            terms |= model.discriminator_penalty(batch, detached)
        self.move("discriminator", "generator", terms)
        if not moves:
            return
        if self.wasteful:
            fake = model.generate(batch)
        self.players["discriminator"].requires_grad_(self.wasteful)
        self.move("generator", "discriminator", model.generator_loss(batch, fake))
        if model.generator_ema is not None and not self.tutorial:
            model.generator_ema.update_parameters(model.generator)

    def move(self, player, other, terms) -> None:
        optimizer = self.optimizers[player]
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        self.players[other].requires_grad_(True)
