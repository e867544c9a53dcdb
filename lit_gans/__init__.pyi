"""Every argument of every class by name, for editors. Written by tools/stubs.py, not by hand."""

from abc import ABCMeta
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import timedelta
from lightning.fabric.utilities.types import _PATH
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LRSchedulerCallable
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import _PLUGIN_INPUT
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.trainer.connectors.accelerator_connector import _LITERAL_WARN
from lightning.pytorch.trainer.connectors.accelerator_connector import _PRECISION_INPUT
from lit_gans.checkpoints import load as load
from lit_gans.checkpoints import save as save
from lit_gans.checkpoints import take as take
from lit_gans.cli.own import CLI as CLI
from lit_gans.core.compiling import Compiled
from lit_gans.core.encoder_decoder import EncoderDecoder as _EncoderDecoder
from lit_gans.core.encoder_decoder import Likelihood
from lit_gans.core.game import BaseGAN as _BaseGAN
from lit_gans.core.generative import GenerativeModel as GenerativeModel
from lit_gans.core.generative import ImageShape
from lit_gans.core.joint import JointModel as _JointModel
from lit_gans.data import Apple2Orange as Apple2Orange
from lit_gans.data import CIFAR10 as CIFAR10
from lit_gans.data import CaptionedGlyphs as CaptionedGlyphs
from lit_gans.data import Captions as Captions
from lit_gans.data import CelebA as CelebA
from lit_gans.data import Cezanne2Photo as Cezanne2Photo
from lit_gans.data import Cityscapes as Cityscapes
from lit_gans.data import ColouredGlyphs as ColouredGlyphs
from lit_gans.data import Edges2Handbags as Edges2Handbags
from lit_gans.data import Edges2Shoes as Edges2Shoes
from lit_gans.data import Facades as Facades
from lit_gans.data import FashionMNIST as FashionMNIST
from lit_gans.data import Gaussians as Gaussians
from lit_gans.data import Glyphs as Glyphs
from lit_gans.data import GrammarLines as GrammarLines
from lit_gans.data import Horse2Zebra as Horse2Zebra
from lit_gans.data import ImageFolder as ImageFolder
from lit_gans.data import LSUN as LSUN
from lit_gans.data import MNIST as MNIST
from lit_gans.data import Maps as Maps
from lit_gans.data import Monet2Photo as Monet2Photo
from lit_gans.data import Night2Day as Night2Day
from lit_gans.data import NumberPairs as NumberPairs
from lit_gans.data import OracleLines as OracleLines
from lit_gans.data import Paired as Paired
from lit_gans.data import PairedGlyphs as PairedGlyphs
from lit_gans.data import Phone2DSLR as Phone2DSLR
from lit_gans.data import SVHN as SVHN
from lit_gans.data import SVHN2MNIST as SVHN2MNIST
from lit_gans.data import Shards as Shards
from lit_gans.data import StackedMNIST as StackedMNIST
from lit_gans.data import Summer2Winter as Summer2Winter
from lit_gans.data import TextLines as TextLines
from lit_gans.data import TextPairs as TextPairs
from lit_gans.data import Ukiyoe2Photo as Ukiyoe2Photo
from lit_gans.data import Unpaired as Unpaired
from lit_gans.data import UnpairedGlyphs as UnpairedGlyphs
from lit_gans.data import VanGogh2Photo as VanGogh2Photo
from lit_gans.errors import UsageError as UsageError
from lit_gans.exports import export as export
from lit_gans.exports import push_to_hub as push_to_hub
from lit_gans.families import CaptionGAN as CaptionGAN
from lit_gans.families import LabelGAN as LabelGAN
from lit_gans.families import LatentGAN as LatentGAN
from lit_gans.families import PairedGAN as PairedGAN
from lit_gans.families import SequenceGAN as SequenceGAN
from lit_gans.families import UnpairedGAN as UnpairedGAN
from lit_gans.models import ACGAN as ACGAN
from lit_gans.models import AutoEncoder as AutoEncoder
from lit_gans.models import BEGAN as BEGAN
from lit_gans.models import CGAN as CGAN
from lit_gans.models import CUT as CUT
from lit_gans.models import Colorizer as Colorizer
from lit_gans.models import CycleGAN as CycleGAN
from lit_gans.models import DCGAN as DCGAN
from lit_gans.models import DFGAN as DFGAN
from lit_gans.models import DRAGAN as DRAGAN
from lit_gans.models import DiscreteVAE as DiscreteVAE
from lit_gans.models import EBGAN as EBGAN
from lit_gans.models import ELECTRA as ELECTRA
from lit_gans.models import FastGAN as FastGAN
from lit_gans.models import GAN as GAN
from lit_gans.models import GANCLS as GANCLS
from lit_gans.models import HingeGAN as HingeGAN
from lit_gans.models import InfoGAN as InfoGAN
from lit_gans.models import LSGAN as LSGAN
from lit_gans.models import LanguageModel as LanguageModel
from lit_gans.models import MaskedLM as MaskedLM
from lit_gans.models import PacGAN as PacGAN
from lit_gans.models import Pix2Pix as Pix2Pix
from lit_gans.models import ProjectedGAN as ProjectedGAN
from lit_gans.models import ProjectionGAN as ProjectionGAN
from lit_gans.models import R3GAN as R3GAN
from lit_gans.models import RelativisticGAN as RelativisticGAN
from lit_gans.models import SAGAN as SAGAN
from lit_gans.models import SGAN as SGAN
from lit_gans.models import SNGAN as SNGAN
from lit_gans.models import Seq2Seq as Seq2Seq
from lit_gans.models import Seq2SeqGAN as Seq2SeqGAN
from lit_gans.models import SeqGAN as SeqGAN
from lit_gans.models import StackGAN as StackGAN
from lit_gans.models import StyleGAN2 as StyleGAN2
from lit_gans.models import TextToImageTransformer as TextToImageTransformer
from lit_gans.models import UnrolledGAN as UnrolledGAN
from lit_gans.models import VAE as VAE
from lit_gans.models import WGAN as WGAN
from lit_gans.models import WGANGP as WGANGP
from lit_gans.models import WeightNormGAN as WeightNormGAN
from lit_gans.models.references import citation as citation
from lit_gans.networks.alone import load_generator as load_generator
from lit_gans.networks.base import Backbone
from lit_gans.optim import Adam
from lit_gans.training import fit as fit
from lit_gans.training import score as score
from lit_gans.training.trainer import Trainer as _Trainer
from torch import nn
from typing import Optional
from typing import Union

