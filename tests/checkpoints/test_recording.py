"""What a call was: noted before ``__init__`` runs, kept in the checkpoint, repeated by `lit_gans.load`."""

import copy
import inspect
import pydoc
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

import jsonargparse
import pytest
import torch
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

import lit_gans
from lit_gans import DCGAN, GAN, BaseGAN, LatentGAN
from lit_gans.checkpoints.loading import build, prove_repeatable
from lit_gans.checkpoints.recording import plain
from lit_gans.cli.main import main
from lit_gans.losses import minimax_discriminator, non_saturating_generator
from lit_gans.networks import DCGANBackbone, MLPBackbone, MLPDiscriminator, MLPGenerator
from lit_gans.optim import Adam, LinearDecay

SMALL = {"image_shape": SHAPE, "backbone": MLPBackbone((8,), (8,)), "latent_dim": 4}
COUNTED = [0]


class Taking(GAN):
    """Keeps whatever it is given."""

    def __init__(self, thing=None, other=None, **latent):
        super().__init__(**latent)
        self.thing, self.other = thing, other


class Built(LatentGAN):
    """Makes its networks of classes that are arguments."""

    def __init__(self, act=nn.ReLU, norm=nn.BatchNorm1d, hidden=8, **latent):
        self.act, self.norm, self.hidden = act, norm, hidden
        super().__init__(latent_dim=4, **latent)

    def make_generator(self):
        layers = nn.Linear(4, self.hidden), self.norm(self.hidden), self.act(), nn.Linear(self.hidden, 256)
        network = nn.Sequential(*layers, nn.Tanh(), nn.Unflatten(1, SHAPE))
        network.latent_dim = 4
        return network

    def make_discriminator(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(256, self.hidden), self.act(), nn.Linear(self.hidden, 1))

    def discriminator_loss(self, batch, fake):
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch, fake):
        return non_saturating_generator(self.discriminator(fake))


class Popping(GAN):
    """Takes an argument out of those for its parent, adds another and empties what is left."""

    def __init__(self, **latent):
        latent["r1"] = latent.pop("gamma", 0.0)
        super().__init__(**latent)
        latent.clear()


class Rebinding(GAN):
    """Has other values in its arguments by the time that its parent is called."""

    def __init__(self, units=2, sides=[3], **latent):  # noqa: B006 - a list is the case
        units = units * 2
        sides.append(units)
        super().__init__(backbone=MLPBackbone((units,), (units,)), **latent)
        self.units = units


class Fixing(GAN):
    """Decides an argument of its parent."""

    def __init__(self, **latent):
        super().__init__(generator_every=2, **latent)


class Counting(GAN):
    """Is made of more than its arguments."""

    def __init__(self, **latent):
        COUNTED[0] += 1
        super().__init__(backbone=MLPBackbone((4 * COUNTED[0],), (8,)), **latent)


class Drawn(GAN):
    """Has a width that nobody has said."""

    def __init__(self, **latent):
        width = int(torch.randint(8, 10_000, ()))
        super().__init__(backbone=MLPBackbone((width,), (8,)), **latent)


class Once(GAN):
    """Cannot be made a second time."""

    made = False

    def __init__(self, **latent):
        if Once.made:
            raise RuntimeError("there is one already")
        Once.made = True
        super().__init__(**latent)


class Growing(GAN):
    """Puts back a network that has changed as it trained."""

    def __init__(self, **latent):
        super().__init__(**latent)
        self.extra = nn.ModuleList()

    def on_load_checkpoint(self, checkpoint):
        super().on_load_checkpoint(checkpoint)
        self.extra.extend(
            nn.Linear(2, 2) for key in checkpoint["state_dict"] if key.startswith("extra.") and "w" in key
        )


class Colour(Enum):
    """A user's own kind of value."""

    RED = "red"


@dataclass(frozen=True)
class Options:
    """A user's own options, which are no backbone."""

    size: int = 3


@dataclass(frozen=True)
class OwnBackbone(MLPBackbone):
    """A user's own pair of networks."""

    act: type = nn.ReLU


class Scaled(nn.Module):
    """A criterion whose number is an attribute."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale


def trained(folder, model):
    """The path and the content of a model's checkpoint after one batch."""
    content = fit(folder, model, glyphs(count=20), max_steps=1, limit_val_batches=0)
    return folder / "checkpoints" / "last.ckpt", content


