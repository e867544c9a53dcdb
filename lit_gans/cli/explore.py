"""Commands that walk through a generator's latent space; they need a checkpoint, and `arithmetic` labelled data.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lit_gans.cli.options import BatchSize, Checkpoint, Data, DataOptions, Device, Force, Labels, Root, Text, Trust
from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from lit_gans.cli.recognise import Labelled
    from lit_gans.latents.arithmetic import Result
    from lit_gans.latents.concepts import Term, Wanted

_STRIPS, _ANIMATED = (".png", ".jpg", ".jpeg"), (".gif", ".webp")
_FRAME, _REST = 80, 600  # milliseconds of a frame between the ends, and at the ends


def interpolate(
    checkpoint: Checkpoint,
    count: int = 8,
    steps: int = 10,
    mode: Literal["spherical", "linear"] = "spherical",
    seed: int | None = None,
    label: Labels = None,
    text: Text = None,
    to: Text = None,
    truncation: float = 1.0,
    output: str | None = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Draws the images between pairs of latent points, between two classes, or between two sentences.

    Args:
        count: how many pairs.
        steps: images from one end to the other, both included.
        mode: spherical turns from one point to the other, linear takes the straight line.
        seed: makes the draw repeatable; without it every call draws anew.
        label: two classes, say 3 8 or cats dogs, for a model that draws by class (or two attributes): each row goes
            from the first to the second, at one latent point. Without it each row goes between two latent points, with
            one label.
        text: for a model that draws by sentences the sentence, in quotes, that each row begins with.
        to: the sentence that each row ends with, at one latent point; without it each row goes between two latent
            points, with one sentence.
        truncation: below 1, say 0.7, images are more typical and less varied, see 'lit-gans sample --help'.
        output: a .png or .jpg for a row of images a pair, or a .gif or .webp that goes to and fro between them for
            ever. By default interpolation.png, or interpolation-2.png and so on where that is taken.
    """
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.files import free_name, refuse_taken

    output = free_name("interpolation.png", force) if output is None else output
    kind = Path(output).suffix.lower()
    at_least(1, count=count, batch_size=batch_size)
    usable_seed(seed=seed)
    if kind not in (*_STRIPS, *_ANIMATED):
        raise UsageError(
            f"output must end in {', '.join(_STRIPS)} (strips), {' or '.join(_ANIMATED)} (an animation), got {output}"
        )
    if steps < 2:
        raise UsageError(f"steps counts the images from end to end and must be at least 2, got {steps}")
    refuse_taken(output, force=force)
    if to is not None and text is None:
        raise UsageError("--to is the sentence to end with: say by --text which one to begin with")

    from lit_gans.cli.models import load_latent, refuse_options
    from lit_gans.images.grid import grid, to_image
    from lit_gans.images.photos import write_picture
    from lit_gans.images.sheet import write_animation
    from lit_gans.networks.base import at_once

    model = load_latent(checkpoint, device, trust)
    refuse_options(model, checkpoint, [] if text is None else ["text"])
    told: dict[str, Any] = {} if text is None else {"text": text, "to": to}
    with at_once(batch_size):
        if label is None:
            images = model.interpolate(count, steps, seed=seed, mode=mode, truncation=truncation, **told).flatten(0, 1)
        else:
            images = _between(model, count, steps, seed, label, {} if truncation == 1 else {"truncation": truncation})
    if kind in _STRIPS:
        write_picture(grid(images, steps), output)
    else:
        frames = [to_image(grid(images[step::steps])) for step in range(steps)]
        shown = [_REST if step in (0, steps - 1) else _FRAME for step in range(steps)]
        write_animation(frames + frames[-2:0:-1], output, shown + shown[-2:0:-1])
    print(f"{count} x {steps} images in {output}")


def _between(
    model: Any, count: int, steps: int, seed: int | None, label: list[str], options: dict[str, float]
) -> "Tensor":
    """Images from one class to another, one row after another, (count * steps, C, H, W)."""
    from lit_gans.cli.models import labels, rows
    from lit_gans.errors import UsageError
    from lit_gans.latents.paths import draw, path

    labels(model, label)  # refuses them for a model that takes none
    if len(label) != 2:
        raise UsageError(f"label must be two classes, where to begin and where to end, got {len(label)}")
    first, last = rows(model, label).split(1)
    conditions = path(first, last, steps, "linear").flatten(0, 1).repeat(count, 1)
    noise = draw(count, model.latent_dim, seed).repeat_interleave(steps, 0)
    return model.sample(noise=noise, label=conditions, **options)


