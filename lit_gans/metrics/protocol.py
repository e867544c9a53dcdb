"""The protocol that a score was measured by: scores of different protocols cannot be compared."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from lit_gans.errors import UsageError
from lit_gans.files import replacing
from lit_gans.images.kinds import Kind

RESIZE = "bicubic, antialiased, on uint8"
_LOADING = ("batch_size", "num_workers", "seed", "by_length")  # settings that change no text


@dataclass(frozen=True)
class Protocol:
    """The settings that a score was measured with; they go with every score.

    Args:
        data: the data set, and what decides its pixels, e.g. ``CelebA 3x64x64 crop=178``.
        split: the split of the real images.
        real: number of real images.
        fake: number of generated images.
        features: the network's name.
        resize: how images were resized.
        averaged: whether the averaged generator drew them.
        seed: of the drawing.
    """

    data: str
    split: str
    real: int
    fake: int
    features: str
    averaged: bool
    seed: int
    resize: str = RESIZE


@dataclass(frozen=True)
class Scores:
    """Scores, where they are from, and their protocol.

    Args:
        values: by name, e.g. ``fid``.
        protocol: what they were measured by.
        model: the model's class.
        checkpoint: the file, if any.
        step: batches that the model had trained for.
    """

    values: dict[str, float]
    protocol: Protocol
    model: str = ""
    checkpoint: str = ""
    step: int = 0

    def save(self, path: Path) -> None:
        """Writes them as JSON, to a temporary file that is renamed."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Scores":
        """Reads what `save` wrote.

        Raises:
            UsageError: if the file is missing or of another form.
        """
        try:
            return cls.made_of(json.loads(path.read_text("utf-8")))
        except UnicodeDecodeError:
            raise UsageError(f"{path} is no text and holds no scores of 'lit-gans evaluate'") from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise UsageError(f"{path} holds no scores of 'lit-gans evaluate'") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None

    @classmethod
    def made_of(cls, content: Any) -> "Scores":
        """The scores that a dict of plain values, as JSON has them, describes.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, OverflowError: if it is of another form.
        """
        values = {str(name): float(value) for name, value in content["values"].items()}
        scores = cls(**{**content, "values": values, "protocol": Protocol(**content["protocol"])})
        for part in (scores, scores.protocol):
            for field, kind in get_type_hints(type(part)).items():
                if type(value := getattr(part, field)) is not (get_origin(kind) or kind):
                    raise ValueError(f"its {field} is {str(value)[:80]!r}")
        return scores


def comparable(scores: list[Scores]) -> None:
    """Refuses to compare scores of unlike protocols.

    Raises:
        UsageError: if any two protocols differ in anything but the seed, saying in what.
    """
    first = scores[0]
    for other in scores[1:]:
        unlike = [
            f"{field.name}: {getattr(first.protocol, field.name)} and {getattr(other.protocol, field.name)}"
            for field in fields(Protocol)
            if field.name != "seed" and getattr(first.protocol, field.name) != getattr(other.protocol, field.name)
        ]
        if unlike:
            raise UsageError(
                f"scores of unlike protocols do not compare ({'; '.join(unlike)}); measure both alike with "
                "'lit-gans evaluate'"
            )


def describe_data(data: Any) -> str:
    """A data module in one line: its class, the shape of its images, and its own settings that decide their pixels.

    Of texts: their greatest length, the size of the vocabulary, and all settings but those of loading.
    """
    if data.image_shape is None:
        length, size = data.text_shape
        own = [f"{name}={value}" for name, value in data.given.items() if name not in _LOADING and value is not None]
        return " ".join([type(data).__name__, f"{length} of {size} tokens", *own])
    shape = "x".join(map(str, data.image_shape))
    told = (
        "crop",
        "fit",
        "categories",
        "attribute",
        "characters",
        "background",
        "distortion",
        "noise",
        "kind",
        "extra",
    )
    settings = [f"{name}={getattr(data, name)}" for name in told if getattr(data, name, None) not in (None, False)]
    if share := getattr(data, "given", {}).get("held_out"):
        settings.append(f"held_out={share}")
    kind = getattr(data, "image_kind", Kind())
    settings += [] if kind == Kind() else [kind.words()]
    return " ".join([type(data).__name__, shape, *settings])
