"""The game whose generator looks ahead."""

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
    """The generator plays against the discriminator of some steps ahead, and differentiates through these steps.

    Metz, Poole, Pfau & Sohl-Dickstein 2016, *Unrolled Generative Adversarial Networks*, arXiv:1611.02163.

    The discriminator minimises `L(D, G) = -E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D_K(G(z))`, where
    D_K is D after K steps on L.

    The gradient goes through the steps: if fakes crowd a mode, the generator is told how the discriminator will answer.
    The steps are those of D's own optimizer, from its present moments and learning rate, without `clip_norm` and `r1`,
    on the present batch, on every device its own. D itself, its buffers and its optimizer do not change. The steps run
    in float32 and not compiled, because a gradient is differentiated.

    Good at: keeping modes, and a steady game of small networks. Bad at: cost: time and memory of the generator's turn
    grow with K.

    Args:
        unrolled_steps: K; 1 to 10 in the paper. 0 is the non-saturating game.
        second_order: whether the gradient goes through the steps; if not, the generator only plays a later
            discriminator.
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
        """The base's, after a check that the discriminator's optimizer can be unrolled."""
        optimizers, schedules = super().configure_optimizers()
        if self.unrolled_steps:
            _refuse_unknown(optimizers[1])
        return optimizers, schedules

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake."""
        return self._judge(self.discriminator, batch, fake)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # as what is compiled has no second derivative
    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real by the discriminator after K more steps."""
        if not self.unrolled_steps:
            return non_saturating_generator(self.discriminator(fake))
        fake, optimizer = without_autocast(fake), self._optimizers()[1].optimizer
        inner = fake if self.second_order else fake.detach()
        with torch.autocast(fake.device.type, enabled=False), torch.compiler.set_stance("force_eager"):

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
    """A network after further steps of its optimizer; network, buffers and optimizer do not change.

    Args:
        network: the network to step; parameters that ``optimizer`` does not have stay as they are.
        optimizer: Adam or plain SGD; the steps go on from its state.
        loss: the loss that a step minimises, a function of the network after the steps so far.
        steps: number of steps.
        second_order: whether to keep the graph of the steps, so that inputs of ``loss`` get a gradient through them.

    Returns:
        The network after the steps, as a function with a graph.
    """
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    named = {name: p for name, p in network.named_parameters() if p in groups}
    weights = {name: p.detach().requires_grad_() for name, p in named.items()}  # new leaves: the real ones are frozen
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}  # batch norm writes into them
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
    """The update rule of one parameter under Adam or plain SGD, out of place and differentiable."""

    def __init__(self, group: dict[str, Any], state: dict[str, Any]) -> None:
        self.group = group
        # under torch.optim.Adam's names
        self.mean, self.square = state.get("exp_avg", 0.0), state.get("exp_avg_sq", 0.0)
        self.step = state.get("step", torch.zeros(())).double()  # float32 would leave four digits of 1 - 0.999^t

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
        # for a weight that has had no gradient the square is 0, where the root has an infinite slope
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
