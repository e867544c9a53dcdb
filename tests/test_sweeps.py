"""The sweep files: every parameter is an option of fit, and the agent of wandb goes through a whole sweep.

The server is the stand-in of ``wandb_server``; the client, its command line and its agent are the real ones.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from wandb_server import ENTITY, KEY, Server

from lit_gans import load
from lit_gans.callbacks import SaveLast
from lit_gans.callbacks.loggers import in_run_folder
from lit_gans.checkpoints import read
from lit_gans.cli.main import main

ROOT = Path(__file__).parents[1]
SWEEPS = sorted((ROOT / "examples" / "sweeps").glob("*.yaml"))
ids = [path.stem for path in SWEEPS]
SMALL = ["--data.size=16", "--data.count=64", "--data.batch_size=16", "--trainer.accelerator=cpu"]
SMALL += ["--trainer.enable_progress_bar=false", "--quality.count=100", "--trainer.log_every_n_steps=1"]


def sampled(parameters, seed):
    """One choice of every parameter, as an agent gets it."""
    rng = random.Random(seed)
    chosen = {}
    for name, how in parameters.items():
        if "values" in how:
            chosen[name] = rng.choice(how["values"])
        else:
            assert how["distribution"] == "log_uniform_values" and 0 < how["min"] < how["max"]
            chosen[name] = rng.uniform(how["min"], how["max"])
    return chosen


def words(sweep, chosen):
    """The command that an agent runs, by wandb's own code."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args  # takes seconds

    made = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
    said = []
    for word in create_sweep_command(sweep["command"]):
        said += made["args"] if word == "${args}" else [] if word == "${env}" else [str(word)]
    assert said[:2] == ["lit-gans", "fit"]
    return said[1:]


def test_there_are_sweeps_of_five_kinds():
    assert ids == ["faces", "games_and_backbones", "learning_rates", "penalties", "translation"]


@pytest.mark.parametrize("path", SWEEPS, ids=ids)
def test_a_sweep_says_how_it_is_started_and_looks_at_a_score_of_every_epoch(path):
    assert path.read_text().startswith(f"# wandb sweep examples/sweeps/{path.name} ")
    sweep = yaml.safe_load(path.read_text())
    coloured = path.stem in ("faces", "translation")
    metric = {"name": "val/fd_imagenet" if coloured else "val/fid", "goal": "minimize"}
    assert sweep["metric"] == metric and sweep["program"] == "lit-gans"
    assert ("imagenet" in sweep["command"]) == (path.stem == "translation")  # whose data are drawn, not photographs
    assert sweep["early_terminate"]["type"] == "hyperband" and sweep["method"] in ("bayes", "grid", "random")
    command = sweep["command"]  # without it the scores take a tenth of the time, and runs would be looked at unlike
    assert command[command.index("--quality.every") + 1] == 1
    assert command[-1] == "${args}" and command[command.index("--trainer.logger") + 1] == "wandb"


