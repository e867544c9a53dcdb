"""Help, lists and the doctor: short, in plain words, and without torch."""

import contextlib
import io
import re
import subprocess
import sys

import pytest

from lit_gans.cli import doctor, pages
from lit_gans.cli.guesses import SHORT
from lit_gans.cli.index import index
from lit_gans.cli.main import COMMANDS, main
from lit_gans.training.defaults import EPOCHS

FLAGS = """
    model data data.root size batch_size epochs steps lr device gpus precision workers seed name resume config
"""
NOISE = ["warning::", "hpc", "--weights_only", "model hub", "registry", "Union", "CLASS_PATH", "``", ":class:"]
OWN = '''
from lit_gans import DCGAN, ImageFolder


class Tilted(DCGAN):
    """A game of mine.

    Args:
        tilt: how much it leans.
    """

    def __init__(self, tilt: float = 0.5, **rest):
        super().__init__(**rest)


class Pictures(ImageFolder):
    """Pictures of mine."""


class Odd:
    pass
'''


def said(*words):
    """What a command prints, and its exit code."""
    code = 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code
    return out.getvalue(), code


@pytest.fixture
def shown(monkeypatch):
    def shown(*words, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        text, code = said(*words)
        assert not code and text
        return text

    return shown


@pytest.fixture
def refused(capsys):
    def refused(*words):
        assert said(*words)[1] in (1, 2)
        error = capsys.readouterr().err
        assert error.startswith("lit-gans: error: ") and error.count("\n") == 1 and "Traceback" not in error
        return error

    return refused


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("columns", [80, 100, 300])
def test_the_help_of_a_training_command_is_one_page(command, columns, shown):
    text = shown(command, "--help", columns=columns)
    lines = text.splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= min(columns, 100)
    if command == "fit":
        assert all(re.search(rf"^  --{re.escape(flag)} ", text, re.MULTILINE) for flag in FLAGS.split())
        assert text.count("\n  lit-gans fit ") >= 3


def test_defaults_are_numbers_that_hold(shown):
    text = " ".join(shown("fit", "--help").split())
    assert pages.EPOCHS == EPOCHS
    for told in ("[10]", "[0.0002 for DCGAN]", "[32 for Glyphs]", "[64]", "[DCGAN]", "[32-true]"):
        assert told in text, told


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_what_is_shown_can_be_typed(command, shown):
    flags = re.findall(r"^  --([\w.]+)", shown(command, "--help"), re.MULTILINE)
    known = {*index().commands[command], *(short.name for short in SHORT), "data.root"}
    assert len(flags) >= 10 and {*flags} <= known


def test_nothing_is_said_twice(shown, capsys):
    page = " ".join(shown("fit", "--help", "trainer").split())
    choices = page.partition("is faster here: ")[2].partition(" --trainer.accelerator")[0].split(", ")
    assert {"16", "bf16-mixed"} <= {*choices} and len({*choices}) == len(choices)
    main(["list", "configs"])
    assert not re.search(r"(\d+ minutes) of[^)]*\(\1\)", " ".join(capsys.readouterr().out.split()))


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("kind", ["model", "data"])
def test_the_page_of_a_class_is_short_and_has_all_its_options(kind, columns, shown):
    for entry in index().classes[kind].values():
        text = shown("fit", f"--{kind}", entry.short, "--help", columns=columns)
        assert len(text.splitlines()) <= 95, entry.name  # StackGAN has the most options
        assert max(map(len, text.splitlines())) <= columns
        missing = [name for name in entry.options if not re.search(rf"\b{name}\b", text)]
        assert not missing, (entry.name, missing)
        if entry.backbone is not None:
            assert all(f"--model.backbone.{name} " in text for name in entry.backbone.options)


def test_the_backbone_is_shown_with_the_defaults_of_the_model(shown):
    text = " ".join(shown("fit", "--model", "WGANGP", "--help").split())
    assert "--model.backbone.discriminator_norm" in text and "[layer]" not in text.partition("--model.backbone")[0]
    assert "--model.optimizer.betas A,B decay of the first and second moment [0,0.9]" in text


def test_everything_is_told_without_noise(shown):
    texts = [shown("fit", "--help", topic) for topic in (*pages.PARTS, *pages.LISTS, "all")]
    for kind in index().classes:
        texts += [shown("fit", "--help", entry.short) for entry in index().classes[kind].values()]
    texts += [shown(*words) for words in (["--help"], ["list"], ["fit", "--help"])]
    for text in texts:
        assert not [word for word in NOISE if word in text], text
        # a line is longer than the terminal only if it is one word
        long = [
            line for line in text.splitlines() if len(line) > 80 and len(line.split()) > 1 and "lit-gans " not in line
        ]
        assert not long


def test_all_is_all(shown):
    text = shown("fit", "--help", "all")
    told = {name for name in index().commands["fit"] if f"--{name} " in text}
    hidden = {name for name in index().commands["fit"] if name.partition(".")[2] in pages.UNTOLD}
    parts = {name for name in index().commands["fit"] if "." in name and not name.startswith("off.")}
    assert parts - hidden <= told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fit", "--model.help", "DCGAN"], "--model.r1 X"),
        (["fit", "--model.help=dcgan"], "usage: lit-gans fit --model DCGAN"),
        (["fit", "--data.help", "mnist"], "--data.size"),
        (["fit", "--data.help"], "ImageFolder"),
        (["fit", "--model.help"], "StyleGAN2"),
        (["fit", "--model.backbone.help", "ResNet"], "--model.backbone.attention"),
        (["fit", "--model", "CycleGAN", "--model.backbone.help", "ResNet"], "--model.backbone.blocks"),
        (["fit", "--model.optimizer.help", "adam"], "[0.5,0.999]"),
        (["fit", "--model.generator_optimizer.help", "Adam"], "--model.generator_optimizer.lr"),
        (["fit", "--model.optimizer.help"], "AdamW"),
        (["fit", "--model.generator-optimizer.help", "Adam"], "--model.generator_optimizer.lr"),
        (["--seed_everything", "1", "fit", "--help"], "usage: lit-gans fit [MODEL]"),
        (["--model", "WGAN", "fit", "--help"], "--model.clamp"),
        (["fit", "--trainer.help"], "--trainer.max_epochs N"),
        (["fit", "--trainer.callbacks.help", "EarlyStopping"], "--trainer.callbacks.patience"),
        (["fit", "--trainer.logger.help", "tensorboard"], "--trainer.logger.save_dir"),
        (["fit", "--quality.help"], "--quality.count"),
        (["fit", "--help", "optimizer"], "AdamW"),
        (["fit", "--help=best"], "--best.monitor"),
        (["fit", "DCGAN", "MNIST", "--help"], "--data.size"),
        (["fit", "--help", "--model", "WGAN"], "--model.clamp"),
        (["fit", "--model", "--help"], "StyleGAN2"),
        (["help", "fit"], "usage: lit-gans fit"),
        (["help", "StyleGAN2"], "--model.path_length"),
        (["help", "sample"], "usage: lit-gans sample"),
        (["help", "list"], "lit-gans list models"),
        (["help"], "usage: lit-gans COMMAND"),
        (["version"], "0."),
        (["-v"], "0."),
        (["list", "models"], "WGANGP"),
        (["list", "backbone"], "ResNet"),
        (["list", "data"], "1.4 GB"),
        (["list", "configs"], "(8 minutes)"),
        (["list", "loggers"], "tensorboard"),
    ],
)
def test_what_is_asked_for_is_shown(words, expected, shown):
    assert expected in shown(*words)