def again(folder, model, **arguments):
    """What the checkpoint of a model gives back; it has the same weights."""
    path, content = trained(folder, model)
    loaded = lit_gans.load(path, **arguments)
    assert_equal(dict(loaded.state_dict()), content["state_dict"])
    assert type(loaded) is type(model) and loaded.recorded.keys() == model.recorded.keys()
    return loaded


def not_trained(folder, model, *parts):
    """The run is refused, and not one batch was trained."""
    before = copy.deepcopy(dict(model.state_dict()))
    refused(lambda: trained(folder, model), *parts)
    assert_equal(dict(model.state_dict()), before)
    assert not (folder / "checkpoints").exists()


# -------------------------------------------------------------------- classes, partials, criteria


@pytest.mark.parametrize(("act", "norm"), [(nn.ReLU, nn.BatchNorm1d), (nn.SiLU, nn.LayerNorm), (nn.Tanh, nn.Identity)])
def test_a_class_comes_back_as_that_class(act, norm, tmp_path):
    """Were the class called, the norm would miss its size, and the activation be an object that has no use."""
    loaded = again(tmp_path, Built(act=act, norm=norm, image_shape=SHAPE))
    assert loaded.act is act and loaded.norm is norm and type(loaded.discriminator[2]) is act


def test_the_default_class_of_an_argument_is_written_down(tmp_path):
    _, content = trained(tmp_path, Built(image_shape=SHAPE))
    assert content["hyper_parameters"]["act"] == {"class": "torch.nn.modules.activation.ReLU"}


def test_a_partial_comes_back_as_a_partial(tmp_path):
    loaded = again(tmp_path, Built(act=partial(nn.LeakyReLU, negative_slope=0.3), image_shape=SHAPE))
    assert loaded.act.func is nn.LeakyReLU and loaded.act.keywords == {"negative_slope": 0.3}
    assert loaded.discriminator[2].negative_slope == 0.3


@pytest.mark.parametrize(
    "thing",
    [
        nn.ReLU,
        [nn.ReLU, nn.Tanh],
        {"a": nn.ReLU, "b": {"c": (nn.Tanh, 2)}},
        partial(nn.LeakyReLU, negative_slope=0.5),
        DCGANBackbone(width=(4, 8), upsampling="resize"),
        [MLPBackbone((3,)), MLPBackbone()],
        OwnBackbone(act=nn.Tanh),
        {"class": "a word of the user's own", "partial": 1, "x": 2},
        (1, [2.5, None], "three", True),
        {"nested": {"without": ["classes", 1]}},
        torch.arange(3.0),
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(thing, tmp_path):
    loaded = again(tmp_path, Taking(thing=thing, **SMALL)).thing
    if isinstance(thing, partial):
        assert isinstance(loaded, partial)
        thing, loaded = (thing.func, thing.keywords), (loaded.func, loaded.keywords)
    if isinstance(thing, (list, dict)) and "class_path" not in str(thing):
        assert loaded == thing
    else:
        assert_equal(loaded, thing)


@pytest.mark.parametrize(
    "thing",
    [
        nn.BCEWithLogitsLoss(),
        nn.BCEWithLogitsLoss(pos_weight=torch.ones(1)),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]), label_smoothing=0.1),
        nn.L1Loss(reduction="sum"),
        nn.Flatten(2),
        Scaled(2.0),
        [nn.ReLU(), nn.LeakyReLU(0.2)],
    ],
    ids=repr,
)
def test_a_criterion_without_weights_needs_not_be_passed_again(thing, tmp_path):
    loaded = again(tmp_path, Taking(thing=thing, **SMALL)).thing
    first, second = (part[1] if isinstance(part, list) else part for part in (thing, loaded))
    assert type(first) is type(second) and repr(first) == repr(second)
    assert_equal(dict(first.state_dict()), dict(second.state_dict()))
    assert getattr(first, "scale", None) == getattr(second, "scale", None)


