"""Feature networks, by which scores compare images."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchmetrics.image.fid import NoTrainInceptionV3

from lit_gans.errors import UsageError, nearest, reason
from lit_gans.files import replacing
from lit_gans.images.shape import in_colour, resize, to_shape, to_uint8
from lit_gans.metrics.base import Features, coloured
from lit_gans.metrics.photographs import ImageNet, OpenNSFW

SHIPPED = Path(__file__).parent / "weights" / "digits.safetensors"
NAMES = ("digits", "imagenet", "nsfw", "inception", "dinov2")


class Classifier(Features):
    """A small convolutional classifier, whose last hidden layer is the features.

    Three 3x3 convolutions (32, 64, 128 channels) with batch normalisation, ReLU and max pooling, a hidden layer of 128
    ReLUs. Images are brought to its own shape first: bicubic and antialiased, and to grey if it was trained on grey.

    Args:
        image_shape: (channels, height, width) of the images that it is trained on.
        num_classes: of the labels that it is trained on.
        name: for the protocol of a score.
    """

    num_features = 128

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, name: str = "classifier") -> None:
        super().__init__()
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.num_classes, self.name = num_classes, name
        if min(height, width) < 8:
            raise UsageError(f"the classifier halves its images three times: 8 pixels at least, got {height}x{width}")
        layers: list[nn.Module] = []
        for inside, outside in ((channels, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Linear(128 * (height // 8) * (width // 8), self.num_features)
        self.head = nn.Linear(self.num_features, num_classes)

    def sees(self, channels: int) -> str:
        """All of what it was trained on."""
        return "" if channels == self.image_shape[0] else super().sees(channels)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 128)."""
        return F.relu(self.hidden(self.layers(self._fit(images))))

    def logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, num_classes)."""
        return self.head(F.dropout(self(images), 0.5, self.training))

    def _fit(self, images: Tensor) -> Tensor:
        if images.shape[1:] == self.image_shape:
            return images
        return to_shape(in_colour(images), self.image_shape)

    def save(self, path: Path) -> None:
        """Writes the weights in half precision, with the shape and the name, to a temporary file and renames it."""
        weights = {name: w.cpu().half() if w.is_floating_point() else w.cpu() for name, w in self.state_dict().items()}
        shape = json.dumps(self.image_shape)
        described = {"image_shape": shape, "num_classes": str(self.num_classes), "name": self.name}
        with replacing(path) as temporary:
            save_file(weights, temporary, described)


def load_classifier(path: str | Path = SHIPPED) -> Classifier:
    """Loads a classifier that `Classifier.save` wrote; by default the one this package ships, trained on MNIST.

    Raises:
        UsageError: if the file is missing or holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            described = file.metadata() or {}
        shape, classes, name = _described(described)
        with torch.device("meta"):  # no memory and no random numbers, whatever the file says
            network = Classifier(shape, classes, name)
        weights = load_file(path)
        network.load_state_dict(
            {key: w.float() if w.is_floating_point() else w for key, w in weights.items()}, assign=True
        )
    except FileNotFoundError:
        raise UsageError(f"the feature network {path} does not exist; train one with 'lit-gans features'") from None
    except UsageError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} holds no feature network ({reason}); train one with 'lit-gans features'") from None
    return network.eval().requires_grad_(False)


def _described(metadata: dict[str, str]) -> tuple[tuple[int, int, int], int, str]:
    """The image shape, the number of classes and the name in the metadata of a classifier's file.

    Raises:
        ValueError: if they are not what they should be.
        KeyError: if one is missing.
    """
    shape, classes = json.loads(metadata["image_shape"]), json.loads(metadata["num_classes"])
    numbers = [*shape, classes] if isinstance(shape, list) and len(shape) == 3 else [None]
    if not all(type(number) is int and 0 < number < 2**16 for number in numbers):
        raise ValueError(f"its image_shape is {shape!r} and its num_classes {classes!r}")
    return (shape[0], shape[1], shape[2]), classes, metadata["name"]


