"""The game of two domains with a translation back."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import UnpairedGAN
from lit_gans.losses import Terms, least_squares_discriminator, least_squares_generator
from lit_gans.precision import full

_TOGETHER = 64 * 64  # pixels of a batch up to which two passes are measurably faster as one


class CycleGAN(UnpairedGAN):
    """Two generators translate both ways, and an image that is translated there and back must be the same again.

    Zhu, Park, Isola & Efros 2017, *Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*,
    arXiv:1703.10593.

    With generators `F: a -> b` and `G: b -> a`, each discriminator minimises `1/2 E (D(x) - 1)^2 + 1/2 E D(fake)^2`,
    where some fakes are older ones from a pool. The generators minimise, for validity,
    `validity (E (D_b(F(a)) - 1)^2 + E (D_a(G(b)) - 1)^2)`, for the way back
    `cycle (E |G(F(a)) - a| + E |F(G(b)) - b|)`, and to keep images that are in the right domain already
    `identity cycle (E |F(b) - b| + E |G(a) - a|)`.

    Good at: changing texture and colour between two sets of photographs. Bad at: changing shape, and the price of a
    step, which trains four networks.

    Generators of your own are an ``nn.ModuleDict`` of ``a_to_b`` and ``b_to_a``, discriminators one of ``a`` and ``b``.
    The paper's instance norm removes the mean of every map, and with it brightness and colour of an image, above all of
    a small one; the backbone's ``norm="layer"`` keeps them.

    The way back and the identity of a domain go through one generator. Up to 64x64 pixels in a batch (one image of that
    size, four of 32x32) they go as one batch, which is 1.1 to 1.5 times as fast; above, and where batch norm
    or spectral norm would notice, one after the other. The losses are the same.

    Args:
        validity: weight of the adversarial terms, 1 in the paper.
        cycle: weight of the errors there and back, 10 in the paper.
        identity: weight of the change to images that are in the right domain already, as a share of ``cycle``; 0.5 in
            the paper, for some tasks. It needs domains of equally many channels; set it to 0 for others.
        pool: number of older fakes of each domain that are kept for the discriminators, 50 in the paper; 0 keeps none.
        translation: arguments of `UnpairedGAN`.

    Raises:
        UsageError: if an argument is negative, or ``identity`` meets domains of different channels.

    Examples:
        >>> from lit_gans.networks import ResNetTranslation
        >>> backbone = ResNetTranslation(width=8, blocks=1)
        >>> model = CycleGAN(image_shape=(3, 32, 32), source_shape=(1, 32, 32), backbone=backbone, identity=0)
        >>> model.translate(torch.zeros(2, 1, 48, 40)).shape
        torch.Size([2, 3, 48, 40])

    Card: docs/models/cyclegan.md; configuration: examples/configs/cyclegan_horse2zebra.yaml.
    """

    domains = ("b", "a")
    scores_have_zero = False
    generator: nn.ModuleDict
    discriminator: nn.ModuleDict

    def __init__(
        self,
        *,
        validity: float = 1.0,
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        **translation: Any,
    ) -> None:
        at_least(0, validity=validity, cycle=cycle, identity=identity, pool=pool)
        super().__init__(**translation)
        if identity:
            self.refuse_unlike_channels("identity")
        self.validity, self.cycle, self.identity = validity, cycle, identity
        # batch norm mixes the images of a batch, and spectral norm is one step further after every pass
        self._apart = any(isinstance(m, _BatchNorm) or [*m.buffers()] for m in self.generator.modules())
        self.pool_a, self.pool_b = ImagePool(pool, self.source), ImagePool(pool, self.shape)

    def make_generator(self) -> nn.Module:
        """One generator for each way."""
        a, b = self.source, self.shape
        return nn.ModuleDict({"a_to_b": self.backbone.generator(b, a), "b_to_a": self.backbone.generator(a, b)})

    def make_discriminator(self) -> nn.Module:
        """One discriminator for each domain."""
        shapes = {"a": self.source, "b": self.shape}
        return nn.ModuleDict({domain: self.backbone.discriminator(shape) for domain, shape in shapes.items()})

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator of domain b; `discriminator_penalty` is on that of domain a too."""
        return self.discriminator["b"]

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """R1 of both discriminators, on the batches that it is due on."""
        if not self.r1 or not self.is_due(self.r1_every):
            return {}
        weight = self.r1 / 2 * self.r1_every
        return {f"r1_{d}": weight * self.slope(self.discriminator[d], batch[d]) for d in ("a", "b")}

    def generate(self, batch: Batch) -> Fake:
        """Translates both ways: ``{"a": from batch["b"], "b": from batch["a"]}``."""
        return {"a": self.generator["b_to_a"](batch["b"]), "b": self.generator["a_to_b"](batch["a"])}

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Each domain's reals to 1, its fakes from the pool to 0."""
        terms: Terms = {}
        for domain, pool in (("a", self.pool_a), ("b", self.pool_b)):
            judge = self.discriminator[domain]
            pair = least_squares_discriminator(judge(batch[domain]), judge(pool(fake[domain])))
            terms |= {f"{name}_{domain}": term for name, term in pair.items()}
        return terms

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Fakes to 1, translations there and back to the image itself, and images of the right domain unchanged."""
        terms: Terms = {}
        for domain, other in (("a", "b"), ("b", "a")):
            back, there = self.generator[f"{other}_to_{domain}"], batch[domain]
            # the loss has a factor 1/2, which the paper's generator does not
            valid = 2 * least_squares_generator(self.discriminator[domain](fake[domain]))["fake"]
            terms[f"validity_{domain}"] = self.validity * valid
            if self.cycle:
                again, *same = self._translated(back, [fake[other], there] if self.identity else [fake[other]])
                terms[f"cycle_{domain}"] = self.cycle * _distance(again, there)
                if same:
                    terms[f"identity_{domain}"] = self.cycle * self.identity * _distance(same[0], there)
        return terms

    def _translated(self, generator: nn.Module, images: list[Tensor]) -> Iterable[Tensor]:
        """Translations of several batches, by one pass where images are small and no image changes another's."""
        if self._apart or len(images) == 1 or images[0][:, 0].numel() > _TOGETHER:
            return map(generator, images)
        return generator(torch.cat(images)).split([len(part) for part in images])

    def towards(self, generator: Any, to: str) -> nn.Module:
        """The network that translates images of the other domain to this one."""
        return generator[{"a": "b_to_a", "b": "a_to_b"}[to]]

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Translates a batch both ways and back, and logs ``val/cycle_a`` and ``val/cycle_b``, errors in [-1, 1].

        Returns:
            ``fake`` and ``real`` of domain b, which metrics compare as sets, and ``shown``, for pictures side by side.
        """
        batch, seed = self.receive(batch), self.number(batch_idx)
        fake = {to: self.translate(batch[other], to=to, seed=seed) for to, other in (("b", "a"), ("a", "b"))}
        back = {to: self.translate(fake[other], to=to, seed=seed) for to, other in (("a", "b"), ("b", "a"))}
        cycles = {f"{self.stage_name}/cycle_{domain}": _distance(back[domain], batch[domain]) for domain in ("a", "b")}
        self.log_dict(cycles, batch_size=len(batch["a"]), sync_dist=True)
        names = {"a": batch["a"], "a_to_b": fake["b"], "a_again": back["a"]}
        names |= {"b": batch["b"], "b_to_a": fake["a"], "b_again": back["b"]}
        return {"fake": fake["b"], "real": batch["b"], "shown": names}


def _distance(image: Tensor, other: Tensor) -> Tensor:
    """Mean absolute error, in float32."""
    return (full(image) - full(other)).abs().mean()


class ImagePool(nn.Module):
    """Mixes older fakes among the new ones, so that a discriminator does not forget them.

    Shrivastava et al. 2016, arXiv:1612.07828: until the pool is full, every fake is kept and returned. From then on
    each fake is either returned, or with probability 1/2 takes the place of a random kept one, which is returned
    instead. The images are part of a checkpoint.

    Args:
        size: number of fakes that are kept; 0 returns all fakes as they are.
        image_shape: (channels, height, width) of the fakes.
    """

    images: Tensor
    kept: Tensor
    #: every device keeps fakes of its own, and a checkpoint all of them
    each_device_its_own = True

    def __init__(self, size: int, image_shape: Sequence[int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, *image_shape))
        self.register_buffer("kept", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fakes: Tensor) -> Tensor:
        """(N, C, H, W) to as many fakes, some of which may be older ones."""
        if not self.size:
            return fakes
        given = []
        kept = int(self.kept)  # waits for the device, once a batch: whether the pool is full decides what is drawn
        for fake in fakes.detach():
            if kept < self.size:
                self.images[kept] = fake
                kept += 1
                given.append(fake)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                given.append(self.images[place].to(fake.dtype, copy=True))
                self.images[place] = fake
            else:
                given.append(fake)
        self.kept.fill_(kept)
        return torch.stack(given)
