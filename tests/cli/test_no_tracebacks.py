"""What the command line says of input that cannot be used: one sentence. A user's own bug keeps its traceback."""

import os
import signal
import sys

import pytest
import torch
import yaml
from conftest import refused, small
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from lit_gans import DCGAN, GAN, VAE, Glyphs
from lit_gans.callbacks import CollapseMonitor, SampleGrid, SaveLast
from lit_gans.cli.main import main
from lit_gans.cli.reasons import reason, unwrapped
from lit_gans.data import cache
from lit_gans.errors import UsageError, own_line
from lit_gans.networks import MLPDiscriminator, UNet
from lit_gans.signals import ended_by

TINY = [
    "--data.size=16",
    "--data.count=40",
    "--data.batch_size=8",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=2",
    "--quality.count=20",
]
OWN = """
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from lit_gans.errors import UsageError


class Plain(LightningDataModule):
    def train_dataloader(self):
        return DataLoader(torch.rand(24, 1, 16, 16) * 2 - 1, 8)

    val_dataloader = train_dataloader


class Bug(Plain):
    def __init__(self):
        super().__init__()
        try:
            open("optional.csv")
        except OSError:
            {}["typo"]


class Told(Plain):
    def __init__(self):
        super().__init__()
        try:
            open("optional.csv")
        except OSError:
            raise ValueError("labels are missing")


class Chained(Plain):
    def __init__(self):
        super().__init__()
        try:
            open("optional.csv")
        except OSError as error:
            raise RuntimeError("the table is not there") from error


class Hidden(Plain):
    def __init__(self):
        super().__init__()
        try:
            raise UsageError("not this one")
        except UsageError:
            {}["typo"]


class Late(Plain):
    def train_dataloader(self):
        {}["typo"]


class Missing(Plain):
    def __init__(self):
        super().__init__()
        open("needed.csv")


class Mute(Plain):
    def __init__(self):
        super().__init__()
        assert len("abc") == 4


class Teller(Plain):
    def __init__(self):
        super().__init__()
        raise ValueError from UsageError("give a table")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lit-gans"])
    monkeypatch.delenv("LIT_GANS_TRACEBACK", raising=False)
    return tmp_path


@pytest.fixture
def own(folder, monkeypatch):
    """A module of a user's own in the working directory."""
    (folder / "own_project.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    yield folder
    sys.modules.pop("own_project", None)


@pytest.fixture
def says(folder, capsys):
    """The one sentence that a command ends with."""

    def run(*arguments, code=1):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        error = capsys.readouterr().err
        assert ended.value.code == code, error
        last = error.strip().splitlines()[-1]
        assert last.startswith("lit-gans: error: ") and "Traceback" not in error
        return last

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trainer.devices=99999"], "trainer.devices=99999 starts that many processes"),
        (["--model.latent_dim=" + "1" + 30 * "0"], "--model.latent_dim does not fit into 64 bits"),
        (["--model=GAN", "--model.backbone.generator_hidden=[0]"], "hidden must be at least 1, got (0,)"),
        (["--model.discriminator_optimizer.betas=[2,0.9]"], "discriminator_optimizer cannot be used: Adam cannot be"),
        (["--model.optimizer=LBFGS"], "optimizer cannot be used: LBFGS needs the loss several"),
        (["--model.optimizer=SparseAdam"], "SparseAdam needs sparse gradients"),
        (
            ["--model.generator_scheduler=LinearDecay", "--model.generator_scheduler.steps=-1"],
            "generator_scheduler cannot be used: LinearDecay must end after it starts",
        ),
        (["--data.seed=" + "1" + 30 * "0"], "--data.seed does not fit into 64 bits"),
        (["--data.seed=9000000000000000000"], "seed must be a whole number between"),
        (["--data.num_workers=100000"], "num_workers is a number of processes, at most 1024"),
        (["--last.every_n_steps=-1"], "every_n_steps must be at least 0, got -1"),
        (["--collapse.after=-1"], "after must be at least 0, got -1"),
        (["--samples.count=1000000000000"], "draws at least one sample, at most 10000"),
        (["--quality.scores=[is]"], "more is better of 'is'"),
        (["--trainer.barebones=true"], "trainer.barebones allows no logger, checkpoint or callback"),
        (["--trainer.check_val_every_n_epoch=0"], "check_val_every_n_epoch must be at least 1, got 0"),
        (["--trainer.logger=MLFlowLogger"], "the logger mlflow needs the package mlflow: pip install mlflow"),
        (["--trainer.logger+=mlflow"], "the logger mlflow needs the package mlflow: pip install mlflow"),
        (["--trainer.logger=[csv,mlflow]"], "the logger mlflow needs the package mlflow: pip install mlflow"),
        (["--trainer.callbacks=Timer"], "these options cannot be written to the run's config.yaml"),
        (["--trainer.callbacks=LearningRateFinder"], "When using the learning rate finder"),
        (["--trainer.callbacks=BackboneFinetuning"], "'DCGANBackbone' object has no attribute 'modules'"),
        (
            ["--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val/fid"],
            "EarlyStopping watches val/fid, but this run of 2 batches ends before its first validation",
        ),
        (
            ["--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val/nope", "--trainer.max_steps=40"],
            "EarlyStopping.monitor is 'val/nope', which no validation logs; there are val/coverage,",
        ),
        (
            ["--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.monitor=val/kid", "--trainer.max_steps=40"],
            "ModelCheckpoint.monitor is 'val/kid', which no validation logs; there are val/coverage,",
        ),
    ],
)
def test_options_that_cannot_be_are_one_sentence(options, words, says):
    tiny = [o for o in TINY if "width" not in o or options[0] != "--model=GAN"]
    assert words in says("fit", *options[:1], *tiny, *options)


