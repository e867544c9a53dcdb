"""Facades from labels at 64x64: the table in docs/tables.md.

    python examples/tables/facades.py [--rows Pix2Pix] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. Measured by
``examples/benchmarks/pairs.py``. The data are found as always (``LIT_GANS_DATA``, or ``data``).
"""

from table import Row, Table

BEFORE = ("--model.augment", "[]", "--model.backbone.upsampling", "transposed", "--trainer.max_steps", "20000")
BEFORE += ("--model.scheduler.start", "10000", "--model.scheduler.steps", "20000")

TABLE = Table(
    name="facades",
    page="tables.md",
    rows=(
        Row("Pix2Pix", "pix2pix_facades"),
        Row("Pix2Pix, the recipe of before", "pix2pix_facades", options=BEFORE),
        Row("regression alone", "pix2pix_facades", options=("--model.adversarial", "0")),
    ),
    choice=(),
    script="pairs.py",
    shown={
        "L1": ("test", "l1"),
        "`kid` by `imagenet`": ("test", "kid_imagenet"),
        "from": ("test", "kid_imagenet_low"),
        "to": ("test", "kid_imagenet_high"),
        "`kid` by `nsfw`": ("test", "kid_nsfw"),
    },
)

if __name__ == "__main__":
    TABLE.main()
