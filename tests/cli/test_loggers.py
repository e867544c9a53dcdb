"""Loggers by their short names: where each writes, and what it gets."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import run_cli
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image
from wandb_server import ENTITY, KEY, Server

from lit_gans.callbacks import loggers
from lit_gans.callbacks.loggers import in_run_folder
from lit_gans.checkpoints import read
from lit_gans.cli.artifacts import fetched
from lit_gans.cli.main import main
from lit_gans.errors import UsageError

TINY = ["--data.size=16", "--data.count=32", "--data.batch_size=8", "--model.backbone.width=4", "--quality.count=64"]
TINY += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.max_epochs=1"]
RUN = Path("runs/DCGAN-Glyphs/version_0")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_PROJECT", "WANDB_NAME", "WANDB_DIR", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_wandb_writes_into_the_run_folder(folder, monkeypatch, recwarn):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    main(["fit", *TINY, "--trainer.logger=wandb"])
    assert (wandb.run.project, wandb.run.name) == ("lit_gans", "DCGAN-Glyphs/version_0")
    wandb.finish()
    wandb.teardown()  # its service writes the last of the file when it ends
    assert [path.name for path in folder.iterdir()] == ["runs"]
    assert not [w for w in recwarn if "will be deleted" in str(w.message)]  # nothing is, and it frightens
    (offline,) = RUN.glob("wandb/offline-run-*")
    pictures = sorted(offline.glob("files/media/images/*.png"))
    assert {path.name.partition("_")[0] for path in pictures} == {"real", "samples"}
    low, high = Image.open(pictures[0]).convert("L").getextrema()
    assert high - low > 50
    (logged,) = (path.read_bytes() for path in offline.glob("*.wandb"))
    assert all(word in logged for word in (b"val/fid", b"protocol", b"run_folder", b"generator_optimizer"))
    assert {"samples", "checkpoints", "config.yaml", "scores.jsonl"} <= {path.name for path in RUN.iterdir()}


@pytest.mark.slow
def test_wandb_without_a_key_is_one_sentence(tmp_path):
    own = {
        "WANDB_MODE": "online",
        "WANDB_API_KEY": "",
        "HOME": str(tmp_path / "home"),
        "WANDB_BASE_URL": "http://x.invalid",
    }
    done = run_cli("fit", *TINY, "--trainer.logger=wandb", cwd=tmp_path, **own)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Weights & Biases: No API key configured" in done.stderr and "WANDB_MODE=offline" in done.stderr
    assert not (tmp_path / "wandb").exists()


def test_tensorboard_writes_into_the_run_folder(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    main(["fit", *TINY, "--trainer.logger=tensorboard"])
    assert [path.name for path in Path("runs").iterdir()] == ["DCGAN-Glyphs"]
    (events,) = RUN.glob("events.out.tfevents.*")
    seen = EventAccumulator(str(events)).Reload()
    assert [each.step for each in seen.Images("samples")] == [4] and seen.Images("real")
    assert "val/fid" in seen.Tags()["scalars"]
    texts = {
        name: seen.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0] for name in ("config", "protocol")
    }
    assert b"class_path: lit_gans.DCGAN" in texts["config"] and b'"features": "digits"' in texts["protocol"]
    # the same options make a run with a folder of its own
    assert yaml.safe_load((RUN / "config.yaml").read_text())["trainer"]["logger"]["init_args"]["save_dir"] == ""
    main(["fit", "--config", str(RUN / "config.yaml")])
    assert len([*RUN.glob("events*")]) == 1 == len([*RUN.with_name("version_1").glob("events*")])


def test_what_the_user_says_holds(folder):
    words = ["--trainer.logger+=csv", "--trainer.logger.name=mine", "--trainer.logger+=tensorboard"]
    main(["fit", *TINY, *words, "--trainer.logger.save_dir=elsewhere"])
    assert Path("runs/mine/version_0/metrics.csv").exists() and Path("runs/mine/version_0/config.yaml").exists()
    assert [*Path("elsewhere").rglob("events*")] and not [*Path("runs").rglob("events*")]


def test_places(folder, monkeypatch):
    run = CSVLogger("runs", "DCGAN-MNIST", 3)
    where = "runs/DCGAN-MNIST/version_3"
    assert in_run_folder(CSVLogger, run) == {}
    assert in_run_folder(TensorBoardLogger, run) == {"save_dir": where, "name": "", "version": ""}
    name = "DCGAN-MNIST/version_3"
    assert in_run_folder(WandbLogger, run) == {"save_dir": where, "project": "lit_gans", "name": name}
    store = in_run_folder(MLFlowLogger, run)
    assert store["tracking_uri"] == f"sqlite:///{folder}/runs/mlflow.db"
    assert store["artifact_location"] == f"file://{folder}/runs/mlartifacts/DCGAN-MNIST"
    assert (store["experiment_name"], store["run_name"]) == ("DCGAN-MNIST", "version_3")
    for variable in ("WANDB_PROJECT", "WANDB_NAME", "WANDB_DIR", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(variable, "theirs")
    assert in_run_folder(WandbLogger, run) == {"save_dir": "theirs"}
    assert in_run_folder(MLFlowLogger, run).keys() == {"experiment_name", "run_name"}


def test_mlflow_gets_pictures_options_protocol_and_checkpoints():
    """The package is not needed: the calls are what counts, and a run with it was tried by hand."""
    import torch

    calls = []

    class Client:
        __isabstractmethod__ = False

        def __getattr__(self, name):
            return lambda *given, **more: calls.append((name, given, more))

    class Fake(MLFlowLogger):
        experiment, run_id = Client(), "id"
        log_hyperparams = log_metrics = name = version = None

        def __init__(self, wanted):
            self._log_model = wanted

    class Run:
        loggers = [Fake(True)]

    loggers.show(Run, "samples", torch.zeros(3, 4, 4, dtype=torch.uint8), 7)
    loggers.tell_options(Run, Path("runs"), "a: 1")
    loggers.tell_protocol(Run, {"real": 2})
    loggers.upload_last(Run, Path("x/last.ckpt"), ended=False)
    loggers.upload_last(Run, Path("x/last.ckpt"), ended=True)
    names = [name for name, _, _ in calls]
    assert names == ["log_image", "log_text", "log_dict", "log_artifact"]
    assert calls[0][2] == {"key": "samples", "step": 7} and calls[0][1][1].size == (4, 4)
    assert [call[1] for call in calls[1:]] == [
        ("id", "a: 1", "config.yaml"),
        ("id", {"real": 2}, "protocol.json"),
        ("id", "x/last.ckpt", "last"),
    ]
    Run.loggers = [Fake("all")]
    loggers.upload_last(Run, Path("x/last.ckpt"), ended=False)
    assert len(calls) == 5


@pytest.mark.slow
def test_a_checkpoint_goes_to_wandb_and_comes_back(tmp_path):
    with Server() as server:
        own = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online", "HOME": str(tmp_path)}
        own |= {"LIT_GANS_CACHE": str(tmp_path / "cache"), "WANDB_CACHE_DIR": str(tmp_path / "wandb-cache")}

        def run(*words, **more):
            return run_cli(*words, cwd=tmp_path, **own, **more)

        trained = ["--trainer.logger=wandb", "--trainer.logger.log_model=true", "--trainer.max_epochs=2"]
        done = run("fit", *TINY, *trained, "--quality.every=1")
        assert done.returncode == 0 and server.unknown == [], done.stderr
        (name,) = {artifact.name for artifact in server.artifacts}
        folder = tmp_path / RUN / "checkpoints"
        place = f"wandb:{ENTITY}/lit_gans/{name}"
        for alias in ("best", "last"):
            (artifact,) = (each for each in server.artifacts if alias in each.aliases)
            (entry,) = artifact.manifest["contents"].values()
            assert entry["size"] == (folder / f"{alias}.ckpt").stat().st_size
        wanted = ["fit", *TINY, "--trainer.max_epochs=3", f"--ckpt_path={place}:last"]
        done = run(*wanted)
        assert done.returncode == 0 and "downloading" in done.stdout, done.stderr
        assert read(tmp_path / RUN.with_name("version_1") / "checkpoints" / "last.ckpt")["global_step"] == 12
        done = run("sample", f"{place}:last", "--count=4", "--output=four.png")  # every command takes it
        assert done.returncode == 0 and "downloading" not in done.stdout and (tmp_path / "four.png").is_file()
        for reference, more, words in (
            (f"{place}:first", {}, "there is none of this name"),
            (f"{place}:last", {"WANDB_API_KEY": "1" * 40}, "there is no valid key"),
        ):
            own |= {"WANDB_API_KEY": KEY} | more
            done = run("validate", *TINY, f"--ckpt_path={reference}")
            assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_references(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("runs/x/last.ckpt", tmp_path / "last.ckpt", "a/b", None):
        assert fetched(path) == path
    Path("a/b").mkdir(parents=True)
    Path("a/b/c:d").write_text("a file of this name")
    assert fetched("a/b/c:d") == "a/b/c:d"
    for wrong in ("wandb:", "wandb:me/project/model", "wandb:a/b/c/d:best", "wandb-artifact://x:best"):
        with pytest.raises(UsageError, match="write wandb:entity/project/name:alias"):
            fetched(wrong)


def test_fetching_asks_for_a_whole_checkpoint(tmp_path, monkeypatch):
    import wandb

    class Artifact:
        entity, project, version, digest, qualified_name = "me", "p", "v3", "0" * 32, "me/p/model:v3"

        class manifest:
            entries = {"model.ckpt": None}

        def download(self, root, skip_cache):
            if self.broken:
                raise OSError("no space left")
            Path(root, "model.ckpt").write_text(json.dumps("weights"))

    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path))
    asked = []
    monkeypatch.setattr(
        wandb, "Api", lambda **_: type("Api", (), {"artifact": lambda _, n: asked.append(n) or Artifact()})()
    )
    Artifact.broken = True
    with pytest.raises(UsageError, match="cannot be kept in the cache"):
        fetched("me/p/model:best")
    assert not [*tmp_path.rglob("model.ckpt")]
    Artifact.broken = False
    path = Path(fetched("wandb-artifact://me/p/model:best"))
    assert path.read_text() == '"weights"' and path.is_relative_to(tmp_path / "artifacts/me/p/model/v3")
    Artifact.broken = True
    assert fetched("wandb:me/p/model:best") == str(path) and asked == ["me/p/model:best"] * 3
    Artifact.manifest.entries = {"a.txt": None}
    with pytest.raises(UsageError, match=r"holds a.txt, not one checkpoint"):
        fetched("wandb:me/p/model:best")
