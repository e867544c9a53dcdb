"""The folder of a run and the places of its files."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """The folder of a run; its properties name the files in it.

    Args:
        folder: for example ``runs/DCGAN-MNIST/version_0``; it need not exist yet.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The options that repeat the run; the command line writes them."""
        return self.folder / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The logged values; Lightning's CSVLogger writes them."""
        return self.folder / "metrics.csv"

    @property
    def scores(self) -> Path:
        """The scores and the protocol that they were measured by, one line of JSON a validation."""
        return self.folder / "scores.jsonl"

    @property
    def samples(self) -> Path:
        """The folder of the grids of samples."""
        return self.folder / "samples"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint that a run resumes from."""
        return self.checkpoints / "last.ckpt"

    @classmethod
    def of(cls, checkpoint: str | os.PathLike[str]) -> "Run":
        """The run that saved a checkpoint.

        It is the folder above ``checkpoints``. A score with a slash in its name makes further folders in that one, so
        the nearest folder above the checkpoint that has a ``config.yaml`` counts.

        Examples:
            >>> Run.of("runs/DCGAN-MNIST/version_0/checkpoints/last.ckpt").folder.name
            'version_0'
        """
        folders = [*Path(checkpoint).parents] or [Path()]
        inner = next((n for n, folder in enumerate(folders) if folder.name == "checkpoints"), 0)
        runs = [cls(folder) for folder in folders[1 : inner + 2]]
        return next((run for run in runs if run.config.is_file()), cls(folders[min(inner + 1, len(folders) - 1)]))

    def written(self) -> str | None:
        """The name of something that a run has written here; None if there is nothing."""
        names = [path.name for path in (self.metrics, self.config)] + ["hparams.yaml"]
        names += [path.name for path in (self.scores, self.samples, self.checkpoints)]
        return next((name for name in names if (self.folder / name).exists()), None)
