"""Trains every shipped configuration in two trees of this library side by side and compares what comes out.

``python tools/compare_configs.py OLD NEW`` with two checkouts; the data are where ``LIT_GANS_DATA`` says. For each file
in ``examples/configs`` that both have, each tree builds model and data as its own command line does. The new model is
given the old one's weights, both draw the same random numbers from the first batch on, and every term of 20 batches is
compared, besides the optimizers' settings and the averaged generator's samples afterwards. A table of it is printed.

Each tree has one process, which imports it once and forks a child a configuration. Batches are small, validation is
off; all else is as the file says. What ``--print_config`` writes differently is listed after the
table, without the options of networks, optimizers and schedules, whose effect the table shows. It ends with 1 unless
all is the same bit for bit.
"""

import argparse
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from lightning.pytorch import Callback, seed_everything
from torch import Tensor

BATCH, LARGE = 8, 64  # samples a batch; images of so many pixels a side have half as many
SAMPLES = 8  # drawn after the last batch
ROUNDING = 1e-4  # largest relative difference of the first batch that rounding explains
SETTINGS = "settings"  # ending of the files with what --print_config writes
_PACES = "(generator_|discriminator_)?(optimizer|scheduler)"
RENAMED = {"remembered": "recent_attributes"}  # buffers of a model; those of networks are known by their order
#: options of models in 0.1 and in 0.2 that only have another place now: the table compares what they do
MOVED = (
    f"{_PACES}|(generator_|discriminator_)?(norm|hidden)|width|upsampling|latent_dim|residual|dense|attention|style_dim|"
    "mapping_layers|mixing|blocks|dropout|skip|minibatch|generator|discriminator|a_to_b|b_to_a|judge_a|judge_b|backbone"
)


class Recorder(Callback):
    """Gives a model the old tree's weights, if there are any, and records what it does.

    Args:
        path: file for the record.
        old: the old tree's record, or None while that is being made.
    """

    def __init__(self, path: Path, old: Path | None) -> None:
        self.path, self.old = path, old
        self.record: dict[str, Any] = {"terms": [], "batches": []}
        self.first: dict[str, Tensor] = {}

    def joining(self) -> Callable[[Any], None]:
        """A stand-in for the command line's ``before_fit``, by which the recorder takes part in its run."""
        return lambda cli: cli.trainer.callbacks.append(self)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Keeps the first weights, then replaces them."""
        own = pl_module.state_dict()
        self.record["start"] = {name: value.clone() for name, value in own.items()}
        if self.old is None:
            return
        old = torch.load(self.old, weights_only=False)["start"]
        given = {RENAMED.get(name, name) if RENAMED.get(name) in own else name: value for name, value in old.items()}
        pairs, self.record["mapped"] = mapping(given, own)
        self.record["drawn"] = drawn_alike(given, own, pairs)
        for before, after in pairs:
            own[after].copy_(given[before])

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Keeps the settings of the optimizers and of their schedules."""
        self.record["optimizers"] = [
            [type(optimizer).__name__, {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}]
            for optimizer in trainer.optimizers
        ]
        self.record["schedules"] = [
            [type(config.scheduler).__name__, plain(config.scheduler.state_dict()), config.interval, config.frequency]
            for config in trainer.lr_scheduler_configs
        ]

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Lets both trees draw the same numbers from here on."""
        batch = pl_module.receive(batch)
        if not self.first:
            self.first = batch
            seed_everything(0, verbose=False)
        self.record["batches"].append(
            {k: v.double().sum().item() for k, v in batch.items() if isinstance(v, Tensor)},
        )

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keeps every term of the batch."""
        self.record["terms"].append({name: float(value) for name, value in outputs.items()})

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Draws from the average, and writes all of it down."""
        source = next((self.first[name] for name in ("source", "a", "image") if name in self.first), None)
        draws = pl_module.draws
        self.record["samples"] = pl_module.sample(SAMPLES, seed=1) if draws else pl_module.translate(source, seed=1)
        torch.save(self.record, self.path)


def mapping(old: dict[str, Tensor], new: dict[str, Tensor]) -> tuple[list[tuple[str, str]], str]:
    """Which weight becomes which, player by player, and by what that is known: names, their order, or their shapes.

    Raises:
        ValueError: if a player of the one tree has other weights than that of the other.
    """
    pairs: list[tuple[str, str]] = []
    how: dict[str, list[str]] = {}
    for player in dict.fromkeys(name.partition(".")[0] for name in [*old, *new]):
        names = [[name for name in state if name.partition(".")[0] == player] for state in (old, new)]
        shapes = [[tuple(s[n].shape) for n in part] for s, part in zip((old, new), names, strict=True)]
        if set(names[0]) == set(names[1]) and all(old[name].shape == new[name].shape for name in names[0]):
            names[1], by = names[0], "names"
        elif shapes[0] == shapes[1]:
            by = "order"
        elif sorted(shapes[0]) == sorted(shapes[1]):
            names = [by_shape(old, names[0]), by_shape(new, names[1])]
            by = "shapes"
        else:
            odd = {*shapes[0]} ^ {*shapes[1]}
            raise ValueError(f"{player}: {len(names[0])} weights became {len(names[1])}; shapes of one alone: {odd}")
        how.setdefault(by, []).append(player)
        pairs += zip(*names, strict=True)
    return pairs, "names" if [*how] == ["names"] else "; ".join(f"{by}: {', '.join(of)}" for by, of in how.items())


def by_shape(state: dict[str, Tensor], names: list[str]) -> list[str]:
    """Names sorted by their weights' shapes; those of one shape keep their order."""
    return sorted(names, key=lambda name: tuple(state[name].shape))


