"""Ways through the latent space and sums in it, on generators whose latent space is known."""

import pytest
import torch
import yaml
from conftest import SHAPE, fit, glyphs, refused, small
from PIL import Image

import lit_gans.checkpoints
from lit_gans import DCGAN
from lit_gans.cli.explore import arithmetic, interpolate
from lit_gans.cli.models import load_latent
from lit_gans.cli.recognise import labelled, learn
from lit_gans.errors import UsageError
from lit_gans.images.sheet import Row, sheet, write_animation
from lit_gans.latents.arithmetic import calculate
from lit_gans.latents.concepts import Wanted, parse
from lit_gans.latents.paths import draw, path

NAMES = ["Male", "Smiling", "Young"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with a checkpoint and the configuration that names its data."""
    folder = tmp_path_factory.mktemp("explore")
    model = small(DCGAN)
    for batch_norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        batch_norm.weight.data.mul_(3)  # otherwise all that it draws is grey
    fit(folder, model, glyphs(), max_steps=20)
    data = {"class_path": "lit_gans.Glyphs", "init_args": {"characters": "01", "count": 200, "batch_size": 4}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    return folder


@pytest.fixture
def checkpoint(run):
    return str(run / "checkpoints" / "last.ckpt")


# -------------------------------------------------------------------- ways


def test_spherical_keeps_the_length_and_turns_evenly():
    start, end = torch.nn.functional.normalize(torch.randn(2, 5, 30), dim=2) * 4
    points = path(start, end, 9)
    assert points.shape == (5, 9, 30)
    assert torch.allclose(points[:, 0], start, atol=1e-5) and torch.allclose(points[:, -1], end, atol=1e-5)
    assert torch.allclose(points.norm(dim=2), torch.full((5, 9), 4.0), atol=1e-5)
    cosine = torch.cosine_similarity(points[:, 1:], points[:, :-1], dim=2)
    assert torch.allclose(cosine, cosine[:, :1].expand_as(cosine), atol=1e-5)


def test_spherical_is_the_same_both_ways():
    start, end = torch.randn(2, 3, 10)
    assert torch.allclose(path(start, end, 7), path(end, start, 7).flip(1), atol=1e-5)


def test_linear_takes_the_chord():
    start, end = torch.randn(2, 3, 10)
    assert torch.allclose(path(start, end, 3, "linear")[:, 1], (start + end) / 2, atol=1e-6)
    # whose middle is nearer to the origin than the arc's
    assert (path(start, end, 3, "linear")[:, 1].norm(dim=1) < path(start, end, 3)[:, 1].norm(dim=1)).all()


@pytest.mark.parametrize("end", [[1.0, 0.0], [2.0, 0.0], [1.0, 1e-7], [-1.0, 0.0], [0.0, 0.0]], ids=str)
def test_spherical_of_parallel_vectors_is_linear(end):
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([end])
    assert torch.equal(path(start, end, 5), path(start, end, 5, "linear"))


def test_nearly_parallel_vectors_are_no_jump():
    start = torch.randn(1, 50)
    for angle in (1e-2, 1e-3, 2e-4, 1e-4, 5e-5, 1e-6):
        points = path(start, start + angle * torch.randn(1, 50), 5)
        assert torch.isfinite(points).all() and (points - start.unsqueeze(1)).norm(dim=2).max() < 20 * angle + 1e-5


@pytest.mark.parametrize("steps, mode, words", [(1, "linear", "at least 2"), (5, "round", "'spherical' or 'linear'")])
def test_wrong_ways(steps, mode, words):
    with pytest.raises(UsageError, match=words):
        path(torch.zeros(1, 2), torch.ones(1, 2), steps, mode)


def test_strips_have_the_ends(checkpoint, tmp_path, capsys):
    output = tmp_path / "x.png"
    interpolate(checkpoint, count=3, steps=5, seed=1, output=str(output))
    picture = Image.open(output).convert("RGB")
    assert picture.size == (5 * 18 + 2, 3 * 18 + 2) and "3 x 5 images" in capsys.readouterr().out
    ends = load_latent(checkpoint).sample(noise=draw(6, 8, seed=1))
    for row in range(3):
        for number, left in ((row, 2), (row + 3, 4 * 18 + 2)):
            tile = torch.tensor(
                list(picture.crop((left, 2 + 18 * row, left + 16, 18 + 18 * row)).convert("L").tobytes())
            )
            expected = (ends[number].flatten() + 1) * 127.5
            assert (tile - expected).abs().max() < 2
    once = output.read_bytes()
    refused(lambda: interpolate(checkpoint, output=str(output)), output, "is there already", "--force")
    assert output.read_bytes() == once
    interpolate(checkpoint, count=3, steps=5, seed=1, output=str(output), force=True)
    assert output.read_bytes() == once
    interpolate(checkpoint, count=3, steps=5, seed=1, mode="linear", output=str(output), force=True)
    assert output.read_bytes() != once


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_go_to_and_fro(checkpoint, tmp_path, kind):
    output = tmp_path / f"x.{kind}"
    interpolate(checkpoint, count=4, steps=5, seed=1, output=str(output))
    animation = Image.open(output)
    assert 2 <= animation.n_frames <= 8 and animation.info["loop"] == 0 and animation.size == (38, 38)
    durations = []
    for number in range(animation.n_frames):
        animation.seek(number)
        animation.load()
        durations.append(animation.info["duration"])
    assert sum(durations) == 2 * 600 + 6 * 80  # WebP merges frames that are alike
    assert [p.name for p in tmp_path.iterdir()] == [output.name]
    interpolate(checkpoint, count=1, steps=2, output=str(output), force=True)


def test_interpolate_refuses(checkpoint, run, tmp_path, monkeypatch):
    cases = [
        (checkpoint, {"count": 0}, "count must be at least 1"),
        (checkpoint, {"steps": 1}, "at least 2, got 1"),
        (checkpoint, {"output": "x.tif"}, "must end in .png"),
        (checkpoint, {"device": "toaster"}, "device 'toaster' cannot be used"),
        (tmp_path / "nowhere.ckpt", {}, "there is no checkpoint file"),
        (run / "config.yaml", {}, "no checkpoint"),
    ]
    for place, options, words in cases:
        with pytest.raises(UsageError, match=words):
            interpolate(str(place), **options)

    class Translator:
        draws_from_latents = False

    monkeypatch.setattr(lit_gans.checkpoints, "load", lambda *_, **__: Translator())
    with pytest.raises(UsageError, match="holds a Translator, which does not draw from points of a latent space"):
        interpolate("any.ckpt")


# -------------------------------------------------------------------- concepts


def test_expressions():
    terms = parse("Smiling&~Male - ~Smiling & ~Male+~Smiling&Male", NAMES)
    assert [t.sign for t in terms] == [1, -1, 1]
    assert [t.literals for t in terms] == [{1: True, 0: False}, {1: False, 0: False}, {1: False, 0: True}]
    wanted = Wanted(terms, NAMES, exclusive=False)
    assert wanted.words == "Smiling & Male" and wanted.signs == {0: True, 1: True}
    shown = torch.tensor([[0.9, 0.9, 0.1], [0.9, 0.1, 0.9], [0.1, 0.9, 0.9]])
    assert wanted(shown).tolist() == [True, False, False]
    assert torch.allclose(terms[0].share(shown), torch.tensor([0.09, 0.01, 0.81]))


def test_the_longest_name_wins():
    assert [t.literals for t in parse("Hat+Wearing_Hat-5", ["Hat", "Wearing_Hat", "5"])] == [
        {0: True},
        {1: True},
        {2: True},
    ]
    assert parse("a-b - a", ["a", "a-b"])[0].literals == {1: True}  # names of folders may have hyphens


def test_classes():
    names = [str(k) for k in range(10)]
    shown = torch.eye(10)
    for expression, words, hits in (
        ("7 - 1 + 4", "7 or 4", [4, 7]),
        ("7 - 1", "7", [7]),
        ("7 - 7 + 4", "4", [4]),
        ("~3 + ~5", "~3 & ~5", [0, 1, 2, 4, 6, 7, 8, 9]),
    ):
        wanted = Wanted(parse(expression, names), names, exclusive=True)
        assert wanted.words == words and wanted(shown).nonzero()[:, 0].tolist() == hits


@pytest.mark.parametrize(
    "expression, words",
    [
        ("Smilling", "unknown concept 'Smilling' in 'Smilling'; did you mean Smiling"),
        ("Smiling*2", "unknown concept '\\*2'"),
        ("", "no expression of concepts"),
        ("Male Smiling", "no expression"),
        ("Male - ", "no expression"),
        ("Male & - Smiling", "no expression"),
        ("Male~", "no expression"),
        ("~~Male", "no expression"),
        ("+ + Male", "no expression"),
        ("- Male", "only subtracts"),
    ],
)
def test_wrong_expressions(expression, words):
    with pytest.raises(UsageError, match=words):
        parse(expression, NAMES)


def test_what_cancels():
    with pytest.raises(UsageError, match="everything in the expression cancels"):
        Wanted(parse("Male - Male", NAMES), NAMES, exclusive=False)


# -------------------------------------------------------------------- sums


def planted(noise):
    """Three attributes, each the sign of one latent axis, as bright or dark stripes."""
    return torch.tanh(4 * noise[:, :3]).view(-1, 1, 3, 1).expand(-1, 1, 3, 3)


def seen(images):
    return 8 * images[:, 0, :, 0]


def test_planted_attributes_are_transferred():
    terms = parse("Smiling&~Male - ~Smiling&~Male + ~Smiling&Male", NAMES)
    result = calculate(planted, 20, terms, Wanted(terms, NAMES, False), seen, exemplars=30, samples=3000)
    assert result.neighbours_show == 1 and result.results_show == 1
    assert result.before == 0 and result.after > 0.85 and result.moved == 500
    assert result.kept > 0.97 and result.others == 2  # Male, which the added terms leave alone, and Young
    assert [e.shape for e in result.exemplars] == [(30, 20)] * 3
    assert torch.allclose(result.neighbours[4], result.means[0] - result.means[1] + result.means[2])
    assert min(result.found) > 500 and sum(result.found) < 3000


def test_an_unrelated_direction_transfers_nothing():
    terms = parse("Smiling&~Male - ~Smiling&~Male + ~Smiling&Male", NAMES)

    def shuffled(images):  # what is recognised has nothing to do with the noise
        rng = torch.Generator().manual_seed(len(images))
        return 8 * torch.randn(len(images), 3, generator=rng)

    result = calculate(planted, 20, terms, Wanted(terms, NAMES, False), shuffled, samples=3000)
    assert 0.1 < result.results_show < 0.4 and 0.1 < result.after < 0.4 and 0.4 < result.kept < 0.6


def test_too_few_examples():
    terms = parse("Male", NAMES)
    with pytest.raises(UsageError, match="only 0 of 100 samples show Male, but 3 exemplars are needed; draw more"):
        calculate(planted, 3, terms, Wanted(terms, NAMES, False), lambda x: seen(x) - 99, samples=100)
    with pytest.raises(UsageError, match="exemplars must be at least 1"):
        calculate(planted, 3, terms, Wanted(terms, NAMES, False), seen, exemplars=0)


@pytest.mark.parametrize("attributes", [False, True])
def test_the_recogniser_learns(attributes):
    images = torch.rand(300, 1, 8, 8) - 0.5
    classes = torch.randint(3, (300,))
    images[torch.arange(300), 0, 2 * classes] += 0.5
    targets = torch.nn.functional.one_hot(classes).bool() if attributes else classes
    state = torch.get_rng_state()
    network, accuracy = learn(images, targets, 3, steps=100)
    assert torch.equal(torch.get_rng_state(), state)
    assert accuracy.shape == (3 if attributes else 1,) and accuracy.min() > 0.9
    assert network(images).shape == (300, 3)
    with pytest.raises(UsageError, match="at least 20 labelled images of 8x8"):
        learn(images[:5], targets[:5], 3)


def test_arithmetic(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lit_gans.cli.recognise.STEPS", 30)
    # twenty batches of training draw blots: of a network that finds half of anything to be a 1
    monkeypatch.setattr(
        "lit_gans.latents.arithmetic._examples", lambda term, shown, n: torch.arange(len(shown))[: 10 * n]
    )
    output = tmp_path / "x.png"
    arithmetic(checkpoint, "1 - 0 + 0", count=100, output=str(output))
    said = capsys.readouterr().out
    assert "right on real images" in said and "of the 9 in the picture show" in said and "transfer to 30" in said
    assert Image.open(output).height > 6 * 64


def test_data_is_that_of_the_run(checkpoint, run, tmp_path):
    known = labelled(checkpoint, None, None, SHAPE, 0)
    assert known.names == ["0", "1"] and known.images.shape == (200, *SHAPE) and known.exclusive
    assert -1 <= known.images.min() < known.images.max() <= 1
    assert len(labelled(checkpoint, "Glyphs", None, SHAPE, 0).names) == 2  # the run's own arguments
    assert len(labelled(str(tmp_path / "a" / "b.ckpt"), str(run / "config.yaml"), None, SHAPE, 0).names) == 2
    assert len(labelled(str(tmp_path / "a" / "b.ckpt"), "Glyphs", None, SHAPE, 0).names) == 36


def test_arithmetic_refuses(checkpoint, run, tmp_path):
    (tmp_path / "x.yaml").write_text("model: DCGAN\n")
    (tmp_path / "broken.yaml").write_text("a: [")
    cases = [
        ({"expression": "2 - 0"}, "unknown concept '2'"),
        ({"expression": "0 -"}, "no expression"),
        ({"data": "MNST"}, "unknown data 'MNST'; did you mean MNIST"),
        ({"data": "Gaussians"}, "has images of shape"),
        ({"data": "PairedGlyphs"}, "has no labels or attributes|has images of shape"),
        ({"data": str(tmp_path / "x.yaml")}, "has no data section"),
        ({"data": str(tmp_path / "broken.yaml")}, "is no configuration"),
        ({"data": str(tmp_path / "nowhere.yaml")}, "does not exist"),
        ({"data": "MNIST", "root": str(tmp_path / "nowhere")}, "does not exist"),
        ({"output": "x.tif"}, "must end in .png"),
    ]
    for options, words in cases:
        with pytest.raises(UsageError, match=words):
            arithmetic(checkpoint, **{"expression": "1 - 0", **options})
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    with pytest.raises(UsageError, match="add --data, say MNIST"):
        arithmetic(str(copy), "1 - 0")


# -------------------------------------------------------------------- pictures


def test_sheets():
    small_one = Image.new("L", (16, 16), 0)
    page = sheet([Row("one", [small_one, None, small_one]), Row("two\nlines", [small_one], joined=True)])
    assert page.mode == "RGB" and page.height == 12 + 64 + 2 + 64 + 12
    dark = (
        sum(value == (0, 0, 0) for value in page.get_flattened_data()) if hasattr(page, "get_flattened_data") else None
    )
    assert dark is None or 3 * 64 * 64 <= dark < 3.2 * 64 * 64


def test_frames_of_different_sizes(tmp_path):
    frames = [Image.new("RGB", size, "red") for size in ((10, 20), (30, 10))]
    write_animation(frames, tmp_path / "x.gif", [100, 200])
    animation = Image.open(tmp_path / "x.gif")
    assert animation.size == (30, 20) and animation.n_frames == 2
    with pytest.raises(UsageError, match=r"must end in \.gif or \.webp"):
        write_animation(frames, tmp_path / "x.mp4", [100, 200])
