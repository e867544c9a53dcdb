"""Codes: what they cost a player that does not show or read them, how they are drawn, and what they agree with."""

import importlib.util
import math
from itertools import permutations
from pathlib import Path

import pytest
import torch
from conftest import SHAPE, fit, glyphs, refused, small
from lightning.pytorch import Callback
from torch import nn
from torch.distributions import Categorical, Normal

import lit_gans
from lit_gans import InfoGAN
from lit_gans.images.grid import Image
from lit_gans.metrics import confusion, matching_accuracy
from lit_gans.networks import (
    AuxiliaryDiscriminator,
    ConditionalGenerator,
    DCGANBackbone,
    DCGANDiscriminator,
    DCGANGenerator,
)

SCRIPT = Path(__file__).parents[2] / "examples" / "infogan_codes.py"
SEVERAL = {"categories": (2, 3), "continuous": 2, "information": 0.7, "continuous_information": 0.3}


class Outputs(Callback):
    """What every batch gave."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(outputs)


def batch(n=6):
    return {"image": torch.rand(n, *SHAPE) * 2 - 1}


# -------------------------------------------------------------------- the information


def test_information_is_the_papers():
    """-lambda E log Q(c | x) by PyTorch's own distributions, less the Gaussian's constant."""
    model, guess = small(InfoGAN, **SEVERAL), torch.randn(5, 7)
    first, second, values = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([2, 0, 1, 2, 0]), torch.rand(5, 2) * 2 - 1
    code = torch.cat([torch.eye(2)[first], torch.eye(3)[second], values], 1)
    terms = model.information_loss(guess, code)
    log_q = Categorical(logits=guess[:, :2]).log_prob(first) + Categorical(logits=guess[:, 2:5]).log_prob(second)
    torch.testing.assert_close(terms["categorical"], -0.7 * log_q.mean())
    density = (Normal(guess[:, 5:], 1).log_prob(values) + math.log(2 * math.pi) / 2).sum(1)
    torch.testing.assert_close(terms["continuous"], -0.3 * density.mean())
    assert terms.keys() == {"categorical", "continuous"}


def test_information_is_computed_in_float32():
    model = small(InfoGAN)
    terms = model.information_loss(torch.randn(4, 3).bfloat16(), model.codes(4).bfloat16())
    assert all(term.dtype == torch.float32 for term in terms.values())


@pytest.mark.parametrize("codes", [{"categories": (3,), "continuous": 0}, {"categories": (), "continuous": 2}])
def test_one_kind_of_code_is_enough(codes, tmp_path):
    model = small(InfoGAN, **codes)
    fit(tmp_path, model)
    terms = model.information_loss(torch.randn(4, sum(model.categories) + model.continuous), model.codes(4))
    assert terms.keys() == ({"categorical"} if model.categories else {"continuous"})
    assert model.columns == sum(model.categories)
    assert [*model.guess(model.sample(3))] == (["category0"] if model.categories else ["continuous"])


def test_both_players_minimise_it():
    """In its turn the discriminator's second head learns to read, the generator to show; neither through the logits."""
    model = small(InfoGAN, **SEVERAL)
    fake = model.generate(batch())
    assert fake["code"].shape == (6, 7) and fake["image"].requires_grad
    names = ("categorical", "continuous")
    detached = {name: value.detach() for name, value in fake.items()}
    terms = model.discriminator_loss(batch(), detached)
    assert terms.keys() == {"real", "fake", *names}
    sum(terms[name] for name in names).backward()
    head, judge = model.discriminator.guess, model.discriminator.discriminator.judge
    assert (head.weight.grad.abs().sum(1) > 0).all()  # every output, of every code
    assert judge.weight.grad is None
    trunk = model.discriminator.discriminator.layers[0].weight
    assert trunk.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.generator.parameters())

    model.discriminator.requires_grad_(False)  # as in the generator's turn
    terms = model.generator_loss(batch(), fake)
    assert terms.keys() == {"fake", *names}
    before = head.weight.grad.clone()
    for name in names:
        model.generator.zero_grad()
        terms[name].backward(retain_graph=True)
        inside = model.generator.generator.dense[0].weight.grad
        assert (inside[:, -7:].abs().sum(0) > 0).all() and torch.isfinite(inside).all()
    assert torch.equal(head.weight.grad, before)


