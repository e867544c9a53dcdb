"""``lit-gans shard``: makes shards of a folder of pictures.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from lit_gans.cli.options import Megapixels, Option
from lit_gans.errors import UsageError, at_least

_Folder = Annotated[str, Option("a folder of pictures, or a zip of them; folders in it are classes, or splits")]


def _limits(text: str) -> list[float]:
    """Two numbers, as ``0,4095`` or ``[0,4095]``.

    Raises:
        ValueError: if it is something else.
    """
    try:
        low, high = map(float, text.strip("[] ").split(","))
    except ValueError:
        raise ValueError("two numbers, those of black and of white, say 0,4095") from None
    return [low, high]


def shard(
    folder: _Folder,
    output: str = "shards",
    size: int = 64,
    load_size: int | None = None,
    channels: int | None = None,
    bits: int | None = None,
    file_range: Annotated[list[float] | None, Option(parse=_limits, shown="LOW,HIGH")] = None,
    fit: Literal["crop", "stretch"] = "crop",
    shard_mb: float = 8.0,
    skip_corrupt: bool = False,
    max_megapixels: Megapixels = 179.0,
) -> None:
    """Makes shards of a folder of pictures: for sets that are larger than the memory, or kept in an object store.

    The pictures are decoded, cut and resized as ImageFolder does it, put into a random order, and written into files
    that hold many each. Train with 'lit-gans fit --data Shards --data.root SHARDS'. If it is interrupted, nothing is
    left.

    Args:
        output: the folder that is made; there must be none of this name yet.
        size: side in pixels of the squares that the pictures become.
        load_size: side that training pictures are kept in, to take random crops of size from; by default size.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency; by default what all pictures have, as in
            ImageFolder.
        bits: 8, 16, or 32 for floats; by default what all pictures have.
        file_range: the numbers in the files that are black and white, where they do not say it.
        fit: crop cuts the middle out of pictures that are not square, stretch distorts them.
        shard_mb: megabytes (1e6 bytes) of pixels in a shard; up to 16 shards are in the memory of each process that
            reads them.
        skip_corrupt: leave out pictures that cannot be decoded, and name them, instead of stopping at the first.
    """
    at_least(1, size=size, load_size=load_size)
    at_least(0.001, shard_mb=shard_mb)
    place = Path(output)
    if os.path.lexists(place):
        raise UsageError(f"{output} is there already; name another --output, or remove it")

    from lit_gans.data.image_folder import ImageFolder
    from lit_gans.data.shard_files import litdata
    from lit_gans.data.shard_writing import write_shards

    litdata()
    data = ImageFolder(
        folder,
        size=size,
        load_size=load_size,
        channels=channels,
        bits=bits,
        file_range=file_range and (file_range[0], file_range[1]),
        fit=fit,
        skip_corrupt=skip_corrupt,
        max_megapixels=max_megapixels,
    )
    made = write_shards(data, place, int(shard_mb * 1e6))
    for part in made:
        print(f"{part.split}: {part.pictures:,} pictures in {part.shards:,} shard{'s' * (part.shards != 1)}")
        for name in part.left_out:
            print(f"left out: {name}")
    if data.classes:
        print(f"classes: {', '.join(data.classes)}")
    total = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    print(f"{output} has {total / 1e6:,.1f} MB; train with: lit-gans fit --data Shards --data.root {output}")
