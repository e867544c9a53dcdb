"""Frames of animations and videos as pictures of their own."""

import io
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

from PIL import Image

from lit_gans.data.sources import Source
from lit_gans.errors import UsageError
from lit_gans.images.formats import MOVING
from lit_gans.images.frame import CorruptPicture

_NEEDED = "videos need PyAV: pip install 'lit_gans[video]'"
_MARK = "#"  # between a file's name and the number of its frame


class Frames(Source):
    """Every so-many-th frame of the animations and videos of a source; pictures that do not move stay as they are.

    A frame is named after its file, ``dance.gif#00010``. Frames are decoded in their order, so that reading them one
    after another decodes each once.

    Args:
        source: the files.
        every: the step from frame to frame; 1 takes all.
        names: of the frames that are taken; by default all of them.

    Raises:
        UsageError: if a video is there and PyAV is not installed.
    """

    def __init__(self, source: Source, every: int, names: list[str] | None = None) -> None:
        self.source, self.every = source, every
        super().__init__(source.place, _all_names(source, every) if names is None else names)
        self._file = {name: number for number, name in enumerate(source.names)}
        self._at: tuple[str, int, Iterator[Image.Image]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_at": None}

    def select(self, names: list[str]) -> "Frames":
        """Some of the frames."""
        return Frames(self.source, self.every, names)

    def read(self, number: int) -> bytes:
        """A frame as a PNG; the bytes of a file that does not move."""
        name, mark, frame = self.names[number].rpartition(_MARK)
        if not mark or name not in self._file:
            return self.source.read(self._file[self.names[number]])
        wanted = int(frame)
        if self._at is None or self._at[0] != name or self._at[1] > wanted or self._process != os.getpid():
            self._at, self._process = (name, 0, _frames(self.source.read(self._file[name]), name)), os.getpid()
        _, at, rest = self._at
        picture = next(islice(rest, wanted - at, None), None)
        if picture is None:
            self._at = None
            raise CorruptPicture(f"it has no frame {wanted} any more")
        self._at = (name, wanted + 1, rest)
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        return file.getvalue()

    def stamps(self) -> list[tuple[int, ...]]:
        """Those of the files, and the step."""
        return [*self.source.stamps(), (self.every,)]

    def close(self) -> None:
        """Closes what is open."""
        self._at = None
        self.source.close()


def _all_names(source: Source, every: int) -> list[str]:
    names = []
    for number, name in enumerate(source.names):
        if not name.lower().endswith((*MOVING, ".gif", ".webp", ".png", ".avif")):
            names.append(name)
            continue
        try:
            count = _count(source.read(number), name)
        except UsageError:
            raise
        except Exception:  # whatever a decoder raises: reading it says so, or was told to leave it out
            count = 1
        names += [f"{name}{_MARK}{frame:05}" for frame in range(0, count, every)] if count > 1 else [name]
    source.close()
    return names


def _count(data: bytes, name: str) -> int:
    """The number of frames in a file."""
    if not name.lower().endswith(MOVING):
        with Image.open(io.BytesIO(data)) as picture:
            return getattr(picture, "n_frames", 1)
    with _opened(data) as video:
        return sum(packet.size > 0 for packet in video.demux(video=0))


def _frames(data: bytes, name: str) -> Iterator[Image.Image]:
    """Yields the frames of a file in their order."""
    if name.lower().endswith(MOVING):
        with _opened(data) as video:
            for frame in video.decode(video=0):
                yield frame.to_image()
        return
    with Image.open(io.BytesIO(data)) as picture:
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            yield picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _opened(data: bytes) -> Any:
    try:
        import av
    except ImportError:
        raise UsageError(_NEEDED) from None
    return av.open(io.BytesIO(data))
