"""The folder of a run, the places of its files, and the checkpoint that somebody means."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_gans.errors import UsageError, nearest

HOME = "runs"  # where the command line keeps runs
KINDS = ("best", "last")  # checkpoints by name, the one to use first
SHIPPED = Path(__file__).parent / "checkpoints" / "weights"  # the trained models that come along


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


def find_checkpoint(
    place: str | os.PathLike[str], prefer: Sequence[str] = KINDS, home: str | os.PathLike[str] = HOME
) -> Path:
    """The checkpoint file that somebody means by a file, a folder, ``last`` or ``best``.

    Args:
        place: a file, which is returned as it is, also if it is not there. Or the folder of a run, its ``checkpoints``,
            or a folder of runs, of which the newest counts. Or ``last`` or ``best``: that of the newest run that has
            one. Or the name of a run in ``home``. Or, if it is none of these, that of a model that comes along.
        prefer: which of a run's checkpoints to take, the first that is there; without any of them its newest one.
        home: the folder of runs in which ``last``, ``best`` and names are looked for.

    Raises:
        UsageError: if the folder has no checkpoint, or there is no run.
    """
    path = named_folder(place, home)
    if path.is_dir():
        if found := _in_run(path, prefer) or _newest(path, prefer):
            return found
        raise UsageError(f"the folder {path} holds no checkpoint; name a run's folder or one of its .ckpt files")
    if str(place) not in KINDS or path.exists():
        return path if path.exists() else shipped().get(str(place), path)
    if found := _newest(Path(home), [str(place)], only=True):
        return found
    raise UsageError(f"no run in {home} has a {place}.ckpt; name a run's folder or a .ckpt file")


def shipped() -> dict[str, Path]:
    """The files of the trained models that come along, by their names."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def is_shipped(place: object) -> bool:
    """Whether a word stands for a model that comes along, and for no file or folder."""
    return str(place) in shipped() and not named_folder(str(place)).exists()


def no_checkpoint(place: str | os.PathLike[str]) -> str:
    """A sentence for a checkpoint that is not there; of a bare name also the models that come along."""
    path = Path(place)
    if path.name != str(place) or path.suffix or not (names := [*shipped()]):
        return f"there is no checkpoint file {path}; a run keeps its own under checkpoints/last.ckpt"
    return f"there is no checkpoint file {path}, and no model of that name comes along{nearest(path.name, names)}"


def named_folder(place: str | os.PathLike[str], home: str | os.PathLike[str] = HOME) -> Path:
    """The folder in ``home`` that a name such as ``mine`` or ``mine/version_0`` stands for; else the path itself."""
    path, inside = Path(place), Path(home) / place
    return inside if path.parts and not path.exists() and inside.is_dir() else path


def _in_run(folder: Path, prefer: Sequence[str], only: bool = False) -> Path | None:
    """The preferred checkpoint of one run, or, unless ``only`` these will do, its newest."""
    kept = Run(folder).checkpoints if Run(folder).checkpoints.is_dir() else folder
    named = (kept / f"{name}.ckpt" for name in prefer)
    if (found := next((path for path in named if path.is_file()), None)) or only:
        return found
    # a score with a slash in its name makes folders in `checkpoints`
    others = kept.rglob("*.ckpt") if kept.name == "checkpoints" else kept.glob("*.ckpt")
    return max((path for path in others if path.is_file()), key=_age, default=None)


def _newest(home: Path, prefer: Sequence[str], only: bool = False) -> Path | None:
    """The preferred checkpoint of the newest run in a folder of runs, or in the folders of runs in it."""
    runs = {path.parent for depth in ("*", "*/*") for path in home.glob(f"{depth}/checkpoints")}
    found = [path for run in runs if (path := _in_run(run, prefer, only))]
    return max(found, key=_age, default=None)


def _age(path: Path) -> float:
    return path.stat().st_mtime