@pytest.mark.parametrize(
    "thing",
    [
        nn.Linear(2, 2).requires_grad_(False),
        nn.Sequential(nn.ReLU()),
    ],
    ids=repr,
)
def test_a_module_that_its_class_does_not_make_alone_is_passed_again(thing, tmp_path):
    model = Taking(thing=thing, **SMALL)
    path, _ = trained(tmp_path, model)
    refused(lambda: lit_gans.load(path), "a thing passed as an object", f"thing={type(thing).__name__}(...)")
    assert lit_gans.load(path, thing=thing).thing is thing


def test_optimizers_and_schedules_come_back_as_factories(tmp_path):
    given = {"optimizer": partial(torch.optim.SGD, lr=0.5), "generator_optimizer": torch.optim.Adam}
    loaded = again(tmp_path, Taking(scheduler=partial(LinearDecay, steps=7), **given, **SMALL))
    (first, second), schedules = loaded.configure_optimizers()
    assert type(first) is torch.optim.Adam and type(second) is torch.optim.SGD
    assert second.param_groups[0]["lr"] == 0.5 and [type(s["scheduler"]) for s in schedules] == [LinearDecay] * 2


# -------------------------------------------------------------------- what no file can hold


def decay(step):
    """A named function, which is code all the same."""
    return 0.9**step


@pytest.mark.parametrize(
    "thing",
    [
        {"scheduler": partial(LambdaLR, lr_lambda=lambda step: 0.9**step)},
        {"discriminator_scheduler": partial(LambdaLR, lr_lambda=[lambda step: 1.0])},
        {"optimizer": lambda parameters: Adam(parameters)},
        {"optimizer": partial(lambda parameters, lr: Adam(parameters, lr), lr=1.0)},
        {"optimizer": partial(Adam, 1e-3)},
        {"thing": partial(nn.LeakyReLU, 0.2)},
        {"thing": torch.tanh},
        {"thing": {"deep": [lambda: 1]}},
        {"thing": partial(nn.Softplus, beta=lambda: 1)},
    ],
    ids=lambda thing: next(iter(thing)),
)
def test_code_is_refused_when_it_is_given(thing):
    """Not left out with a warning, so that it would be missed when the checkpoint is loaded."""
    (name,) = thing
    refused(lambda: Taking(**thing, **SMALL), name, "which a checkpoint cannot name", "functools.partial(")


def plain_sgd(parameters, lr=0.1):
    """A function at the top of a module, which has a name."""
    return torch.optim.SGD(parameters, lr)


def groups(named_parameters):
    """One that wants names."""
    kinds = {True: [], False: []}
    for name, parameter in named_parameters:
        kinds[name.endswith("bias")].append(parameter)
    return torch.optim.AdamW([{"params": kinds[False]}, {"params": kinds[True], "weight_decay": 0.0}], 1e-3)


def test_functions_come_back_where_their_package_is_trusted(tmp_path):
    given = {
        "generator_optimizer": plain_sgd,
        "discriminator_optimizer": partial(plain_sgd, lr=0.3),
        "scheduler": partial(LambdaLR, lr_lambda=decay),
    }
    path, _ = trained(tmp_path, Taking(thing=nn.functional.mse_loss, **given, **SMALL))
    optimizers, schedules = lit_gans.load(path, trust=[__name__]).configure_optimizers()
    assert [type(o) for o in optimizers] == [torch.optim.SGD] * 2
    assert [o.defaults["lr"] for o in optimizers] == [0.1, 0.3] and len(schedules) == 2
    plain_model = lit_gans.load(path)  # draws, but does not call what the file names
    assert plain_model.thing is nn.functional.mse_loss and plain_model.sample(1).shape == (1, *SHAPE)
    words = (f"names the function {__name__}.plain_sgd", f"trust=[{__name__!r}]", "generator_optimizer=plain_sgd")
    refused(plain_model.configure_optimizers, *words)
    passed = lit_gans.load(path, generator_optimizer=plain_sgd, discriminator_optimizer=Adam, scheduler=None)
    assert type(passed.configure_optimizers()[0][1]) is Adam
    assert dict(plain_model.hparams) == dict(
        lit_gans.load(path, trust=[__name__]).hparams
    )  # saved again, it is the same


@pytest.mark.parametrize("path", ["os.system", "torch.nn.functional.torch.hub.load", "shutil.rmtree"])
def test_a_function_that_a_file_names_is_not_called(path):
    function = build({"function": path}, "optimizer in x.ckpt")
    refused(lambda: function("echo"), f"optimizer in x.ckpt names the function {path}", "runs whatever it does")
    refused(lambda: build({"function": f"{__name__}.Path.home"}, "x", [__name__]), "no function of that module")