def drawn_alike(old: dict[str, Tensor], new: dict[str, Tensor], pairs: list[tuple[str, str]]) -> str:
    """Whether weights began the same: ``equal``, ``alike`` in mean and spread, or else the first that did not."""
    said = "equal"
    for before, after in pairs:
        a, b = old[before].double(), new[after].double()
        if a.shape == b.shape and torch.equal(a, b):
            continue
        said = "alike"
        spread, n = (a.std().item() if a.numel() > 1 else 0.0), a.numel()
        off = abs(a.mean() - b.mean()).item() > 6 * spread * (2 / n) ** 0.5
        if n > 1 and (off or abs(b.std().item() - spread) > 6 * spread / n**0.5):
            return f"{after}: {spread:.3g} -> {b.std().item():.3g}"
    return said


def plain(value: Any) -> Any:
    """Numbers and texts as they are, everything else as its class's name."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value if isinstance(value, (int, float, str, type(None))) else type(value).__name__


# ---------------------------------------------------------------- in a tree


def work(tree: Path, out: Path, old: Path | None, configs: list[str], options: list[str]) -> None:
    """Trains configurations of the tree that is imported, each in a child of this process."""
    package = import_module("lit_gans")
    if tree not in Path(str(package.__file__)).parents:
        raise SystemExit(f"lit_gans is imported from {package.__file__}, not from {tree}")
    homes = ("cli.train", "cli.main") if (tree / "lit_gans" / "cli").is_dir() else ("train", "cli")  # 0.2, 0.1
    train, cli = (import_module(f"lit_gans.{home}") for home in homes)
    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    for config in configs:
        file = tree / "examples" / "configs" / f"{config}.yaml"
        recorder = Recorder(out / f"{config}.pt", old and old / f"{config}.pt")

        train.TrainCLI.before_fit = recorder.joining()
        fit = ["fit", "--config", str(file)]
        in_child(partial(cli.main, [*fit, *overrides(file), *options]), out / f"{config}.log")
        in_child(partial(cli.main, [*fit, "--print_config"]), out / f"{config}.{SETTINGS}")
        print(f"{tree.name}: {config}", file=sys.stderr, flush=True)


def overrides(file: Path) -> list[str]:
    """What both trees are told beyond the file: small batches, no validation, nothing saved."""
    data = yaml.safe_load(file.read_text("utf-8"))["data"].get("init_args", {})
    batch = min(data.get("batch_size", BATCH), BATCH // 2 if data.get("size", 0) >= LARGE else BATCH)
    trainer = {
        "accelerator": "cpu",
        "devices": 1,
        "limit_val_batches": 0,
        "enable_checkpointing": "false",
        "enable_progress_bar": "false",
        "log_every_n_steps": 1,
        "default_root_dir": "runs",
    }
    return [f"--data.batch_size={batch}", *(f"--trainer.{name}={value}" for name, value in trainer.items())]


def in_child(call: Callable[[], Any], log: Path) -> None:
    """Calls a function in a child process that writes into a file, and waits for it."""
    if pid := os.fork():
        os.waitpid(pid, 0)
        return
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            call()
        except SystemExit:
            pass
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


# ---------------------------------------------------------------- side by side


class Row(NamedTuple):
    """One configuration, compared."""

    config: str
    terms: str
    first: str
    most: str
    equal: str
    mapped: str
    start: str
    data: str
    pace: str
    samples: str


def difference(a: float, b: float) -> float:
    """Relative to the larger of both."""
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b))


def compare(config: str, old: dict[str, Any], new: dict[str, Any]) -> Row:
    """What differs between two records."""
    names = [sorted({name for terms in record["terms"] for name in terms}) for record in (old, new)]
    batches = [
        max((difference(a[name], b[name]) for name in a.keys() & b.keys()), default=0.0)
        for a, b in zip(old["terms"], new["terms"], strict=True)
    ]
    same = all(a.keys() == b.keys() for a, b in zip(old["terms"], new["terms"], strict=True))
    paces = [{"optimizers": record["optimizers"], "schedules": record["schedules"]} for record in (old, new)]
    gap = (old["samples"].float() - new["samples"].float()).abs().max().item()
    return Row(
        config,
        f"{len(names[0])} x {len(batches)}" if same else f"differ: {set(names[0]) ^ set(names[1])}",
        f"{batches[0]:.0e}" if batches[0] else "0",
        f"{max(batches):.0e}" if max(batches) else "0",
        "yes" if same and not max(batches) else "rounding?" if same and batches[0] < ROUNDING else "no",
        new["mapped"],
        new["drawn"],
        "same" if old["batches"] == new["batches"] else "differ",
        "same" if paces[0] == paces[1] else "; ".join(unequal(*(dict(flat(pace)) for pace in paces))),
        f"{gap:.0e}" if gap else "0",
    )


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name; of classes only the last name."""
    if isinstance(settings, (list, tuple)) and any(isinstance(entry, (dict, list)) for entry in settings):
        settings = dict(enumerate(settings))
    if isinstance(settings, dict) and settings:
        for name, value in settings.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else name)
    else:
        short = isinstance(settings, str) and prefix.endswith("class_path")
        yield prefix, settings.rpartition(".")[2] if short else settings