def test_the_second_head_is_trained_on_fakes_alone():
    """No real image has a code: other reals change no gradient of Q."""
    gradients = []
    for seed in (1, 2):
        model = small(InfoGAN, discriminator_norm="none")
        torch.manual_seed(9)
        fake = {name: value.detach() for name, value in model.generate(batch()).items()}
        torch.manual_seed(seed)
        sum(model.discriminator_loss(batch(), fake).values()).backward()
        gradients.append(model.discriminator.guess.weight.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_short_run_shows_its_codes(weight, tmp_path):
    """Q reads them off the fakes within some hundred batches; players that do not care for it leave it guessing."""
    watch = Outputs()
    model = small(InfoGAN, width=8, information=weight, continuous_information=weight)
    data = glyphs(count=640, batch_size=32)
    fit(tmp_path, model, data, callbacks=[watch], max_steps=150, limit_val_batches=0)
    code = model.codes(200, seed=3)
    found = model.guess(model.sample(noise=torch.randn(200, 8), code=code))
    right = (found["category0"].argmax(1) == code[:, 0:2].argmax(1)).float().mean()
    error = (found["continuous"] - code[:, 2:]).square().mean()
    if weight:
        for name in ("generator/categorical", "generator/continuous"):
            terms = torch.stack([outputs[name] for outputs in watch.seen])
            assert terms[-10:].mean() < terms[:10].mean() / 2, name
        assert right > 0.9 and error < 1 / 4  # three quarters of the variance of the code
    else:
        assert right < 0.8


# -------------------------------------------------------------------- codes and samples


def test_training_draws_every_code():
    model = small(InfoGAN, **SEVERAL)
    code = model.generate(batch(3000))["code"]
    shares = code[:, :5].mean(0)
    torch.testing.assert_close(shares, torch.tensor([1 / 2] * 2 + [1 / 3] * 3), rtol=0, atol=0.05)
    assert set(code[:, :5].unique().tolist()) == {0.0, 1.0}
    assert (code[:, :2].sum(1) == 1).all() and (code[:, 2:5].sum(1) == 1).all()
    values = code[:, 5:]
    assert values.abs().max() <= 1 and abs(values.mean()) < 0.05 and abs(values.var() - 1 / 3) < 0.02
    related = torch.corrcoef(code[:, [0, 2, 5, 6]].T) - torch.eye(4)
    assert related.abs().max() < 0.08


def test_categories_take_turns():
    model = small(InfoGAN, **SEVERAL)
    assert model.columns == 2
    codes = model.codes(7, seed=0)
    assert codes.shape == (7, 7) and codes[:, :2].argmax(1).tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert torch.equal(codes, model.codes(7, seed=0)) and not torch.equal(codes, model.codes(7, seed=1))
    assert model.codes(4, category=1)[:, :2].argmax(1).tolist() == [1] * 4
    assert model.codes(4, category=[1, 1, 0])[:, :2].argmax(1).tolist() == [1, 1, 0, 1]
    assert model.codes(300, seed=0)[:, 2:5].sum(0).min() > 70  # the others are drawn


def test_codes_and_noise_of_a_seed_are_not_the_same_numbers():
    """A stream that both began with would make the first noise values a function of the code."""
    model = small(InfoGAN, categories=(), continuous=8)
    noise = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)).flatten()
    related = torch.corrcoef(torch.stack([noise, model.codes(500, seed=0).flatten()]))[0, 1]
    assert abs(related) < 0.07


def test_sample_takes_codes():
    model = small(InfoGAN)
    model.eval()
    images = model.sample(4, seed=0)
    assert torch.equal(images, model.sample(4, seed=0, code=model.codes(4, seed=0)))
    assert torch.equal(images, model.sample(4, seed=0, category=[0, 1]))
    noise = torch.randn(3, 8)
    row = torch.tensor([1.0, 0.0, 2.0])
    one = model.sample(noise=noise, code=row)
    assert torch.equal(one, model.sample(noise=noise, code=row.expand(3, -1))) and len(one) == 3
    assert torch.equal(
        model.sample(5, seed=1, code=torch.stack([row, -row]))[[1, 3]].flatten(),
        (model.sample(5, seed=1, code=-row)[[1, 3]].flatten()),
    )
    for other in (torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 0.0, -2.0])):
        assert not torch.equal(one, model.sample(noise=noise, code=other))


def test_guess_leaves_the_discriminator_as_it_is():
    model = small(InfoGAN, **SEVERAL)
    model.train()
    state = {name: value.clone() for name, value in model.discriminator.state_dict().items()}
    images = batch(3)["image"]
    found = model.guess(images)
    assert [(name, tuple(rows.shape)) for name, rows in found.items()] == [
        ("category0", (3, 2)),
        ("category1", (3, 3)),
        ("continuous", (3, 2)),
    ]
    torch.testing.assert_close(found["category1"].sum(1), torch.ones(3))
    alone = model.guess(images[:1])["continuous"]  # of an image by itself, not of its batch
    torch.testing.assert_close(found["continuous"][:1], alone)
    assert model.discriminator.training
    assert all(torch.equal(value, state[name]) for name, value in model.discriminator.state_dict().items())


