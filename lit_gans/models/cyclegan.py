"""The game of two domains that must lead back."""

from typing import Any

from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import UnpairedGAN, required
from lit_gans.losses import Terms, least_squares_discriminator, least_squares_generator
from lit_gans.networks import Discriminator, Generator, ImagePool, PatchDiscriminator, ResNetTranslator
from lit_gans.networks.blocks import Norm
from lit_gans.precision import full


class CycleGAN(UnpairedGAN):
    """Two generators translate both ways, and what went there and back must be what it was.

    Zhu, Park, Isola & Efros 2017, *Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*,
    arXiv:1703.10593.

    With generators `F: a -> b` and `G: b -> a`, each discriminator minimises `1/2 E (D(x) - 1)^2 + 1/2 E D(fake)^2`,
    its fakes being partly older ones from a pool. The generators minimise, for validity,
    `validity (E (D_b(F(a)) - 1)^2 + E (D_a(G(b)) - 1)^2)`, for the way back
    `cycle (E |G(F(a)) - a| + E |F(G(b)) - b|)`, and to leave alone what is there already
    `identity cycle (E |F(b) - b| + E |G(a) - a|)`.

    Good at: changing texture and colour between two sets of photographs. Bad at: changing shape; four networks make
    a step dear.

    Args:
        a_to_b: a network from images of domain a to such of b; by default `ResNetTranslator`.
        b_to_a: the other way round.
        judge_a: a network that judges images of domain a; by default `PatchDiscriminator`.
        judge_b: the same of domain b.
        image_shape: (channels, height, width) of domain b; needed by the default networks.
        source_shape: of domain a; by default the same. Only the channels may differ.
        width: channels of the finest hidden maps, for the default networks.
        blocks: residual blocks of the default generators; by default 9 from 256 pixels up and 6 below.
        norm: of the default networks, ``instance`` in the paper. It takes every map's mean away, and with it an image's
            brightness and colour, the more thoroughly the smaller images are; ``layer`` keeps them.
        validity: weight of the discriminators' verdict, 1 in the paper.
        cycle: weight of the way there and back, 10 in the paper.
        identity: weight of leaving alone what is there already, as a share of ``cycle``; 0.5 in the paper, where it is
            used. It needs domains of equally many channels and is 0 for others.
        pool: how many fakes of each domain are kept for the discriminators, 50 in the paper; 0 keeps none.
        translation: arguments of `TranslationGAN`.

    Raises:
        UsageError: if an argument is negative, or ``identity`` meets domains of different channels.

    Examples:
        >>> import torch
        >>> model = CycleGAN(image_shape=(3, 32, 32), source_shape=(1, 32, 32), width=8, blocks=1, identity=0)
        >>> model.translate(torch.zeros(2, 1, 48, 40)).shape
        torch.Size([2, 3, 48, 40])
    """

    generator: nn.ModuleDict
    discriminator: nn.ModuleDict

    def __init__(
        self,
        a_to_b: Generator | None = None,
        b_to_a: Generator | None = None,
        judge_a: Discriminator | None = None,
        judge_b: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        width: int = 64,
        blocks: int | None = None,
        norm: Norm = "instance",
        validity: float = 1.0,
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        **translation: Any,
    ) -> None:
        b = required(image_shape, "generators and discriminators")
        a = source_shape or b
        generators = {
            "a_to_b": ResNetTranslator(b, a, width, blocks, norm) if a_to_b is None else a_to_b,
            "b_to_a": ResNetTranslator(a, b, width, blocks, norm) if b_to_a is None else b_to_a,
        }
        judges = {
            "a": PatchDiscriminator(a, width, norm=norm) if judge_a is None else judge_a,
            "b": PatchDiscriminator(b, width, norm=norm) if judge_b is None else judge_b,
        }
        super().__init__(
            nn.ModuleDict(generators),
            nn.ModuleDict(judges),
            image_shape=image_shape,
            source_shape=source_shape,
            **translation,
        )
        if not finite_from(0, validity, cycle, identity, pool):
            raise UsageError(
                "validity, cycle, identity and pool must not be negative, got "
                f"{validity}, {cycle}, {identity} and {pool}"
            )
        if identity and a[0] != b[0]:
            raise UsageError(
                f"identity compares images of one domain with those of the other, but they have {a[0]} and {b[0]} "
                "channels; set identity to 0"
            )
        self.validity, self.cycle, self.identity = validity, cycle, identity
        self.pool_a, self.pool_b = ImagePool(pool, a), ImagePool(pool, b)

    def generate(self, batch: Batch) -> Fake:
        """A translation of each domain: ``{"a": of batch["b"], "b": of batch["a"]}``."""
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
        """Fakes to 1, the way back to where it began, and nothing changed that is there already."""
        terms: Terms = {}
        for domain, other in (("a", "b"), ("b", "a")):
            back, there = self.generator[f"{other}_to_{domain}"], batch[domain]
            # the loss has a factor 1/2, which the paper's generator does not
            valid = 2 * least_squares_generator(self.discriminator[domain](fake[domain]))["fake"]
            terms[f"validity_{domain}"] = self.validity * valid
            if self.cycle:
                terms[f"cycle_{domain}"] = self.cycle * _distance(back(fake[other]), there)
            if self.cycle * self.identity:
                terms[f"identity_{domain}"] = self.cycle * self.identity * _distance(back(there), there)
        return terms

    def translate(self, images: Tensor, *, direction: str = "AtoB", seed: int | None = None) -> Tensor:
        """What the averaged generators make of images.

        Args:
            images: (N, C, H, W) in [-1, 1], of any height and width.
            direction: ``AtoB`` for images of domain a, ``BtoA`` for such of b.
            seed: makes the noise repeatable, where the generators have any.

        Returns:
            (N, C', H, W) float32 in [-1, 1].

        Raises:
            UsageError: if there is no such direction.
        """
        names = {"AtoB": "a_to_b", "BtoA": "b_to_a"}
        if direction not in names:
            raise UsageError(f"direction must be AtoB or BtoA, got {direction!r}")
        return self._through(lambda generators: generators[names[direction]], images, seed)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Translates a batch both ways and back, and logs ``val/cycle_a`` and ``val/cycle_b``, errors in [-1, 1].

        Returns:
            ``fake`` and ``real`` of domain b, to be compared as sets, and ``shown``, to be looked at side by side.
        """
        batch, seed = self.receive(batch), self.number(batch_idx)
        fake = {
            "b": self.translate(batch["a"], direction="AtoB", seed=seed),
            "a": self.translate(batch["b"], direction="BtoA", seed=seed),
        }
        back = {
            "a": self.translate(fake["b"], direction="BtoA", seed=seed),
            "b": self.translate(fake["a"], direction="AtoB", seed=seed),
        }
        stage = "test" if self.trainer.testing else "val"
        cycles = {f"{stage}/cycle_{domain}": _distance(back[domain], batch[domain]) for domain in ("a", "b")}
        self.log_dict(cycles, batch_size=len(batch["a"]), sync_dist=True)
        names = {"a": batch["a"], "a_to_b": fake["b"], "a_again": back["a"]}
        names |= {"b": batch["b"], "b_to_a": fake["a"], "b_again": back["b"]}
        return {"fake": fake["b"], "real": batch["b"], "shown": names}


def _distance(image: Tensor, other: Tensor) -> Tensor:
    """Mean absolute error, in float32."""
    return (full(image) - full(other)).abs().mean()