def test_a_schedule_that_ends_before_the_run(says):
    schedule = ["--model.generator_scheduler=OneCycleLR", "--model.generator_scheduler.max_lr=0.1"]
    schedule += ["--model.generator_scheduler.total_steps=2", "--trainer.max_steps=4"]
    assert "Tried to step 3 times" in says("fit", *TINY, *schedule)


# -------------------------------------------------------------------- whose error it is


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Bug", KeyError, "typo"),
        ("Hidden", KeyError, "typo"),
        ("Told", ValueError, "labels are missing"),
        ("Chained", RuntimeError, "the table is not there"),
        ("Late", KeyError, "typo"),
        ("Mute", AssertionError, "AssertionError"),
    ],
)
def test_a_bug_of_ones_own_is_that_bug(name, kind, words, own):
    with pytest.raises(kind, match=words) as raised:
        main(["fit", f"--data=own_project.{name}", "--model.image_shape=[1,16,16]", "--model.backbone.width=4"])
    assert raised.value.__traceback__ is not None and "own_project.py" in str(raised.traceback[-1].path)


@pytest.mark.parametrize(("text", "kind"), [("x = undefined", NameError), ("def (", SyntaxError)])
def test_a_module_of_ones_own_that_cannot_be_imported_is_that_bug(text, kind, own, monkeypatch):
    (own / "own_broken.py").write_text(text)
    with pytest.raises(kind):
        main(["fit", "--model=own_broken.Model"])


def test_a_missing_file_of_ones_own_is_said_with_its_place(own, says):
    said = says("fit", "--data=own_project.Missing", "--model.image_shape=[1,16,16]")
    line = next(n for n, text in enumerate(OWN.splitlines(), 1) if "needed.csv" in text)
    assert "needed.csv" in said and f"own_project.py, line {line}; LIT_GANS_TRACEBACK=1" in said


def test_a_usage_error_of_ones_own_is_one_sentence(own, says):
    assert "give a table" in says("fit", "--data=own_project.Teller", "--model.image_shape=[1,16,16]")


