"""Two terms that keep a discriminator of few images from its own way: LeCam's anchors, and consistency."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.augment.attach import Attached
from lit_gans.augment.pixels import nudge
from lit_gans.errors import UsageError, at_least
from lit_gans.losses import Terms
from lit_gans.penalties import scores_of

Critic = Callable[[Tensor], Tensor]


class Steadying(nn.Module):
    """LeCam's regularisation and balanced consistency, on scores that the game's loss has computed anyway.

    LeCam (Tseng et al. 2021, arXiv:2104.03310, eq. 4): with running means a of the scores of reals and b of those of
    fakes, `E max(0, D(x) - b)^2 + E max(0, a - D(G(z)))^2`, as in the authors' code: neither kind gets far from where
    the other is. On the first batch a and b are that batch's own means.

    Consistency (Zhang et al. 2020, arXiv:1910.12027; on fakes too, bCR, Zhao et al. 2021, arXiv:2002.04724):
    `E (D(x) - D(T x))^2`, where T mirrors half of the images and shifts each by up to 1/8 of its sides. T is applied to
    what the discriminator saw, so that augmentation draws the same for both.

    Args:
        lecam: weight of LeCam's term.
        lecam_decay: share of a and b that a batch keeps.
        consistency: weight of consistency on reals.
        consistency_fake: weight of consistency on fakes.

    Raises:
        UsageError: if a weight is negative, or the decay is not in [0, 1).
    """

    real: Tensor
    fake: Tensor
    batches: Tensor

    def __init__(self, lecam: float, lecam_decay: float, consistency: float, consistency_fake: float) -> None:
        super().__init__()
        at_least(0, lecam=lecam, consistency=consistency, consistency_fake=consistency_fake)
        if not 0 <= lecam_decay < 1:
            raise UsageError(f"lecam_decay must be in [0, 1), the share that a batch keeps, got {lecam_decay}")
        self.lecam, self.lecam_decay, self.weights = lecam, lecam_decay, (consistency, consistency_fake)
        if lecam:
            self.register_buffer("real", torch.zeros(()))
            self.register_buffer("fake", torch.zeros(()))
            self.register_buffer("batches", torch.zeros((), dtype=torch.long))
        self._means: list[Tensor] = []  # of every part of a batch: scores of reals and of fakes
        self._ear: Overheard | None = None
        self._attached: Attached | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.lecam or any(self.weights))

    def attach(self, network: nn.Module, attached: Attached | None) -> None:
        """Listens to a discriminator from now on; ``attached`` is its augmentation."""
        self.detach()
        self._ear, self._attached = Overheard(network), attached

    def detach(self) -> None:
        """Listens no longer."""
        if self._ear is not None:
            self._ear.remove()
        self._ear = self._attached = None

    @contextmanager
    def listening(self, *images: Tensor) -> Iterator[None]:
        """While it lasts, what the discriminator gives for these images is kept for `terms`."""
        if self._ear is None:
            yield
            return
        self._ear.wanted = images
        try:
            yield
        finally:
            self._ear.wanted, self._ear.heard = (), {}

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """The weighted terms ``lecam``, ``consistency`` and ``consistency_fake``, those that are on.

        Args:
            critic: the discriminator as a function of images.
            real: (N, C, H, W).
            fake: (N, C, H, W), without a graph.
        """
        judged = [self._judged(critic, images) for images in (real, fake)]
        terms: Terms = {}
        if self.lecam:
            terms["lecam"] = self.lecam * self._distance(*(scores for _, scores in judged))
        for name, weight, (seen, scores) in zip(("consistency", "consistency_fake"), self.weights, judged, strict=True):
            if weight:
                with self._bare():
                    again = scores_of(critic(nudge(seen)))
                terms[name] = weight * (scores - again).square().mean()
        return terms

    @torch.no_grad()
    def update(self, reduce: Callable[[Tensor], Tensor]) -> Terms:
        """Moves a and b after a step; gives them.

        Args:
            reduce: takes the mean of a tensor over all devices, whose means would otherwise drift apart.
        """
        if not self._means:
            return {}
        new, self._means = reduce(torch.stack(self._means).mean(0)), []
        share = torch.where(self.batches > 0, 1 - self.lecam_decay, 1.0)
        for average, value in zip((self.real, self.fake), new, strict=True):
            average.lerp_(value.to(average.dtype), share.to(average.dtype))
        self.batches += 1
        return {"state/lecam_real": self.real.clone(), "state/lecam_fake": self.fake.clone()}

    def _judged(self, critic: Critic, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the discriminator saw of images, augmented as they may be, and their scores."""
        ear = self._ear
        if ear is None:
            return images, scores_of(critic(images))
        if ear.seen(images) is None:  # the game judges them in one batch with others, say
            scores = scores_of(critic(images))
        else:
            with self._bare(), ear.repeating(images):
                scores = scores_of(critic(images))
        seen = ear.seen(images)
        return images if seen is None else seen, scores

    def _distance(self, real: Tensor, fake: Tensor) -> Tensor:
        means = torch.stack([real.mean(), fake.mean()]).detach()
        self._means.append(means)
        anchors = torch.where(self.batches > 0, torch.stack([self.real, self.fake]).to(means.dtype), means)
        return F.relu(real - anchors[1]).square().mean() + F.relu(anchors[0] - fake).square().mean()

    @contextmanager
    def _bare(self) -> Iterator[None]:
        """While it lasts, the discriminator judges images as they are given."""
        if self._attached is not None:
            self._attached.paused = True
        try:
            yield
        finally:
            if self._attached is not None:
                self._attached.paused = False


class Overheard:
    """Hooks that keep what a network gives for some images, and what of them reached it through other hooks.

    A game's losses call the discriminator themselves; to judge the same images again would cost as much once more.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        #: images to listen for
        self.wanted: tuple[Tensor, ...] = ()
        #: by the identity of images: what reached the network, by place and by name, and what it gave
        self.heard: dict[int, tuple[tuple[Any, ...], dict[str, Any], Any]] = {}
        self._given: Tensor | None = None
        # before other hooks, which change the images; a hook after the pass gets what they made of them
        self._handles = [
            network.register_forward_pre_hook(self._before, prepend=True),
            network.register_forward_hook(self._after, with_kwargs=True),
        ]

    def remove(self) -> None:
        """Removes the hooks."""
        for handle in self._handles:
            handle.remove()

    def seen(self, images: Tensor) -> Tensor | None:
        """What reached the network of images that are wanted; None if it has not judged them."""
        return self.heard[id(images)][0][0] if id(images) in self.heard else None

    @contextmanager
    def repeating(self, images: Tensor) -> Iterator[None]:
        """While it lasts, the network gives at once what it gave for these images.

        So that a game's ``critic`` says which of all that the discriminator gives is the score. Where it asks the
        network for something else than the game's loss did, the network judges once more.
        """
        given, named, judged = self.heard[id(images)]
        own, forward = vars(self.network), self.network.forward  # what is an attribute goes before the class's method
        was_own = "forward" in own

        def answer(image: Tensor, *others: Any, **options: Any) -> Any:
            same = len(others) + 1 == len(given) and options.keys() == named.keys()
            return judged if same else forward(given[0], *others, **options)

        own["forward"] = answer
        try:
            yield
        finally:
            own.pop("forward")
            if was_own:
                own["forward"] = forward

    def _before(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._given = next((images for images in self.wanted if inputs and inputs[0] is images), None)

    def _after(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], judged: Any) -> None:
        if self._given is not None:
            self.heard.setdefault(id(self._given), (inputs, named, judged))
        self._given = None
