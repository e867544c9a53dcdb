"""The transformer that draws: an image as the rest of a sentence."""

import os
from math import prod
from typing import Any, ClassVar, NoReturn

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from lit_gans import checkpoints
from lit_gans.core.checks import refuse_backbone
from lit_gans.core.first_captions import FirstCaptions, Text, wanted
from lit_gans.core.generative import Batch
from lit_gans.core.image_tokens import ImageTokenizer
from lit_gans.core.joint import JointModel
from lit_gans.errors import UsageError, at_least, finite_from, one
from lit_gans.losses import Terms
from lit_gans.networks import TransformerBackbone
from lit_gans.networks.base import in_parts
from lit_gans.networks.generation import WithoutCache, draw, uniform
from lit_gans.networks.sequences import SequenceBackbone, SequenceDecoder
from lit_gans.optim import TextAdam, WarmUp
from lit_gans.precision import full
from lit_gans.text import BEGIN, END, PAD, padding_mask


class TextToImageTransformer(FirstCaptions, JointModel):
    """Writes an image behind its caption, token by token: the words first, then the codes of a tokenizer.

    The second stage of Ramesh et al. 2021, *Zero-Shot Text-to-Image Generation*, arXiv:2102.12092.

    A line is a caption w of T tokens and the codes c of its image, row by row, from the frozen ``tokenizer``. A decoder
    p, which sees what stands before, minimises
    `a E[-log p(w_t | w_<t)] + (1 - a) E[-log p(c_i | w, c_<i)]`, means over tokens in nats, with a = ``text_weight``.
    Short captions are filled with ``END``. In a share ``text_dropout`` of the lines the caption is empty, so that the
    model can also draw without one; with ``guidance`` s images are drawn by the logits
    `l(no text) + s (l(text) - l(no text))` (Ho & Salimans 2022, arXiv:2207.12598).

    The tokenizer is trained first: ``lit-gans fit --model DiscreteVAE``, whose checkpoint is ``tokenizer``. Its weights
    and arguments go into the checkpoints of this model, which can be loaded without it.

    Good at: sentences that combine what training has never combined; likelihoods. Bad at: speed, one step a code;
    what the tokenizer blurs stays blurred.

    Args:
        tokenizer: a model with codes, such as `DiscreteVAE`, or its checkpoint: a file, the folder of a run, ``last``
            or ``best``. A checkpoint of this model stands for the tokenizer in it.
        backbone: makes the decoder: ``TransformerBackbone(width=128)``, or ``RecurrentBackbone()``.
        text_weight: weight of the words in the loss; the codes have the rest.
        text_dropout: share of the lines that are learned without their caption.
        text_shape: (length, size of the vocabulary) of the captions; the command line takes it from the data.
        image_shape: by default that of the tokenizer; the command line takes it from the data, and they must agree.
        optimizer: Adam with learning rate 2e-3 and betas (0.9, 0.98), see `TextAdam`.
        scheduler: a rise over 400 batches and a fall with the root of their number, see `WarmUp`.
        clip_norm: as in `GenerativeModel`.
        joint: other arguments of `JointModel`: ema_decay and columns.

    Raises:
        UsageError: if the tokenizer is none, or is for other images, there is no ``text_shape``, or a number is out of
            range.

    Examples:
        >>> from lit_gans import DiscreteVAE
        >>> tokenizer = DiscreteVAE(image_shape=(3, 16, 16), codes=8, width=8)
        >>> backbone = TransformerBackbone(width=16, layers=1, heads=2)
        >>> model = TextToImageTransformer(tokenizer=tokenizer, text_shape=(6, 20), backbone=backbone)
        >>> model.sample(2, seed=0, text=torch.tensor([[5, 6, 7, 2]]), top_k=4).shape
        torch.Size([2, 3, 16, 16])

    Card: docs/models/text_to_image_transformer.md; configuration: examples/configs/text_to_image_glyphs.yaml.
    """

    needs: ClassVar[tuple[str, ...]] = ("image", "tokens")
    draws: ClassVar[bool] = True
    draws_by_text: ClassVar[bool] = True
    default_backbone: ClassVar[SequenceBackbone] = TransformerBackbone(width=128, layers=4, heads=4, dropout=0.1)

    def __init__(
        self,
        *,
        tokenizer: str | os.PathLike[str] | ImageTokenizer | None = None,
        backbone: SequenceBackbone | None = None,
        text_weight: float = 1 / 8,
        text_dropout: float = 0.1,
        text_shape: tuple[int, int] | None = None,
        image_shape: tuple[int, ...] | None = None,
        optimizer: OptimizerCallable = TextAdam,
        scheduler: LRSchedulerCallable | None = WarmUp,
        clip_norm: float | None = 1.0,
        **joint: Any,
    ) -> None:
        opened = _opened(tokenizer)
        super().__init__(
            text_shape=_known(text_shape, type(self).__name__),
            image_shape=_alike(image_shape, opened),
            optimizer=optimizer,
            scheduler=scheduler,
            clip_norm=clip_norm,
            **joint,
        )
        refuse_backbone(self, backbone, SequenceBackbone)
        for name, share in (("text_weight", text_weight), ("text_dropout", text_dropout)):
            if not finite_from(0, share) or share >= 1:
                raise UsageError(f"{name} must be a share from 0 to below 1, got {share}")
        self._backbone, self.text_weight, self.text_dropout = backbone, text_weight, text_dropout
        self.tokenizer = opened.requires_grad_(False)
        self._hold_tokenizer()
        places, words = prod(opened.grid), self.text_shape[1]  # type: ignore[index]
        self.words, self.places = words, places
        self.set_generator(self.backbone.decoder(words + opened.codes, self.length + places))
        self._make_captions(self.length)

    def _hold_tokenizer(self) -> None:
        """Makes the tokenizer's own call the argument that a checkpoint repeats, in place of a path or an object."""
        self.hparams["tokenizer"] = checkpoints.plain("tokenizer", self.tokenizer)
        self.given_networks.pop("tokenizer", None)

    @property
    def backbone(self) -> SequenceBackbone:
        """The backbone of the decoder: the one that was given, else a Transformer."""
        return self.default_backbone if self._backbone is None else self._backbone

    @property
    def length(self) -> int:
        """The tokens of a caption in a line."""
        return int(self.longest() or 0)

    # ---------------------------------------------------------------- lines of words and codes

    def filled(self, tokens: Tensor) -> Tensor:
        """Captions (N, t) as the words of a line (N, T), with ``END`` in place of filling.

        Raises:
            UsageError: if one is longer than T.
        """
        if tokens.shape[1] > self.length and bool(tokens[:, self.length :].any()):
            raise UsageError(
                f"this {type(self).__name__} was made for captions of {self.length} tokens with their end, but one has "
                f"{int(padding_mask(tokens).sum(1).max())}; shorten it, or make the model with a greater text_shape"
            )
        tokens = F.pad(tokens[:, : self.length], (0, max(0, self.length - tokens.shape[1])), value=PAD)
        return tokens.masked_fill(tokens == PAD, END)

    @torch.no_grad()
    def codes_of(self, images: Tensor) -> Tensor:
        """The codes (N, places) of images, row by row, without autocast: as they are when images are encoded alone."""
        with torch.autocast(images.device.type, enabled=False):
            return self.tokenizer.codes_of(images.to(self.tokenizer.dtype)).flatten(1)

    def negative_log_likelihoods(self, decoder: nn.Module, words: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the log-probabilities in nats of words (N, T) and of codes (N, places), each given what is before."""
        line = torch.cat([torch.full_like(words[:, :1], BEGIN), words, codes + self.words], 1)
        logits = full(decoder(line[:, :-1]))  # (N, T + places, words + codes)
        told, drawn = logits[:, : self.length, : self.words], logits[:, self.length :, self.words :]
        return (
            F.cross_entropy(told.transpose(1, 2), words, reduction="none"),
            F.cross_entropy(drawn.transpose(1, 2), codes, reduction="none"),
        )

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch) -> Terms:
        """Minus the log-likelihood of words and of codes, weighted; a dropped caption is not learned."""
        tokens, codes = batch["tokens"], self.codes_of(batch["image"])
        self._remember(tokens)
        words, kept = self.filled(tokens), self._kept(tokens)
        dropped = torch.rand(len(words), 1, device=words.device) < self.text_dropout
        of_words, of_codes = self.negative_log_likelihoods(
            self.generator, torch.where(dropped, torch.full_like(words, END), words), codes
        )
        counted = kept & ~dropped
        return {
            "text": self.text_weight * (of_words * counted).sum() / counted.sum().clamp(min=1),
            "image": (1 - self.text_weight) * of_codes.mean(),
        }

    def _kept(self, tokens: Tensor) -> Tensor:
        """Whether each word of a line (N, T) is one of the caption, and not filling."""
        mask = padding_mask(tokens)[:, : self.length]
        return F.pad(mask, (0, self.length - mask.shape[1]), value=False)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs ``val/text_nll``, nats a caption, and ``val/image_nll``, nats a code; draws the captions' images.

        Returns:
            One sample for each caption of the batch as ``fake``, the same ones at every validation.
        """
        batch = self.receive(batch)
        tokens, codes = batch["tokens"], self.codes_of(batch["image"])
        with torch.no_grad(), self.inference_generator() as decoder:
            of_words, of_codes = self.negative_log_likelihoods(decoder, self.filled(tokens), codes)
        values = {"text_nll": (of_words * self._kept(tokens)).sum(1).mean(), "image_nll": of_codes.mean()}
        named = {f"{self.stage_name}/{name}": value for name, value in values.items()}
        self.log_dict(named, batch_size=len(tokens), sync_dist=True)
        return {"fake": self.sample(len(tokens), seed=self.number(batch_idx), text=tokens)}

    # ---------------------------------------------------------------- samples

    def draw_noise(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Numbers (n, places) in [0, 1), each of which chooses a code."""
        return torch.rand(n, self.places, generator=rng)

    @torch.no_grad()
    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        text: Text | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        guidance: float = 1.0,
        cache: bool = True,
    ) -> Tensor:
        """Draws images from the averaged decoder (the plain one if ``ema_decay=0``).

        Args:
            n: how many images; by default 64, or one for each of several texts.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, places) numbers in [0, 1) to use in place of a draw; ``n`` and ``seed`` are then ignored.
            text: a sentence, sentences that take turns, or tokens (n, t). By default the first captions of training
                take turns.
            temperature: divides the logits: below 1 images are likelier and less varied; 0 takes the likeliest codes.
            top_k: how many of the likeliest codes may be drawn; by default all.
            guidance: how much more than the model says the text counts; 1 is the model's own distribution, 0 is without
                the text.
            cache: whether keys and values are kept from one code to the next; without it all are computed anew.

        Returns:
            (n, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if a text is empty, too long, or has a word that training did not have, or a number is out of
                range.
        """
        at_least(0, temperature=temperature, guidance=guidance)
        at_least(1, top_k=top_k)
        noise = self._noise(wanted(n, text), seed, noise)
        told = self.conditions(text, len(noise))
        none = torch.full_like(told[:1], END)

        def images(noise: Tensor, rows: Tensor) -> Tensor:
            words = told[rows.long()]
            prefix = words if guidance == 1 else torch.cat([words, none.expand_as(words)])
            lead = torch.zeros(len(words), self.length)  # numbers for the words, which are given
            written = draw(
                decoder if cache else WithoutCache(decoder),
                torch.cat([lead, noise.cpu()], 1),
                temperature=temperature,
                top_k=top_k,
                prefix=prefix,
                guide=None if guidance == 1 else lambda logits: _guided(logits, guidance),
                never=range(self.words),
                end=None,
            )
            codes = written[:, self.length :] - self.words
            return self.tokenizer.image_of(codes.unflatten(1, self.tokenizer.grid))

        with self.inference_generator() as generator:
            decoder: SequenceDecoder = generator  # type: ignore[assignment]
            like = torch.empty(0, device=self.device)  # the numbers of rows would not survive few bits
            return in_parts(images, noise, torch.arange(len(noise)), like=like)

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> NoReturn:
        """Refused: an image is written code by code."""
        self.refuse_export("draws an image in a loop over its codes")

    def rows(
        self, n: int, *, seed: int | None = None, noise: Tensor | None = None, text: Text | None = None
    ) -> dict[str, Tensor]:
        """The inputs of n samples: noise (n, places), and as ``text`` the tokens of their captions."""
        noise = self._noise(n, seed, noise)
        return {"noise": noise, "text": self.conditions(text, len(noise))}

    def _noise(self, n: int, seed: int | None, noise: Tensor | None) -> Tensor:
        """The numbers that were given, or those of a draw."""
        if noise is None:
            self.counted(n, None)
            return uniform(n, self.places, seed)
        noise = torch.as_tensor(noise)
        if noise.ndim != 2 or noise.shape[1] != self.places or not noise.is_floating_point():
            raise UsageError(
                f"noise for this {type(self).__name__} is a number in [0, 1) for each of {self.places} codes, (n, "
                f"{self.places}), got {tuple(noise.shape)}"
            )
        return noise

    def conditions(self, text: Text | None, n: int) -> Tensor:
        """Turns a text, as `sample` takes it, into the words (n, T) of n lines."""
        text = self._seen(n) if text is None else text
        tokens = text.to(self.device) if isinstance(text, Tensor) else self.encode_text(text)
        if tokens.is_floating_point() or tokens.ndim != 2 or not len(tokens):
            raise UsageError(f"the tokens of texts are whole numbers (n, length), got {tuple(tokens.shape)}")
        words = self.filled(tokens)
        return words[torch.arange(n, device=words.device) % len(words)]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Draws an image for every caption of the batch."""
        tokens = self.receive(batch)["tokens"]
        return self.sample(len(tokens), seed=self.number(batch_idx), text=tokens)


def _guided(logits: Tensor, guidance: float) -> Tensor:
    """Logits (n, ...) from those with a text and those without one, (2 n, ...)."""
    told, none = logits.chunk(2)
    return none + guidance * (told - none)


def _opened(given: Any) -> ImageTokenizer:
    """A tokenizer of its own for a model, from another one or from a checkpoint.

    Raises:
        UsageError: if that is none.
    """
    if given is None:
        raise UsageError(
            "a TextToImageTransformer needs tokenizer, the checkpoint of a model that turns images into codes; train "
            "one by 'lit-gans fit --model DiscreteVAE' on the same images, then --model.tokenizer takes its run"
        )
    where = f"{given} holds" if isinstance(given, (str, os.PathLike)) else "tokenizer is"
    model = checkpoints.load(given) if isinstance(given, (str, os.PathLike)) else given
    if isinstance(model, TextToImageTransformer):
        model = model.tokenizer
    if not isinstance(model, ImageTokenizer):
        raise UsageError(
            f"a TextToImageTransformer needs the checkpoint of a model that turns images into codes, such as "
            f"DiscreteVAE, but {where} {one(model)}; train one by 'lit-gans fit --model DiscreteVAE'"
        )
    if model is not given:
        return model
    own = checkpoints.build(checkpoints.plain("tokenizer", model))  # freezing it must not freeze the user's
    own.load_state_dict(model.state_dict())
    return own


def _known(text_shape: tuple[int, int] | None, name: str) -> tuple[int, int]:
    if text_shape is None:
        raise UsageError(
            f"a {name} needs text_shape, (length, size of the vocabulary) of the captions; pass it, or use a data set "
            "that has captions, with data.tokens 'words'"
        )
    return text_shape


def _alike(image_shape: tuple[int, ...] | None, tokenizer: ImageTokenizer) -> tuple[int, ...]:
    """The shape of the images, which the tokenizer was made for."""
    if image_shape is not None and tuple(image_shape) != tuple(tokenizer.shape):
        raise UsageError(
            f"the tokenizer was trained on images of shape {tuple(tokenizer.shape)}, but the data has "
            f"{tuple(image_shape)}; use the data that it was trained on, or train another tokenizer"
        )
    return tuple(tokenizer.shape)
