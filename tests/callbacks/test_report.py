"""What a run says: its table before the first batch, its line while it trains, and what there is at its end."""

import json
import re
import sys
from functools import partial

import pytest
import torch
from conftest import fails, fit, glyphs, small, trainer
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from lit_gans import DCGAN, VAE, WGAN
from lit_gans.callbacks import ProgressBar, Quality, RateCheck, RunReport
from lit_gans.callbacks.length import all_batches
from lit_gans.callbacks.progress import losses
from lit_gans.cli.main import main
from lit_gans.optim import Adam
from lit_gans.runs import Run

TINY = [
    "--data.characters=01",
    "--data.size=16",
    "--data.count=40",
    "--data.batch_size=20",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--quality.count=40",
    "--quality.every=1",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(text):
    """The table of a run by what its lines are about, and the lines after it."""
    rows, last = {}, ""
    for line in text.splitlines():
        if match := re.match(r"([a-z]+(?: [a-z]+)?)  +(\S.*)", line):
            last = match[1]
            rows[last] = match[2]
        elif line.startswith("    ") and last and "lit-gans" not in line:
            rows[last] += f" {line.strip()}"
    return rows


def test_the_table_and_the_end_of_a_run(folder, capsys):
    main(["fit", *TINY, "--trainer.max_epochs=2"])
    said = capsys.readouterr().out
    rows = table(said)
    assert rows["model"].startswith("DCGAN") and "generator" in rows["weights"] and "discriminator" in rows["weights"]
    assert rows["samples"] == "40 to train on, 4 to validate" and rows["size"] == "16x16 pixels, grey"
    assert re.fullmatch(r"2: 0 \(\d+\), 1 \(\d+\)", rows["classes"])
    assert rows["training"] == "2 epochs, 4 batches in all; 2 batches of 20 an epoch"
    assert (
        rows["device"].startswith("cpu, precision 32-true, ") and "fid" in rows["scores"] and "digits" in rows["scores"]
    )
    assert rows["checkpoints"] == "the last, the best by val/fid" and rows["folder"] == "runs/DCGAN-Glyphs/version_0"
    assert max(map(len, said.partition("done:")[0].splitlines())) <= 80 and said.count("\n") <= 30
    end = said.partition("done: ")[2]
    assert end.startswith("4 batches, 2 epochs (max_epochs=2)") and re.search(r"val/fid: [\d.]+ at last, best", end)
    assert re.search(r"; recall [\d.]+, coverage [\d.]+, memorisation [\d.]+\n", end)
    there = "config.yaml, metrics.csv, scores.jsonl, samples/, checkpoints/best.ckpt, checkpoints/last.ckpt"
    assert f"runs/DCGAN-Glyphs/version_0 has {there}" in end
    commands = [line.removeprefix("next:").strip() for line in end.splitlines() if "lit-gans" in line]
    assert [command.split()[1] for command in commands] == ["sample", "plot", "fit"]
    assert commands[-1].endswith("--epochs N")


def test_a_run_that_ends_within_an_epoch_is_scored_at_its_end(folder, capsys):
    main(["fit", *TINY, "--trainer.max_steps=3"])  # an epoch has two batches
    said = capsys.readouterr().out
    assert re.search(r"val/fid: [\d.]+ at last, best", said) and "(max_steps=3)" in said
    scored = [json.loads(line)["step"] for line in Run(folder / "runs/DCGAN-Glyphs/version_0").scores.open()]
    assert scored[-1] == 3


def test_the_end_says_of_which_batch_the_last_scores_are(folder, capsys):
    main(["fit", *TINY, "--trainer.max_steps=5", "--trainer.check_val_every_n_epoch=2"])
    assert re.search(r"val/fid: [\d.]+ after batch 4, the last that was scored, best", capsys.readouterr().out)


def test_the_end_says_how_a_run_that_steps_ended_goes_on(folder, capsys):
    main(["fit", *TINY, "--trainer.max_steps=1"])
    command = capsys.readouterr().out.splitlines()[-1].split("lit-gans ")[1]
    assert command == "fit --resume runs/DCGAN-Glyphs/version_0 --steps N"
    main([*command.removesuffix("N").split(), "2", "--quality=false"])
    said = capsys.readouterr()
    assert "done: 2 batches (max_steps=2)" in said.out and "Restor" not in said.err


def test_a_colorizer_is_used_by_colorize(folder, capsys):
    main(
        [
            "fit",
            "Colorizer",
            "ColouredGlyphs",
            "--data.count=10",
            "--data.size=16",
            "--trainer.max_steps=1",
            "--quality=false",
        ]
    )
    assert "next: lit-gans colorize runs/Colorizer-ColouredGlyphs/version_0 GREY.jpg" in capsys.readouterr().out


def test_the_next_command_trusts_a_class_of_ones_own(folder, capsys):
    (folder / "own_report.py").write_text("from lit_gans import DCGAN\n\n\nclass Mine(DCGAN):\n    pass\n")
    main(["fit", *TINY, "--model=own_report.Mine", "--trainer.max_steps=1"])
    end = capsys.readouterr().out.partition("next: ")[2].splitlines()[0]
    assert end == "lit-gans sample runs/Mine-Glyphs/version_0 --trust own_report"
    main(end.split()[1:])


def test_the_end_names_nothing_that_is_not_there(folder, capsys):
    main(["fit", *TINY, "--trainer.max_steps=1"])
    end = capsys.readouterr().out.partition("done: ")[2]
    assert end.startswith("1 batch (max_steps=1)") and "val/fid was not measured" in end
    assert "metrics.csv" not in end and "best.ckpt" not in end and "plot" not in end
    assert "lit-gans sample runs/DCGAN-Glyphs/version_0\n" in end


def test_a_data_module_of_ones_own_is_described_by_what_is_known(tmp_path, capsys):
    class Plain(LightningDataModule):
        def train_dataloader(self):
            return DataLoader(TensorDataset(torch.zeros(30, 1, 16, 16)), batch_size=10)

    fit(tmp_path, small(DCGAN), Plain(), callbacks=[RunReport()], max_epochs=2, max_steps=-1)
    rows = table(capsys.readouterr().out)
    assert rows["data"] == "Plain" and rows["samples"] == "30 to train on"
    assert rows["training"] == "2 epochs, 6 batches in all; 3 batches of 10 an epoch"
    assert rows["scores"] == "off" and rows["folder"] == "none: nothing is written"


def test_a_resumed_run_says_from_where_and_counts_on(tmp_path, capsys):
    fit(tmp_path, small(DCGAN), callbacks=[RunReport()], max_epochs=2, max_steps=-1)
    last = tmp_path / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    # batches of another size make other epochs
    fit(tmp_path, small(DCGAN), glyphs(batch_size=8), last, callbacks=[RunReport()], max_epochs=3, max_steps=-1)
    rows = table(capsys.readouterr().out)
    assert rows["goes on"].startswith("after batch 20 (epoch 3) of")
    assert rows["training"] == "3 epochs, 25 batches in all; 5 batches of 8 an epoch"


def test_the_length_of_a_run_in_batches(tmp_path):
    found = []

    class Look(RunReport):
        def on_train_start(self, trainer, pl_module):
            found.append(all_batches(trainer))

    for limits in ({"max_epochs": 2, "max_steps": -1}, {"max_epochs": 2, "max_steps": 3}, {"max_steps": 5}):
        trainer(tmp_path, callbacks=[Look()], **limits).fit(small(DCGAN), glyphs())
    assert found == [20, 3, 5]


def test_how_long_it_takes_is_said_after_twenty_batches(tmp_path, capsys, monkeypatch):
    clock = iter(range(0, 10**6, 19))
    monkeypatch.setattr("lit_gans.callbacks.report.monotonic", lambda: float(next(clock)))
    trainer(tmp_path, callbacks=[RunReport()], max_steps=200).fit(small(DCGAN), glyphs())
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "batches took" in line)
    assert line == "20 batches took 20 s: about 3 minutes of training for the 180 that are left"


