"""Makes the trained models that come along with the package, each by a configuration that comes with it.

    python -m tools.shipped acgan-mnist                    trains it and writes its file
    python -m tools.shipped acgan-mnist --from RUN         takes the checkpoint of a run that there is already
    python -m tools.shipped --table                        writes the table of docs/shipped.md anew

A file has the averaged generator alone, in half precision, and notes: what the model draws, how it was made, how good
it is. They are in ``lit_gans/checkpoints/weights``, at most 8 MB together. A model is told apart from another by the
values of a few samples, which ``tests/checkpoints/test_shipped.py`` compares with the notes.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

import lit_gans
from lit_gans.checkpoints import read
from lit_gans.cli.main import main as command
from lit_gans.cli.shipped import NOTES, Notes, notes
from lit_gans.errors import one
from lit_gans.files import replacing
from lit_gans.images.hints import simulate_hints
from lit_gans.images.lab import rgb_to_lab
from lit_gans.images.shape import to_float
from lit_gans.metrics.attributes import AttributeReader
from lit_gans.metrics.features import load_classifier
from lit_gans.models.colorizer import psnr
from lit_gans.runs import SHIPPED, Run, find_checkpoint, shipped

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "examples" / "configs"
PAGE = ROOT / "docs" / "shipped.md"
MOST = 8_000_000  # bytes of all files
_SURE = 0.9  # probability from which on the shipped classifier has recognised a digit
_BEGIN, _END = "<!-- table: python -m tools.shipped --table -->", "<!-- end of the table -->"
Values = dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """How a model is made and measured.

    Args:
        about: what it draws, in a few words.
        config: the configuration that it is trained by.
        check: values of so many samples, by which a test notices another model.
        score: of a model how good it is, in words, by many samples.
        options: typed beside the configuration.
    """

    about: str
    config: str
    check: Callable[[Any, int], Values]
    score: Callable[[Any], str]
    options: tuple[str, ...] = ()


# -------------------------------------------------------------------- values


def digits(model: Any, count: int) -> Values:
    """Percentages of drawn digits: those that the shipped classifier recognises, the rarest one, those as asked."""
    images = model.sample(count, seed=0)
    odds = load_classifier().logits(images).softmax(1)
    likeliest, digit = odds.max(1)
    found = {
        "recognised": _percent(likeliest > _SURE),
        "rarest": 100 * float(digit.bincount(minlength=10).min()) / count,
    }
    if model.draws_classes:
        asked = model.conditions(None, count).argmax(1)
        found["as asked"] = _percent(digit == asked)
    return found


def of_digits(model: Any) -> str:
    """The Fréchet distance of 10,000 digits to MNIST, and what `digits` finds in 2,000."""
    data = lit_gans.MNIST()
    found = digits(model, 2000)
    told = f"fid {lit_gans.score(model, data, 'fid')['fid']:.2f}, {found['recognised']:.1f}% recognised"
    return f"{told}, {found['as asked']:.1f}% as asked" if "as asked" in found else told


def stripes(model: Any, count: int) -> Values:
    """How striped translated shapes are, in percent: 0 as plain ones, 100 as striped ones; and the way there and back.

    Stripes are read off the differences between neighbouring pixels. ``there and back`` is the mean absolute error of
    values in [-1, 1].
    """
    data = _drawn(lit_gans.UnpairedGlyphs(size=32, count=10 * count))
    plain, striped = to_float(data["a"]), to_float(data["b"][:count])
    to_b, to_a = model.translate(plain, to="b"), model.translate(striped, to="a")
    low, high = _roughness(plain), _roughness(striped)
    return {
        "striped": 100 * (_roughness(to_b) - low) / (high - low),
        "plain": 100 * (high - _roughness(to_a)) / (high - low),
        "there and back": float((model.translate(to_b, to="a") - plain).abs().mean()),
    }


def of_stripes(model: Any) -> str:
    """What `stripes` finds in 400 shapes."""
    found = stripes(model, 400)
    return (
        f"as striped as stripes to {found['striped']:.0f}%, as plain as plain ones to {found['plain']:.0f}%, there and "
        f"back {found['there and back']:.3f}"
    )


def colours(model: Any, count: int) -> Values:
    """Peak signal-to-noise ratios in dB of coloured scenes, without hints, with ten, and of the grey ones."""
    image = to_float(_drawn(lit_gans.ColouredGlyphs(size=48, count=10 * count))["image"])
    lab = rgb_to_lab(image)
    hints, mask = simulate_hints(lab[:, 1:], 10, rng=torch.Generator().manual_seed(0))
    made = {"psnr": model.colorize(image), "psnr with hints": model.colorize(image, hints, mask)}
    return {name: float(psnr(images, image).mean()) for name, images in made.items()}


def of_colours(model: Any) -> str:
    """What `colours` finds in 400 scenes."""
    found = colours(model, 400)
    return f"{found['psnr']:.1f} dB without hints, {found['psnr with hints']:.1f} dB with ten"


def captions(model: Any, count: int) -> Values:
    """The percentage of images whose border has the colour that their sentence says, of combinations never seen."""
    data = lit_gans.CaptionedGlyphs(count=10 * count, held_out=0.2)
    rows = _drawn(data)
    images = model.sample(text=rows["caption"], seed=0)
    palette = torch.tensor([*_palette().values()]) * 2 - 1
    border = torch.cat([images[..., :2, :].flatten(2), images[..., -2:, :].flatten(2)], 2).median(2).values
    nearest = torch.cdist(border, palette).argmin(1)
    return {"ground": _percent(nearest == data.read_captions(rows["caption"])[:, 3])}


def of_captions(model: Any) -> str:
    """The share of 1,000 images in which a classifier of real ones reads all that their sentence says."""
    real, held = (
        lit_gans.CaptionedGlyphs(count=c, held_out=h, seed=s) for c, h, s in ((8000, 0.0, 9), (10_000, 0.2, 0))
    )
    reader = AttributeReader.learn(*_said(real, "train"))
    _, said = _said(held, "test")
    images = model.sample(text=held.samples("test")[:]["caption"], seed=0)
    found = reader.score(images, said)
    return f"{100 * found['all']:.0f}% of sentences never seen drawn with all that they say"


def numbers(model: Any, count: int, target: Any) -> Values:
    """The percentage of numbers that are translated right in every letter, of numbers never seen."""
    data = lit_gans.NumberPairs("en", target, count=10 * count)
    texts = data.texts("test")["source"]
    right = data.correct(texts, model.translate_text(texts))
    return {"exact": 100 * sum(right) / len(right)}


def of_numbers(model: Any, target: Any) -> str:
    """What `numbers` finds in 1,000."""
    return f"{numbers(model, 1000, target)['exact']:.1f}% of 1,000 new numbers right in every letter"


def _drawn(data: Any) -> Any:
    """All samples of the test split."""
    return data.samples("test")[:]


def _said(data: Any, split: str) -> tuple[Tensor, dict[str, Tensor]]:
    """The images of a split, and what their captions say."""
    rows = data.samples(split)[:]
    values = data.read_captions(rows["caption"]).unbind(1)
    return rows["image"], dict(zip(data.caption_attributes, values, strict=True))


def _palette() -> dict[str, tuple[float, float, float]]:
    from lit_gans.data.captioned_glyphs import PALETTE

    return PALETTE


def _percent(right: Tensor) -> float:
    return 100 * float(right.float().mean())


def _roughness(images: Tensor) -> float:
    """The mean absolute difference between neighbouring pixels."""
    return float(images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean())


_HELD_OUT = ("--data.val_size", "5000", "--quality.reference", "val")  # as in docs/tables.md
_NUMBERS = ("--model.backbone", "Recurrent", "--model.backbone.width", "64")
RECIPES = {
    "r3gan-mnist": Recipe("handwritten digits", "r3gan_mnist", digits, of_digits, _HELD_OUT),
    "acgan-mnist": Recipe("handwritten digits by label", "acgan_mnist", digits, of_digits, _HELD_OUT),
    "stylegan2-mnist": Recipe(
        "handwritten digits, whose styles mix",
        "stylegan2_mnist",
        digits,
        of_digits,
        ("--trainer.max_epochs", "4", "--model.scheduler.steps", "3748"),
    ),
    "cyclegan-glyphs": Recipe(
        "striped shapes from plain ones, and back",
        "cyclegan_glyphs",
        stripes,
        of_stripes,
        ("--trainer.max_steps", "3000", "--model.scheduler.steps", "3000", "--model.scheduler.start", "1500"),
    ),
    "colorizer-glyphs": Recipe(
        "colours for grey scenes, by hints",
        "colorizer_glyphs",
        colours,
        of_colours,
        ("--trainer.max_steps", "2500", "--model.generator_scheduler.steps", "2500"),
    ),
    "dfgan-glyphs": Recipe(
        "coloured digits from sentences", "dfgan_glyphs", captions, of_captions, ("--trainer.max_steps", "1249")
    ),
    "numbers-en-de": Recipe(
        "numbers in words, English to German",
        "seq2seq_numbers",
        partial(numbers, target="de"),
        partial(of_numbers, target="de"),
        _NUMBERS,
    ),
    "numbers-en-ko": Recipe(
        "numbers in words, English to Korean",
        "seq2seq_numbers",
        partial(numbers, target="ko"),
        partial(of_numbers, target="ko"),
        (*_NUMBERS, "--data.target", "ko", "--trainer.max_epochs", "20"),
    ),
}
FEW = 200  # samples of a check


# -------------------------------------------------------------------- files


def train(recipe: Recipe, folder: Path) -> Path:
    """Trains by a configuration; returns the best checkpoint."""
    command(
        [
            "fit",
            "--config",
            str(CONFIGS / f"{recipe.config}.yaml"),
            *recipe.options,
            "--trainer.default_root_dir",
            str(folder),
        ]
    )
    return find_checkpoint(folder)


def write(name: str, checkpoint: Path, target: Path) -> Notes:
    """Writes the file of a model from a checkpoint of its run.

    Raises:
        UsageError: if the checkpoint is of another class than the configuration.
    """
    recipe = RECIPES[name]
    model = lit_gans.load(checkpoint)
    wanted = yaml.safe_load((CONFIGS / f"{recipe.config}.yaml").read_text("utf-8"))["model"]["class_path"]
    if type(model).__name__ != wanted:
        raise lit_gans.UsageError(
            f"{checkpoint} holds {one(model)}, but {name} is made by {recipe.config}.yaml, which is of {wanted}"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.safetensors"
        lit_gans.save(model, file, half=True, sampling_only=True)
        with safe_open(file, "pt") as opened:
            said, weights = opened.metadata(), {key: opened.get_tensor(key) for key in list(opened.keys())}
        model = lit_gans.load(file)  # what is measured is what is in the file
    told = Notes(
        about=recipe.about,
        config=recipe.config,
        options=list(recipe.options),
        batches=int(read(checkpoint).get("global_step", 0)),
        data=_data(Run.of(checkpoint.resolve()).config, recipe),
        score=recipe.score(model),
        check={key: round(value, 4) for key, value in recipe.check(model, FEW).items()},
    )
    with replacing(target) as place:
        place.write_bytes(save(weights, {**_counted(said, told.batches), NOTES: _json(asdict(told))}))
    return told


def _counted(said: dict[str, str], batches: int) -> dict[str, str]:
    """The metadata of a file with its number of batches, which a model alone does not know."""
    described = json.loads(said["lit_gans"])
    return {**said, "lit_gans": _json({**described, "global_step": batches})}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _data(config: Path, recipe: Recipe) -> dict[str, Any]:
    """The data of a run, without what is of this machine; by the recipe, where a checkpoint came without its run."""
    own = config.is_file()
    section = yaml.safe_load((config if own else CONFIGS / f"{recipe.config}.yaml").read_text("utf-8"))["data"]
    typed = zip(recipe.options[::2], recipe.options[1::2], strict=True)
    more = {} if own else {flag[7:]: value for flag, value in typed if flag.startswith("--data.")}
    here = ("root", "num_workers", "batch_size", "download", "cache")
    options = {key: value for key, value in {**(section.get("init_args") or {}), **more}.items() if key not in here}
    return {"class_path": section["class_path"], "init_args": {k: v for k, v in options.items() if v is not None}}


def table() -> str:
    """The table of the page of the docs: a row for each file."""
    rows = ["| name | draws | how well | made by | size |", "|---|---|---|---|---|"]
    for name, path in shipped().items():
        told = notes(name)
        made = f"`{' '.join([f'{told.config}.yaml', *told.options])}`, {told.batches:,} batches"
        rows.append(f"| `{name}` | {told.about} | {told.score} | {made} | {path.stat().st_size / 1e6:.2f} MB |")
    return "\n".join(rows)


def in_page(page: str) -> str:
    """A page with the table as it should be."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n\n{table()}\n\n{_END}{rest.partition(_END)[2]}"


def main(words: Sequence[str] | None = None) -> None:
    """Makes what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help=f"some of {', '.join(RECIPES)}")
    parser.add_argument("--from", dest="run", help="a run's folder or a checkpoint, in place of a training")
    parser.add_argument("--table", action="store_true", help="write the table of docs/shipped.md anew")
    given = parser.parse_args(words)
    if unknown := [name for name in given.name if name not in RECIPES]:
        parser.error(f"there is no recipe for {unknown[0]}; choose from {', '.join(RECIPES)}")
    if given.run and len(given.name) != 1:
        parser.error("--from is for one model")
    for name in given.name:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = find_checkpoint(given.run) if given.run else train(RECIPES[name], Path(folder))
            told = write(name, checkpoint, SHIPPED / f"{name}.safetensors")
        print(f"{name}: {told.score}; {told.check}")
    PAGE.write_text(in_page(PAGE.read_text("utf-8")), "utf-8")
    total = sum(path.stat().st_size for path in shipped().values())
    print(f"{len(shipped())} models, {total / 1e6:.2f} MB of {MOST / 1e6:g}")


if __name__ == "__main__":
    main()
