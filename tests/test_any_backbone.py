"""Any game with any networks: every pair plays a batch, draws, and comes back from its checkpoint, or is refused.

The table in docs/backbones.md says which; ``python tests/test_any_backbone.py`` prints it anew.
"""

import io
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
import torch
from conftest import LATENT_MODELS as MODELS
from conftest import data_for, narrow, small, trainer

import lit_gans
from lit_gans import networks
from lit_gans.errors import UsageError

BACKBONES = [
    getattr(networks, f"{name}Backbone")
    for name in ("MLP", "DCGAN", "ResNet", "R3", "Style", "WeightNorm", "SemiSupervised", "BEGAN", "Fusion", "FastGAN")
]
SIZES = [(16, 16), (19, 35)]  # one that halves evenly, and one that does not in either direction
PAGE = Path(__file__).parents[1] / "docs" / "backbones.md"
MARK = "<!-- matrix -->"


def plays(game, backbone, size, folder):
    """One batch, a checkpoint and a sample; True if the model that comes back draws the same."""
    data = data_for(game, size=size)
    arguments = {"image_shape": data.image_shape, "backbone": narrow(backbone()), "latent_dim": 8}
    model = small(game, **arguments)
    run = trainer(folder, max_steps=1, limit_val_batches=0)
    run.fit(model, datamodule=data)
    file = io.BytesIO()
    torch.save(run._checkpoint_connector.dump_checkpoint(), file)
    file.seek(0)
    loaded = lit_gans.load(file)
    images = model.sample(2, seed=0)
    return (
        images.shape == (2, *data.image_shape)
        and type(loaded.backbone) is backbone
        and loaded.sample(2, seed=0).equal(images)
    )


def outcome(game, backbone, folder, sizes=SIZES):
    """``yes``, or the sentence that refuses the pair, the same for all sizes."""
    found = set()
    for size in sizes:
        try:
            found.add("yes" if plays(game, backbone, size, folder) else "does not come back")
        except UsageError as error:
            found.add(str(error))
    return found


def table():
    """Rows of games and columns of backbones as the page has them: ``yes``, or a dash for a pair that is refused."""
    lines = PAGE.read_text().split(MARK)[1].strip().splitlines()
    header, rows = lines[0], lines[2:]
    columns = [cell.strip().strip("`") for cell in header.strip("|").split("|")[1:]]
    cells = {}
    for row in rows:
        game, *values = [cell.strip() for cell in row.strip("|").split("|")]
        cells |= {(game, column): value for column, value in zip(columns, values, strict=True)}
    return cells


@pytest.fixture(scope="module")
def cells():
    return table()


def pairs():
    """Every pair; those that are not slow go through all games and through all backbones once, or three times."""
    for row, game in enumerate(MODELS):
        for column, backbone in enumerate(BACKBONES):
            marks = [] if row % len(BACKBONES) == column else [pytest.mark.slow]
            yield pytest.param(game, backbone, marks=marks, id=f"{game.__name__}-{backbone.__name__}")


@pytest.mark.parametrize(("game", "backbone"), list(pairs()))
def test_a_pair_plays_or_is_refused_in_a_sentence(game, backbone, cells, tmp_path):
    both = (MODELS.index(game) + BACKBONES.index(backbone)) % 3 == 0  # the odd size alone shows of a pair what both do
    (found,) = outcome(game, backbone, tmp_path, SIZES if both else SIZES[1:])
    expected = cells[game.__name__, backbone.__name__.removesuffix("Backbone")]
    assert (found == "yes") == (expected == "yes"), found
    if found != "yes":
        assert "\n" not in found and not found.endswith(".") and ";" in found and expected == "-", found


def test_the_table_has_every_game_and_every_backbone(cells):
    assert {game for game, _ in cells} == {game.__name__ for game in MODELS}
    assert {name for _, name in cells} == {cls.__name__.removesuffix("Backbone") for cls in BACKBONES}
    assert list(cells.values()).count("yes") > 170


def main():
    """Prints the table, and to standard error why a pair is refused."""
    warnings.simplefilter("ignore")
    names = [cls.__name__.removesuffix("Backbone") for cls in BACKBONES]
    lines = [f"| game | {' | '.join(names)} |", f"|---|{':-:|' * len(names)}"]
    for game in MODELS:
        values = []
        for backbone in BACKBONES:
            with tempfile.TemporaryDirectory() as folder:
                found = outcome(game, backbone, folder)
            values.append("yes" if found == {"yes"} else "-")
            if found != {"yes"}:
                print(game.__name__, backbone.__name__, found, file=sys.stderr)
        lines.append(f"| {game.__name__} | {' | '.join(values)} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