def test_groups_of_parameters_by_name(tmp_path):
    path, _ = trained(tmp_path, Taking(optimizer=groups, **SMALL))
    for optimizer in lit_gans.load(path, trust=[__name__]).configure_optimizers()[0]:
        assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
        assert all(p.ndim == 1 for p in optimizer.param_groups[1]["params"])


def test_names_of_optimizers_and_lightnings_dict_of_a_schedule(tmp_path):
    schedule = {"scheduler": partial(LinearDecay, steps=4), "interval": "epoch", "frequency": 2}
    path, _ = trained(tmp_path, Taking(optimizer="adam", generator_optimizer="SGD", scheduler=schedule, **SMALL))
    (first, second), schedules = lit_gans.load(path).configure_optimizers()
    assert type(first) is torch.optim.SGD and type(second) is Adam
    assert [(s["interval"], s["frequency"], type(s["scheduler"])) for s in schedules] == [("epoch", 2, LinearDecay)] * 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"optimizer": 1e-3}, "optimizer=functools.partial(Adam, lr=0.001)"),
        ({"optimizer": "Adan"}, "there is no optimizer 'Adan' for optimizer; did you mean Adam?"),
        ({"generator_scheduler": "StepLRR"}, "there is no schedule 'StepLRR' for generator_scheduler; did you mean"),
        ({"optimizer": torch.optim.SGD([torch.zeros(1)], lr=0.5)}, "optimizer=functools.partial(SGD, lr=0.5)"),
        ({"scheduler": StepLR(torch.optim.SGD([torch.zeros(1)], lr=0.5), 1)}, "functools.partial(StepLR, ...)"),
        ({"optimizer": {"class_path": "Adam"}}, "a class, its name, a functools.partial or a function"),
        ({"scheduler": {"scheduler": StepLR, "intervall": "epoch"}}, "did you mean interval?"),
        ({"scheduler": {"scheduler": StepLR, "interval": "day"}}, "'epoch' or 'step'"),
        ({"generator": 8}, "the generator must be a network, an nn.Module, got 8"),
        ({"discriminator": nn.Linear}, "write Linear(...), with brackets"),
        ({"backbone": DCGANBackbone}, "write DCGANBackbone(), with brackets"),
    ],
    ids=lambda value: "",
)
def test_what_is_no_factory_and_no_network_is_refused_at_once(given, words):
    refused(lambda: Taking(**{**SMALL, **given}), words)


@pytest.mark.parametrize("thing", [Colour.RED, Options(2), slice(1)], ids=repr)
def test_what_would_not_come_back_is_refused_before_the_first_batch(thing, tmp_path):
    not_trained(tmp_path, Taking(thing=thing, **SMALL), f"the argument thing={thing!r}", "cannot be loaded back")


@pytest.mark.parametrize("thing", [{1, 2}, b"bytes", 1j, torch.float16], ids=repr)
def test_other_plain_values_come_back(thing, tmp_path):
    assert again(tmp_path, Taking(thing=thing, **SMALL)).thing == thing


def test_positional_arguments_without_a_name_are_refused():
    class Starred(GAN):
        def __init__(self, *units, **latent):
            super().__init__(**latent)

    refused(lambda: Starred(3, 4, **SMALL), "takes *units", "pass arguments by name")
    assert Starred(**SMALL).hparams["latent_dim"] == 4


# -------------------------------------------------------------------- what __init__ does to its arguments


def test_popping_and_adding_do_not_falsify(tmp_path):
    model = Popping(gamma=0.5, image_shape=SHAPE, backbone=MLPBackbone((8,), (8,)))
    assert model.r1 == 0.5 and model.hparams["gamma"] == 0.5 and "r1" not in model.hparams
    loaded = again(tmp_path, model)
    assert loaded.r1 == 0.5 and loaded.hparams == model.hparams


def test_rebinding_does_not_falsify(tmp_path):
    sides = [1]
    model = Rebinding(units=3, sides=sides, image_shape=SHAPE)
    assert sides == [1, 6] and model.hparams["units"] == 3 and model.hparams["sides"] == [1]
    assert again(tmp_path, model).units == 6


