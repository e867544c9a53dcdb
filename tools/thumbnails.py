"""Writes the small pictures of the models' overview page, ``docs/images/small``: ``python tools/thumbnails.py``.

Each is the left upper part of the first picture in a model's card. Run it when a card gets a picture or another one. A
card without a picture has no small one either, and stands in the overview by its words.
"""

import re
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
SMALL = DOCS / "images" / "small"
SIZE = (240, 150)  # eight digits by five of a grid of 28 pixels


def first_picture(card: Path) -> Path | None:
    """The file of a card's first picture, None where it has none."""
    found = re.search(r"!\[[^\]]*\]\(([^)\s]+)\)", card.read_text(encoding="utf-8"))
    return card.parent / found[1] if found else None


def small(path: Path) -> Image.Image:
    """The left upper part of a picture, as wide or as high as it is, in ``SIZE``."""
    with Image.open(path) as picture:
        width = min(picture.width, picture.height * SIZE[0] // SIZE[1])
        part = picture.convert("RGB").crop((0, 0, width, width * SIZE[1] // SIZE[0]))
    return part if part.size == SIZE else part.resize(SIZE, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    SMALL.mkdir(exist_ok=True)
    for card in sorted((DOCS / "models").glob("*.md")):
        picture = first_picture(card)
        if picture is not None:
            small(picture).save(SMALL / f"{card.stem}.webp", quality=75, method=6)
    print(
        f"wrote {len(list(SMALL.glob('*.webp')))} pictures, {sum(p.stat().st_size for p in SMALL.glob('*.webp'))} bytes"
    )