__version__: str
_HOME: dict[str, str]

__all__ = [
    "__version__",
    "GenerativeModel",
    "BaseGAN",
    "CaptionGAN",
    "LabelGAN",
    "LatentGAN",
    "PairedGAN",
    "SequenceGAN",
    "UnpairedGAN",
    "JointModel",
    "EncoderDecoder",
    "load",
    "save",
    "take",
    "load_generator",
    "export",
    "push_to_hub",
    "Trainer",
    "fit",
    "score",
    "UsageError",
    "CLI",
    "citation",
    "ACGAN",
    "AutoEncoder",
    "BEGAN",
    "CGAN",
    "Colorizer",
    "CUT",
    "CycleGAN",
    "DCGAN",
    "DFGAN",
    "DiscreteVAE",
    "DRAGAN",
    "EBGAN",
    "ELECTRA",
    "FastGAN",
    "GAN",
    "GANCLS",
    "HingeGAN",
    "InfoGAN",
    "LanguageModel",
    "LSGAN",
    "MaskedLM",
    "PacGAN",
    "Pix2Pix",
    "ProjectedGAN",
    "ProjectionGAN",
    "R3GAN",
    "RelativisticGAN",
    "SAGAN",
    "Seq2Seq",
    "Seq2SeqGAN",
    "SeqGAN",
    "SGAN",
    "SNGAN",
    "StackGAN",
    "StyleGAN2",
    "TextToImageTransformer",
    "UnrolledGAN",
    "VAE",
    "WeightNormGAN",
    "WGAN",
    "WGANGP",
    "Apple2Orange",
    "CaptionedGlyphs",
    "Captions",
    "CelebA",
    "Cezanne2Photo",
    "CIFAR10",
    "Cityscapes",
    "ColouredGlyphs",
    "Edges2Handbags",
    "Edges2Shoes",
    "Facades",
    "FashionMNIST",
    "Gaussians",
    "Glyphs",
    "GrammarLines",
    "Horse2Zebra",
    "ImageFolder",
    "LSUN",
    "Maps",
    "MNIST",
    "Monet2Photo",
    "Night2Day",
    "NumberPairs",
    "OracleLines",
    "Paired",
    "PairedGlyphs",
    "Phone2DSLR",
    "Shards",
    "StackedMNIST",
    "Summer2Winter",
    "SVHN",
    "SVHN2MNIST",
    "TextLines",
    "TextPairs",
    "Ukiyoe2Photo",
    "Unpaired",
    "UnpairedGlyphs",
    "VanGogh2Photo",
]

