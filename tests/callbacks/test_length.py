"""When the next validation is, foretold at the start of a run, also of one that goes on."""

import pytest
from conftest import glyphs, small, trainer
from lightning.pytorch import Callback
from lightning.pytorch.demos.boring_classes import BoringModel
from torch.utils.data import DataLoader

from lit_gans import DCGAN
from lit_gans.callbacks import opening
from lit_gans.callbacks.length import next_validation


class Watch(Callback):
    """What was foretold, and after which batch the first validation came."""

    foretold = came = None

    def on_train_start(self, trainer, pl_module):
        self.foretold = next_validation(trainer)

    def on_validation_start(self, trainer, pl_module):
        self.came, trainer.should_stop = trainer.global_step, True


def run(folder, start=None, **options):
    watch = Watch()
    made = trainer(folder, callbacks=[watch], **{"max_epochs": -1, "limit_val_batches": 1, **options})
    made.fit(BoringModel(), DataLoader([*BoringModel().train_dataloader().dataset][:10]), ckpt_path=start)
    return made, watch


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"val_check_interval": 4},
        {"check_val_every_n_epoch": 3},
        {"val_check_interval": 4, "check_val_every_n_epoch": 2},
        {"val_check_interval": 7, "check_val_every_n_epoch": None},
        {"val_check_interval": 25, "check_val_every_n_epoch": None},
    ],
    ids=str,
)
def test_the_next_validation_is_foretold(options, tmp_path):
    for steps in (0, 5, 13):
        start = None
        if steps:
            before, _ = run(tmp_path, max_steps=steps, **options, limit_val_batches=0)
            before.save_checkpoint(start := tmp_path / "before.ckpt")
        _, watch = run(tmp_path, start, max_steps=steps + 60, **options)
        assert watch.foretold == watch.came, steps


def test_a_run_that_goes_on_and_ends_before_its_next_validation_promises_no_scores(tmp_path):
    model, options = small(DCGAN), {"val_check_interval": 3, "check_val_every_n_epoch": None}
    before = trainer(tmp_path, max_steps=4, limit_val_batches=1, **options)
    before.fit(model, glyphs())
    before.save_checkpoint(start := tmp_path / "before.ckpt")
    said = {}

    class Said(Callback):
        def on_train_start(self, trainer, pl_module):
            said[trainer.max_steps] = opening._unscored(trainer)

    for steps in (5, 6):
        after = trainer(tmp_path, max_steps=steps, limit_val_batches=1, callbacks=[Said()], **options)
        after.fit(small(DCGAN), glyphs(), ckpt_path=start)
    assert said == {5: "none, since the next validation would be after batch 6", 6: ""}
