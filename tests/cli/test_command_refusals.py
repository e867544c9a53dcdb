"""Whatever is wrong in a training command is one sentence in the user's words, from the index or from the parser."""

import shlex

import pytest
import yaml
from conftest import fails

from lit_gans.augment import Augment
from lit_gans.cli.main import main
from lit_gans.cli.reading import ready
from lit_gans.cli.values import LISTED
from lit_gans.errors import UsageError

INNER = (
    "Union",
    "ubtype",
    "NestedArg",
    "Namespace",
    "<class",
    "import path",
    "Given value",
    "Expected a",
    "Parser key",
)
OWN = """
from typing import Literal
from torch import nn
from lightning.pytorch import Callback, LightningDataModule
from lit_gans import DCGAN

class Tiny(nn.Module):
    def __init__(self, inner):
        super().__init__()

class MyGAN(DCGAN):
    "Mine."
    def __init__(
        self, count: int = 3, flag: bool = False, mode: Literal["fast", "slow"] = "fast",
        pair: tuple[int, int] = (1, 2), **base,
    ):
        super().__init__(**base)

class Plain(LightningDataModule):
    def __init__(self, n: int = 3):
        super().__init__()

class Call(Callback):
    def __init__(self, every: int):
        pass

def function():
    return 3
"""
FILES = {
    "unknown.yaml": "model: {class_path: DCGAN, init_args: {learning_rate: 3}}",
    "typo.yaml": "modle: DCGAN",
    "value.yaml": "trainer: {max_epochs: ten}",
    "own_value.yaml": "model: {class_path: my_project.MyGAN, init_args: {count: abc}}",
    "own_name.yaml": "model: {class_path: my_project.MyGAN, init_args: {cuont: 3}}",
    "callback.yaml": "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitr: 3}}]}",
    "number.yaml": "model: 3",
    "trainer.yaml": "trainer: 3",
    "init_args.yaml": "model: {class_path: DCGAN, init_args: 3}",
    "whole.yaml": "model: DCGAN",
    "scores.yaml": "quality: {scores: [kid, fidd]}",
    "null.yaml": "model: null",
    "section.yaml": "fit: {model: DCGAN}",
    "path.yaml": "model: {class_path: 3}",
    "my_project.txt": "",
}
FAST = [
    (
        "--model.learning_rate 1 --model DCGAN",
        "is no option of DCGAN; did you mean --lr, which is --model.optimizer.lr?",
    ),
    (
        "--data.batchsize 16",
        "--data.batchsize is no option of Glyphs; did you mean --batch_size, which is --data.batch",
    ),
    (
        "--data ImageFolder --data.path photos",
        "is no option of ImageFolder; did you mean --root, which is --data.root?",
    ),
    ("--data.root photos", "Glyphs, the data set without --data; name one, say --data ImageFolder --data.root photos"),
    ("--data ImageFolder", "ImageFolder needs --data.root"),
    ("--data ./nowhere", "there is no folder ./nowhere with data"),
    ("--trainer.max_epochs ten", "--trainer.max_epochs must be a whole number, got ten"),
    ("--epochs ten", "--epochs must be a whole number, got ten"),
    ("--data.size a,b", "--data.size must be a whole number or a list of 2 values, a,b, got a,b"),
    ("--data.flip maybe", "--data.flip must be true or false, got maybe"),
    ("--model VAE --model.likelihood cauchy", "must be one of gaussian, bernoulli, got cauchy"),
    ("--lr -1", "--lr must be at least 0, got -1"),
    ("--model.r1_every null", "--model.r1_every must be a whole number, got null"),
    ("--model.optimizer null", "unknown optimizer 'null'; choose from Adam"),
    ("--seed -5", "--seed must be at least 0, got -5"),
    ("--model.clip_norm .nan", "--model.clip_norm must be a number, got .nan"),
    ("--lr nan", "--lr must be a number, got nan"),
    ("--workers -1", "--workers must be at least 0, got -1"),
    ("--model.latent_dim 0", "--model.latent_dim must be at least 1, got 0"),
    ("--model.backbone.width 0", "--model.backbone.width must be at least 1, got 0"),
    ("--model.backbone.wdth 3", "is no option of DCGANBackbone; did you mean --model.backbone.width?"),
    ("--model.image_shape 3,64,64", "comes from the data, here Glyphs: --size sets it; leave it out"),
    (
        "--model my_project.py",
        "--model names a class, not a file: my_project.MyClass is the class MyClass in my_project.py",
    ),
    ("--model my_own.Thing", "the class 'my_own.Thing' cannot be used: No module named 'my_own'"),
    ("--model null", "--model takes the name of a model, got null; leave it out for DCGAN"),
    ("--model VAE --model.r1 1", "--model.r1 is no option of VAE; ACGAN, BEGAN, CGAN and"),
    ("--model CycleGAN --model.backbone DCGAN", "unknown backbone 'DCGAN'; choose from ResNet, UNet"),
    ("--model.scheduler CosineAnnealingLR", "CosineAnnealingLR needs --model.scheduler.T_max"),
    ("--model.scheduler.steps 9", "add --model.scheduler and its name"),
    ("--model.generator DCGANGenerator", "DCGANGenerator needs --model.generator.image_shape"),
    ("--trainer.logger wanb", "unknown logger 'wanb'; did you mean wandb?"),
    ("--trainer.callbacks EarlyStopping", "EarlyStopping needs --trainer.callbacks.monitor"),
    ("--trainer.callbacks EarlyStopping Timer --trainer.callbacks.monitor x", "Timer, which was named last"),
    ("--quality.scores fidd", "--quality.scores has no 'fidd'; did you mean fid?"),
    (
        "--trainer nowhere.yaml",
        "--trainer takes a file with its options, got nowhere.yaml; its options are --trainer.precision, --trainer.acc",
    ),
    ("--device gpu7", "--device takes cpu, cuda, cuda:1, mps, auto, or numbers of GPUs: 0,1, got gpu7"),
    ("--foo 3", "--foo is no option of fit; 'lit-gans fit --help' lists the options"),
    ("--width 3", "--width is no option of fit; did you mean --model.backbone.width, an option of DCGANBackbone?"),
    ("-e 3", "-e is no option of fit"),
    ("DCGAN LSGAN", "a run has one model, got DCGAN and LSGAN"),
    ("my_project.MyGAN", "say which: --model my_project.MyGAN, or --data my_project.MyGAN"),
    ("--config unknown.yaml", "unknown.yaml: model.learning_rate is no option of DCGAN; did you mean --lr"),
    ("--config typo.yaml", "typo.yaml: modle is no option of fit; did you mean --model?"),
    ("--config value.yaml", "value.yaml: trainer.max_epochs must be a whole number, got ten"),
    (
        "--config callback.yaml",
        "trainer.callbacks.monitr is no option of EarlyStopping; did you mean --trainer.callbacks.moni",
    ),
    ("--config number.yaml", "number.yaml: model must be a class, got 3"),
    ("--config trainer.yaml", "trainer.yaml: trainer must be its options by name, got 3"),
    ("--config init_args.yaml", "init_args.yaml: model.init_args must be options by name, got 3"),
    ("--model whole.yaml", "whole.yaml is the configuration of a whole run: --config whole.yaml"),
    ("--model '{class_path: DCGAN, init_args: {foo: 3}}'", "--model.foo is no option of DCGAN"),
    ("--trainer '{max_epochs: ten}'", "--trainer.max_epochs must be a whole number, got ten"),
    ("--data.size 1,2,3", "--data.size must be a whole number or a list of 2 values, a,b, got 1,2,3"),
    ("--data.size [1,2,3]", "--data.size must be a whole number or a list of 2 values, a,b, got 1,2,3"),
    ("--model.optimizer.betas 0.5", "--model.optimizer.betas must be a list of 2 values, a,b, got 0.5"),
    ("--epochs=", "--epochs takes a whole number, and nothing was given"),
    ("--epochs ' '", "--epochs takes a whole number, and nothing was given"),
    ("--model ''", "--model takes a value, and nothing was given"),
    ("--data ImageFolder --data.root ''", "--data.root takes a value, and nothing was given"),
    ("--ckpt_path=", "--ckpt_path takes a value, and nothing was given"),
    ("--seed_everything=4294967296", "--seed_everything must be from 0 to 4294967295"),
    ("--name ''", "--name takes a value, and nothing was given"),
    ("--config ''", "--config takes a file; "),
    ("--time soon", "--time takes how long, say 30min, 2h or days:hours:minutes:seconds, got soon"),
    ("--trainer.max_time 2hh", "--trainer.max_time takes how long, say 30min, 2h or"),
    ("--gpus -2", "--gpus takes a number of GPUs, or -1 for all, got -2"),
    ("--lr inf", "--lr must be a number, got inf"),
    ("--seed 9999999999", "--seed must be from 0 to 4294967295, got 9999999999"),
    ("--output my_project.py", "--output is a folder to write to, got the file my_project.py"),
    ("--data my_project.txt", "my_project.txt is no data: they are a folder of pictures, a .zip of it, or the name"),
    ("--trainer.accelerator quantum", "must be one of auto, cpu, gpu, cuda, mps, tpu, got quantum"),
    ("--trainer.profiler nope", "--trainer.profiler must be one of simple, advanced, pytorch, xla, got nope"),
    ("--best.mode median", "--best.mode must be one of min, max, got median"),
    ("--trainer.limit_val_batches -1", "--trainer.limit_val_batches must be at least 0, got -1"),
    ("--quality.every 0", "--quality.every must be at least 1, got 0"),
    ("--model.generator_every 0", "--model.generator_every must be at least 1, got 0"),
    ("--epocs 3", "--epocs is no option of fit; did you mean --epochs, which is --trainer.max_epochs?"),
    ("--devise cpu", "did you mean --device, which is --trainer.accelerator and --trainer.devices?"),
    ("--model []", "--model takes the name of a model, got nothing"),
    ("--config scores.yaml", "scores.yaml: quality.scores has no 'fidd'; did you mean fid?"),
    ("--config null.yaml", "null.yaml: model is null; name one, or leave it out for DCGAN"),
    (
        "--config section.yaml",
        "section.yaml has a section for each command; such a file stands before the command: --con",
    ),
    ("--model+ DCGAN", "--model+ adds to a list, and --model takes one value; leave the + out"),
    ("--trainer.devices x", "--trainer.devices must be a number of devices, their numbers, 0,1, or auto, got x"),
    ("--config path.yaml", "path.yaml: model.class_path must be the name of a class, got 3"),
    ("--name a/b", "--name is the name of a folder, without slashes, got a/b"),
]
SLOW = [
    ("--model torch.nn.Linear", "--model cannot be torch.nn.Linear: it is no subclass of lit_gans.GenerativeModel"),
    ("--model my_project.Plain", "it is no subclass of lit_gans.GenerativeModel"),
    ("--model my_project.function", "it is no subclass of lit_gans.GenerativeModel"),
    (
        "--model my_project.Nope",
        "the class 'my_project.Nope' cannot be used: module 'my_project' has no attribute 'Nope'",
    ),
    (
        "--data my_project.MyGAN",
        "--data cannot be my_project.MyGAN: it is no subclass of lightning.pytorch.LightningDa",
    ),
    ("--model my_project.MyGAN --model.cuont 3", "--model.cuont is no option of MyGAN; did you mean count?"),
    ("--model my_project.MyGAN --model.count abc", "--model.count must be a whole number, got abc"),
    ("--model my_project.MyGAN --model.flag maybe", "--model.flag must be true or false, got maybe"),
    ("--model my_project.MyGAN --model.mode quick", "--model.mode must be one of 'fast', 'slow', got quick"),
    ("--model my_project.MyGAN --model.pair 1,2,3", "--model.pair must be a list of 2 values, a,b, got [1, 2, 3]"),
    ("--model my_project.MyGAN --model.pair 3", "--model.pair must be a list"),
    ("--model my_project.MyGAN --model.optimizer torch.nn.Linear", "it is no subclass of torch.optim.Optimizer"),
    ("--model my_project.MyGAN --model.backbone torch.nn.Linear", "it is no subclass of lit_gans.networks.Backbone"),
    ("--model my_project.MyGAN --model.backbone.width x", "--model.backbone.width must be a whole number, got x"),
    ("--data my_project.Plain --data.n x", "--data.n must be a whole number, got x"),
    ("--data my_project.Plain --data.m 1", "--data.m is no option of Plain"),
    ("--trainer.callbacks my_project.Plain", "it is no subclass of lightning.pytorch.Callback"),
    ("--trainer.callbacks my_project.Call --trainer.callbacks.every x", "must be a whole number, got x"),
    ("--trainer.logger my_project.Plain", "it is no subclass of lightning.pytorch.loggers.Logger"),
    ("--trainer.plugins Foo", "--trainer.plugins must be"),
    ("--model.scheduler torch.optim.Adam", "it is no subclass of torch.optim.lr_scheduler.LRScheduler"),
    ("--model.optimizer torch.optim.Nope", "the class 'torch.optim.Nope' cannot be used"),
    ("--model.optimizer torch.optim.Adam --model.optimizer.lr x", "--model.optimizer.lr must be a number, got x"),
    (
        "--model.optimizer torch.optim.Adam --model.optimizer.lrr 1",
        "--model.optimizer.lrr is no option of Adam; did you",
    ),
    ("--model.optimizer.betas a,b", "--model.optimizer.betas must be"),
    ("--model.backbone lit_gans.networks.UNetTranslation", "it is no subclass of lit_gans.networks.Backbone"),
    ("--model '{class_path: my_project.MyGAN, init_args: {foo: 3}}'", "foo is no option of MyGAN"),
    ("--config own_value.yaml", "count must be a whole number, got abc"),
    ("--config own_name.yaml", "cuont is no option of MyGAN; did you mean count?"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "my_project.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "my_project", raising=False)
    return tmp_path


@pytest.mark.parametrize(("words", "said"), FAST, ids=range(len(FAST)))
def test_the_index_answers(words, said, folder, capsys):
    with pytest.raises(SystemExit) as end:
        ready(["fit", *shlex.split(words)])
    sentence = capsys.readouterr().err.strip()
    assert end.value.code == 2 and said in sentence and "\n" not in sentence
    assert not [word for word in INNER if word in sentence]


@pytest.mark.parametrize(("words", "said"), SLOW, ids=range(len(SLOW)))
def test_the_parser_answers_in_the_same_words(words, said, folder):
    sentence = fails("fit", *shlex.split(words), "--print_config", code=2)
    assert said in sentence and not [word for word in INNER if word in sentence]


def test_a_class_of_ones_own_without_what_it_needs(folder):
    said = fails("fit", "--trainer.callbacks=my_project.Call", "--data.size=16", code=2)
    assert said.endswith("Call needs --trainer.callbacks.every")


def test_lists_of_classes_of_ones_own_need_no_brackets(folder, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--model=my_project.MyGAN", "--model.pair", "3", "4", "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["pair"] == [3, 4]


def test_the_lists_of_names_are_whole():
    from lit_gans.metrics import scoring

    assert set(LISTED["quality.scores"]) == set(scoring.SCORES)
    with pytest.raises(UsageError) as error:
        Augment(["none of them"])
    assert ", ".join(LISTED["model.augment"]) in str(error.value)