def test_what_changes_later_is_not_what_was_passed(tmp_path):
    given = {"a": [1]}
    model = Taking(thing=given, **SMALL)
    given["a"].append(2)
    given["b"] = 3
    model.thing["c"] = 4
    assert again(tmp_path, model).thing == {"a": [1]}


def test_a_call_by_place_is_recorded_by_name(tmp_path):
    loaded = again(tmp_path, Taking(3, [4], **SMALL))
    assert (loaded.thing, loaded.other) == (3, [4])
    assert loaded.recorded == {"thing": 3, "other": [4], **SMALL}


def test_a_decided_argument_is_not_passed_twice(tmp_path):
    path, content = trained(tmp_path, Fixing(**SMALL))
    assert lit_gans.load(path).generator_every == 2
    content["lit_gans"]["defaults"]["generator_every"] = 5  # another one today
    torch.save(content, path)
    assert lit_gans.load(path).generator_every == 2


def test_a_model_inside_a_model_has_a_call_of_its_own():
    class Outer(GAN):
        def __init__(self, **latent):
            inner = GAN(image_shape=SHAPE, ema_decay=0.5, backbone=MLPBackbone((8,), (8,)))
            super().__init__(**latent)
            self.teacher = inner

    model = Outer(**SMALL)
    assert "ema_decay" not in model.recorded and model.teacher.recorded["ema_decay"] == 0.5


# -------------------------------------------------------------------- a constructor of more than its arguments


@pytest.mark.parametrize("cls", [Counting, Drawn])
def test_other_weights_from_the_same_arguments_are_refused(cls, tmp_path):
    model = cls(image_shape=SHAPE, latent_dim=4)
    not_trained(tmp_path, model, f"a checkpoint of this {cls.__name__} could not be loaded", "with the same arguments")


def test_a_model_that_cannot_be_made_twice_is_refused(tmp_path):
    Once.made = False
    not_trained(tmp_path, Once(**SMALL), "this Once could not be loaded", "RuntimeError: there is one already")


def test_the_proof_leaves_no_trace(tmp_path):
    """The weights, what is drawn next and the model itself are as they were."""
    model = small(DCGAN)
    before, drawn = copy.deepcopy(dict(model.state_dict())), torch.get_rng_state()
    prove_repeatable(model)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert_equal(dict(model.state_dict()), before)


def test_the_proof_takes_no_memory_for_weights():
    """A generator of 40 GB of weights, made on the meta device as the model is."""
    with torch.device("meta"):
        model = GAN(image_shape=SHAPE, backbone=MLPBackbone((100_000, 100_000), (8,)), ema_decay=0)
    prove_repeatable(model)


def test_a_network_that_grows_puts_itself_back(tmp_path):
    model = Growing(**SMALL)
    model.extra.append(nn.Linear(2, 2).requires_grad_(False))
    prove_repeatable(model)
    path, _ = trained(tmp_path, model)
    assert len(lit_gans.load(path).extra) == 1


def test_a_network_that_grew_unseen_is_refused(tmp_path):
    model = Taking(**SMALL)
    model.more = nn.Linear(2, 2).requires_grad_(False)
    not_trained(tmp_path, model, "its more.weight has the shape None and not (2, 2)", "on_load_checkpoint")


def test_given_networks_are_not_made_again(tmp_path):
    model = GAN(generator=MLPGenerator(SHAPE, 4, (8,)), discriminator=MLPDiscriminator(SHAPE, (8,)))
    path, _ = trained(tmp_path, model)
    refused(lambda: lit_gans.load(path), "a generator passed as an object")


# -------------------------------------------------------------------- other versions


