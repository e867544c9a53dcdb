"""Writes drawn images: a grid, a folder, a .zip or a .npz file; and reads the noise that they are drawn from.

Images come in parts, and but for a grid no more than one part is in memory.
"""

import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lit_gans.errors import UsageError
from lit_gans.files import refuse_taken, replacing

if TYPE_CHECKING:
    from torch import Tensor

    from lit_gans.images.kinds import Kind

GRIDS = (".png", ".jpg", ".jpeg", ".webp")  # kinds of one picture
_OURS = re.compile(r"(\d{5,}|seed-?\d{4,})\.png")  # names in a folder that an earlier call has given
_STAMP = (1980, 1, 1, 0, 0, 0)  # of all entries, so that the same draw is the same file


def picture_file(output: str) -> Path:
    """The file of one picture.

    Raises:
        UsageError: if it has another ending than `GRIDS`.
    """
    if Path(output).suffix.lower() not in GRIDS:
        raise UsageError(f"output must end in {', '.join(GRIDS)}, got {output}")
    return Path(output)


@dataclass(frozen=True)
class Target:
    """The place that images are drawn to.

    Args:
        path: the file or the folder.
        kind: ``grid``, ``folder``, ``zip`` or ``npz``.
    """

    path: Path
    kind: Literal["grid", "folder", "zip", "npz"]

    @classmethod
    def of(cls, output: str, force: bool) -> "Target":
        """The place that a word names; a slash at its end, or a folder that is there, makes it a folder.

        Raises:
            UsageError: if it has an ending that is no kind, or holds something already and ``force`` is false.
        """
        path, ending = Path(output), Path(output).suffix.lower()
        if output.endswith(("/", "\\")) or path.is_dir() or not ending:
            if path.is_file():
                raise UsageError(f"output {output} is a file; name a folder, or a .png file for a grid")
            refuse_taken(path / "00000.png", force=True)  # checks that the folder can be made
            _refuse_used(path, force)
            return cls(path, "folder")
        if ending not in (*GRIDS, ".zip", ".npz"):
            raise UsageError(
                f"output must end in {', '.join(GRIDS)} (a grid), .zip or .npz, or be a folder (one file an image), "
                f"got {output}; a folder with a dot in its name is written with a slash: {output}/"
            )
        refuse_taken(path, force=force)
        return cls(path, {".zip": "zip", ".npz": "npz"}.get(ending, "grid"))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return str(self.path)

    def write(
        self,
        parts: Iterator["Tensor"],
        names: Sequence[str],
        classes: "Tensor | None",
        columns: int | None,
        words: Sequence[str] = (),
        kind: "Kind | None" = None,
    ) -> None:
        """Writes images (n, C, H, W) in [-1, 1], which come in parts.

        A grid is for looking at; single files, and arrays, hold the kind of numbers that the model's data had.

        Args:
            parts: the images.
            names: of the files, without an ending, one an image.
            classes: (N,) or (N, K) int64, what the images show; a .npz file keeps it.
            columns: of a grid.
            words: a sentence for each image, which a grid shows under it.
            kind: of the numbers; by default of 8 bits.
        """
        from lit_gans.images.kinds import Kind

        kind = kind or Kind()
        if self.kind == "grid":
            import torch

            from lit_gans.images.grid import grid
            from lit_gans.images.photos import write_picture
            from lit_gans.images.sheet import captioned

            images = torch.cat([*parts])
            write_picture(captioned(images, words, columns) if words else grid(images, columns), self.path)
        elif self.kind == "folder":
            _into_folder(self.path, parts, names, kind)
        else:
            with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                if self.kind == "zip":
                    _into_zip(archive, parts, names, kind)
                else:
                    _into_arrays(archive, parts, len(names), classes, kind)


def _refuse_used(folder: Path, force: bool) -> None:
    """Refuses a folder with files: pictures of two draws in one folder would spoil what is measured of it."""
    there = sorted(_shown(folder))
    if there and not force:
        raise UsageError(
            f"the folder {folder} holds {there[0]}{f' and {len(there) - 1} more' * (len(there) > 1)} already; name a "
            "new or empty one, or draw into it with --force"
        )


def _into_folder(folder: Path, parts: Iterator["Tensor"], names: Sequence[str], kind: "Kind") -> None:
    from lit_gans.images.photos import write_image

    for number, (image, name) in enumerate(zip(_images(parts), names, strict=True)):
        ending = kind.ending(len(image))
        if not number:
            _remove_earlier(folder, {f"{each}{ending}" for each in names})
        write_image(image, folder / f"{name}{ending}", kind)


