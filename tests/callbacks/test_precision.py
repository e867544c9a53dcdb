"""precision auto: what is chosen and said, and that a run is what it would be if the choice had been typed."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer, training_state
from lightning.pytorch.plugins.precision import DoublePrecision
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lit_gans
from lit_gans import DCGAN, VAE
from lit_gans.callbacks import opening, trial
from lit_gans.callbacks.precision import FastestPrecision
from lit_gans.callbacks.trial import Untried, rounds, seconds_a_batch
from lit_gans.cli.main import main
from lit_gans.training import defaults

TINY = [
    "DCGAN",
    "Glyphs",
    "--size",
    "16",
    "--model.backbone.width",
    "4",
    "--data.count",
    "40",
    "--data.batch_size",
    "4",
]
TINY += ["--off.quality", "true", "--off.samples", "true", "--trainer.enable_progress_bar", "false", "--device", "cpu"]


def takes(**seconds):
    """Measures nothing and finds these: ``bf16_mixed=0.5`` beside a second in 32-true."""
    found = {"32-true": 1.0} | {name.replace("_", "-"): value for name, value in seconds.items()}
    return lambda trainer, model, names: {name: found[name] for name in names}


def tried_and(name, trainer, model, names):
    """Tries, and then finds one of the precisions the fastest, whatever came out."""
    assert all(seconds > 0 for seconds in seconds_a_batch(trainer, model, names).values())
    return {other: 0.1 if other == name else 1.0 for other in names}


def untried(trainer, model, names):
    raise Untried("nothing can be tried here")


@pytest.fixture
def measured(monkeypatch):
    """Lets every Trainer that chooses find these times."""
    return lambda measure: monkeypatch.setattr(defaults, "FastestPrecision", partial(FastestPrecision, measure))


@pytest.mark.parametrize(
    ("measure", "name", "said"),
    [
        (takes(bf16_mixed=0.0412), "bf16-mixed", "bf16-mixed (auto: 41.2 ms a batch, 32-true 1 s; trying took "),
        (takes(bf16_mixed=0.9), "bf16-mixed", "bf16-mixed (auto: 900 ms a batch, 32-true 1 s; trying took "),
        (takes(bf16_mixed=0.91), "32-true", "32-true (auto: 1 s a batch, bf16-mixed 910 ms; trying took "),
        (takes(bf16_mixed=12.34), "32-true", "32-true (auto: 1 s a batch, bf16-mixed 12.3 s; trying took "),
        (untried, "32-true", "32-true (auto, without a trial: nothing can be tried here)"),
    ],
)
def test_the_mixed_precision_is_chosen_if_it_is_a_tenth_faster(measure, name, said, tmp_path):
    run = trainer(tmp_path, max_steps=1, callbacks=[FastestPrecision(measure)])
    run.fit(small(DCGAN), datamodule=glyphs())
    assert run.precision == name
    table = dict(opening.lines(run, run.lightning_module, None))
    assert table["precision"].startswith(said) and "precision" not in table["device"]


@pytest.mark.parametrize(("own", "name"), [("a data module", "bf16-mixed"), ("a loader", "32-true")])
def test_a_run_with_a_trial_is_the_run_with_the_word(own, name, tmp_path, monkeypatch):
    """The same weights, averages, optimizers and random states; the loader's order hangs on the global ones."""
    monkeypatch.setattr(trial, "_MOST", 2)

    def state(folder, **options):
        model = small(VAE if own == "a loader" else DCGAN)
        torch.manual_seed(7)
        if own == "a data module":
            return training_state(fit(tmp_path / folder, model, glyphs(flip=True), **options))
        images = torch.rand(12, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1
        run = trainer(tmp_path / folder, **options)
        run.fit(model, DataLoader(TensorDataset(images), batch_size=4, shuffle=True))
        return {**model.state_dict(), "drawn": torch.rand(3)}

    found = state("auto", callbacks=[FastestPrecision(partial(tried_and, name))])
    assert_equal(found, state("word", precision=name))


@pytest.fixture
def clock(monkeypatch):
    """Runs of pretended batches: how many each precision had in each round, by a clock that they move."""
    now = [0.0]
    monkeypatch.setattr(trial, "monotonic", lambda: now[0])

    def tried(*seconds, **options):
        """With the seconds of a batch in each turn."""
        left, calls = list(seconds), []

        def run(name, batches):
            took = left.pop(0)
            calls.append((name, batches))
            now[0] += (1 + batches) * took
            return took

        return rounds(run, ("a", "b"), **options), calls

    return tried


def test_rounds_take_turns_and_keep_the_shortest_times(clock):
    found, calls = clock(0.009, 0.008, 0.002, 0.003, 0.0029, 0.004, 0.005, 0.0025)
    assert found == {"a": 0.002, "b": 0.0025}  # the first round counts only if it is the last
    assert [name for name, _ in calls] == ["a", "b"] * 4
    assert [batches for _, batches in calls] == [1] * 2 + [20] * 6


def test_rounds_end_when_the_fastest_is_clear(clock):
    found, calls = clock(0.009, 0.001, 0.003, 0.002, 0.003, 0.0019)
    assert found == {"a": 0.003, "b": 0.0019} and len(calls) == 6


@pytest.mark.parametrize(
    ("seconds", "batches"),
    [(0.25, [1, 1, 2, 2]), (0.5, [1, 1]), (1.2, [1]), (30.0, [1])],  # and one before them in every turn
)
def test_rounds_of_slow_batches_end_in_time(clock, seconds, batches):
    found, calls = clock(*[seconds] * 2 * len(batches))
    assert found == {"a": seconds, "b": seconds}
    assert [count for name, count in calls if name == "a"] == batches


def test_a_slow_first_batch_is_the_only_one(monkeypatch):
    now = iter([0.0, 2.1])
    monkeypatch.setattr(trial, "monotonic", lambda: next(now))
    run = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")), should_stop=False)
    watch = trial._Watch(1)
    watch.on_train_start(run, None)
    watch.on_train_batch_end(run, None, None, None, 0)
    assert run.should_stop and watch.seconds > 0


class Stream(IterableDataset):
    def __iter__(self):
        return iter(-torch.ones(8, *SHAPE))


class Batches:
    """A loader of a kind that nobody knows."""

    def __iter__(self):
        return iter([-torch.ones(4, *SHAPE)])


class Copies(DCGAN):
    """Of which there is only one."""

    def __deepcopy__(self, memo):
        raise TypeError("no copies")


def test_what_cannot_be_tried_says_why(tmp_path):
    images = TensorDataset(-torch.ones(8, *SHAPE))
    order = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(images), 4, drop_last=True)
    cases = [
        (small(DCGAN), DataLoader(Stream(), batch_size=4), "a stream, of which a trial would take a part"),
        (small(DCGAN), DataLoader(images, batch_sampler=order), "does not say how many samples"),
        (small(DCGAN), Batches(), "in no DataLoader"),
        (small(Copies), DataLoader(images, batch_size=4), "cannot be trained (TypeError: no copies)"),
    ]
    for model, loader, why in cases:
        chosen = FastestPrecision()
        run = trainer(tmp_path, max_steps=1, callbacks=[chosen])
        run.fit(model, loader)
        assert run.precision == "32-true" and why in chosen.said, chosen.said


