"""Classes that options name: by short names, and each with its own defaults."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser, _typehints

from lit_gans import DCGAN, VAE, WGAN, WGANGP, BaseGAN, CycleGAN, InfoGAN, StyleGAN2, load, optim
from lit_gans.checkpoints import mistakes, recording
from lit_gans.cli.arguments import in_order
from lit_gans.cli.main import main

ADAM = {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0}
RMSPROP = {"lr": 5e-5, "alpha": 0.99, "eps": 1e-8}


@pytest.fixture
def printed(capsys, tmp_path, monkeypatch):
    """The model, the data and the notes of a command: ``printed(*words)``."""
    monkeypatch.chdir(tmp_path)

    def run(*words, part="model"):
        with pytest.raises(SystemExit) as end:
            main(["fit", *words, "--print_config"])
        said = capsys.readouterr()
        assert not end.value.code, said.err
        run.notes = [line for line in said.err.splitlines() if line.startswith("note: ")]
        return yaml.safe_load(said.out)[part]

    return run


@pytest.fixture
def refusal(capsys, tmp_path, monkeypatch):
    """The one sentence of a command that is refused: ``refusal(*words)``."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main(["fit", *words, "--print_config"])
        assert end.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
        return line.removeprefix("lit-gans: error: ")

    return run


def options(model, name):
    """The options of the class that an argument of a model names."""
    return model["init_args"][name]["init_args"]


def class_of(model, name):
    return model["init_args"][name]["class_path"]