# -------------------------------------------------------------------- the line


def lines(tmp_path, capsys, model, data=None, **bar):
    data, callbacks = data or glyphs(), [Quality(["swd"], count=20, every=1), ProgressBar(**bar)]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    Trainer(default_root_dir=tmp_path, accelerator="cpu", callbacks=callbacks, max_epochs=2, **quiet).fit(model, data)
    return capsys.readouterr().out.splitlines()


def test_a_file_gets_a_line_now_and_then(tmp_path, capsys):
    assert not lines(tmp_path / "a", capsys, small(DCGAN), lines=1e6)
    found = lines(tmp_path / "b", capsys, small(DCGAN), lines=0.0)
    assert len(found) == 20 and not any("\r" in line for line in found)
    assert re.fullmatch(r"epoch 1/2 10%  D \S+ +G \S+  .* img/s  0:\d\d left", found[0])
    assert re.search(r"epoch 2/2 .* swd \S+ best \S+$", found[-1])


def test_models_of_other_players_have_their_losses(tmp_path, capsys):
    assert re.search(r"loss \S+  .*img/s", lines(tmp_path, capsys, small(VAE), lines=0.0)[0])
    assert losses({"a/loss": 1, "b/loss": 2, "a/x": 3}) == {"A": 1.0, "B": 2.0} and losses(None) == {}


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_line_fits_a_terminal(columns, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    text = "\n".join(lines(tmp_path, capsys, small(DCGAN), seconds=0.0))
    drawn = [part.strip("\x1b[A") for part in re.split(r"[\r\n]", text) if part.strip()]
    assert any("scoring" in part for part in drawn) and any("best" in part or columns < 80 for part in drawn)
    assert max(map(len, drawn)) < columns


# -------------------------------------------------------------------- learning rates


@pytest.mark.parametrize("rate", [10, 1e6])
def test_a_learning_rate_far_too_high_is_named_once(rate, tmp_path):
    run = trainer(tmp_path, callbacks=[RateCheck()], max_steps=120)
    with pytest.warns(UserWarning, match="the learning rate .* is far too high: after 50 batches") as told:
        run.fit(small(DCGAN, optimizer=partial(Adam, lr=rate)), glyphs())
    (said,) = [str(w.message) for w in told if "far too high" in str(w.message)]
    assert f"({rate:g})" in said and "the losses are D " in said


@pytest.mark.parametrize("model", [DCGAN, WGAN, VAE])
def test_a_usual_learning_rate_is_not(model, tmp_path, recwarn):
    trainer(tmp_path, callbacks=[RateCheck()], max_steps=210).fit(small(model), glyphs())
    assert not [w for w in recwarn if "learning rate" in str(w.message)]


# -------------------------------------------------------------------- other commands, and failed starts


def test_predict_validate_and_test_say_where_they_wrote(folder, capsys):
    main(["fit", *TINY, "--trainer.max_steps=1"])
    last = ["--ckpt_path=runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt"]
    for number, command in enumerate(("validate", "test", "predict"), 1):
        capsys.readouterr()
        main([command, *TINY, *last])
        assert f"in runs/DCGAN-Glyphs/version_{number}" in capsys.readouterr().out.splitlines()[-1]


def test_a_failed_start_leaves_no_folder_and_says_none(folder, capsys):
    for wrong in (["--best.monitor=val/kid"], ["--model=CGAN", "--data.labels_per_class=1"]):
        fails("fit", *TINY, *wrong, "--trainer.max_steps=1")
        assert not (folder / "runs").exists(), wrong
    capsys.readouterr()
    assert "best.monitor is val/kid" in fails("fit", *TINY, "--best.monitor=val/kid")
    assert "folder" not in capsys.readouterr().out