def arithmetic(
    checkpoint: Checkpoint,
    expression: str | None = None,
    data: Data = None,
    root: Root = None,
    exemplars: int = 3,
    count: int = 5000,
    seed: int = 0,
    output: str | None = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
    data_options: DataOptions = None,
) -> None:
    """Adds and subtracts concepts in latent space: smiling woman - neutral woman + neutral man.

    A small network learns from labelled images what they show (a minute on a CPU) and finds samples of each concept;
    the mean latent points of a few of them are added and subtracted. The picture has these exemplars, their means, and
    the result in the middle of eight neighbours; the command prints how many results show what they should.

    Args:
        expression: concepts joined by + and -. A concept is a class ("7 - 1 + 4") or an attribute, ~ before it means
            without, & joins several: "Smiling&~Male" is a smiling woman. In quotes, or the shell reads it. By
            default smiling woman - neutral woman + neutral man for faces, else the data's first class - second + third.
        exemplars: samples whose latent points are averaged for a concept.
        count: how many samples to draw in the search for exemplars.
        seed: of all draws and of the network that recognises concepts.
        output: a .png, .jpg or .webp file; by default arithmetic.png, or arithmetic-2.png and so on where that is
            taken.
    """
    from lit_gans.cli.writing import picture_file
    from lit_gans.errors import at_least, usable_seed
    from lit_gans.files import free_name, refuse_taken

    output = free_name("arithmetic.png", force) if output is None else output
    target = picture_file(output)
    at_least(1, batch_size=batch_size, count=count, exemplars=exemplars)
    usable_seed(seed=seed)
    refuse_taken(target, force=force)

    from lit_gans.cli.models import load_latent
    from lit_gans.cli.recognise import labelled, learn
    from lit_gans.images.photos import write_picture
    from lit_gans.latents.arithmetic import calculate
    from lit_gans.latents.concepts import Wanted, parse
    from lit_gans.networks.base import at_once

    model = load_latent(checkpoint, device, trust)
    shape = tuple(model.sample(1, seed=0).shape[1:])
    known = labelled(checkpoint, data, root, shape, seed, trust, data_options)
    expression = _expression(known) if expression is None else expression
    terms = parse(expression, known.names)
    wanted = Wanted(terms, known.names, known.exclusive)
    place = model.device
    recognise, accuracy = learn(known.images.to(place), known.targets.to(place), len(known.names), seed)
    asked = accuracy if known.exclusive else accuracy[sorted({k for term in terms for k in term.literals})]
    print(f"recogniser: {float(asked.mean()):.1%} right on real images that it did not learn from")
    print(f"expression: {expression}")
    with at_once(batch_size):
        result = calculate(
            lambda noise: model.sample(noise=noise), model.latent_dim, terms, wanted, recognise, exemplars, count, seed
        )
    write_picture(_sheet(model, terms, wanted, result), target)
    print("\n".join(_report(terms, wanted, result, count)))
    print(f"picture: {output}")


def _expression(known: "Labelled") -> str:
    """An expression of what the data knows: of faces the smiling woman, else of its first names.

    Raises:
        UsageError: if the data has fewer than two names.
    """
    from lit_gans.errors import UsageError

    if {"Smiling", "Male"} <= {*known.names} and not known.exclusive:
        return "Smiling&~Male - ~Smiling&~Male + ~Smiling&Male"
    if len(known.names) < 2:
        raise UsageError(f"an expression needs two names at least, and the data has {', '.join(known.names) or 'none'}")
    first, second, *more = known.names
    return f"{first} - {second} + {more[0] if more else first}"


def _sheet(model: Any, terms: "list[Term]", wanted: "Wanted", result: "Result") -> "Image.Image":
    from lit_gans.images.sheet import Row, sheet

    means = _pictures(model.sample(noise=result.means))
    rows = []
    for number, (term, points) in enumerate(zip(terms, result.exemplars, strict=True)):
        sign = "-" if term.sign < 0 else "+" if number else " "
        # no more than fit on a page
        exemplars = _pictures(model.sample(noise=points[:8]))
        rows.append(
            Row(f"{sign} {term.words}".replace("&", " & ") + "\n   samples, mean", [*exemplars, None, means[number]])
        )
    around = _pictures(model.sample(noise=result.neighbours))
    for number, words in enumerate(("", f"= {wanted.words}", "")):
        rows.append(Row(words, around[3 * number : 3 * number + 3], joined=number > 0))
    return sheet(rows)


def _pictures(images: "Tensor") -> "list[Image.Image]":
    from lit_gans.images.grid import grid, to_image

    return [to_image(grid(image.unsqueeze(0))) for image in images]


def _report(terms: "list[Term]", wanted: "Wanted", result: "Result", samples: int) -> list[str]:
    words = wanted.words
    found = ", ".join(f"{term.words} {n}" for term, n in zip(terms, result.found, strict=True))
    base = [term.words for term in terms if term.sign > 0][-1]
    lines = [
        f"examples among {samples} samples: {found}",
        f"{round(9 * result.neighbours_show)} of the 9 in the picture show {words}",
        f"{result.results_show:.0%} of 100 results from other exemplars do",
        f"transfer to {result.moved} samples of {base}: {result.before:.0%} show {words} before, "
        f"{result.after:.0%} after",
    ]
    if result.kept is not None:
        lines.append(f"{result.kept:.0%} of their {result.others} other attributes stay as they were")
    return lines