@pytest.fixture
def run_of(tmp_path, printed):
    """The configuration of a run of a small DCGAN on small glyphs, as ``config.yaml`` spells it out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        flags = ["--model.backbone.width=8", "--model.clip_norm=2", "--data.size=16", "--data.batch_size=20"]
        config = {part: printed(*flags, part=part) for part in ("model", "data")}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


# -------------------------------------------------------------------- one class named over another


@pytest.mark.parametrize(("model", "every"), [(WGAN, 5), (WGANGP, 5), (StyleGAN2, 1)])
def test_another_model_over_a_run_begins_anew(model, every, run_of, printed):
    over = printed("--config", str(run_of), "--model", model.__name__)
    (note,) = printed.notes
    assert over == printed("--model", model.__name__)
    assert over["init_args"]["generator_every"] == every and over["init_args"]["clip_norm"] is None
    assert f"options of DCGAN do not hold for {model.__name__} and are left out: " in note
    assert "backbone.width 8" in note and "clip_norm 2.0" in note and "generator_every" not in note


def test_options_of_the_same_command_hold(run_of, printed):
    over = printed("--config", str(run_of), "--model.clip_norm=3", "--model", "WGAN", "--model.backbone.width=4")
    assert over["init_args"]["clip_norm"] == 3 and options(over, "backbone")["width"] == 4
    assert options(over, "optimizer") == RMSPROP


def test_other_data_over_a_run_begin_anew(run_of, printed):
    data = printed("--config", str(run_of), "--data=MNIST", part="data")
    assert data == printed("--data=MNIST", part="data") and data["init_args"]["size"] == 28
    data = printed("--config", str(run_of), "--data=MNIST", "--data.batch_size=5", part="data")
    assert data["init_args"]["batch_size"] == 5
    assert any(
        "options of Glyphs do not hold for MNIST and are left out: size 16, batch_size 20" in n for n in printed.notes
    )


@pytest.mark.parametrize("name", ["DCGAN", "lit_gans.DCGAN", "lit_gans.models.dcgan.DCGAN"])
def test_the_same_class_keeps_its_options(name, run_of, printed):
    over = printed("--config", str(run_of), "--model", name)
    assert options(over, "backbone")["width"] == 8 and over["init_args"]["clip_norm"] == 2 and not printed.notes


@pytest.mark.parametrize("form", ["{}={}", "{} {}", "{}.class_path={}"])
def test_an_optimizer_has_its_own_numbers(form, printed):
    words = ["--model", "WGAN", *form.format("--model.optimizer", "lit_gans.optim.Adam").split()]
    assert options(printed(*words), "optimizer") == ADAM and not printed.notes
    assert options(printed(*words, "--model.optimizer.lr=1e-3"), "optimizer") == {**ADAM, "lr": 1e-3}


@pytest.mark.parametrize("model", ["WGANGP", "ProjectionGAN", "SNGAN", "StyleGAN2", "WGAN"])
def test_an_optimizer_in_a_file_has_its_own_numbers(model, tmp_path, printed):
    named = {"class_path": "lit_gans.optim.Adam", "init_args": {"lr": 1e-3}}
    (tmp_path / "x.yaml").write_text(
        yaml.safe_dump({"model": {"class_path": model, "init_args": {"optimizer": named}}})
    )
    assert options(printed("--config=x.yaml"), "optimizer") == {**ADAM, "lr": 1e-3}


def test_a_second_file_begins_anew_where_it_names_a_class(tmp_path, printed):
    first = {"optimizer": {"class_path": "RMSprop", "init_args": {"lr": 1e-3}}, "clip_norm": 2.0}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": {"class_path": "WGAN", "init_args": first}}))
    (tmp_path / "b.yaml").write_text("model: {init_args: {optimizer: {class_path: Adam}}}")
    (tmp_path / "c.yaml").write_text("model: {init_args: {optimizer: {init_args: {alpha: 0.5}}}}")
    over = printed("--config=a.yaml", "--config=b.yaml")
    assert options(over, "optimizer") == ADAM and over["init_args"]["clip_norm"] == 2
    assert printed.notes == ["note: options of RMSprop do not hold for Adam and are left out: lr 0.001"]
    assert options(printed("--config=a.yaml", "--config=c.yaml"), "optimizer") == {**RMSPROP, "lr": 1e-3, "alpha": 0.5}


def test_backbones_schedules_callbacks_and_loggers_begin_anew(tmp_path, printed):
    model = {
        "backbone": {"class_path": "ResNet", "init_args": {"width": 8, "attention": 8}},
        "scheduler": {"class_path": "StepLR", "init_args": {"step_size": 3, "gamma": 0.5}},
    }
    stopping = {"class_path": "EarlyStopping", "init_args": {"monitor": "val/fid", "patience": 9}}
    logger = {"class_path": "wandb", "init_args": {"project": "p", "prefix": "x"}}
    trainer = {"callbacks": [stopping], "logger": logger}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": {"init_args": model}, "trainer": trainer}))
    words = ["--config=a.yaml", "--model.backbone=R3", "--model.scheduler=ExponentialLR", "--model.scheduler.gamma=0.9"]
    over = printed(*words)
    assert options(over, "backbone")["width"] == 32 and options(over, "scheduler")["gamma"] == 0.9
    (tmp_path / "b.yaml").write_text("trainer: {callbacks: [{class_path: Quality}], logger: csv}")
    over = printed("--config=a.yaml", "--config=b.yaml", part="trainer")
    assert "patience" not in str(over["callbacks"]) and over["logger"]["init_args"]["prefix"] == ""
    notes = " ".join(printed.notes)
    assert "EarlyStopping do not hold for Quality and are left out: monitor val/fid, patience 9" in notes
    assert "WandbLogger do not hold for CSVLogger and are left out: prefix x, project p" in notes


# -------------------------------------------------------------------- no class named: the model's own


@pytest.mark.parametrize("model", [DCGAN, InfoGAN, VAE, CycleGAN])
def test_options_of_the_models_own_backbone(model, printed):
    found = printed("--model.backbone.width=8", "--model", model.__name__)
    usual = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(model.default_backbone).items()}
    assert options(found, "backbone") == {**usual, "width": 8}
    assert class_of(found, "backbone") == f"lit_gans.networks.{type(model.default_backbone).__name__}"


@pytest.mark.parametrize("text", ["{width: 8}", "{init_args: {width: 8}}"])
def test_options_of_the_models_own_backbone_in_a_file(text, tmp_path, printed):
    (tmp_path / "x.yaml").write_text(f"model: {{class_path: InfoGAN, init_args: {{backbone: {text}}}}}")
    assert options(printed("--config=x.yaml"), "backbone")["dense"] == 16
    over = options(printed("--config=x.yaml", "--model.backbone.latent_dim=5"), "backbone")
    assert (over["width"], over["latent_dim"], over["dense"]) == (8, 5, 16)
    assert options(printed("--config=x.yaml", "--model.backbone=ResNet"), "backbone")["width"] == 64


def test_options_of_one_players_optimizer_and_schedule_begin_with_what_both_have(tmp_path, printed):
    words = ["--model.generator_optimizer.lr=1e-3", "--model.optimizer.alpha=0.5", "--model.optimizer=RMSprop"]
    found = printed(*words)
    assert options(found, "generator_optimizer") == {**RMSPROP, "lr": 1e-3, "alpha": 0.5}
    assert (
        options(found, "optimizer") == {**RMSPROP, "alpha": 0.5}
        and found["init_args"]["discriminator_optimizer"] is None
    )
    assert options(printed("--model=WGAN", "--model.generator_optimizer.lr=1e-3"), "generator_optimizer")["lr"] == 1e-3
    text = "{generator_optimizer: {lr: 1e-3}, optimizer: {class_path: RMSprop, init_args: {alpha: 0.5}}}"
    (tmp_path / "x.yaml").write_text(f"model: {{init_args: {text}}}")
    assert options(printed("--config=x.yaml"), "generator_optimizer") == {**RMSPROP, "lr": 1e-3, "alpha": 0.5}
    words = ["--model.scheduler=LinearDecay", "--model.scheduler.steps=9", "--model.generator_scheduler.end=0.5"]
    assert options(printed(*words), "generator_scheduler") == {"steps": 9, "start": 0, "end": 0.5}


def test_a_run_spells_its_backbone_out_and_repeats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = [
        "--data.size=16",
        "--data.count=24",
        "--data.batch_size=8",
        "--trainer.max_steps=2",
        "--trainer.accelerator=cpu",
    ]
    tiny += ["--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false", "--trainer.logger=csv"]
    main(["fit", "--model=SGAN", *tiny])
    run = tmp_path / "runs" / "SGAN-Glyphs" / "version_0"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert class_of(config["model"], "backbone") == "lit_gans.networks.SemiSupervisedBackbone"
    assert config["trainer"]["logger"]["init_args"]["save_dir"] == ""  # left to the run
    main(["fit", "--config", str(run / "config.yaml")])
    (left, right) = (load(run.with_name(f"version_{n}") / "checkpoints" / "last.ckpt") for n in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(left.parameters(), right.parameters(), strict=True))


# -------------------------------------------------------------------- names


def test_short_names(printed):
    named = {
        "optimizer": ("Adam", "lit_gans.optim.Adam"),
        "generator_optimizer": ("SGD", "torch.optim.SGD"),
        "discriminator_optimizer": ("AdamWithoutMomentum", "lit_gans.optim.AdamWithoutMomentum"),
        "generator_scheduler": ("LinearDecay", "lit_gans.optim.LinearDecay"),
        "scheduler": ("ReduceLROnPlateau", "torch.optim.lr_scheduler.ReduceLROnPlateau"),
        "backbone": ("R3", "lit_gans.networks.R3Backbone"),
        "generator": ("DCGANGenerator", "lit_gans.networks.DCGANGenerator"),
    }
    words = [f"--model.{option}={name}" for option, (name, _) in named.items()]
    found = printed(*words, "--model.generator.image_shape=[1,32,32]", "--model.generator_scheduler.steps=3")
    assert {option: class_of(found, option) for option in named} == {o: whole for o, (_, whole) in named.items()}
    assert class_of(printed("--model.backbone=R3Backbone"), "backbone") == "lit_gans.networks.R3Backbone"


@pytest.mark.parametrize("name", ["wandb", "csv", "tensorboard", "WandbLogger"])
def test_short_names_of_loggers(name, printed):
    logger = printed(f"--trainer.logger={name}", part="trainer")["logger"]
    assert logger["class_path"].rpartition(".")[2].lower().removesuffix("logger") == name.lower().removesuffix("logger")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--model.optimizer=adamm"],
            "unknown optimizer 'adamm'; did you mean Adam? choose from Adam, AdamWithoutMomentum, RM",
        ),
        (["--model.scheduler=Linear"], "unknown scheduler 'Linear'; did you mean LinearLR? choose from LinearDecay"),
        (["--trainer.logger=wanb"], "unknown logger 'wanb'; did you mean wandb? choose from csv, comet"),
        (["--trainer.callbacks=Qualty"], "unknown callback 'Qualty'; did you mean Quality? choose from Best"),
        (["--model.generator=Tiny"], "unknown network 'Tiny'; choose from"),
        (
            ["--model.backbone=R4"],
            "unknown backbone 'R4'; did you mean R3? choose from BEGAN, DCGAN, FastGAN, Fusion, MLP, R3, ResNet",
        ),
        (["--model=CycleGAN", "--model.backbone=DCGAN"], "unknown backbone 'DCGAN'; choose from ResNet, UNet"),
        (["--model=DCGN"], "unknown model 'DCGN'; did you mean DCGAN? choose from ACGAN, AutoEncoder"),
        (["--data=MNST"], "unknown data 'MNST'; did you mean MNIST?"),
    ],
)
def test_unknown_names_are_told_the_nearest_and_all(words, said, refusal):
    message = refusal(*words)
    assert message.startswith(said) and message.endswith(", or the dotted name of a class of yours")


def test_the_help_of_a_backbone(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["fit", "--model.backbone.help=R3"])
    assert not end.value.code and "--model.backbone.group_size" in capsys.readouterr().out


@pytest.mark.slow
def test_other_command_lines_have_one_adam_and_theirs_stays_as_it_is():
    code = """if True:
        import torch, lit_gans.models
        from jsonargparse import ArgumentParser
        from typing import Callable
        parser = ArgumentParser()
        parser.add_argument("--optimizer", type=Callable[[list], torch.optim.Optimizer])
        for name in ("Adam", "RMSprop", "SGD"):
            print(parser.parse_args([f"--optimizer={name}"]).optimizer.class_path)
        print(parser.parse_args(["--optimizer=AdamWithoutMomentum"]).optimizer.class_path)
        print(parser.parse_args(["--optimizer=Adam", "--optimizer.lr=0.5", "--optimizer=SGD"]).optimizer.init_args.lr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    whole = [f"torch.optim.{name}" for name in ("Adam", "RMSprop", "SGD")]
    assert done.stdout.split() == [*whole, "lit_gans.optim.AdamWithoutMomentum", "0.5"]


def test_a_parser_without_lightning_makes_models_that_checkpoints_can_describe():
    parser = ArgumentParser()
    parser.add_subclass_arguments(BaseGAN, "model")
    words = ["--model=DCGAN", "--model.image_shape=[1,16,16]", "--model.backbone=DCGANBackbone"]
    words += ["--model.backbone.width=4", "--model.optimizer=Adamax", "--model.optimizer.lr=0.5"]
    model = parser.instantiate(parser.parse_args(words)).model
    described = recording.described(model)[0]
    assert described["optimizer"]["class_path"] == "torch.optim.adamax.Adamax"
    assert described["optimizer"]["init_args"]["lr"] == 0.5 and described["backbone"]["init_args"]["width"] == 4


def test_the_parser_is_left_as_it_was(printed):
    before = _typehints.resolve_class_path_by_name, _typehints.discard_init_args_on_class_path_change
    printed("--model=WGAN")
    assert (_typehints.resolve_class_path_by_name, _typehints.discard_init_args_on_class_path_change) == before
    assert optim.AdamWithoutMomentum in optim.Adam.__mro__[1].__subclasses__()


# -------------------------------------------------------------------- options of 0.1


@pytest.mark.parametrize(
    ("words", "now"),
    [
        (["--model.width=8"], "--model.width is an option of the backbone since 0.2: --model.backbone.width 8"),
        (
            ["--model.upsampling", "resize"],
            "is an option of the backbone since 0.2: --model.backbone.upsampling resize",
        ),
        (["--model=SNGAN", "--model.residual=true"], "since 0.2: --model.backbone ResNet"),
        (["--model=R3GAN", "--model.residual=false"], "since 0.2: --model.backbone DCGAN"),
        (["--model=CycleGAN", "--model.blocks=3"], "since 0.2: --model.backbone.blocks 3"),
        (["--model=GAN", "--model.generator_hidden=[1,2]"], "since 0.2: --model.backbone.generator_hidden [1,2]"),
    ],
)
def test_options_of_0_1_are_told_what_they_are_now(words, now, refusal):
    said = refusal(*words)
    assert now in said and said.endswith("(docs/from-0.1.md)")


def test_a_file_of_0_1_is_told_what_it_is_now(tmp_path, refusal):
    old = {"width": 32, "residual": False, "generator_norm": None, "r1": 1.0, "generator_hidden": (3, 4)}
    (tmp_path / "old.yaml").write_text(json.dumps({"model": {"class_path": "R3GAN", "init_args": old}}))
    said = refusal("--config=old.yaml")
    assert "--model.width, --model.residual, --model.generator_norm and --model.generator_hidden are options" in said
    assert said.endswith(
        ": --model.backbone.width 32 --model.backbone DCGAN --model.backbone.generator_hidden [3,4] (docs/from-0.1.md)"
    )
    assert {"width", "residual"} <= set(mistakes.MOVED)


# -------------------------------------------------------------------- the order of words


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        ("fit --model.a 1 --model A", "fit --model=A --model.a=1"),
        ("fit --model.b.c=1 --model.b=B --model=A", "fit --model=A --model.b=B --model.b.c=1"),
        ("fit --x.l.p 1 --x.l.class_path L", "fit --x.l.class_path=L --x.l.p=1"),
        (
            "fit --model.generator_optimizer.lr 1 --model.optimizer B",
            "fit --model.optimizer=B --model.generator_optimizer.lr=1",
        ),
        ("fit --model.a 1 --config c --model A", "fit --config=c --model=A --model.a=1"),
        ("fit --model.a 1 -c c --model A -c d", "fit --config=c --config=d --model=A --model.a=1"),
        ("fit --t.c=A --t.c.x=1 --t.c+=B --t.c.y=2", "fit --t.c=A --t.c.x=1 --t.c+=B --t.c.y=2"),
        ("fit --t.c+ A --t.c.x 1 --t.c+ B --t.c.x 2", "fit --t.c+=A --t.c.x=1 --t.c+=B --t.c.x=2"),
        ("--config a fit --model.a -1 --model A", "--config a fit --model=A --model.a=-1"),
    ],
)
def test_a_class_stands_before_its_options(given, ordered):
    assert in_order(given.split()) == ordered.split()
