"""Horses and zebras at 64x64: the table in docs/tables.md.

    python examples/tables/horse2zebra.py [--rows CycleGAN] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. Measured by
``examples/benchmarks/translation.py``. The data are found as always (``LIT_GANS_DATA``, or ``data``).
"""

from table import Row, Table

TABLE = Table(
    name="horse2zebra",
    page="tables.md",
    rows=(
        Row("CycleGAN", "cyclegan_horse2zebra", seeds=3),
        Row("CUT", "cut_horse2zebra"),
    ),
    choice=("--data.val_size", "60"),
    script="translation.py",
    shown={
        "horses called zebras": ("test", "called_b"),
        "L1 elsewhere": ("test", "elsewhere_b"),
        "kernel distance": ("test", "distance_b"),
        "zebras called horses": ("test", "called_a"),
    },
)

if __name__ == "__main__":
    TABLE.main()
