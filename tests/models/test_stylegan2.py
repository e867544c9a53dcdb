"""What StyleGAN2 adds to the non-saturating game: lazy R1, path length, truncation (arXiv:1912.04958)."""

from copy import deepcopy

import pytest
import torch
from conftest import assert_equal, fit, refused, small, training_state
from lightning.pytorch import Callback

import lit_gans
from lit_gans import CGAN, InfoGAN, StyleGAN2
from lit_gans.networks import DCGANBackbone, DCGANGenerator, StyleBackbone


class Watch(Callback):
    """Keeps what every batch held and gave."""

    def __init__(self):
        self.images, self.outputs = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.images.append(batch["image"])
        self.outputs.append(outputs)

    def when(self, term):
        return [number for number, outputs in enumerate(self.outputs) if term in outputs]


def test_lazy_r1(tmp_path):
    """On every third batch, three times as much: gamma / 2 * 3 * E |grad D(x)|^2."""
    model, watch = small(StyleGAN2, r1=2.0, r1_every=3), Watch()
    before = deepcopy(model.discriminator)
    fit(tmp_path, model, callbacks=[watch], max_steps=7)
    assert watch.when("discriminator/r1") == [0, 3, 6]
    image = watch.images[0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(before(image).sum(), image)
    expected = 2.0 / 2 * 3 * gradient.square().sum() / len(image)
    assert expected > 0
    torch.testing.assert_close(watch.outputs[0]["discriminator/r1"], expected, rtol=1e-4, atol=0)


def test_papers_defaults(tmp_path):
    model, watch = small(StyleGAN2), Watch()
    for optimizer in model.configure_optimizers()[0]:
        (group,) = optimizer.param_groups
        assert group["lr"] == 2.5e-3 and group["betas"] == (0.0, 0.99)
    assert (model.r1, model.r1_every, model.path_length, model.generator.mixing) == (10.0, 16, 0.0, 0.0)
    fit(tmp_path, model, callbacks=[watch])
    assert watch.when("generator/path_length") == [] and watch.when("discriminator/r1") == [0]
    before = small(StyleGAN2).discriminator
    real = torch.nn.functional.softplus(-before(watch.images[0])).mean()  # -E log D(x)
    torch.testing.assert_close(watch.outputs[0]["discriminator/real"], real.detach(), rtol=1e-4, atol=0)


def test_path_lengths():
    """|J^T y| with the whole Jacobian of the image by the style, and y of size 1 / sqrt(pixels) a pixel."""
    model = small(StyleGAN2, image_shape=(2, 9, 12))
    model.generator.eval()  # without fresh per-pixel noise
    torch.manual_seed(3)
    lengths = model.path_lengths(3)
    torch.manual_seed(3)
    styles = model.generator.mapping(torch.randn(3, 8))
    y = torch.randn(3, 2, 9, 12) / (9 * 12) ** 0.5
    for length, style, direction in zip(lengths, styles, y, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda w: model.generator.synthesis(w[None])[0], style)
        expected = (direction.reshape(-1) @ jacobian.reshape(-1, 8)).norm()
        torch.testing.assert_close(length, expected, rtol=1e-4, atol=1e-6)
    assert lengths.requires_grad and lengths.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(3)
        torch.testing.assert_close(model.path_lengths(3), lengths, rtol=0, atol=0)


def test_path_length_is_due_on_the_generators_moves(tmp_path):
    model, watch = small(StyleGAN2, path_length=2.0, path_length_every=2, generator_every=2), Watch()
    before = model.generator.mapping.layers[0].weight.detach().clone()
    fit(tmp_path, model, callbacks=[watch], max_steps=10)
    assert watch.when("generator/fake") == [0, 2, 4, 6, 8]
    assert watch.when("generator/path_length") == [0, 4, 8]
    assert model.path_mean > 0 and not torch.equal(before, model.generator.mapping.layers[0].weight)


def test_path_penalty(tmp_path, monkeypatch):
    """Lengths of 3 and 5: their mean enters the running one at 1%, and the penalty is about the running one."""
    model, watch, asked = small(StyleGAN2, path_length=2.0, path_length_every=3), Watch(), []

    def lengths(n):
        asked.append(n)
        return torch.tensor([3.0, 5.0]) + 0 * model.generator.constant.sum()

    monkeypatch.setattr(model, "path_lengths", lengths)
    fit(tmp_path, model, callbacks=[watch], max_steps=4)
    assert asked == [2, 2]  # half of the batch of 4, on the moves 0 and 3
    mean = 0.01 * 4
    torch.testing.assert_close(
        watch.outputs[0]["generator/path_length"], torch.tensor(2 * 3 * ((3 - mean) ** 2 + (5 - mean) ** 2) / 2)
    )
    assert float(model.path_mean) == pytest.approx(0.99 * mean + 0.01 * 4)


def test_lengths_can_be_learned():
    """Asked for twice the lengths that it begins with, a generator lengthens its paths: the penalty has a gradient."""
    model = small(StyleGAN2)
    optimizer = torch.optim.Adam(model.generator.parameters(), lr=0.01)
    before = model.path_lengths(64).mean().detach()
    for _ in range(40):
        optimizer.zero_grad()
        (model.path_lengths(16) - 2 * before).square().mean().backward()
        optimizer.step()
    assert 1.25 * before < model.path_lengths(64).mean() < 2.5 * before


def test_resume_with_path_length_is_exact(tmp_path):
    def model():
        return small(StyleGAN2, path_length=2.0, path_length_every=2, r1_every=3, mixing=0.5)

    straight = fit(tmp_path / "straight", model(), max_steps=10)
    first = fit(tmp_path / "first", model(), max_steps=5)
    assert first["state_dict"]["path_mean"] > 0 and first["state_dict"]["generator.mean_style"].any()
    torch.manual_seed(99)
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "second", model(), max_steps=10, ckpt_path=path)
    assert_equal(training_state(straight), training_state(resumed))
    loaded = lit_gans.load(path)
    assert (loaded.path_length, loaded.generator.mixing) == (2.0, 0.5)
    assert torch.equal(loaded.path_mean, first["state_dict"]["path_mean"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_average_has_the_mean_style(tmp_path, precision):
    model = small(StyleGAN2, path_length=2.0)
    fit(tmp_path, model, precision=precision, limit_val_batches=0)
    assert model.generator.mean_style.any()
    assert torch.equal(model.generator_ema.module.mean_style, model.generator.mean_style)


def test_truncated_samples(tmp_path):
    model = small(StyleGAN2)
    fit(tmp_path, model)
    still = model.sample(6, seed=0, truncation=0.0)
    torch.testing.assert_close(still, still[:1].expand_as(still))
    halfway, whole = model.sample(6, seed=0, truncation=0.5), model.sample(6, seed=0, truncation=1.0)
    assert halfway.shape == (6, 1, 16, 16) and not halfway.requires_grad
    assert 1e-5 < halfway.std(0).mean() < whole.std(0).mean()
    assert torch.equal(whole, model.sample(6, seed=0))
    assert torch.equal(halfway, model.sample(6, seed=0, truncation=0.5))
    assert not torch.equal(halfway, model.sample(6, seed=1, truncation=0.5))
    noise = torch.randn(3, 8)
    torch.testing.assert_close(
        model.sample(noise=noise, truncation=0.5), model.generator_ema.module.eval()(noise, truncation=0.5)
    )


def test_a_sample_is_a_function_of_its_noise(tmp_path):
    """Also after training, when the per-pixel noise has a strength."""
    model, noise = small(StyleGAN2), torch.randn(2, 8)
    fit(tmp_path, model)
    assert all(layer.strength != 0 for block in model.generator.blocks for layer in block.layers)
    assert torch.equal(model.sample(noise=noise), model.sample(noise=noise))
    torch.testing.assert_close(model.sample(noise=noise)[:1], model.sample(noise=noise[:1]))
    model.generator.train()
    assert not torch.equal(model.generator(noise), model.generator(noise))


def test_what_is_refused():
    other = {"image_shape": (1, 16, 16), "generator": DCGANGenerator((1, 16, 16), 8, 4)}
    other["backbone"] = StyleBackbone(width=4)
    refused(lambda: StyleGAN2(**other, path_length=2.0), "DCGANGenerator is no StyleGenerator", "leave path_length out")
    model = StyleGAN2(**other)
    assert model.sample(2).shape == (2, 1, 16, 16)
    refused(lambda: small(StyleGAN2, path_length=-1.0), "path_length must be at least 0")
    refused(lambda: small(StyleGAN2, path_length_every=0), "path_length_every must be at least 1")


def test_truncation_without_styles_scales_the_noise():
    model = small(StyleGAN2, backbone=DCGANBackbone(width=4, generator_norm="none"), r1=0)
    noise = torch.randn(3, model.latent_dim)
    assert torch.equal(model.sample(noise=noise, truncation=0.5), model.sample(noise=noise / 2))
    refused(lambda: model.sample(2, truncation=float("nan")), "truncation must be a finite number")


def test_truncation_reaches_the_styles_of_a_conditional_model():
    model = small(CGAN, backbone=StyleBackbone(width=4, latent_dim=8, style_dim=8))
    assert model.generator.truncates
    one = model.sample(4, seed=0, label=1, truncation=0.0)
    assert torch.equal(one, one[:1].expand_as(one)) and not torch.equal(one, model.sample(4, seed=0, label=1))


def test_rows_are_what_a_seed_draws():
    for model in (small(StyleGAN2), small(CGAN), small(InfoGAN)):
        rows = model.rows(5, seed=3)
        assert torch.equal(model.sample(**rows), model.sample(5, seed=3))
        part = {name: values[2:4] for name, values in rows.items()}
        assert torch.allclose(model.sample(**part), model.sample(5, seed=3)[2:4], atol=1e-5)
