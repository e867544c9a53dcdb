"""The generator that looks ahead."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Optimizer

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.precision import without_autocast

Network = Callable[[Tensor], Tensor]
Weights = dict[str, Tensor]


class UnrolledGAN(LatentGAN):
    """The generator plays against the discriminator as it will be some steps from now, and knows its own part in that.

    Metz, Poole, Pfau & Sohl-Dickstein 2016, *Unrolled Generative Adversarial Networks*, arXiv:1611.02163.

    The discriminator minimises `L(D, G) = -E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D_K(G(z))`, where
    D_K is what K steps on L make of D.

    The gradient goes through the steps: a generator that crowds a mode feels the discriminator turn against it. The
    steps are those of D's own optimizer, from its present moments at its present rate (`clip_norm` and `r1` do not
    count in them), on the batch at hand, which every device takes for itself. D itself, its buffers and its optimizer
    are left as they are. The steps run in float32 and D must not be compiled, because a gradient is differentiated.

    Good at: keeping modes, steadying the game of weak players. Bad at: cost, since time and memory of the generator's
    turn grow with K.

    Args:
        unrolled_steps: K; 1 to 10 in the paper. 0 is the non-saturating game.
        second_order: let the gradient go through the steps; without it the generator only plays a later discriminator.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``unrolled_steps`` is negative, or the discriminator's optimizer is neither Adam nor plain SGD.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = UnrolledGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), unrolled_steps=2)
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/unrolled_gan.md; configuration: examples/configs/unrolled_gan_mnist.yaml.
    """

    discriminator_norm = "none"

    def __init__(self, *, unrolled_steps: int = 5, second_order: bool = True, **latent: Any) -> None:
        super().__init__(**latent)
        at_least(0, unrolled_steps=unrolled_steps)
        self.unrolled_steps, self.second_order = unrolled_steps, second_order

    def configure_optimizers(self) -> Any:
        """As always, for an optimizer whose steps can be unrolled."""
        optimizers, schedules = super().configure_optimizers()
        if self.unrolled_steps:
            _refuse_unknown(optimizers[1])
        return optimizers, schedules

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake."""
        return self._judge(self.discriminator, batch, fake)

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real by the discriminator of K steps from now."""
        if not self.unrolled_steps:
            return non_saturating_generator(self.discriminator(fake))
        fake, optimizer = without_autocast(fake), self._optimizers()[1].optimizer
        inner = fake if self.second_order else fake.detach()
        with torch.autocast(fake.device.type, enabled=False):

            def loss(network: Network) -> Tensor:
                return torch.stack([*self._judge(network, batch, inner).values()]).sum()

            later = unroll(self.discriminator, optimizer, loss, self.unrolled_steps, self.second_order)
            return non_saturating_generator(later(fake))

    @staticmethod
    def _judge(network: Network, batch: Batch, fake: Fake) -> Terms:
        return minimax_discriminator(network(batch["image"]), network(fake))


def unroll(
    network: nn.Module, optimizer: Optimizer, loss: Callable[[Network], Tensor], steps: int, second_order: bool = True
) -> Network:
    """A network as further steps of its optimizer would make it; network, buffers and optimizer stay untouched.

    Args:
        network: whose parameters are stepped, as far as ``optimizer`` has them.
        optimizer: Adam or plain SGD; where its state is, the steps go on.
        loss: what a step minimises, of the network as it is by then.
        steps: how many.
        second_order: keep the graph of the steps, so that what ``loss`` depends on gets a gradient through them.

    Returns:
        The later network, a function with a graph.
    """
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    named = {name: p for name, p in network.named_parameters() if p in groups}
    weights = {name: p.detach().requires_grad_() for name, p in named.items()}  # the turn has frozen the real ones
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}  # batch norm writes into its own
    rules = {name: _Rule(groups[p], optimizer.state.get(p, {})) for name, p in named.items()}

    def later(image: Tensor) -> Tensor:
        return functional_call(network, {**weights, **buffers}, (image,))

    for _ in range(steps):
        gradients = torch.autograd.grad(
            loss(later), [*weights.values()], create_graph=second_order, allow_unused=True, materialize_grads=True
        )
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            moved = weight + rules[name].move(weight, gradient)
            weights[name] = moved if second_order else moved.detach().requires_grad_()
    return later


class _Rule:
    """How one parameter moves under Adam or plain SGD, out of place and differentiable."""

    def __init__(self, group: dict[str, Any], state: dict[str, Any]) -> None:
        self.group = group
        # by the names that torch.optim.Adam gives them
        self.mean, self.square = state.get("exp_avg", 0.0), state.get("exp_avg_sq", 0.0)
        self.step = state.get("step", torch.zeros(())).double()  # 1 - 0.999^t has four digits left in float32

    def move(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """The change of the weight in one step."""
        if self.group["weight_decay"]:
            gradient = gradient + self.group["weight_decay"] * weight
        if "betas" not in self.group:
            return -self.group["lr"] * gradient
        beta1, beta2 = self.group["betas"]
        self.step = self.step + 1
        self.mean = beta1 * self.mean + (1 - beta1) * gradient
        self.square = beta2 * self.square + (1 - beta2) * gradient.square()
        mean = self.mean / (1 - beta1**self.step).to(gradient.dtype)
        square = self.square / (1 - beta2**self.step).to(gradient.dtype)
        # a weight that never had a gradient has the root of 0, whose slope is infinite
        root = torch.where(square > 0, square, 1.0).sqrt() * (square > 0)
        return -self.group["lr"] * mean / (root + self.group["eps"])


def _refuse_unknown(optimizer: Optimizer) -> None:
    group = optimizer.defaults
    adam = isinstance(optimizer, torch.optim.Adam) and not (group["amsgrad"] or group.get("decoupled_weight_decay"))
    sgd = isinstance(optimizer, SGD) and not group["momentum"]
    if not (adam or sgd) or group["maximize"]:
        raise UsageError(
            "unrolled_steps repeats the steps of the discriminator's optimizer, which can be Adam (not amsgrad) or SGD "
            f"without momentum, got {type(optimizer).__name__}; use lit_gans.optim.Adam, or unrolled_steps=0"
        )