def settings_that_differ(old: Path, new: Path) -> list[str]:
    """Lines for what ``--print_config`` says in the one tree and not in the other, without what has moved."""
    before, after = (dict(flat(yaml.safe_load(path.read_text("utf-8")))) for path in (old, new))
    for settings in (before, after):
        for name in [name for name in settings if re.fullmatch(rf"model\.init_args\.({MOVED})(\..+)?", name)]:
            del settings[name]
    return unequal(before, after)


def unequal(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for everything that is in one of two alone, ``-`` the first and ``+`` the second."""
    gone = [f"- {name}: {value}" for name, value in before.items() if name not in after or after[name] != value]
    come = [f"+ {name}: {value}" for name, value in after.items() if name not in before or before[name] != value]
    return gone + come


def main() -> None:
    """Runs both trees, then prints a table and the settings that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="a checkout")
    parser.add_argument("new", type=Path, help="the checkout to compare with it")
    parser.add_argument("--configs", nargs="+", default=[], help="names of files without ending; by default all")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("compared"), help="folder for records and logs")
    parser.add_argument("--table", action="store_true", help="train nothing, show what an earlier run left in --out")
    parser.add_argument("--worker", choices=("old", "new"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    old, new, out = (path.resolve() for path in (given.old, given.new, given.out))
    folders = {"old": out / "old", "new": out / "new"}
    both = [{path.stem for path in (tree / "examples" / "configs").glob("*.yaml")} for tree in (old, new)]
    configs = given.configs or sorted(both[0] & both[1])
    if given.worker:
        options = [f"--trainer.precision={given.precision}", f"--trainer.max_steps={given.batches}"]
        tree, others = (old, None) if given.worker == "old" else (new, folders["old"])
        return work(tree, folders[given.worker], others, configs, options)
    for name, tree in () if given.table else (("old", old), ("new", new)):
        environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "LIT_GANS_TRACEBACK": "1"}
        subprocess.run([sys.executable, *sys.argv, "--worker", name], env=environment, check=True)
    rows = []
    for config in configs:
        records = [folder / f"{config}.pt" for folder in folders.values()]
        if missing := next((path for path in records if not path.is_file()), None):
            print(f"{config} did not end in the {missing.parent.name} tree, see {missing.with_suffix('.log')}")
            continue
        rows.append(compare(config, *(torch.load(path, weights_only=False) for path in records)))
    print(f"| {' | '.join(Row._fields)} |\n|{'---|' * len(Row._fields)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    for alone in sorted(both[0] ^ both[1]):
        print(f"{alone}: in one tree alone")
    differing: dict[str, list[str]] = {}
    for config in configs:
        for line in settings_that_differ(*(folder / f"{config}.{SETTINGS}" for folder in folders.values())):
            differing.setdefault(line, []).append(config)
    print("\nSettings that differ, without options of networks, optimizers and schedules:")
    for line, where in sorted(differing.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        print(f"{line} ({len(where)}: {', '.join(where[:3])}{', ...' if len(where) > 3 else ''})")
    if len(rows) < len(configs) or any((row.equal, row.data, row.pace) != ("yes", "same", "same") for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
