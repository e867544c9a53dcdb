"""Projection onto a generator's range: exact where it can be, never worse than its starts, and nothing left behind."""

import pytest
import torch
from conftest import SHAPE, fit, glyphs, refused, small
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from lit_gans import DCGAN
from lit_gans.cli.invert import invert
from lit_gans.errors import UsageError
from lit_gans.images.photos import find_pictures, read_picture, write_picture
from lit_gans.images.shape import to_uint8
from lit_gans.latents.inversion import invert_images
from lit_gans.metrics import ReconstructionError


class Linear(nn.Module):
    """An orthogonal map of 6 numbers to 1x4x4 images, scaled so that they are in [-1, 1] mostly."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.map = nn.Linear(6, 16, bias=False)
        nn.init.orthogonal_(self.map.weight)

    def forward(self, noise):
        return self.map(noise).view(-1, 1, 4, 4)


class Conditional(Linear):
    """Adds the label, which no noise can do."""

    def forward(self, noise, label):
        return super().forward(noise) + label.view(-1, 1, 1, 1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inversion")
    fit(folder, small(DCGAN), glyphs(), max_steps=20)
    return folder / "checkpoints" / "last.ckpt"


def test_a_linear_generator_is_inverted_exactly():
    generator, noise = Linear(), torch.randn(5, 6)
    found = invert_images(generator, generator(noise).detach(), 6, steps=180)
    assert found.errors.max() < 1e-6
    assert torch.allclose(found.noise, noise, atol=1e-2)
    assert torch.allclose(found.reconstructions, generator(found.noise), atol=1e-6)


def test_what_it_cannot_draw_is_the_distance_to_its_range():
    generator, images = Linear(), torch.rand(7, 1, 4, 4) * 2 - 1
    found = invert_images(generator, images, 6, steps=150)
    weight, flat = generator.map.weight.detach(), images.flatten(1)
    nearest = flat @ weight @ weight.T  # the projection, since the columns are orthonormal
    assert torch.allclose(found.errors, (flat - nearest).square().mean(1), atol=1e-5)
    assert torch.allclose(found.errors, (found.reconstructions - images).square().mean((1, 2, 3)), atol=1e-6)


def test_errors_are_far_below_the_starts():
    model = small(DCGAN).eval()
    with torch.no_grad():
        for batch_norm in (m for m in model.generator.modules() if isinstance(m, nn.BatchNorm2d)):
            batch_norm.weight.mul_(3)  # untrained ones draw grey
        images = model.generator(torch.randn(4, 8))
        starts = model.generator(torch.randn(32, 8))
    start = (images[:, None] - starts[None]).square().flatten(2).mean(2).min(1).values
    found = invert_images(model.generator, images, 8, steps=100, restarts=4)
    assert (found.errors < 0.05 * start).all()


def test_more_steps_and_restarts_help():
    generator = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))
    images = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    errors = [
        invert_images(generator, images, 8, steps=steps, restarts=restarts).errors.mean()
        for steps, restarts in ((1, 1), (20, 1), (100, 1), (100, 8))
    ]
    assert errors[0] > errors[1] > errors[2] >= errors[3]


def test_many_images_come_in_order():
    generator = Linear()
    images = generator(torch.randn(150, 6)).detach()  # several batches
    found = invert_images(generator, images, 6, steps=100, restarts=8)
    assert found.errors.max() < 1e-3 and (found.reconstructions - images).abs().max() < 0.3
    assert found.noise.shape == (150, 6) and found.errors.shape == (150,)


def test_conditional_generators():
    generator, label = Conditional(), torch.tensor([0, 2, 1])
    images = generator(torch.randn(3, 6), label).detach()
    assert invert_images(generator, images, 6, steps=150, label=label).errors.max() < 1e-5
    assert invert_images(generator, images, 6, steps=150, label=label.roll(1)).errors.max() > 1e-2


def test_clipped_points_stay_near():
    generator = Linear()
    images = generator(torch.full((2, 6), 3.0)).detach()
    found = invert_images(generator, images, 6, steps=60, clip=1.0)
    assert found.noise.abs().max() <= 1.0 and found.errors.min() > 0.1


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_behind(training):
    model = small(DCGAN)
    network = model.generator.train(training)
    network[0].eval() if isinstance(network, nn.Sequential) else next(network.children()).eval()
    modes = [m.training for m in network.modules()]
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.get_rng_state()
    invert_images(network, torch.zeros(2, *SHAPE), 8, steps=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_seeds_and_inference_mode():
    model, images = small(DCGAN), torch.zeros(2, *SHAPE)
    first = invert_images(model.generator, images, 8, steps=5, seed=1)
    with torch.inference_mode():
        again = invert_images(model.generator, images.clone(), 8, steps=5, seed=1)
    other = invert_images(model.generator, images, 8, steps=5, seed=2)
    assert torch.equal(first.noise, again.noise) and not torch.equal(first.noise, other.noise)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"restarts": 0}, {"learning_rate": 0.0}, {"clip": -1.0}])
def test_wrong_numbers(wrong):
    with pytest.raises(UsageError, match="at least one step from at least one start"):
        invert_images(Linear(), torch.zeros(1, 1, 4, 4), 6, **wrong)


def test_a_wrong_shape():
    with pytest.raises(UsageError, match=r"draws images of shape \(1, 4, 4\).* are \(1, 5, 5\)"):
        invert_images(Linear(), torch.zeros(1, 1, 5, 5), 6)


def test_the_metric():
    generator, images = Linear(), torch.rand(9, 1, 4, 4) * 2 - 1
    metric = ReconstructionError(latent_dim=6, steps=100, count=7)
    for some in images.split(4):
        metric.update(some, generator)
    weight, flat = generator.map.weight.detach(), images[:7].flatten(1)
    expected = (flat - flat @ weight @ weight.T).square().mean()  # of the first 7: the rest is ignored
    assert float(metric.compute()) == pytest.approx(float(expected), abs=1e-4)
    metric.reset()
    with pytest.raises(ValueError, match="call update"), pytest.warns(UserWarning, match="before the ``update``"):
        metric.compute()
    label = torch.tensor([1, 2])
    metric.update(Conditional()(torch.zeros(2, 6), label).detach(), Conditional(), label)
    assert float(metric.compute()) < 1e-3


# -------------------------------------------------------------------- the command


@pytest.fixture
def pictures(tmp_path):
    data = glyphs()
    data.setup("fit")
    for number, image in enumerate(data.splits["train"][[0, 1, 2]]["image"]):
        write_picture(image, tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


def test_invert(checkpoint, pictures, tmp_path, capsys):
    output, latents = tmp_path / "x.png", tmp_path / "x.safetensors"
    invert(str(checkpoint), str(pictures), steps=5, restarts=2, output=str(output), latents=str(latents))
    said = capsys.readouterr().out
    saved = load_file(latents)
    assert saved["noise"].shape == (3, 8) and saved["errors"].shape == (3,)
    assert f"{saved['errors'][1]:.5f}  {pictures / '1.png'}" in said and "values in [-1, 1]" in said
    picture = Image.open(output)
    assert picture.height > 2 * 64 and picture.width > 3 * 64
    once = output.read_bytes()
    for taken in ({"output": str(output)}, {"output": str(tmp_path / "y.png"), "latents": str(latents)}):
        refused(lambda taken=taken: invert(str(checkpoint), str(pictures), **taken), "is there already", "--force")
    invert(str(checkpoint), str(pictures), steps=5, restarts=2, output=str(output), force=True)
    assert output.read_bytes() == once
    invert(str(checkpoint), str(pictures / "0.png"), steps=1, restarts=1, output=str(output), force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pictures", "x.png", "x.safetensors"]


def test_images_are_read_as_the_data_modules_do(pictures, tmp_path):
    image = read_picture(find_pictures(str(pictures))[0], SHAPE[0], SHAPE[1:])[0]
    assert torch.equal(to_uint8(image)[0], torch.tensor(list(Image.open(pictures / "0.png").tobytes())).view(16, 16))
    Image.new("RGB", (50, 30), "red").save(tmp_path / "wide.jpg")
    assert read_picture(tmp_path / "wide.jpg", 3, (8, 8), crop=20).shape == (1, 3, 8, 8)


def test_wrong_input(checkpoint, pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    cases = [
        ((tmp_path / "nowhere.ckpt", pictures), {}, "there is no checkpoint file"),
        ((tmp_path / "text.png", pictures), {}, "truncated or no checkpoint"),
        ((checkpoint, tmp_path / "text.png"), {}, "text.png cannot be used as a picture"),
        ((checkpoint, tmp_path / "empty"), {}, "holds no picture"),
        ((checkpoint, tmp_path / "nowhere"), {}, "there is no file or folder"),
        ((checkpoint, pictures), {"steps": 0}, "at least one step"),
        ((checkpoint, pictures), {"output": "x.pdf"}, r"must end in \.png"),
        ((checkpoint, pictures), {"latents": "x.pt"}, r"must end in \.safetensors"),
        ((checkpoint, pictures), {"label": 1}, "draws without labels"),
        ((checkpoint, pictures), {"device": "toaster"}, "device 'toaster' cannot be used"),
        ((checkpoint, pictures), {"crop": 99}, "no picture was inverted"),
    ]
    for arguments, options, words in cases:
        with pytest.raises(UsageError, match=words):
            invert(*map(str, arguments), **options)