# -------------------------------------------------------------------- networks


def test_defaults():
    model = InfoGAN(
        image_shape=(3, 16, 20),
        backbone=DCGANBackbone(latent_dim=62, dense=16, width=8, upsampling="resize"),
        categories=(4,),
        continuous=1,
    )
    assert model.latent_dim == 62 and model.generator.generator.latent_dim == 67
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.discriminator.modules())
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in model.generator.modules())
    assert model.discriminator.guess.out_features == 5 and model.sample(2).shape == (2, 3, 16, 20)
    judge = model.discriminator.discriminator
    assert model.generator.generator.dense[0].weight.shape == (128, 67) and judge.judge.in_features == 128
    points = InfoGAN(image_shape=(2, 1, 1), latent_dim=2, categories=(4,))
    assert points.sample(4).shape == (4, 2, 1, 1) and points.guess(points.sample(4))["category0"].shape == (4, 4)


def test_a_users_networks(tmp_path):
    generator = ConditionalGenerator(DCGANGenerator(SHAPE, 11, 4), 3)
    discriminator = AuxiliaryDiscriminator(DCGANDiscriminator(SHAPE, 4), 3)
    model = InfoGAN(generator=generator, discriminator=discriminator, categories=(2,), continuous=1)
    assert model.latent_dim == 8
    fit(tmp_path, model)
    networks = {"generator": generator, "discriminator": discriminator}
    refused(lambda: InfoGAN(**networks, backbone=DCGANBackbone()), "backbone", "InfoGAN")
    half = InfoGAN(
        generator=generator,
        categories=(2,),
        continuous=1,
        image_shape=SHAPE,
        backbone=DCGANBackbone(latent_dim=62, dense=16, width=8, discriminator_norm="none"),
    )
    assert half.generator is generator and half.discriminator.discriminator.layers[0].out_channels == 8


def test_it_can_be_helped(tmp_path):
    """R1 and adaptive augmentation look at the first head."""
    watch = Outputs()
    helped = {"r1": 1.0, "r1_every": 1, "discriminator_norm": "none", "augment": ("blit",), "augment_target": 0.6}
    fit(tmp_path, small(InfoGAN, **helped), callbacks=[watch])
    assert all(outputs["discriminator/r1"] > 0 and "state/augment_p" in outputs for outputs in watch.seen)


def test_a_checkpoint_keeps_the_codes(tmp_path):
    model = small(InfoGAN, **SEVERAL)
    fit(tmp_path, model)
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt")
    assert (loaded.categories, loaded.continuous, loaded.information) == ((2, 3), 2, 0.7)
    assert torch.equal(loaded.sample(4, seed=0), model.sample(4, seed=0))


def test_what_it_refuses():
    for wrong in ({"categories": (1,)}, {"continuous": -1}, {"categories": (), "continuous": 0}):
        refused(lambda wrong=wrong: small(InfoGAN, **wrong), "categories", "continuous", *wrong)
    refused(lambda: small(InfoGAN, information=-1.0), "information", -1.0)
    refused(lambda: small(InfoGAN, continuous_information=-0.5), "continuous_information", -0.5)
    refused(lambda: InfoGAN(categories=(2,)), "image_shape")
    model = small(InfoGAN)
    for category in (2, -1, [0, 2], [], 0.5):
        refused(lambda category=category: model.sample(2, category=category), "from 0 to 1", category)
    refused(lambda: model.sample(2, code=torch.zeros(2, 4)), "rows of 3 values", "(2, 4)")
    refused(lambda: model.sample(2, code=torch.zeros(0, 3)), "(0, 3)")
    for shape in ((), (2, 0), (2, 2, 3)):
        refused(lambda shape=shape: model.sample(2, code=torch.zeros(shape)), "rows of 3 values", shape)
    refused(lambda: model.sample(2, code=model.codes(2), category=1), "only one")
    refused(lambda: small(InfoGAN, categories=()).sample(2, category=1), "none", "leave it out")


# -------------------------------------------------------------------- agreement


def test_the_matching_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        assigned, classes = (torch.randint(4, (30,), generator=generator) for _ in range(2))
        assigned[:4] = classes[:4] = torch.arange(4)
        best = max(float((torch.tensor(p)[assigned] == classes).float().mean()) for p in permutations(range(4)))
        share, matching = matching_accuracy(assigned, classes)
        assert share == pytest.approx(best) and sorted(matching.tolist()) == [0, 1, 2, 3]
        assert float((matching[assigned] == classes).float().mean()) == pytest.approx(share)


def test_the_matching_is_not_greedy():
    """Group 0 has most of class 0, but group 1 has nothing else."""
    assigned = torch.tensor([0] * 9 + [1] * 6)
    classes = torch.tensor([0] * 5 + [1] * 4 + [0] * 6)
    assert matching_accuracy(assigned, classes) == (10 / 15, pytest.approx(torch.tensor([1, 0])))