def test_a_default_of_today_does_not_change_what_was_saved(tmp_path, monkeypatch):
    model = small(DCGAN)
    path, content = trained(tmp_path, model)
    assert content["lit_gans"]["defaults"]["ema_decay"] == 0.999 and "ema_decay" not in content["hyper_parameters"]
    assert content["lit_gans"]["defaults"]["clip_norm"] is None
    monkeypatch.setitem(lit_gans.GenerativeModel.__init__.__kwdefaults__, "ema_decay", 0.5)
    monkeypatch.setitem(lit_gans.GenerativeModel.__init__.__kwdefaults__, "clip_norm", 2.0)
    monkeypatch.setitem(BaseGAN.__init__.__kwdefaults__, "generator_every", 7)
    assert DCGAN(image_shape=SHAPE).ema_decay == 0.5
    loaded = lit_gans.load(path)
    assert (loaded.ema_decay, loaded.clip_norm, loaded.generator_every) == (0.999, None, 1)
    assert lit_gans.load(path, ema_decay=0.25).ema_decay == 0.25, "what the user says counts for more"


@pytest.mark.parametrize("defaults", [5, [1], {1: 2}, {"ema_decay": torch.zeros(3)}, {"clip_norm": {"class": "x.Y"}}])
def test_defaults_of_another_kind_are_refused(defaults, tmp_path):
    path, content = trained(tmp_path, small(DCGAN))
    content["lit_gans"]["defaults"] = defaults
    torch.save(content, path)
    refused(lambda: lit_gans.load(path), f"{path} is damaged", "its networks and its defaults")


