"""Games in which a fake is made from noise and a sentence."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, cast, get_args

import torch
from torch import Tensor, nn

from lit_gans.core.checks import refuse_inputs
from lit_gans.core.first_captions import FirstCaptions, Text, wanted
from lit_gans.core.game import Batch, Fake
from lit_gans.core.sampling import Sampling
from lit_gans.errors import UsageError, at_least, one
from lit_gans.families.latent import LatentGAN
from lit_gans.latents.paths import Mode, draw, path
from lit_gans.networks.base import evaluating
from lit_gans.networks.captions import MatchingDiscriminator, ReadingGenerator, SentenceReader
from lit_gans.networks.exported import ROWS, Exported, FromTokens, FromVectors, Port
from lit_gans.networks.layers import NORMS
from lit_gans.networks.recurrent import RecurrentBackbone
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.networks.wrappers import Conditioning
from lit_gans.text import END, PAD

TextEncoder = Callable[[list[str]], Any]
Negatives = Literal["hard", "any"]


class CaptionGAN(FirstCaptions, LatentGAN):
    """A game in which a fake is made from noise and a sentence: ``generator(noise, condition)``.

    A batch has ``tokens`` (N, T), the captions of its images. Each player has a reader of its own, which turns them
    into a condition (N, text_width): that of the generator learns to tell apart what the discriminator wants told
    apart, that of the discriminator what makes an image wrong for a sentence. The generator's is a part of the
    generator, so of its average too.

    A fake has the sentence of the real image at its place in the batch. A `Fake` is ``{"image": (N, C, H, W), "text":
    (N, text_width)}``, the text as the generator has read it.

    With ``text_encoder`` a frozen network of yours reads instead, say `SentenceTransformers`; the players then learn
    to project its vectors.

    Args:
        text_shape: (length, size of the vocabulary) of the captions; the command line takes it from the data.
        text_encoder: what reads: a kind of network that is trained along, by default a bidirectional GRU of width 64,
            or a frozen module that maps a list of N texts to vectors (N, D).
        conditioning: how the generator is told; ``norm`` is by the gains and shifts of its norm layers, the default if
            it has some, and ``input`` beside its noise, as in the papers.
        text_width: size of a condition where the reader does not say it: for a frozen ``text_encoder``.
        negatives: which wrong sentence a real image gets; ``hard`` is the one of the batch's others that shares most
            words with its own, so that the discriminator has to look at every word, and ``any`` that of the next
            image, as in the papers.
        latent: arguments of `LatentGAN`. A generator of your own is a `ReadingGenerator`, a discriminator a
            `MatchingDiscriminator`, or has the same methods.

    Raises:
        UsageError: if there is no ``text_shape``, a network does not read, or ``negatives`` or ``conditioning`` is
            neither.
    """

    needs: ClassVar[tuple[str, ...]] = ("image", "tokens")
    draws_by_text: ClassVar[bool] = True
    #: the kind of network that reads captions
    default_reader: ClassVar[SequenceBackbone] = RecurrentBackbone(width=64, dropout=0.0)

    text_encoder: nn.Module | None

    def __init__(
        self,
        *,
        text_shape: tuple[int, int] | None = None,
        text_encoder: SequenceBackbone | nn.Module | None = None,
        conditioning: Conditioning | None = None,
        text_width: int = 128,
        negatives: Negatives = "hard",
        **latent: Any,
    ) -> None:
        at_least(1, text_width=text_width)
        if negatives not in get_args(Negatives):
            raise UsageError(f"negatives must be 'hard' or 'any', got {negatives!r}")
        if text_shape is None:
            raise UsageError(
                f"{one(self)} needs text_shape, (length, size of the vocabulary) of the captions; pass it, "
                "or use a data set that has captions, with data.tokens 'words'"
            )
        self.text_width, self.negatives, self._texts = text_width, negatives, tuple(text_shape)
        self.conditioning = conditioning
        self._reading = (text_encoder,)  # a module cannot be an attribute yet
        super().__init__(text_shape=text_shape, **latent)
        self.text_encoder = text_encoder.requires_grad_(False) if isinstance(text_encoder, nn.Module) else None
        self._make_captions(text_shape[0])
        for network, role, inputs in (
            (self.drawing_part, "generator", ("noise (N, latent_dim)", "a condition (N, text_width)")),
            (self.discriminator, "discriminator", ("images (N, C, H, W)", "a condition (N, text_width)")),
        ):
            cure = f"{'ReadingGenerator' if role == 'generator' else 'MatchingDiscriminator'} makes one of yours"
            refuse_inputs(network, role, inputs, f"{cure} that reads")
            if not callable(getattr(network, "read", None)):
                raise UsageError(
                    f"the {role} {type(network).__name__} does not have a method read(tokens), which gives conditions; "
                    f"{cure}, from lit_gans.networks.captions"
                )

    # ---------------------------------------------------------------- networks

    def make_reader(self) -> tuple[nn.Module, int]:
        """A player's reader of what a batch has as ``text``, and the size of its conditions."""
        (given,) = self._reading
        if given is None or isinstance(given, SequenceBackbone):
            length, vocabulary = self._texts
            reader = SentenceReader((given or self.default_reader).encoder(vocabulary, length))
            return reader, reader.size
        if not isinstance(given, nn.Module):
            raise UsageError(
                f"text_encoder must be a kind of network such as RecurrentBackbone(), or a module that maps a list of "
                f"texts to vectors (N, D), got {given!r:.60}"
            )
        project = nn.Linear(_vectors(given, ["a text"]).shape[1], self.text_width)
        return nn.Sequential(project, nn.LayerNorm(self.text_width, elementwise_affine=False)), self.text_width

    def make_generator(self) -> nn.Module:
        """The backbone's generator, which is told the condition."""
        reader, size = self.make_reader()
        generator, conditioning = self.tellable(self.drawing_from, size)
        return ReadingGenerator(reader, generator, size, conditioning)

    def tellable(self, make: Callable[[int], nn.Module], size: int) -> tuple[nn.Module, Conditioning]:
        """A generator that can be told a condition of a size, and how; ``make`` makes one of the size of its input.

        A `ConditionalGenerator` of both refuses what does not go together.
        """
        how = self.conditioning
        if how != "input":
            generator = make(self.noise_size)
            if how is not None or any(isinstance(module, NORMS) for module in generator.modules()):
                return generator, how or "norm"
        return make(self.noise_size + size), "input"

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, whose features are judged together with the condition."""
        reader, size = self.make_reader()
        return MatchingDiscriminator(reader, super().make_discriminator(), size)

    # ---------------------------------------------------------------- the game

    def receive(self, batch: Any) -> Batch:
        """The batch, see `GenerativeModel.receive`, also with ``text``, which the players read.

        That is its ``tokens``, or what a frozen ``text_encoder`` makes of its ``caption``, or of the tokens' text.
        """
        batch = super().receive(batch)
        if self.text_encoder is None:
            return {**batch, "text": batch["tokens"]}
        texts: Any = batch.get("caption")
        texts = self.decode_text(batch["tokens"]) if texts is None else list(texts)
        return {**batch, "text": _vectors(self.text_encoder, texts).to(batch[self.subject])}

    def generate(self, batch: Batch) -> Fake:
        """One fake for every sentence in the batch."""
        self._remember(batch["tokens"])
        text = self.reading_part.read(batch["text"])
        return {"image": self.drawing_part(self.noise_for(batch), text), "text": text}

    @property
    def reading_part(self) -> Any:
        """The generator, which reads sentences."""
        return self.drawing_part

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of images, with the batch's own sentences filled in."""
        text = self.discriminator.read(batch["text"])  # type: ignore[operator]
        return lambda image: self.discriminator(image, text)

    def judged(self, judge: nn.Module, batch: Batch, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The scores (N,) of real images, of real images with a wrong sentence, and of fakes.

        The wrong sentence is another image's of the batch, see ``negatives``. Where it is the same sentence, it is not
        wrong, and the score is so low that no loss asks for less.

        Args:
            judge: the discriminator, a `MatchingDiscriminator`.
            batch: its ``text`` goes with the images.
            real: real images.
            fake: fakes.
        """
        text = cast(MatchingDiscriminator, judge).read(batch["text"])
        if self.negatives == "hard":
            other = nearest_others(batch["tokens"], self._texts[1])
        else:
            other = torch.arange(len(text), device=text.device).roll(1)
        right, wrong = judge(real, text, text[other])
        same = (batch["text"] == batch["text"][other]).all(1)
        return right, wrong.masked_fill(same, -1e4), judge(fake, text)

    # ---------------------------------------------------------------- samples

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        text: Text | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many images; by default 64, or one for each of several texts.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.
            text: a sentence, sentences that take turns, or conditions (n, size), which may be mixtures. By default the
                first captions of training take turns.
            truncation: below 1 images are more typical and less varied: a factor on the distance of the styles from
                their mean where the generator has styles, and on the noise elsewhere.

        Returns:
            (n, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if a text is empty, too long, or has a word that training did not have.
        """
        return self._drawn(n, seed, noise, text, truncation=truncation)

    def _drawn(
        self, n: int | None, seed: int | None, noise: Tensor | None, text: Text | None, **options: Any
    ) -> Tensor:
        n, noise = self.counted(wanted(n, text), noise)
        return self.draw(n, seed, noise, self.conditions(text, n), **options)

    def rows(
        self, n: int, *, seed: int | None = None, noise: Tensor | None = None, text: Text | None = None
    ) -> dict[str, Tensor]:
        """The inputs of n samples, also their conditions (n, size) as ``text``."""
        n, noise = self.counted(n, noise)
        return {**super().rows(n, seed=seed, noise=noise), "text": self.conditions(text, n)}

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The generator with its reader, as a function of noise and tokens, or of a frozen encoder's vectors."""
        image, noise = self.ports_to_draw(to, truncation)
        part, (length, words) = self.exported_part(), self._texts
        if self.text_encoder is None:
            rng = torch.Generator().manual_seed(0)
            rows = torch.randint(END + 1, words, (ROWS, length), generator=rng)
            rows[:, length // 2] = END
            rows[:, length // 2 + 1 :] = PAD
            told = f"the tokens of a sentence, with {END} at its end and {PAD} after it; the vocabulary is in the file"
            tokens = Port("tokens", ("batch", length), told, rows, "int64")
            return FromTokens(part, image, noise, tokens, truncation=truncation)
        rows = _vectors(self.text_encoder, ["a text", "another", "one more", "the last"]).cpu().float()
        told = f"vectors of sentences by {type(self.text_encoder).__name__}, which is not in the file"
        vectors = Port("vectors", ("batch", rows.shape[1]), told, rows)
        return FromVectors(part, image, noise, vectors, truncation=truncation)

    @torch.no_grad()
    def conditions(self, text: Text | None, n: int) -> Tensor:
        """Turns a text, as `sample` takes it, into ``n`` conditions (n, size) of the averaged generator."""
        if isinstance(text, Tensor) and text.is_floating_point():
            if text.ndim != 2 or not len(text):
                raise UsageError(f"conditions of sentences must be (n, size), got {tuple(text.shape)}")
            known = text.to(self.device)
        else:
            told = self._told(self._seen(n) if text is None else text)
            if not len(told):
                raise UsageError("text must be a sentence or several, got none")
            known = self._read(told)
        return known[torch.arange(n, device=known.device) % len(known)]

    def _told(self, text: Text) -> Tensor:
        """What the generator's reader gets for a text: tokens, or the vectors of the frozen encoder."""
        if self.text_encoder is None:
            return text.to(self.device) if isinstance(text, Tensor) else self.encode_text(text)
        if isinstance(text, Tensor):
            text = self.decode_text(text) if "tokens" in self.vocabularies else [""] * len(text)
        return _vectors(self.text_encoder, [text] if isinstance(text, str) else list(text)).to(self._like())

    def _read(self, told: Tensor) -> Tensor:
        network = self.generator if self.generator_ema is None else self.generator_ema.following(self.generator)
        with evaluating(network):
            return cast(Any, self.drawing(network)).read(told).float()

    def _asked(self, batch: Any) -> dict[str, Any]:
        """The texts to draw by, if the batch has them."""
        text = None
        if isinstance(batch, dict):
            text = batch.get("tokens") if self.text_encoder is None else batch.get("caption")
        return {} if text is None else {"text": text}

    def forward(self, noise: Tensor, text: Text | None = None) -> Tensor:
        """Images (N, C, H, W) by the averaged generator in evaluation mode, with a gradient; texts as in `sample`."""
        return super().forward(noise, self.conditions(text, len(noise)))

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Draws one fake for every sentence of the batch, the same ones at every validation."""
        batch = self.receive(batch)
        condition = self._read(batch["text"])
        return {"fake": self.sample(len(condition), seed=self.number(batch_idx), text=condition)}

    def invert(self, images: Tensor, *, text: Text | None = None, **search: Any) -> Any:
        """Finds the noise whose samples are nearest to images, see `Exploring.invert`.

        Args:
            images: (N, C, H, W) in [-1, 1], of the shape that the model draws.
            text: the sentences to draw by, as `sample` takes them.
            search: the other arguments.

        Raises:
            UsageError: if there is no text, or as there.
        """
        if text is None:
            raise UsageError(f"{one(self)} draws by a text: say which, invert(images, text='a red seven')")
        return super().invert(images, label=text, **search)

    def interpolate(
        self,
        n: int = 8,
        steps: int = 10,
        *,
        seed: int | None = None,
        mode: Mode = "spherical",
        label: Any = None,
        text: Text | None = None,
        to: Text | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws what lies between pairs of latent points, or between two sentences.

        Args:
            n: how many rows.
            steps: images from one end to the other, both included.
            seed: makes the draw repeatable.
            mode: between latent points: ``spherical`` turns from one to the other, ``linear`` takes the straight line.
            label: refused, since the model draws by a text.
            text: the sentence of each row, as `sample` takes it.
            to: the sentence that each row ends at, at one latent point; what lies between two conditions is mixed
                linearly. Without it a row goes between two latent points.
            truncation: as in `sample`.

        Returns:
            (n, steps, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if there are fewer than two steps, a label, or a sentence to go to but none to come from.
        """
        Sampling.conditions(self, label, n)
        if to is not None and text is None:
            raise UsageError("interpolate goes from text to to: say where it begins, text='a red seven'")
        size = self._refuse_without_latents("interpolate")
        first = self.conditions(text, n)
        if to is None:
            start, end = draw(2 * n, size, seed).split(n)
            noise, condition = path(start, end, steps, mode).flatten(0, 1), first.repeat_interleave(steps, 0)
        else:
            noise = draw(n, size, seed).repeat_interleave(steps, 0)
            condition = path(first, self.conditions(to, n), steps, "linear").flatten(0, 1)
        return self.sample(noise=noise, text=condition, truncation=truncation).unflatten(0, (n, steps))


def nearest_others(tokens: Tensor, vocabulary: int) -> Tensor:
    """For each text of (N, T) the position (N,) of the other text that shares most tokens with it.

    Examples:
        >>> nearest_others(torch.tensor([[5, 6, 7], [5, 6, 8], [9, 9, 7], [5, 6, 7]]), 10).tolist()
        [1, 0, 0, 1]
    """
    has = torch.zeros(len(tokens), vocabulary, device=tokens.device).scatter_(1, tokens, 1.0)
    same = (tokens[:, None] == tokens[None]).all(2)
    return (has @ has.T).masked_fill(same, -1.0).argmax(1)


def _vectors(encoder: nn.Module, texts: list[str]) -> Tensor:
    """What a frozen encoder makes of texts.

    Raises:
        UsageError: if that is not one vector for each of them.
    """
    with torch.no_grad(), evaluating(encoder):
        vectors = torch.as_tensor(encoder(texts))
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.is_floating_point():
        raise UsageError(
            f"text_encoder must map a list of N texts to vectors (N, D), but {type(encoder).__name__} gave "
            f"{tuple(vectors.shape)} {vectors.dtype} for {len(texts)}"
        )
    return vectors.detach().clone()  # not one of inference mode, which has no gradient
