"""Files that other commands wrote, with odd content: scores, feature networks and photos."""

import json

import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image
from safetensors.torch import load_file, save_file

from lit_gans.display.records import read_metrics
from lit_gans.images.photos import read_picture
from lit_gans.metrics.features import SHIPPED, load_classifier
from lit_gans.metrics.protocol import Protocol, Scores

CARD = Protocol("Glyphs 1x16x16", "train", 10, 20, "digits", True, 0)


def changed(tmp_path, **changes):
    path = tmp_path / "x.json"
    Scores({"fid": 1.5}, CARD, "DCGAN", "a.ckpt", 7).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


ODD = {
    "no text": {"checkpoint": 5},
    "a list": {"model": ["DCGAN"]},
    "nothing": {"checkpoint": None},
    "a huge number": {"values": {"fid": 10**400}},
    "a huge step": {"step": 1e400},
    "a broken step": {"step": 1.5},
    "text for a score": {"values": {"fid": "low"}},
    "no scores": {"values": 5},
    "a card that is none": {"protocol": []},
    "a number on the card": {"protocol": {**CARD.__dict__, "data": 5}},
    "text for a number on the card": {"protocol": {**CARD.__dict__, "real": "many"}},
    "another name": {"more": 1},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_scores(name, tmp_path):
    path = changed(tmp_path, **ODD[name])
    refused(lambda: Scores.load(path), path, "holds no scores of 'lit-gans evaluate'")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"", b"5", b'{"values": {}}'])
def test_files_of_no_scores(content, tmp_path):
    (tmp_path / "x.json").write_bytes(content)
    refused(lambda: Scores.load(tmp_path / "x.json"), tmp_path / "x.json", "holds no scores of 'lit-gans evaluate'")


def test_scores_are_read_as_they_were_written(tmp_path):
    assert Scores.load(changed(tmp_path)) == Scores({"fid": 1.5}, CARD, "DCGAN", "a.ckpt", 7)


def test_metrics_with_an_endless_cell(tmp_path):
    (tmp_path / "metrics.csv").write_text(f"step,val/fid\n0,{'9' * 140_000}\n")
    refused(lambda: read_metrics(tmp_path / "metrics.csv"), tmp_path / "metrics.csv", "is damaged (field larger than")


METADATA = [
    *(
        {"image_shape": shape}
        for shape in ("null", "[1, 28]", '["1", "28", "28"]', "[1.5, 28, 28]", "5", "{}", "[1, 28,")
    ),
    *(
        {"image_shape": shape}
        for shape in ("[1, 0, 28]", "[1, -28, 28]", "[1, 60000, 60000]", "[true, 28, 28]", "[[[]]]")
    ),
    *({"num_classes": classes} for classes in ("null", "0", "many", "1e3", "9999999999999", "[10]")),
    {"name": None},
    {"image_shape": None},
]


@pytest.mark.parametrize("changes", METADATA, ids=str)
def test_odd_feature_files(changes, tmp_path):
    described = {"image_shape": "[1, 28, 28]", "num_classes": "10", "name": "x"} | changes
    path = tmp_path / "x.safetensors"
    save_file(load_file(SHIPPED), path, {name: value for name, value in described.items() if value is not None})
    refused(lambda: load_classifier(path), path, "holds no feature network", "lit-gans features")


def test_a_feature_file_is_loaded_in_float32_and_draws_nothing():
    before = torch.get_rng_state()
    network = load_classifier()
    assert {w.dtype for w in network.state_dict().values() if w.is_floating_point()} == {torch.float32}
    assert {w.device.type for w in [*network.parameters(), *network.buffers()]} == {"cpu"}
    assert torch.equal(before, torch.get_rng_state())


def test_photos_of_several_frames_and_of_other_depths(tmp_path, capsys):
    frames = [Image.new("L", (9, 5), level) for level in (0, 255)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_picture(str(tmp_path / "x.gif")).max() == -1
    assert "x.gif holds 2 pictures, of which only the first is used" in capsys.readouterr().err
    Image.fromarray(np.full((5, 9), 0.5, np.float32)).save(tmp_path / "x.tif")
    assert read_picture(str(tmp_path / "x.tif")).sub(0).abs().max() < 0.01
    Image.fromarray(np.full((5, 9), 3, np.int32)).save(tmp_path / "y.tif")
    refused(lambda: read_picture(str(tmp_path / "y.tif")), "y.tif cannot be used", "and white: save it in 8 bits")


def test_a_photo_above_the_limit(tmp_path, monkeypatch):
    Image.new("1", (20_000, 9_000)).save(tmp_path / "x.png")
    refused(lambda: read_picture(str(tmp_path / "x.png")), "x.png", "180 megapixels, more than the limit of 179")
