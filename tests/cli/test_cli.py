"""The command line as a user has it: what it writes, what it says, how it ends."""

import csv
import os
import re
import shutil
import sys

import pytest
import torch
import yaml
from conftest import fails, run_cli
from lightning.pytorch.cli import LightningCLI
from PIL import Image

from lit_gans import load
from lit_gans.cli.main import main

TINY = [
    "--data.size=16",
    "--data.count=80",
    "--data.batch_size=8",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--quality.count=200",
]

CPUS = ["fit", "--trainer.accelerator=cpu", "--trainer.devices=2"]
SHARDING = '{"class_path": "lightning.pytorch.strategies.ModelParallelStrategy"}'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIT_GANS_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of three epochs, in a process of its own."""
    folder = tmp_path_factory.mktemp("run")
    often = ["--quality.every=1", "--trainer.log_every_n_steps=5"]  # or the interval hangs on the time that scores take
    done = run_cli("fit", *TINY, "--trainer.max_epochs=3", *often, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "DCGAN-Glyphs" / "version_0", done


def test_options_may_stand_before_their_class(capsys):
    said = []
    for words in (
        ["--data=MNIST", "--data.size=16", "--model", "LSGAN", "--model.backbone.width", "8"],
        ["--data.size=16", "--data=MNIST", "--model.backbone.width", "8", "--model", "LSGAN"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(["fit", *words, "--print_config"])
        assert ended.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and "LSGAN" in said[0]


def test_a_run_leaves_everything_in_one_folder(run):
    folder, done = run
    assert str(folder.relative_to(folder.parents[2])) in done.stdout
    assert {p.name for p in folder.iterdir()} >= {"config.yaml", "metrics.csv", "samples", "checkpoints"}
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert sorted(p.name for p in (folder / "samples").iterdir()) == [
        "real.png",
        *(f"step_00000{n}.png" for n in (10, 20, 30)),
    ]
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 30
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows if r["generator/loss"]] == [4, 9, 14, 19, 24, 29]
    assert [int(r["step"]) for r in rows if r["val/fid"]] == [9, 19, 29]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (
        config["data"]["class_path"] == "lit_gans.Glyphs"
        and config["model"]["init_args"]["backbone"]["init_args"]["width"] == 4
    )


def test_best_is_the_checkpoint_of_the_smallest_distance(run):
    folder, _ = run
    with (folder / "metrics.csv").open() as file:
        distances = {int(r["step"]) + 1: float(r["val/fid"]) for r in csv.DictReader(file) if r["val/fid"]}
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] == min(distances, key=distances.get)


def test_pictures_are_not_constant(run):
    for path in (run[0] / "samples").iterdir():
        low, high = Image.open(path).convert("L").getextrema()
        assert high - low > 50


def test_the_saved_config_repeats_the_run(run, folder):
    main(["fit", "--config", str(run[0] / "config.yaml")])
    again = folder / "runs" / "DCGAN-Glyphs" / "version_0" / "checkpoints" / "last.ckpt"
    left, right = (torch.load(p, weights_only=True) for p in (run[0] / "checkpoints" / "last.ckpt", again))
    assert all(torch.equal(v, right["state_dict"][k]) for k, v in left["state_dict"].items())


def test_resume_goes_on_in_a_new_folder(run, folder, capsys):
    last = run[0] / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    main(["fit", *TINY, "--model.clip_norm=5.0", "--trainer.max_epochs=4", f"--ckpt_path={last}"])
    assert last.read_bytes() == before
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1 and "clip_norm was None" in notes[0]
    saved = torch.load(folder / "runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 40 and saved["hyper_parameters"]["clip_norm"] == 5.0


def test_sample_needs_the_checkpoint_alone(run, folder):
    shutil.copy(run[0] / "checkpoints" / "last.ckpt", folder / "x.ckpt")
    main(["sample", "x.ckpt", "--count=6", "--seed=1", "--output=a.png"])
    main(["sample", "x.ckpt", "--count=6", "--seed=1", "--output=b.png", "--columns=2"])
    assert Image.open("a.png").size == (3 * 18 + 2, 2 * 18 + 2) and Image.open("b.png").size == (38, 56)
    main(["sample", "x.ckpt", "--count=3", "--seed=1", "--output=many"])
    assert sorted(p.name for p in (folder / "many").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    assert Image.open("many/00000.png").size == (16, 16)
    first = (folder / "a.png").read_bytes()
    main(["sample", "x.ckpt", "--count=6", "--seed=1", "--output=a.png", "--force"])
    assert (folder / "a.png").read_bytes() == first


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_other_commands_take_a_checkpoint(command, run, folder, capsys):
    last = str(run[0] / "checkpoints" / "last.ckpt")
    main([command, *TINY, f"--ckpt_path={last}"])
    if command == "predict":
        assert list(folder.glob("runs/*/*/samples/predict_00_000000.png"))
    else:
        assert re.search(r"(val|test)/fid", capsys.readouterr().out)


@pytest.mark.slow
def test_a_class_in_the_working_directory_is_found(folder):
    (folder / "my_project.py").write_text(
        "from lit_gans import DCGAN\n"
        "from lit_gans.networks import DCGANGenerator\n"
        "class Mine(DCGAN):\n    'Mine.'\n"
        "class MyGenerator(DCGANGenerator):\n    'Also mine.'\n"
    )
    network = ["--model.generator=my_project.MyGenerator", "--model.generator.image_shape=[1,16,16]"]
    flags = [f for f in TINY if "width" not in f] + ["--model.discriminator=DCGANDiscriminator"]
    flags += ["--model.discriminator.image_shape=[1,16,16]", "--model.discriminator.width=4", "--trainer.max_steps=2"]
    done = run_cli("fit", "--model=my_project.Mine", *network, *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    (last,) = folder.glob("runs/Mine-Glyphs/version_0/checkpoints/last.ckpt")
    done = run_cli("sample", last, "--output=mine.png", "--trust=my_project", cwd=folder, cold=True)
    assert done.returncode == 0 and (folder / "mine.png").is_file(), done.stderr


def printed(capsys, *arguments):
    """The configuration that a command makes."""
    with pytest.raises(SystemExit) as end:
        main(["fit", *arguments, "--print_config"])
    assert not end.value.code
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("form", ["{} {}", "{}={}", "{}.class_path {}", "{}.class_path={}"])
@pytest.mark.parametrize(
    ("model", "option", "name", "whole"),
    [
        ("DCGAN", "generator_optimizer", "RMSprop", "lit_gans.optim.RMSprop"),
        ("DCGAN", "discriminator_optimizer", "Adam", "lit_gans.optim.Adam"),
        ("DCGAN", "discriminator_optimizer", "AdamW", "torch.optim.AdamW"),
        ("VAE", "optimizer", "Adam", "lit_gans.optim.Adam"),
        ("DCGAN", "generator_scheduler", "ReduceLROnPlateau", "torch.optim.lr_scheduler.ReduceLROnPlateau"),
    ],
)
def test_optimizers_and_schedules_go_by_their_names_also_where_two_have_one(model, option, name, whole, form, capsys):
    config = printed(capsys, "--model", model, *form.format(f"--model.{option}", name).split(" "))
    assert config["model"]["init_args"][option]["class_path"] == whole


@pytest.mark.parametrize(
    "naming", [["--model", "LSGAN", "--data=MNIST"], ["--model.class_path=LSGAN", "--data", "MNIST"]]
)
def test_options_may_come_before_the_class_that_has_them(naming, capsys):
    config = printed(
        capsys, "--model.a", "0.5", "--data.size=16", *naming, "--model.backbone.width", "8", "--data.val_size", "5"
    )
    assert config["model"]["class_path"] == "lit_gans.LSGAN" and config["data"]["class_path"] == "lit_gans.MNIST"
    assert (
        config["model"]["init_args"]["a"] == 0.5 and config["model"]["init_args"]["backbone"]["init_args"]["width"] == 8
    )
    assert config["data"]["init_args"]["size"] == 16 and config["data"]["init_args"]["val_size"] == 5


@pytest.mark.parametrize(("model", "policies"), [("DCGAN", "[color,translation,cutout]"), ("LSGAN", "color")])
def test_a_list_of_augmentations_or_one(model, policies, folder):
    main(["fit", "--model", model, "--model.augment", policies, *TINY, "--trainer.max_steps=2"])
    (last,) = folder.glob("runs/*/version_0/checkpoints/last.ckpt")
    assert load(last).augment.policies == tuple(policies.strip("[]").split(","))


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["fit", "--model", "DCGN"], "unknown model 'DCGN'; did you mean DCGAN? choose from ACGAN, AutoEncoder", 2),
        (["fit", "--model"], "--model takes a value, and nothing was given; 'lit-gans list models' names", 2),
        (["fit", "--data=MNST"], "unknown data 'MNST'; did you mean MNIST?", 2),
        (["fit", "--model", "my_own.Thing"], "'my_own.Thing' cannot be used: No module named 'my_own'", 2),
        (
            ["fit", "--model=torch.nn.Linear"],
            "--model cannot be torch.nn.Linear: it is no subclass of lit_gans.GenerativeModel",
            2,
        ),
        (["fitt"], "unknown command 'fitt'; did you mean fit?", 2),
        (["fit", "--model.wdth=3"], "--model.wdth is no option of DCGAN; did you mean --model.backbone.width", 2),
        (["fit", "--model.backbone.width=wide"], "error: --model.backbone.width must be a whole number, got wide", 2),
        (["fit", "--model.r1=much"], "error: --model.r1 must be a number, got much", 2),
        (["fit", "--model.optimizer.lr=nan"], "error: --model.optimizer.lr must be a number, got nan", 2),
        (["fit", "--data.flip=maybe"], "error: --data.flip must be true or false, got maybe", 2),
        (["fit", "--trainer.precision=12"], "--trainer.precision must be one of 64, 32, 16, transformer-engine", 2),
        (["fit", "--model.optimizer=Adamm"], "unknown optimizer 'Adamm'; did you mean Adam?", 2),
        (["fit", "--model.r1=-1"], "r1 must be at least 0, got -1", 2),
        (
            ["fit", "--model.r1=1", "--model.backbone.discriminator_norm=batch"],
            "use a backbone with discriminator_norm='none', 'layer' or 'spectral'",
            1,
        ),
        (["fit", "--model.r1=1", "--model.r1_every=0"], "r1_every must be at least 1, got 0", 1),
        (["fit", "--model.augment=[colour]"], "has no 'colour'; did you mean color? choose from color, translation", 2),
        (["fit", "--model.augment=color", "--model.augment_p=2"], "must be in [0, 1], got p=2.0", 1),
        (["fit", "--model.augment_p=0.5"], "augment_p and augment_target need augment", 1),
        (["fit", "--model=WGAN", "--model.augment=blit", "--model.augment_target=0.6"], "means nothing in WGAN", 1),
        (
            ["fit", "--model.backbone.discriminator_norm=group"],
            "discriminator_norm must be one of batch, instance, instance_affine",
            2,
        ),
        (["fit", "--model.backbone.discriminator_norm=group"], "spectral, none, got group", 2),
        (["fit", "--model=VAE", "--model.likelihood=cauchy"], "one of gaussian, bernoulli, got cauchy", 2),
        (["fit", "--model=VAE", "--model.r1=1"], "--model.r1 is no option of VAE", 2),
        (["fit", "--trainer.max_epocs=3"], "did you mean --epochs, which is --trainer.max_epochs?", 2),
        (["fit", "--config=nowhere.yaml"], "the configuration nowhere.yaml cannot be read", 1),
        (["fit", "--data=MNIST", "--data.root=nowhere"], "the data folder nowhere, from data.root, does not exist", 1),
        (["fit", "--data.size=4", "--model.backbone=DCGAN"], "at least 8x8 pixels", 1),
        (["fit", "--data=Gaussians", "--model.backbone=ResNet"], "use larger images, or MLPBackbone", 1),
        (["fit", "--ckpt_path=nowhere.ckpt"], "there is no checkpoint file nowhere.ckpt", 1),
        (["sample", "nowhere.ckpt"], "there is no checkpoint file nowhere.ckpt", 1),
        (["sample"], "required: checkpoint", 2),
        (["fit", "--trainer.gradient_clip_val=1"], "use --model.clip_norm", 1),
        (["fit", "--trainer.accumulate_grad_batches=2"], "use a larger --data.batch_size", 1),
        (["fit", "--trainer.strategy=ddp_spawn", "--trainer.devices=1"], "leave trainer.strategy at 'auto'", 1),
        ([*CPUS, "--trainer.sync_batchnorm=true"], "sync_batchnorm needs GPUs", 1),
        ([*CPUS, f"--trainer.strategy={SHARDING}"], "ModelParallelStrategy cuts networks into parts", 1),
        (["sample", "x.ckpt", "--count=many"], "count", 2),
        (["sample", "x.ckpt", "--data.root=data"], "--data.root is an option of fit; sample has none", 2),
        (["sample", "x.ckpt", "--count=0"], "count must be at least 1", 1),
        (["sample", "x.ckpt", "--output=x.tif"], ".png", 1),
    ],
)
def test_errors_are_one_sentence(arguments, words, code, folder):
    (folder / "x.ckpt").touch()
    assert words in fails(*arguments, code=code)


def test_a_command_makes_its_own_options_alone(monkeypatch, capsys):
    """They take a while to make, and the other commands have as many."""
    found, make = [], LightningCLI._prepare_subcommand_parser

    def noted(self, trainer_class, name, **options):
        found.append(name)
        return make(self, trainer_class, name, **options)

    monkeypatch.setattr(LightningCLI, "_prepare_subcommand_parser", noted)
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--print_config"])
    assert ended.value.code == 0 and found == ["fit"]


def test_an_unknown_name_in_a_config_is_named_too(folder):
    (folder / "x.yaml").write_text("model: DCGN\ndata: Glyphs\n")
    assert "unknown model 'DCGN'; did you mean DCGAN?" in fails("fit", "--config=x.yaml", code=2)


def test_checkpoints_that_cannot_be_used(run, folder):
    last = run[0] / "checkpoints" / "last.ckpt"
    assert "holds a DCGAN, but the command asks for an LSGAN; add --model DCGAN" in fails(
        "fit", "--model=LSGAN", f"--ckpt_path={last}"
    )
    error = fails("fit", *[f for f in TINY if "width" not in f], "--model.backbone.width=8", f"--ckpt_path={last}")
    assert "the saved weights do not fit this DCGAN" in error
    whole = last.read_bytes()
    (folder / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in fails("sample", "cut.ckpt")
    assert "truncated" in fails("fit", "--ckpt_path=cut.ckpt")
    torch.save({"state_dict": {}}, folder / "foreign.ckpt")
    assert "was not saved by lit_gans" in fails("sample", "foreign.ckpt")


def test_a_nan_loss_stops_the_run(folder):
    error = fails("fit", *TINY, "--model.optimizer.lr=1e38", "--trainer.max_steps=50")
    assert re.search(r"the (generator|discriminator)'s term '\w+' became (nan|inf)", error)


def test_help_and_version_import_nothing_heavy():
    done = run_cli("--help", cwd="/", cold=True)
    assert done.returncode == 0 and "lit-gans fit --model DCGAN --data MNIST" in done.stdout
    assert "models: ACGAN, AutoEncoder, BEGAN, CGAN" in done.stdout
    for flag in ("--help", "--version", "sample --help"):
        code = "import sys, contextlib\nfrom lit_gans.cli.main import main\n"
        code += f"with contextlib.suppress(SystemExit): main({flag.split()!r})\n"
        code += "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'heavy'"
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0


# -------------------------------------------------------------------- nothing of a user's is replaced unasked


def test_sample_draws_into_no_folder_that_is_used(run, folder):
    shutil.copy(run[0] / "checkpoints" / "last.ckpt", folder / "x.ckpt")
    mine = folder / "mine"
    mine.mkdir()
    (mine / ".DS_Store").write_bytes(b"")  # what is hidden is nobody's
    main(["sample", "x.ckpt", "--count=3", "--output=mine"])
    (mine / "00001.png").write_bytes(b"my own")
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    for words in ([], ["--count=1"]):
        assert "holds 00000.png and 2 more already" in fails("sample", "x.ckpt", *words, "--output=mine")
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_two_draws_do_not_mix(run, folder, capsys):
    shutil.copy(run[0] / "checkpoints" / "last.ckpt", folder / "x.ckpt")
    main(["sample", "x.ckpt", "--count=5", "--output=mine"])
    (folder / "mine" / "00003.png").write_bytes(b"my own")
    Image.new("L", (3, 3)).save(folder / "mine" / "00009.png")
    main(["sample", "x.ckpt", "--count=2", "--output=mine", "--force"])
    assert sorted(p.name for p in (folder / "mine").iterdir()) == ["00000.png", "00001.png", "00003.png", "00009.png"]
    assert "2 other files in mine stay" in capsys.readouterr().err


def test_a_command_without_an_output_can_be_typed_twice(run, folder, capsys):
    checkpoint = str(run[0] / "checkpoints" / "last.ckpt")
    for command, name in (("sample", "samples"), ("interpolate", "interpolation")):
        for number in ("", "-2", "-3"):
            main([command, checkpoint, "--count=1"])
            assert f"in {name}{number}.png" in capsys.readouterr().out
        (folder / f"{name}.png").write_bytes(b"old")
        main([command, checkpoint, "--count=1", "--force"])
        assert (folder / f"{name}.png").read_bytes() != b"old" and not (folder / f"{name}-4.png").exists()


@pytest.mark.parametrize("command", ["sample", "interpolate", "arithmetic", "invert", "colorize"])
def test_no_picture_is_replaced_unasked(command, run, folder):
    (folder / "photo.png").write_bytes(b"my own")
    (folder / "given.png").write_bytes(b"another")
    words = {"invert": ["photo.png"], "colorize": ["given.png"]}.get(command, [])
    checkpoint = str(run[0] / "checkpoints" / "last.ckpt")
    for flag in ([], ["--force=false"]):
        error = fails(command, checkpoint, *words, "--output=photo.png", *flag)
        assert "photo.png is there already" in error and "--force" in error
    (folder / "x.png").mkdir()
    if command in ("interpolate", "arithmetic", "invert"):  # the others write into a folder that is there
        assert "x.png is a folder" in fails(command, checkpoint, *words, "--output=x.png", "--force")
    (folder / "file").write_bytes(b"")
    assert "file is no folder" in fails(command, checkpoint, *words, "--output=file/x.png")
    assert (folder / "photo.png").read_bytes() == b"my own"
