"""Measures the rows of a table, run by run, and prints them into a page; for the scripts beside.

Every run of a row is started as a user starts it: ``lit-gans fit`` with a shipped configuration and a seed. A run that
was interrupted goes on, one that was measured is not measured again. Its figures are written at once, to the JSON file
that the page is made from.

No figure decides what is reported. The checkpoint is the best one by samples of held-out training pictures
(``--data.val_size`` and ``--quality.reference val``), and it is then scored once against the training pictures and once
against the test pictures. Of translators it is the last one, measured on the test pictures.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

HOUSE = Path(__file__).parents[2]
CONFIGS = HOUSE / "examples" / "configs"
METRICS = ("fid", "density_coverage", "precision_recall", "memorisation")
COLOUR = {
    "`fd_imagenet`": ("train", "fd_imagenet"),
    "`_head`": ("train", "fd_imagenet_head"),
    "`fd_nsfw`": ("train", "fd_nsfw"),
    "precision": ("train", "precision"),
    "recall": ("train", "recall"),
    "density": ("train", "density"),
    "coverage": ("train", "coverage"),
    "copies": ("train", "memorisation"),
    "`fd_imagenet`, test": ("test", "fd_imagenet"),
}


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        name: the model, as the line calls it.
        config: a file of ``examples/configs``, without its ending.
        seeds: how many runs it has.
        options: further words of the command line.
        opinion: whether the table's further networks score it too, which takes minutes.
    """

    name: str
    config: str
    seeds: int = 1
    options: Sequence[str] = ()
    opinion: bool = False

    def command(self, seed: int, choice: Sequence[str]) -> list[str]:
        """The words after ``lit-gans`` that train it."""
        return ["fit", "--config", f"examples/configs/{self.config}.yaml", "--seed", str(seed), *choice, *self.options]