@pytest.mark.parametrize("path", SWEEPS, ids=ids)
def test_every_parameter_is_an_option_of_fit(path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    sweep = yaml.safe_load(path.read_text())
    chosen = sampled(sweep["parameters"], seed=0)
    with pytest.raises(SystemExit) as end:
        main([*words(sweep, chosen), "--print_config"])
    said = capsys.readouterr()
    assert not end.value.code, said.err
    config = yaml.safe_load(said.out)
    for name, value in chosen.items():
        found = config
        for part in name.split("."):
            found = found.get("init_args", found).get(part) if "class_path" in found else found[part]
        if isinstance(found, dict):
            found = found["class_path"]
            assert value in found
        else:
            assert found == pytest.approx(value)


@pytest.mark.parametrize(
    ("sweep", "number", "code"), [("s", signal.SIGTERM, 0), ("s", signal.SIGINT, 130), ("", signal.SIGTERM, 143)]
)
def test_to_be_ended_by_an_agent_is_no_failure(sweep, number, code, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", sweep)
    with pytest.raises(SystemExit) as end:
        SaveLast()._leave(SimpleNamespace(strategy=SimpleNamespace(barrier=lambda: None), global_step=3), number)
    assert end.value.code == code


def test_an_agent_does_not_choose_the_folder_of_its_runs(monkeypatch, tmp_path):
    """It sets the variable to the folder that it was started in, unless the user has set it."""
    monkeypatch.chdir(tmp_path)
    run = CSVLogger("runs", "DCGAN-MNIST", 0)
    for sweep, chosen, folder in (("s", tmp_path, run.log_dir), ("s", "mine", "mine"), ("", tmp_path, str(tmp_path))):
        monkeypatch.setenv("WANDB_SWEEP_ID", sweep)
        monkeypatch.setenv("WANDB_DIR", str(chosen))
        assert in_run_folder(WandbLogger, run)["save_dir"] == folder


def wandb(server, folder, *arguments):
    """Runs a command of the real client against the stand-in."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), own["PATH"]])
    own |= {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "OMP_NUM_THREADS": "1", "PATH": path}
    own |= {"LIT_GANS_CACHE": str(folder / "cache"), "HOME": str(folder)}
    command = [sys.executable, "-m", "wandb", *arguments]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_an_agent_goes_through_a_sweep_of_which_a_run_is_stopped_early(tmp_path):
    """Three runs: the second would go on for days, and the server ends it after its second score."""
    sweep = yaml.safe_load((ROOT / "examples" / "sweeps" / "learning_rates.yaml").read_text())
    sweep["parameters"]["model.backbone.width"]["values"] = [4, 8]
    trials = [sampled(sweep["parameters"], seed) | {"trainer.max_epochs": 2} for seed in range(3)]
    trials[1]["trainer.max_epochs"] = 100_000
    options = sweep["command"]
    options[options.index("--config") : options.index("--config") + 2] = SMALL
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "lit-gans"
    program.write_text(f"#!{sys.executable}\nfrom lit_gans.cli.main import main\nmain()\n")
    program.chmod(0o755)

    with Server(trials, stop=lambda run: len(run.values("val/fid")) > 1 and run.name == "trial1") as server:
        begun = wandb(server, tmp_path, "sweep", "sweep.yaml")
        assert begun.returncode == 0, begun.stderr
        (told,) = re.findall(r"wandb agent (\S+)", begun.stdout + begun.stderr)
        assert told == f"{ENTITY}/lit_gans/sweep0" and server.sweeps["sweep0"]["config"]["method"] == "bayes"
        done = wandb(server, tmp_path, "agent", told)
        said = done.stdout + done.stderr
        deadline = time.monotonic() + 60
        while any(run.exit_code is None for run in server.runs.values()) and time.monotonic() < deadline:
            time.sleep(0.2)  # the client's own process sends the end after the run's has ended
    assert done.returncode == 0 and "Traceback" not in said, said[-5000:]
    assert server.unknown == [] and server.stopped == ["trial1"]
    assert [*server.runs] == [f"trial{n}" for n in range(3)]
    for (name, run), trial in zip(server.runs.items(), trials, strict=True):
        assert run.exit_code == 0 and run.sweep == "sweep0", name  # also of the one that was stopped: no failure
        assert run.project == "lit_gans" and all(value > 0 for value in run.values("val/fid"))
        assert run.config["protocol"]["fake"] == 100 and run.config["data"]["class_path"] == "lit_gans.Glyphs"
        folder = tmp_path / run.config["run_folder"]
        model = load(folder / "checkpoints" / "last.ckpt")
        assert model.backbone.width == trial["model.backbone.width"]
        rates = [o.param_groups[0] for o in model.configure_optimizers()[0]]
        assert rates[0]["lr"] == trial["model.generator_optimizer.lr"]
        assert rates[1]["lr"] == trial["model.discriminator_optimizer.lr"]
        assert list(rates[0]["betas"]) == trial["model.generator_optimizer.betas"]
        assert {file.rpartition("/")[2].partition("_")[0] for file in run.files if file.endswith(".png")} >= {"samples"}
        assert (folder / "wandb").is_dir()
    stopped = tmp_path / server.runs["trial1"].config["run_folder"]
    assert 8 <= read(stopped / "checkpoints" / "last.ckpt")["global_step"] < 100_000
    assert "SIGTERM: stopped after batch" in said
