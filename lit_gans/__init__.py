"""Generative adversarial networks as LightningModules: one game, one short file per paper.

Names are imported on first use, so that ``import lit_gans`` costs nothing.
"""

from importlib import import_module

__version__ = "0.2.0"

# editors and mypy read __init__.pyi, which tools/stubs.py writes
_NAMES = {
    "lit_gans.core.generative": "GenerativeModel",
    "lit_gans.core.game": "BaseGAN",
    "lit_gans.families": "CaptionGAN LabelGAN LatentGAN PairedGAN SequenceGAN UnpairedGAN",
    "lit_gans.core.joint": "JointModel",
    "lit_gans.core.encoder_decoder": "EncoderDecoder",
    "lit_gans.checkpoints": "load save take",
    "lit_gans.networks.alone": "load_generator",
    "lit_gans.exports": "export push_to_hub",
    "lit_gans.training": "Trainer fit score",
    "lit_gans.errors": "UsageError",
    "lit_gans.cli.own": "CLI",
    "lit_gans.models.references": "citation",
    "lit_gans.models": """
        ACGAN AutoEncoder BEGAN CGAN Colorizer CUT CycleGAN DCGAN DFGAN DiscreteVAE DRAGAN EBGAN ELECTRA FastGAN GAN
        GANCLS HingeGAN InfoGAN LanguageModel LSGAN MaskedLM PacGAN Pix2Pix ProjectedGAN ProjectionGAN R3GAN
        RelativisticGAN SAGAN Seq2Seq Seq2SeqGAN SeqGAN SGAN SNGAN StackGAN StyleGAN2 TextToImageTransformer UnrolledGAN
        VAE WeightNormGAN WGAN WGANGP
    """,
    "lit_gans.data": """
        Apple2Orange CaptionedGlyphs Captions CelebA Cezanne2Photo CIFAR10 Cityscapes ColouredGlyphs Edges2Handbags
        Edges2Shoes Facades FashionMNIST Gaussians Glyphs GrammarLines Horse2Zebra ImageFolder LSUN Maps MNIST
        Monet2Photo Night2Day NumberPairs OracleLines Paired PairedGlyphs Phone2DSLR Shards StackedMNIST Summer2Winter
        SVHN SVHN2MNIST TextLines TextPairs Ukiyoe2Photo Unpaired UnpairedGlyphs VanGogh2Photo
    """,
}
_ROOMS = """
    augment callbacks checkpoints cli data errors exports latents losses metrics models networks optim penalties
    training
"""
_BASES = """
    GenerativeModel BaseGAN LatentGAN CaptionGAN LabelGAN PairedGAN SequenceGAN UnpairedGAN JointModel EncoderDecoder
"""
_HOME = {name: home for home, names in _NAMES.items() for name in names.split()}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name in _ROOMS.split():
        return import_module(f"lit_gans.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'lit_gans' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    if name in _BASES.split():  # a LightningCLI of a base class finds short names, DCGAN say, among what is imported
        import_module("lit_gans.models")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