def test_a_run_goes_on_with_the_precision_of_its_checkpoint(tmp_path, measured, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"precision": "auto", "accelerator": "cpu", "scores": False, "pictures": False}
    options["enable_progress_bar"] = False
    measured(takes(bf16_mixed=0.1))
    first = lit_gans.fit(small(DCGAN), glyphs(), steps=2, **options)
    assert first.precision == "bf16-mixed"
    measured(takes(bf16_mixed=9.0))
    second = lit_gans.fit(small(DCGAN), glyphs(), steps=4, ckpt_path=first.run, **options)
    assert second.precision == "bf16-mixed"
    straight = lit_gans.fit(small(DCGAN), glyphs(), steps=4, **{**options, "precision": "bf16-mixed"})
    saved = [torch.load(run.run.last, weights_only=True) for run in (second, straight)]
    assert saved[0]["run"]["precision"] == "bf16-mixed"
    assert_equal(*map(training_state, saved))
    new = lit_gans.fit(small(DCGAN), glyphs(), steps=2, **options)
    assert new.precision == "32-true"
    chosen = FastestPrecision(untried)
    chosen.follow({"run": {"precision": "16-mixed"}}, "last.ckpt")  # of a GPU
    run = trainer(tmp_path, limit_val_batches=1, callbacks=[chosen])
    run.validate(small(DCGAN), datamodule=glyphs())
    assert run.precision == "bf16-mixed" and chosen.said == "bf16-mixed (auto: that of last.ckpt)"


def test_another_precision_beside_auto_is_refused(tmp_path):
    run = trainer(tmp_path, callbacks=[FastestPrecision()], plugins=[DoublePrecision()])
    refused(lambda: run.fit(small(DCGAN), datamodule=glyphs()), "auto", "DoublePrecision", "leave one of them out")
    refused(lambda: FastestPrecision().follow({"run": {"precision": "64-true"}}, "last.ckpt"), "last.ckpt", "64-true")


def test_the_command_line_keeps_the_choice_in_config_yaml(tmp_path, measured, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    measured(takes(bf16_mixed=0.5))
    main(["fit", *TINY, "--steps", "2", "--precision", "auto"])
    assert "bf16-mixed (auto: 500 ms a batch, 32-true 1 s; trying took " in capsys.readouterr().out
    run = tmp_path / "runs/DCGAN-Glyphs/version_0"
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    assert config["trainer"]["precision"] == "bf16-mixed"
    config["trainer"]["precision"] = "auto"  # as in a file of the user's own
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config), "utf-8")
    measured(untried)
    main(["fit", "--config", "own.yaml", "--ckpt_path", str(run / "checkpoints/last.ckpt"), "--steps", "4"])
    said = capsys.readouterr().out
    assert "bf16-mixed (auto: that of" in said
    config = yaml.safe_load((tmp_path / "runs/DCGAN-Glyphs/version_1/config.yaml").read_text("utf-8"))
    assert config["trainer"]["precision"] == "bf16-mixed"


def test_a_real_trial_by_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial, "_MOST", 2)
    main(["fit", *TINY, "--steps", "2", "--trainer.precision=auto"])
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("precision")]
    assert "ms a batch" in line and "32-true" in line and "bf16-mixed" in line
    assert said.err == ""