def test_other_names_do_not_matter():
    classes = torch.arange(10).repeat(20)
    names = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    share, matching = matching_accuracy(names[classes], classes)
    assert share == 1.0 and torch.equal(matching[names], torch.arange(10))


def test_more_groups_than_classes_and_less():
    share, matching = matching_accuracy(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 1]))
    assert share == 0.8 and matching.tolist() == [0, -1, 1]
    share, matching = matching_accuracy(torch.tensor([0, 0, 0]), torch.tensor([1, 1, 2], dtype=torch.int32))
    assert share == pytest.approx(2 / 3) and matching.tolist() == [1]
    assert torch.equal(confusion(torch.tensor([1, 1]), torch.tensor([0, 1])), torch.tensor([[0, 0], [1, 1]]))


def test_what_agreement_refuses():
    two = torch.tensor([0, 1])
    refused(lambda: matching_accuracy(two, two[:1]), "(2,)", "(1,)")
    refused(lambda: matching_accuracy(two[:0], two[:0]), "(0,)")
    refused(lambda: matching_accuracy(two.float(), two), "integers", "float32")
    refused(lambda: matching_accuracy(two, two - 1), "from 0", "-1")


# -------------------------------------------------------------------- the script


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("infogan_codes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved(folder, **arguments):
    fit(folder, small(InfoGAN, **arguments), max_steps=1, limit_val_batches=0)
    return str(folder / "checkpoints" / "last.ckpt")


def test_script(script, tmp_path, capsys):
    path, output = saved(tmp_path, **{**SEVERAL, "categories": (3, 2)}), tmp_path / "codes.png"
    script.main([path, "--output", str(output), "--count", "60"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("agreement ") and "of 60 samples" in lines[0]
    rows = [[int(n) for n in line.split()[2:]] for line in lines[3:6]]
    assert [sum(row) for row in rows] == [20, 20, 20]
    share = float(lines[0].split()[1].rstrip("%")) / 100
    diagonal = [row[int(line.split()[1])] for row, line in zip(rows, lines[3:6], strict=True) if line.split()[1] != "-"]
    assert share == pytest.approx(sum(diagonal) / 60, abs=1e-4)
    with Image.open(output) as picture:  # two blocks of 3 rows and 9 columns
        assert picture.size == (2 * (9 * 18 + 2) + script.GAP, 3 * 18 + 2)


def test_script_sweeps_one_code(script):
    """Rows are the categories; a block varies its own continuous code alone."""
    model, calls = small(InfoGAN, **{**SEVERAL, "categories": (3, 2)}), []
    sample = model.sample
    model.sample = lambda **given: calls.append(given) or sample(**given)
    script.picture(model, seed=0)
    for number, given in enumerate(calls):
        code = given["code"].view(3, 9, 7)
        assert (given["noise"] == given["noise"][0]).all()
        assert torch.equal(code[:, 0, :3], torch.eye(3)) and torch.equal(code[:, 4, :3], torch.eye(3))
        assert (code[..., 3] == 1).all() and (code[..., 4] == 0).all()
        torch.testing.assert_close(code[1, :, 5 + number], torch.linspace(-2, 2, 9))
        assert (code[..., 6 - number] == 0).all()


def test_script_refuses_what_it_cannot_show(script, tmp_path, capsys):
    path = saved(tmp_path)
    for arguments, part in (([str(tmp_path / "no.ckpt")], "no.ckpt"), ([path, "--count", "1"], "--count")):
        with pytest.raises(SystemExit):
            script.main(arguments)
        assert part in capsys.readouterr().err


def test_a_code_is_no_point_of_the_latent_space(tmp_path):
    """What walks through latent points would draw another code at each."""
    from lit_gans.callbacks import Reconstruction
    from lit_gans.cli.models import load_latent

    fit(tmp_path, small(InfoGAN), max_steps=1, limit_val_batches=0)
    refused(lambda: load_latent(str(tmp_path / "checkpoints" / "last.ckpt")), "InfoGAN", "latent space alone")
    refused(lambda: Reconstruction().setup(None, small(InfoGAN), "fit"), "InfoGAN", "noise alone")


def test_a_backbones_generator_need_not_say_how_long_its_noise_is():
    class Plain(DCGANBackbone):
        def generator(self, image_shape, inputs):
            return nn.Sequential(nn.Linear(inputs, 256), nn.Unflatten(1, image_shape), nn.Tanh())

    model = InfoGAN(image_shape=(1, 16, 16), backbone=Plain(width=4))
    assert model.latent_dim == 100 and model.sample(2, seed=0).shape == (2, 1, 16, 16)