def _remove_earlier(folder: Path, new: set[str]) -> None:
    """Removes what an earlier call has drawn into a folder, and says what else is in it."""
    from lit_gans.images.photos import is_drawn

    foreign = 0
    for name in _shown(folder) - new:
        ours = _OURS.fullmatch(name) is not None and is_drawn(folder / name)
        if ours:
            (folder / name).unlink()
        foreign += not ours
    if foreign:
        print(f"note: {foreign} other file{'s' * (foreign != 1)} in {folder} stay as they are", file=sys.stderr)


def _shown(folder: Path) -> set[str]:
    """The names in a folder that are not hidden."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()


def _images(parts: Iterator["Tensor"]) -> Iterator["Tensor"]:
    """Yields each image (C, H, W) in [-1, 1]; points in the plane are drawn."""
    from lit_gans.images.grid import grid
    from lit_gans.images.shape import to_float

    for images in parts:
        for number, image in enumerate(images.cpu()):
            points = tuple(image.shape) == (2, 1, 1)
            yield to_float(grid(images[number : number + 1])) if points else image


def _into_zip(archive: zipfile.ZipFile, parts: Iterator["Tensor"], names: Sequence[str], kind: "Kind") -> None:
    from lit_gans.images.photos import encoded

    for image, name in zip(_images(parts), names, strict=True):
        ending = kind.ending(len(image))
        archive.writestr(zipfile.ZipInfo(f"{name}{ending}", _STAMP), encoded(image, kind, ending, drawn=False))


def _into_arrays(
    archive: zipfile.ZipFile, parts: Iterator["Tensor"], n: int, classes: "Tensor | None", kind: "Kind"
) -> None:
    """Writes ``arr_0``, (n, H, W, C), uint8 unless the kind is another, and ``arr_1``, the classes.

    The evaluation of guided-diffusion reads them: github.com/openai/guided-diffusion, evaluations/evaluator.py.
    """
    import numpy as np

    first = kind.numbers(next(parts))
    with archive.open(zipfile.ZipInfo("arr_0.npy", _STAMP), "w", force_zip64=True) as file:
        about = {
            "descr": np.lib.format.dtype_to_descr(first.dtype),
            "fortran_order": False,
            "shape": (n, *first.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(file, about)
        file.write(first.tobytes())
        for images in parts:
            file.write(kind.numbers(images).tobytes())
    if classes is not None:
        with archive.open(zipfile.ZipInfo("arr_1.npy", _STAMP), "w") as file:
            np.lib.format.write_array(file, classes.numpy())


def read_noise(file: str, shape: tuple[int, ...], count: int | None = None) -> "Tensor":
    """The rows of noise in a .npy, .npz or .safetensors file, (n, *shape) float32.

    Args:
        file: its name. Of several arrays the one called ``noise`` is taken.
        shape: of a row.
        count: how many rows to take; by default all.

    Raises:
        UsageError: if it cannot be read, holds rows of another shape, too few of them, or numbers that are not finite.
    """
    import numpy as np
    import torch

    try:
        rows = torch.from_numpy(np.asarray(_array(Path(file)), dtype=np.float32))
    except UsageError:
        raise
    except Exception as error:  # a damaged file raises anything
        raise UsageError(f"{file} cannot be read as an array of noise ({type(error).__name__})") from None
    rows = rows[None] if tuple(rows.shape) == shape else rows
    if tuple(rows.shape[1:]) != shape or not len(rows):
        raise UsageError(
            f"{file} must hold noise of the shape (images, {', '.join(map(str, shape))}), which the model draws from, "
            f"got {tuple(rows.shape)}"
        )
    if not rows.isfinite().all():
        raise UsageError(f"{file} has noise that is NaN or infinite")
    if count is not None and count > len(rows):
        raise UsageError(f"{file} has {len(rows)} rows of noise, fewer than count={count}; leave out --count")
    return rows[:count]


def _array(file: Path) -> object:
    import numpy as np

    if file.suffix == ".npy":
        return np.load(file, allow_pickle=False)
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return _only({name: arrays[name] for name in arrays.files}, file)
    if file.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return _only(load_file(file), file)
    raise UsageError(f"noise is read from a .npy, .npz or .safetensors file, got {file}")


def _only(arrays: Mapping[str, object], file: Path) -> object:
    if "noise" in arrays or len(arrays) == 1:
        return arrays.get("noise", next(iter(arrays.values())))
    raise UsageError(f"{file} holds {', '.join(arrays) or 'nothing'}; call the array to draw from noise")