class Inception(Features):
    """The InceptionV3 (Szegedy et al. 2015, arXiv:1512.00567) of the original FID.

    torch-fidelity fetches it (92 MB) unless a file is given.

    Args:
        weights: the weights' file, where nothing can be fetched.
    """

    name = "inception-v3-compat 2048"
    num_features = 2048

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        try:
            self.network = NoTrainInceptionV3("inception-v3-compat", ["2048"], weights)
        except ModuleNotFoundError:
            raise UsageError("Inception needs torch-fidelity: pip install 'lit_gans[inception]'") from None
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"Inception's weights cannot be fetched or read ({reason}); give a file of them") from None

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 2048); the network resizes to 299x299 as the original does."""
        return self.network(to_uint8(coloured(images)))


class DINOv2(Features):
    """The ViT-L/14 of Oquab et al. 2023, arXiv:2304.07193, which torch.hub fetches (1.2 GB).

    Its Frechet distance agrees with people more than Inception's (Stein et al. 2023, arXiv:2306.04675).
    """

    name = "dinov2 vitl14"
    num_features = 1024

    def __init__(self) -> None:
        super().__init__()
        try:
            self.network = torch.hub.load("facebookresearch/dinov2", "dinov2_vitl14", trust_repo=True)
        except Exception as error:  # whatever the network or torch.hub raises
            raise UsageError(
                f"DINOv2 cannot be fetched ({' '.join(str(error).split())}); use another network"
            ) from None
        self.network.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 1024)."""
        images = resize(coloured(images), (224, 224))
        mean, spread = (images.new_tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return self.network((images.add(1).div(2) - mean) / spread)


class OwnFeatures(Features):
    """Any network of PyTorch as features: a classifier without its last layer, say.

    It gets images as the data have them, (N, C, H, W) float in [-1, 1], grey ones three times if its first convolution
    wants colours. It gives (N, d), or (N, d, 1, 1). To resize or to normalise otherwise, put that in front of it, in an
    ``nn.Sequential``.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.name = network, type(network).__name__
        first = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d)), None)
        self.channels = None if first is None else first.in_channels
        self.num_features = 0  # not known before the first batch

    def sees(self, channels: int) -> str:
        """All that it is given."""
        return ""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, d)."""
        if self.channels == 3 and images.shape[1] == 1:
            images = images.repeat(1, 3, 1, 1)
        try:
            features = self.network(images)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(
                f"the feature network {self.name} does not take images {tuple(images.shape)} in [-1, 1]: "
                f"{reason(error)}; put what prepares them in front of it, in an nn.Sequential"
            ) from error
        if isinstance(features, Tensor) and features.ndim == 4 and features.shape[2:] == (1, 1):
            features = features.flatten(1)
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(images):
            given = tuple(features.shape) if isinstance(features, Tensor) else f"a {type(features).__name__}"
            raise UsageError(
                f"the feature network {self.name} must give (N, d) features of N images, got {given} of {len(images)}; "
                "let it end with its pooling layer, flattened"
            )
        self.num_features = features.shape[1]
        return features


def feature_network(given: "str | Features | nn.Module") -> Features:
    """Finds a feature network by its name or its file, or takes one of yours.

    The names are ``digits`` (shipped), ``imagenet`` and ``nsfw`` (from packages: extras of the same names),
    ``inception`` and ``dinov2``. A file is a classifier of your own (.safetensors),
    or Inception's weights (.pth) for a machine that cannot fetch them. A network is a `Features`, or any module that
    maps images (N, C, H, W) in [-1, 1] to features (N, d), see `OwnFeatures`.

    Raises:
        UsageError: if it cannot be found, fetched or read, or a weight is not finite.
    """
    if isinstance(given, nn.Module):
        network = given if isinstance(given, Features) else OwnFeatures(given)
        network.eval().requires_grad_(False)
    elif isinstance(given, str | Path):
        network = _named(str(given))
    else:
        raise UsageError(
            f"features must be {', '.join(NAMES)}, a .safetensors file of 'lit-gans features', or a network that maps "
            f"images (N, C, H, W) in [-1, 1] to features (N, d), got {'a ' + type(given).__name__}"
        )
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UsageError(
                f"the weights of the feature network {network.name!r} are not finite ({name}), so that it tells "
                "nothing apart; use another one"
            )
    return network


def _named(given: str) -> Features:
    if given == "digits":
        return load_classifier()
    if given not in NAMES and Path(given).suffix not in (".pth", ".safetensors") and not Path(given).is_file():
        raise UsageError(
            f"there is no feature network {given!r}{nearest(given, NAMES)}, a file that 'lit-gans features' wrote, or "
            "in Python a network of your own"
        )
    with torch.random.fork_rng(devices=[]):  # building a network draws random numbers, which a run must not notice
        if given == "inception" or given.endswith(".pth"):
            return Inception(None if given == "inception" else given)
        if given in ("imagenet", "nsfw"):
            return ImageNet() if given == "imagenet" else OpenNSFW()
        return DINOv2() if given == "dinov2" else load_classifier(given)
