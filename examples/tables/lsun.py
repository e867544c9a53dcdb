"""Bedrooms at 64x64: the table in docs/tables.md.

    python examples/tables/lsun.py [--rows ProjectedGAN] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. Scored by ``imagenet`` and, where
a row asks for a second opinion, by ``nsfw`` (extras of the same names). The data are found as always
(``LIT_GANS_DATA``, or ``data``).
"""

from table import COLOUR, Row, Table

# a thousand pictures are too few for distances of 1,280 and of 1,024 features, and there are none to test
SHOWN = {
    "`fd_imagenet`": ("train", "fd_imagenet"),
    "`kid` by `nsfw`": ("train", "kid"),
    **{name: COLOUR[name] for name in ("precision", "recall", "density", "coverage", "copies")},
}

TABLE = Table(
    name="lsun",
    page="tables.md",
    rows=(
        Row("ProjectedGAN", "projected_gan_lsun", seeds=3, opinion=True),
        Row("DCGAN", "dcgan_lsun", seeds=3, opinion=True),
    ),
    choice=("--quality.reference", "val"),
    splits=("train",),
    features=("imagenet", "nsfw"),
    opinion=("kid",),
    shown=SHOWN,
)

if __name__ == "__main__":
    TABLE.main()
