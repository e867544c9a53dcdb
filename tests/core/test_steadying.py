"""LeCam and consistency: their formulas, one pass where one suffices, exact resume, and games that cannot have them."""

import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, assert_equal, data_for, fit, glyphs, refused, small, training_state
from lightning.pytorch import Callback

from lit_gans import ACGAN, BEGAN, DCGAN, GAN, GANCLS, R3GAN, SGAN, PacGAN, StackGAN
from lit_gans.augment.pixels import nudge
from lit_gans.core.steadying import Steadying

ON = {"lecam": 0.3, "consistency": 10.0, "consistency_fake": 5.0}


class Kept(Callback):
    """What every batch gave, and what came to the discriminator's first layer."""

    def __init__(self, model):
        self.terms, self.seen = [], []
        if hasattr(model.discriminator, "layers"):
            model.discriminator.layers[0].register_forward_hook(
                lambda module, inputs, _: self.seen.append(inputs[0].detach()) if module.training else None
            )

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.terms.append(outputs)


def test_lecam_is_the_papers_and_its_means_run():
    """By hand, from eq. 4: on the first batch the means are its own, later those of the batches before."""
    steadying, a, b = Steadying(0.3, 0.9, 0, 0), None, None
    assert steadying.state_dict().keys() == {"real", "fake", "batches"}
    for _ in range(3):
        real, fake = torch.randn(5, 1, 4, 4) + 1, torch.randn(5, 1, 4, 4)
        r, f = real.mean((1, 2, 3)), fake.mean((1, 2, 3))
        a, b = (r.mean(), f.mean()) if a is None else (a, b)
        expected = 0.3 * (F.relu(r - b).square().mean() + F.relu(a - f).square().mean())
        terms = steadying.terms(lambda images: images.mean((1, 2, 3)), real, fake)
        assert terms.keys() == {"lecam"}
        torch.testing.assert_close(terms["lecam"], expected)
        steadying.update(lambda means: means + 1)  # the mean over devices, as it were
        new = r.mean() + 1, f.mean() + 1
        a, b = new if int(steadying.batches) == 1 else (0.9 * a + 0.1 * new[0], 0.9 * b + 0.1 * new[1])
        torch.testing.assert_close(torch.stack([steadying.real, steadying.fake]), torch.stack([a, b]))


def test_consistency_compares_an_image_with_its_nudged_twin():
    steadying, weight = Steadying(0, 0.9, 10, 5), torch.randn(1, 16, 16)
    real, fake = torch.randn(4, *SHAPE), torch.randn(4, *SHAPE)
    torch.manual_seed(1)
    terms = steadying.terms(lambda images: (images * weight).mean((1, 2, 3)), real, fake)
    torch.manual_seed(1)
    for images, share, name in ((real, 10, "consistency"), (fake, 5, "consistency_fake")):
        change = ((images - nudge(images)) * weight).mean((1, 2, 3))
        torch.testing.assert_close(terms[name], share * change.square().mean())
    assert steadying.terms(lambda images: images.amax((1, 2, 3)) * 0, real, fake)["consistency"] == 0


def test_a_nudge_mirrors_half_and_shifts_by_an_eighth():
    torch.manual_seed(0)
    image = torch.arange(16.0).expand(1, 1, 8, 16)  # a value a column: up to two to each side
    rows = nudge(image.expand(400, -1, -1, -1))[:, 0, 0]
    inner = rows[:, 4:12].diff(dim=1)
    assert inner.unique().tolist() == [-1, 1] and (inner == inner[:, :1]).all()
    mirrored = inner[:, 0] < 0
    assert 0.4 < mirrored.float().mean() < 0.6
    middle = torch.where(mirrored, 15 - rows[:, 7], rows[:, 7])
    assert (middle - 7).unique().tolist() == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize(
    ("cls", "options", "passes"),
    [
        (DCGAN, {"lecam": 0.3}, 3),  # no more than without: reals and fakes, then fakes for the generator
        (DCGAN, {"augment": ["cutout"], **ON}, 5),
        (R3GAN, ON, 2 + 4 + 1),  # which judges both kinds at once, in either turn twice or once
    ],
)
def test_what_the_game_has_judged_is_not_judged_again(cls, options, passes, tmp_path):
    model = small(cls, **options)
    kept = Kept(model)
    fit(tmp_path, model, glyphs(count=10), callbacks=[kept], max_steps=1, limit_val_batches=0)
    assert len(kept.seen) == passes
    if "augment" in options:  # the twins of images with a hole have it too
        assert all((images == 0).flatten(1).float().mean(1).min() > 0.05 for images in kept.seen)
        seen, twin = kept.seen[0], kept.seen[2]
        assert not torch.equal(seen, twin) and float((seen == 0).sum()) == pytest.approx(
            float((twin == 0).sum()), rel=0.5
        )


@pytest.mark.parametrize("cls", [SGAN, ACGAN, GANCLS, PacGAN])
def test_every_game_of_one_discriminator_takes_them(cls, tmp_path):
    """Whatever its discriminator gives beside scores."""
    model = small(cls, **ON)
    kept = Kept(model)
    fit(tmp_path, model, data_for(cls, count=10), callbacks=[kept], max_steps=2, limit_val_batches=0)
    for terms in kept.terms:
        assert all(torch.isfinite(terms[f"discriminator/{name}"]) for name in ON)
    assert int(model.steadying.batches) == 2 and model.steadying.real != 0


@pytest.mark.parametrize("options", [{}, {"precision": "bf16-mixed"}], ids=["whole", "bf16"])
def test_resume_is_exact_in_parts(options, tmp_path):
    def made():
        return small(DCGAN, accumulate=2, augment=["translation"], **ON)

    data = {"count": 16}
    straight = fit(tmp_path / "a", made(), glyphs(**data), max_steps=4, limit_val_batches=0, **options)
    fit(tmp_path / "b", made(), glyphs(**data), max_steps=2, limit_val_batches=0, **options)
    last = tmp_path / "b" / "checkpoints" / "last.ckpt"
    model = made()
    resumed = fit(tmp_path / "c", model, glyphs(**data), last, max_steps=4, limit_val_batches=0, **options)
    assert_equal(training_state(straight), training_state(resumed))
    assert int(resumed["state_dict"]["steadying.batches"]) == 4
    assert not model.discriminator._forward_pre_hooks and not model.discriminator._forward_hooks


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: small(DCGAN, lecam=-1.0), ["lecam"]),
        (lambda: small(DCGAN, lecam=1.0, lecam_decay=1.0), ["lecam_decay", "[0, 1)"]),
        (lambda: small(BEGAN, lecam=0.3), ["BEGAN", "energies"]),
        (lambda: small(StackGAN, consistency=10.0), ["StackGAN", "several"]),
        (lambda: GAN(image_shape=(2,), consistency_fake=10.0), ["(2,)", "mirrors"]),
    ],
)
def test_refusals(make, parts):
    refused(make, *parts)


def test_off_adds_nothing_to_a_checkpoint():
    assert small(DCGAN).steadying is None
    assert not [name for name in small(DCGAN).state_dict() if name.startswith("steadying")]
