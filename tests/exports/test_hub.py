"""Models on a hub that runs on this machine: what goes there, and what comes back."""

import pytest
import torch
from conftest import fails, fit, refused, small
from hub_server import TOKEN, Hub

from lit_gans import DCGAN, load, push_to_hub, save
from lit_gans.cli.main import main

pytest.importorskip("huggingface_hub", reason="the hub's client is not installed: pip install 'lit_gans[hub]'")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub, and a client that has a token for it and a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    found = Hub()
    with found.running() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield found


def test_a_run_goes_to_the_hub_and_comes_back(hub, tmp_path, capsys):
    model = small(DCGAN)
    fit(tmp_path, model)
    path = tmp_path / "checkpoints" / "last.ckpt"
    (tmp_path / "config.yaml").write_text("model: {class_path: DCGAN}\ndata: {init_args: {root: /home/somebody}}\n")
    score = '{"values": {"fid": 3.5}, "protocol": {"data": "Glyphs", "split": "val", "real": 9, "fake": 7, '
    score += '"features": "digits", "averaged": true, "seed": 0}, "step": %d}\n'
    (tmp_path / "scores.jsonl").write_text(score % 4 + score % 2)
    main(["push", str(path), "somebody/digits", "--licence", "cc-by-4.0"])
    assert "hf://somebody/digits" in capsys.readouterr().out
    sent = hub.files["somebody/digits"]
    assert set(sent) == {"model.safetensors", "README.md", "samples.png"}
    page = sent["README.md"].decode()
    assert "license: cc-by-4.0" in page and "Glyphs" in page and "| fid | 3.5 |" in page and "7 samples" in page
    assert page.count("| fid |") == 1 and "/home/somebody" not in page and str(tmp_path) not in page
    again = load("hf://somebody/digits")
    assert torch.equal(again.sample(3, seed=0), load(path).sample(3, seed=0))
    assert "has a model.safetensors already" in fails("push", path, "somebody/digits", "--licence", "mit")
    main(["sample", "hf://somebody/digits", "--count", "2", "--output", str(tmp_path / "drawn.png")])
    assert (tmp_path / "drawn.png").is_file()


def test_mistakes_are_one_sentence(hub, tmp_path, monkeypatch):
    model = small(DCGAN)
    save(model, tmp_path / "a.ckpt")
    refused(lambda: load("hf://nobody/nothing"), "there is no nobody/nothing", "hf auth login")
    hub.files["me/empty"] = {"notes.txt": b"", "model.ckpt": b""}
    refused(lambda: load("hf://me/empty"), "me/empty has no model.safetensors")
    refused(lambda: load("hf://me/empty/model.ckpt"), "no .safetensors file", "holds no code")
    refused(lambda: load("hf://me"), "hf://user/repo")
    hub.files["me/odd"] = {"model.safetensors": b"nothing of the kind"}
    refused(lambda: load("hf://me/odd"), "cannot be read")
    refused(lambda: push_to_hub(model, "me/x", licence=""), "licence")
    assert "--licence" in fails("push", tmp_path / "a.ckpt", "me/x")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    refused(lambda: push_to_hub(model, "me/x", licence="mit"), "token")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(lambda: load("hf://me/new"), "the hub does not answer")