def test_a_file_of_options_names_the_model_too(tmp_path, shown):
    file = tmp_path / "mine.yaml"
    file.write_text("model:\n  class_path: lit_gans.WGAN\n")
    assert "--model.clamp" in shown("fit", "--config", str(file), "--help")
    file.write_text("model: [")
    assert "usage: lit-gans fit [MODEL]" in shown("fit", str(file), "--help")


def test_a_class_of_ones_own_has_the_same_page(tmp_path, monkeypatch, shown, refused):
    (tmp_path / "mine_helped.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = shown("fit", "--model", "mine_helped.Tilted", "--help")
    assert "--model.tilt X" in text and "how much it leans [0.5]" in text and "--model.backbone.width N" in text
    assert "--data.root" in shown("fit", "--data.help", "mine_helped.Pictures")
    assert "must derive from lit_gans.GenerativeModel" in refused("fit", "--model", "mine_helped.Odd", "--help")
    assert "cannot be imported" in refused("fit", "--model.help", "mine_helped.Nothing")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fit", "--model.help", "DCGN"], "did you mean DCGAN?"),
        (["fit", "--model.backbon.help"], "did you mean --model.backbone?"),
        (["fit", "--help", "trainr"], "did you mean trainer?"),
        (["help", "sampel"], "there is no help on 'sampel'"),
        (["list", "modls"], "did you mean models?"),
        (["doctor", "now"], "doctor takes no further words"),
        (["completion", "tcsh"], "bash, zsh or fish"),
        (["--model", "DCGAN"], "name a command first: lit-gans fit --model DCGAN"),
    ],
)
def test_what_is_not_there_is_answered_in_a_sentence(words, expected, refused):
    assert expected in refused(*words)


def test_lists_say_what_it_costs(shown):
    text = shown("list", columns=100)
    assert re.search(r"DCGAN +6\.3 M +a strong, cheap baseline", text)
    for entry in (*index().classes["model"].values(), *index().classes["data"].values()):
        assert re.search(rf"^  {entry.short} ", text, re.MULTILINE), entry.name
    assert all(config.file.rpartition("/")[2] in text for config in index().configs)


def test_the_doctor_says_what_there_is(monkeypatch, tmp_path, shown):
    (tmp_path / "data" / "MNIST").mkdir(parents=True)
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "_has", lambda module: module != "matplotlib")
    text = " ".join(shown("doctor").split())
    assert 'matplotlib for lit-gans plot: pip install "lit_gans[plot]"' in text and "mlflow" not in text
    assert "found MNIST, StackedMNIST missing" in text and "--precision" in text and "torchmetrics" in text
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr(doctor, "_has", lambda module: True)
    text = " ".join(shown("doctor").split())
    assert "which is not there" in text and "missing nothing" in text


def test_no_help_waits_for_torch():
    program = (
        "import contextlib, io, sys\n"
        "from lit_gans.cli.main import main\n"
        "for words in (['fit', '-h'], ['test', '-h'], ['fit', '--model', 'DCGAN', '-h'], ['fit', '-h', 'all'],\n"
        "              ['list'], ['help', 'MNIST'], ['completion', 'bash'], ['__complete', 'fit', '--model.']):\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(words)\n"
        "print([name for name in ('torch', 'lightning', 'jsonargparse', 'numpy') if name in sys.modules])\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_a_reader_that_has_seen_enough_ends_it_in_silence():
    command = f"{sys.executable} -m lit_gans list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout and not done.stderr


def test_every_command_is_in_the_list_of_commands(shown):
    text = shown("--help")
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in [*COMMANDS, "list", "doctor", "completion"])