class Trainer(_Trainer):
    def __init__(
        self,
        *,
        scores: bool = True,
        pictures: bool = True,
        checkpoints: bool = True,
        folder: bool = True,
        monitor: bool = True,
        report: bool = True,
        seed: int | None = 0,
        logger: Logger | str | type[Logger] | Iterable[Logger | str | type[Logger]] | bool | None = True,
        accelerator: Union[str, Accelerator] = "auto",
        strategy: Union[str, Strategy] = "auto",
        devices: Union[list[int], str, int] = "auto",
        num_nodes: int = 1,
        precision: Optional[_PRECISION_INPUT] = None,
        callbacks: Optional[Union[list[Callback], Callback]] = None,
        fast_dev_run: Union[int, bool] = False,
        max_epochs: Optional[int] = None,
        min_epochs: Optional[int] = None,
        max_steps: int = -1,
        min_steps: Optional[int] = None,
        max_time: Optional[Union[str, timedelta, dict[str, int]]] = None,
        limit_train_batches: Optional[Union[int, float]] = None,
        limit_val_batches: Optional[Union[int, float]] = None,
        limit_test_batches: Optional[Union[int, float]] = None,
        limit_predict_batches: Optional[Union[int, float]] = None,
        overfit_batches: Union[int, float] = 0.0,
        val_check_interval: Optional[Union[int, float, str, timedelta, dict[str, int]]] = None,
        check_val_every_n_epoch: Optional[int] = 1,
        num_sanity_val_steps: Optional[int] = None,
        log_every_n_steps: Optional[int] = None,
        enable_checkpointing: Optional[bool] = None,
        enable_progress_bar: Optional[bool] = None,
        enable_model_summary: Optional[bool] = None,
        accumulate_grad_batches: int = 1,
        gradient_clip_val: Optional[Union[int, float]] = None,
        gradient_clip_algorithm: Optional[str] = None,
        deterministic: Optional[Union[bool, _LITERAL_WARN]] = None,
        benchmark: Optional[bool] = None,
        inference_mode: bool = True,
        use_distributed_sampler: bool = True,
        profiler: Optional[Union[Profiler, str]] = None,
        detect_anomaly: bool = False,
        barebones: bool = False,
        plugins: Optional[Union[_PLUGIN_INPUT, list[_PLUGIN_INPUT]]] = None,
        sync_batchnorm: bool = False,
        reload_dataloaders_every_n_epochs: int = 0,
        default_root_dir: Optional[_PATH] = None,
        enable_autolog_hparams: bool = True,
        model_registry: Optional[str] = None,
    ) -> None: ...

class JointModel(_JointModel, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        optimizer: OptimizerCallable | str = Adam,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class EncoderDecoder(_EncoderDecoder, JointModel, metaclass=ABCMeta):
    def __init__(
        self,
        *,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        likelihood: Likelihood = "gaussian",
        optimizer: OptimizerCallable | str = Adam,
        scheduler: LRSchedulerCallable | str | dict[str, object] | None = None,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None: ...

class BaseGAN(_BaseGAN, metaclass=ABCMeta):
    def __init__(
        self,
        *,
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