@dataclass
class Table:
    """A table: its rows, and where its figures and its page are.

    Args:
        name: of the JSON file in ``docs/tables``.
        page: the page, in ``docs``, that has a line ``<!-- table NAME -->`` before the table and one ``<!-- end of
            table NAME -->`` after it.
        rows: what is measured.
        choice: words of the command line by which the best checkpoint is chosen.
        metrics: what is measured of it; ``memorisation`` against the training pictures alone.
        features: the networks that it is scored by; by all but the first, only rows that ask for an ``opinion`` are.
        opinion: what is measured by those, from the training pictures alone.
        splits: of which pictures it is scored.
        evaluation: further words for ``lit-gans evaluate``.
        script: of ``examples/benchmarks``, which measures a run's last checkpoint on the test split, where ``lit-gans
            evaluate`` does not do.
        shown: the columns of the page: a heading, and where the figure is (``train`` or ``test``, and its name).
    """

    name: str
    page: str
    rows: Sequence[Row]
    choice: Sequence[str]
    metrics: Sequence[str] = METRICS
    features: Sequence[str] = ("auto",)
    opinion: Sequence[str] = ("fid",)
    splits: Sequence[str] = ("train", "test")
    evaluation: Sequence[str] = ()
    script: str = ""
    shown: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The figures of all runs."""
        return HOUSE / "docs" / "tables" / f"{self.name}.json"

    def figures(self) -> dict[str, dict]:
        """What was measured, by row and seed."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    # ---------------------------------------------------------------- measuring

    def measure(self, row: Row, seed: int, runs: Path) -> None:
        """Trains and scores one run, and writes its figures."""
        which = "-".join([row.config, *(word.strip("-") for word in row.options)])
        key, name = f"{row.name}/{seed}", f"{self.name}-{which}-{seed}"
        folder = runs / "runs" / name / "version_0"
        words = row.command(seed, self.choice)
        found: dict[str, object] = {"command": " ".join(["lit-gans", *words])}
        begun = (folder / "checkpoints" / "last.ckpt").exists()
        before = _processor()
        _run([*words, "--name", name, *(["--resume", str(folder)] if begun else [])], runs)
        if not begun:  # the time of a run that was interrupted is not known
            found["minutes"] = round((_processor() - before) / 60, 1)
        found |= self.scores(row, folder, runs)
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(json.dumps({**self.figures(), key: found}, indent=1, sort_keys=True) + "\n")
        self.write_page()

    def scores(self, row: Row, folder: Path, runs: Path) -> dict[str, object]:
        """The figures of a run's checkpoint, by split, with their protocols and the batches that it has seen."""
        if self.script:
            last, output = folder / "checkpoints" / "last.ckpt", folder / "measured.json"
            script = HOUSE / "examples" / "benchmarks" / self.script
            subprocess.run([sys.executable, str(script), str(last), "--output", str(output)], check=True)
            import torch  # seconds, which writing a page needs not wait for

            step = torch.load(last, map_location="cpu", weights_only=False)["global_step"]
            return {"test": json.loads(output.read_text()), "step": step}
        found: dict[str, object] = {}
        for split in self.splits:
            found[split] = values = {}
            for features in self.features if split == "train" and row.opinion else self.features[:1]:
                output = folder / f"{split}-{features}.json"
                _run(self.scoring(folder, split, features, output), runs)
                scores = json.loads(output.read_text())
                values.update(scores["values"])
                found[f"{split} protocol, {features}"], found["step"] = scores["protocol"], scores["step"]
        return found

    def scoring(self, folder: Path, split: str, features: str, output: Path) -> list[str]:
        """The words after ``lit-gans`` that score a run's best checkpoint."""
        data = yaml.safe_load((folder / "config.yaml").read_text())["data"]
        whole = folder / "data.yaml"  # of the run, but no training picture is held out from what is compared
        whole.write_text(yaml.safe_dump({"data": {**data, "init_args": {**data["init_args"], "val_size": 0}}}))
        asked = self.metrics if features == self.features[0] else self.opinion
        metrics = [name for name in asked if name != "memorisation" or split == "train"]
        words = ["evaluate", str(folder), "--data", str(whole), "--reference", split, "--features", features]
        return [*words, "--metrics", ",".join(metrics), "--output", str(output), "--force", *self.evaluation]

    # ---------------------------------------------------------------- the page

    def text(self) -> str:
        """The table in Markdown: mean and standard deviation over the seeds, or what the only seed has."""
        headings = ["model", *self.shown, "batches", "minutes", "seeds"]
        lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
        figures = self.figures()
        for row in self.rows:
            runs = [run for seed in range(row.seeds) if (run := figures.get(f"{row.name}/{seed}"))]
            if not runs:
                cells = ["not measured", *[""] * (len(self.shown) + 2)]
            else:
                cells = [_spread([r[at][name] for r in runs if name in r[at]]) for at, name in self.shown.values()]
                minutes = [run["minutes"] for run in runs if "minutes" in run]
                cells += [f"{runs[0]['step']:,}", _spread(minutes, 0), str(len(runs))]
            lines.append(f"| {row.name} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def write_page(self) -> None:
        """Puts the table into its page."""
        page = HOUSE / "docs" / self.page
        begin, end = f"<!-- table {self.name} -->\n", f"<!-- end of table {self.name} -->\n"
        before, rest = page.read_text().split(begin)  # fails where the page has no such line
        page.write_text(f"{before}{begin}\n{self.text()}\n{end}{rest.split(end)[1]}")

    def main(self) -> None:
        """The command of the script."""
        parser = argparse.ArgumentParser(description=f"Measures the rows of docs/{self.page} that are not measured.")
        parser.add_argument("--rows", nargs="+", choices=[row.name for row in self.rows], help="these alone")
        parser.add_argument("--seeds", nargs="+", type=int, help="these alone")
        parser.add_argument("--runs", type=Path, default=Path(), help="where the folder 'runs' is")
        parser.add_argument("--page", action="store_true", help="write the page alone")
        given = parser.parse_args()
        for row in () if given.page else self.rows:
            for seed in range(row.seeds):
                wanted = (not given.rows or row.name in given.rows) and (not given.seeds or seed in given.seeds)
                if wanted and f"{row.name}/{seed}" not in self.figures():
                    self.measure(row, seed, given.runs.resolve())
        self.write_page()


def _processor() -> float:
    """Seconds of processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(words: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    given = [str(HOUSE / word) if word.startswith("examples/configs/") else word for word in words]
    print("lit-gans", *words, flush=True)
    subprocess.run([sys.executable, "-m", "lit_gans", *given], cwd=folder, check=True)


def _spread(values: Sequence[float], digits: int | None = None) -> str:
    """Mean ± standard deviation, or the only value, or nothing."""
    if not values:
        return ""
    mean = statistics.mean(values)
    places = (1 if mean >= 2 else 2 if mean >= 0.1 or not mean else 3) if digits is None else digits
    if len(values) == 1:
        return f"{mean:.{places}f}"
    return f"{mean:.{places}f} ± {statistics.stdev(values):.{places}f}"