@pytest.mark.parametrize("version", ["0.1.0", "0.1", "0.1.0.dev3", None])
def test_checkpoints_of_0_1_are_refused(version, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, content = trained(tmp_path, small(DCGAN))
    content["lit_gans"] = {**content["lit_gans"], "version": version}
    if version is None:
        del content["lit_gans"]["version"]
    content["hyper_parameters"] = {"image_shape": SHAPE, "width": 4}
    torch.save(content, "old.ckpt")
    said = "old.ckpt was saved by lit_gans 0.1", "docs/from-0.1.md"
    refused(lambda: lit_gans.load("old.ckpt"), *said)
    refused(lambda: DCGAN.load_from_checkpoint("old.ckpt"), *said)
    refused(lambda: trainer(tmp_path).fit(small(DCGAN), datamodule=glyphs(), ckpt_path="old.ckpt"), *said)
    for command in (["sample", "old.ckpt"], ["fit", "--ckpt_path=old.ckpt", "--data.size=16", "--data.count=20"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert ended.value.code == 1 and all(part in error for part in said), error
    assert (Path(__file__).parents[2] / "docs" / "from-0.1.md").is_file()


@pytest.mark.parametrize("version", ["0.2.0", "0.10.0", "0.11", "1.0", "0.2.0.dev1"])
def test_later_versions_are_read(version, tmp_path):
    path, content = trained(tmp_path, small(GAN))
    content["lit_gans"]["version"] = version
    torch.save(content, path)
    assert type(lit_gans.load(path)) is GAN


@pytest.mark.parametrize(
    ("cls", "option", "backbone"),
    [
        (DCGAN, {"width": 8}, "DCGANBackbone"),
        (lit_gans.CycleGAN, {"blocks": 1}, "ResNetTranslation"),
        (lit_gans.VAE, {"generator_norm": "batch"}, "DCGANBackbone"),
        (Taking, {"generator_hidden": (8,)}, "MLPBackbone"),
    ],
)
def test_an_argument_of_0_1_is_refused_with_where_it_is_now(cls, option, backbone):
    refused(
        lambda: cls(image_shape=SHAPE, **option),
        f"{next(iter(option))} is an option of a backbone since 0.2: {cls.__name__}(backbone={backbone}(...))",
        "docs/from-0.1.md",
    )


def test_another_argument_that_does_not_exist_is_answered():
    """In the name of the class that was called, with the nearest argument or where it belongs."""
    for wrong, said in {
        "latent_dims": "DCGAN has no argument 'latent_dims'; did you mean latent_dim?",
        "lr": "DCGAN has no argument 'lr'; an optimizer has it: optimizer=functools.partial(lit_gans.optim.Adam, lr=",
        "batch_size": "the data have it",
        "epochs": "lightning.Trainer(max_epochs=...)",
        "nz": "the size of the noise is latent_dim",
        "n_critic": "once in generator_every",
        "loss": "choose another model",
        "qqqqqq": "DCGAN has no argument 'qqqqqq'; it takes backbone, latent_dim, ",
    }.items():
        refused(lambda wrong=wrong: DCGAN(image_shape=SHAPE, **{wrong: 8}), said)
    refused(lambda: lit_gans.Glyphs(batchsize=3), "Glyphs has no argument 'batchsize'; did you mean batch_size?")
    refused(lambda: DCGAN(MLPGenerator(SHAPE, 4)), "arguments of DCGAN are given by name", "by place")


def test_a_constructor_that_forgets_its_parent_is_answered():
    class Forgets(DCGAN):
        def __init__(self):
            self.thing = 1

    class Early(DCGAN):
        def __init__(self, **base):
            self.thing = nn.Linear(1, 1)
            super().__init__(**base)

    class Inner(DCGAN):
        def __init__(self, **base):
            super().__init__(**base)
            nn.Linear(1, 1, lr=3)

    refused(Forgets, "Forgets.__init__ does not call its parent")
    refused(lambda: Early(image_shape=SHAPE), "Early.__init__ sets a network before its parent is ready")
    with pytest.raises(TypeError, match="Linear"):  # somebody else's argument
        Inner(image_shape=SHAPE)


# -------------------------------------------------------------------- signatures and other libraries


def test_the_signature_is_the_constructors():
    for cls in (DCGAN, GAN, lit_gans.VAE, lit_gans.CycleGAN, Taking):
        expected = list(inspect.signature(cls.__init__).parameters)[1:]
        assert list(inspect.signature(cls).parameters) == expected and "args" not in expected
    assert str(inspect.signature(Taking)) == "(thing=None, other=None, **latent)"
    text = pydoc.plain(pydoc.render_doc(lit_gans.LSGAN))
    first = next(line for line in text.splitlines() if "class LSGAN" in line and "(" in line)
    assert "a: 'float' = 0.0" in text or "a: float = 0.0" in text, first
    assert "*arguments" not in text.split("Data and other attributes")[0].split("Methods inherited")[0]


def test_jsonargparse_without_lightnings_command_line(tmp_path):
    """Its factories are partials of a function of its own, with the class behind."""
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(BaseGAN, "model")
    shape = ["--model.image_shape=[1,16,16]", "--model.latent_dim=4"]
    own = ["--model.generator_optimizer=torch.optim.SGD", "--model.generator_optimizer.lr=0.5"]
    for number, optimizer in enumerate(([], own)):
        arguments = parser.parse_args(["--model=lit_gans.GAN", *shape, *optimizer])
        model = parser.instantiate_classes(arguments).model
        assert type(model) is GAN
        loaded = again(tmp_path / str(number), model)
        (generators, judges), _ = loaded.configure_optimizers()
        assert type(judges) is Adam
        assert (type(generators), generators.param_groups[0]["lr"]) in ((Adam, 2e-4), (torch.optim.SGD, 0.5))
        assert (type(generators) is torch.optim.SGD) == bool(optimizer)


def test_a_function_of_ones_own_on_the_command_line(tmp_path):
    def play(model: DCGAN | None = None) -> DCGAN | None:
        return model

    given = ["--model=lit_gans.DCGAN", "--model.image_shape=[1,16,16]", "--model.latent_dim=4"]
    given += ["--model.backbone=lit_gans.networks.DCGANBackbone", "--model.backbone.width=4"]
    model = jsonargparse.CLI(play, args=given)
    assert type(model) is DCGAN and model.backbone == DCGANBackbone(width=4)
    assert again(tmp_path, model).backbone == DCGANBackbone(width=4)


# -------------------------------------------------------------------- there and back


@pytest.mark.parametrize(
    "value",
    [None, 3, 2.5, "word", True, (1, (2, 3)), [1, {"a": (2,)}], nn.ReLU, MLPBackbone((3,), (4, 5)), OwnBackbone()],
    ids=repr,
)
def test_plain_and_build_are_inverse(value):
    assert_equal(build(plain("x", value)), value)


def test_plain_values_are_loaded_without_code(tmp_path):
    value = plain(
        "x", {"a": [nn.ReLU, partial(nn.Softplus, beta=2.0)], "b": DCGANBackbone(), "c": Path("x"), "d": Adam}
    )
    torch.save(value, tmp_path / "x")
    assert_equal(torch.load(tmp_path / "x", weights_only=True), value)
    found = build(value)
    assert found["a"][0] is nn.ReLU and found["b"] == DCGANBackbone() and found["c"] == "x"
    assert found["d"].func is Adam
