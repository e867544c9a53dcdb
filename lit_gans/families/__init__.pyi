"""Every argument of every class by name, for editors. Written by tools/stubs.py, not by hand."""

from abc import ABCMeta
from collections.abc import Sequence
from lightning.pytorch.cli import LRSchedulerCallable
from lightning.pytorch.cli import OptimizerCallable
from lit_gans.core.compiling import Compiled
from lit_gans.core.generative import ImageShape
from lit_gans.families.caption import CaptionGAN as _CaptionGAN
from lit_gans.families.caption import Negatives
from lit_gans.families.label import LabelGAN as _LabelGAN
from lit_gans.families.label import inspect_labels as inspect_labels
from lit_gans.families.label import required_classes as required_classes
from lit_gans.families.label import with_whole_labels as with_whole_labels
from lit_gans.families.label_drawing import LabelDrawing as _LabelDrawing
from lit_gans.families.latent import LatentGAN as _LatentGAN
from lit_gans.families.masking import MaskingModel as _MaskingModel
from lit_gans.families.sequence import Estimator
from lit_gans.families.sequence import SequenceGAN as _SequenceGAN
from lit_gans.families.translating import Translating as Translating
from lit_gans.families.translation import PairedGAN as _PairedGAN
from lit_gans.families.translation import TranslationGAN as _TranslationGAN
from lit_gans.families.translation import UnpairedGAN as _UnpairedGAN
from lit_gans.families.writing import Writing as Writing
from lit_gans.networks.base import Backbone
from lit_gans.networks.base import TranslationBackbone
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.networks.wrappers import Conditioning
from lit_gans.optim import Adam
from lit_gans.optim import TextAdam
from lit_gans.optim import WarmUp
from torch import nn

__all__ = [
    "CaptionGAN",
    "LabelDrawing",
    "LabelGAN",
    "LatentGAN",
    "MaskingModel",
    "PairedGAN",
    "SequenceGAN",
    "Translating",
    "TranslationGAN",
    "UnpairedGAN",
    "Writing",
    "inspect_labels",
    "required_classes",
    "with_whole_labels",
]

class MaskingModel(_MaskingModel, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: SequenceBackbone | None = None,
        masked: float = 0.15,
        hidden: float = 0.85,
        optimizer: OptimizerCallable | str = TextAdam,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = WarmUp,
        clip_norm: float | None = 1.0,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class LatentGAN(_LatentGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        lecam: float = 0.0,
        lecam_decay: float = 0.9,
        consistency: float = 0.0,
        consistency_fake: float = 0.0,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class SequenceGAN(_SequenceGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        start: str | None = None,
        likelihood_steps: int | None = None,
        discriminator_steps: int = 300,
        estimator: Estimator = "policy",
        likelihood: float = 0.0,
        entropy: float = 0.0,
        pace: float = 1.0,
        anneal_steps: int = 2000,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class TranslationGAN(_TranslationGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: TranslationBackbone | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class LabelDrawing(_LabelDrawing, LatentGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        lecam: float = 0.0,
        lecam_decay: float = 0.9,
        consistency: float = 0.0,
        consistency_fake: float = 0.0,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class PairedGAN(_PairedGAN, TranslationGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: TranslationBackbone | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class UnpairedGAN(_UnpairedGAN, TranslationGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        backbone: TranslationBackbone | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class CaptionGAN(_CaptionGAN, LatentGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        text_shape: tuple[int, int] | None = None,
        text_encoder: SequenceBackbone | nn.Module | None = None,
        conditioning: Conditioning | None = None,
        text_width: int = 128,
        negatives: Negatives = "hard",
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        lecam: float = 0.0,
        lecam_decay: float = 0.9,
        consistency: float = 0.0,
        consistency_fake: float = 0.0,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class LabelGAN(_LabelGAN, LabelDrawing, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        num_classes: int | None = None,
        multi_label: bool = False,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        lecam: float = 0.0,
        lecam_decay: float = 0.9,
        consistency: float = 0.0,
        consistency_fake: float = 0.0,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable | str = Adam,
        generator_optimizer: OptimizerCallable | str | None = None,
        discriminator_optimizer: OptimizerCallable | str | None = None,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        discriminator_scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...