def test_the_variable_shows_the_traceback(own, monkeypatch):
    monkeypatch.setenv("LIT_GANS_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main(["fit", "--data=own_project.Missing", "--model.image_shape=[1,16,16]"])


def test_what_was_raised_while_another_error_was_handled_is_not_that_one():
    def raised(inner, outer):
        try:
            try:
                raise inner
            except type(inner):
                raise outer  # noqa: B904
        except type(outer) as error:
            return error

    assert reason(raised(OSError("no table"), KeyError("typo"))) is None
    assert reason(raised(UsageError("no table"), ValueError("typo"))) is None
    error = raised(UsageError("no table"), ValueError("typo"))
    error.__cause__ = error.__context__
    assert reason(error) == "no table" and unwrapped(error) is error


def test_errors_that_lead_back_to_each_other_come_to_an_end(says, folder):
    first, second = ValueError("first"), UsageError("second")
    first.__cause__, second.__cause__ = second, first
    previous = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it goes round in circles"))
    signal.alarm(60)
    try:
        assert ended_by(first) == 0 and reason(first) == "second" and unwrapped(first) is first
        (folder / "broken.yaml").write_text("a: [1, 2\nb: {")
        broken = says("fit", "--model=DCGAN", "--model.generator_optimizer=broken.yaml", code=2)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert "broken.yaml" in broken and "line 2" in broken


def test_compiled_code_of_a_package_is_not_ones_own():
    with pytest.raises(yaml.YAMLError) as error:
        yaml.load("a: [1, 2\nb: {", yaml.CSafeLoader)
    assert own_line(error.value.with_traceback(error.value.__traceback__.tb_next)) is None


# -------------------------------------------------------------------- what works


def test_a_data_module_of_ones_own_needs_no_image_shape(own):
    options = ["--model.backbone.width=4", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--quality.count=20"]
    options += ["--trainer.enable_progress_bar=false", "--model.image_shape=[1,16,16]"]
    main(["fit", "--data=own_project.Plain", *options])
    assert list(own.glob("runs/DCGAN-Plain/version_0/checkpoints/last.ckpt"))


def test_checkpoints_can_be_switched_off(folder):
    main(["fit", *TINY, "--trainer.max_steps=5", "--trainer.enable_checkpointing=false"])
    assert list(folder.rglob("metrics.csv")) + list(folder.rglob("config.yaml")) and not list(folder.rglob("*.ckpt"))


def test_several_best_checkpoints_have_names_of_their_own(folder):
    main(["fit", *TINY, "--trainer.max_steps=15", "--best.save_top_k=2"])
    names = sorted(path.name for path in folder.rglob("*.ckpt"))
    assert len(names) == 3 and names[-1] == "last.ckpt" and all(n.startswith("best_step=") for n in names[:2])
    (config,) = folder.rglob("config.yaml")
    assert "monitor: auto" in config.read_text()


def test_the_batch_size_finder_ends_with_the_data(folder):
    finder = ["--trainer.callbacks=BatchSizeFinder", "--trainer.callbacks.steps_per_trial=1"]
    with pytest.warns(UserWarning, match="batch_size=64 is more than the 40 training samples: batches of 40 are taken"):
        main(["fit", *[o for o in TINY if "batch_size" not in o], "--data.batch_size=32", *finder])


def test_too_few_samples_for_a_batch_make_a_smaller_one():
    data = Glyphs(size=16, count=40, batch_size=64)
    data.setup("fit")
    with pytest.warns(UserWarning, match="batch_size=64 is more than the 40 training samples: batches of 40 are taken"):
        (batch,) = data.train_dataloader()
    assert len(batch["image"]) == 40


# -------------------------------------------------------------------- numbers, from Python


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: small(DCGAN, clip_norm=float("nan")), "clip_norm must be positive"),
        (lambda: small(DCGAN, r1=float("nan")), "r1 must be at least 0, got nan"),
        (lambda: small(VAE, beta=float("nan")), "beta must not be negative"),
        (lambda: small(GAN, discriminator_hidden=(8, 0)), "hidden must be at least 1, got (8, 0)"),
        (lambda: UNet((1, 16, 16), width=0), "width must be at least 1"),
        (lambda: MLPDiscriminator((1, 8, 8), octaves=-1), "octaves must be at least 0"),
        (lambda: SaveLast(every_n_steps=-1), "every_n_steps must be at least 0"),
        (lambda: CollapseMonitor(after=-1), "after must be at least 0"),
        (lambda: SampleGrid(count=0), "count=0"),
        (lambda: Glyphs(num_workers=-1), "num_workers must be at least 0"),
        (lambda: Glyphs(seed=2**70), "seed must be a whole number"),
    ],
)
def test_numbers_out_of_range_are_refused_when_they_are_given(make, words):
    refused(make, words)


# -------------------------------------------------------------------- what the machine takes away


class Fatal(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_loader_is_one_sentence():
    with pytest.raises(RuntimeError) as killed:
        list(DataLoader(Fatal(), num_workers=1, multiprocessing_context="fork"))
    assert "a process that loads samples was ended from outside" in reason(killed.value)


def test_a_killed_decoder_is_one_sentence(folder, says, monkeypatch):
    for number in range(6):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.png")
    monkeypatch.setattr(cache, "_cores", lambda: 2)
    monkeypatch.setattr(cache, "_BLOCK", 1)
    monkeypatch.setenv("LIT_GANS_CACHE", str(folder / "cache"))
    (folder / "cache").mkdir()
    monkeypatch.setattr("lit_gans.images.frame.Frame.__call__", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    said = says("fit", "--data=ImageFolder", f"--data.root={folder}", "--data.size=8", "--data.batch_size=2")
    assert "a process that decodes pictures was ended from outside" in said and "what is decoded is kept" in said


def test_too_little_memory_is_one_sentence():
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**55)
    assert "there is not enough memory" in reason(full.value) and "\n" not in reason(full.value)


# -------------------------------------------------------------------- the other commands


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    from conftest import fit

    folder = tmp_path_factory.mktemp("drawn")
    fit(folder, small(DCGAN), max_steps=1, limit_val_batches=0)
    return str(folder / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--columns=-1"], "columns must be at least 1, got -1"),
        (["--columns=0"], "columns must be at least 1, got 0"),
        (["--seed=" + "1" + 23 * "0"], "--seed does not fit into 64 bits"),
        (["--seed=9000000000000000000"], "seed must be a whole number between"),
        (["--count=1000000000000"], "count must be at most 1000000"),
        (["--count=" + "1" + 23 * "0"], "--count does not fit into 64 bits"),
    ],
)
def test_numbers_of_sample_are_one_sentence(options, words, checkpoint, says, folder):
    assert words in says("sample", checkpoint, *options)
    assert not list(folder.iterdir())
