"""Weights that fit: fine-tuning from another size, another game, another library's file."""

import pytest
import torch
from conftest import SHAPE, fit, refused, small
from safetensors.torch import save_file
from torch import nn

import lit_gans
from lit_gans import CGAN, DCGAN, VAE, load
from lit_gans.checkpoints import take


@pytest.fixture
def path(tmp_path):
    fit(tmp_path, small(DCGAN), max_steps=2)
    return tmp_path / "checkpoints" / "last.ckpt"


def saved(folder, content):
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def test_another_head_and_another_size_take_what_fits(path, capsys, caplog):
    with caplog.at_level("INFO"):
        model = load(path, fit_what_fits=True, latent_dim=5)
    old = load(path)
    assert not torch.equal(model.generator.project.weight, old.generator_ema.module.project.weight[:, :5])
    for name, weight in model.discriminator.state_dict().items():
        assert torch.equal(weight, old.discriminator.state_dict()[name])
    # where the file has an average, training goes on from it
    own, average = model.generator.state_dict(), old.generator_ema.module.state_dict()
    assert all(torch.equal(own[name], average[name]) for name in own if own[name].shape == average[name].shape)
    assert "weights were taken; 1 have another shape and keep their start (generator.project.weight)" in caplog.text
    noise = torch.randn(2, 5)
    assert torch.equal(model.sample(noise=noise), model(noise))  # the average begins anew
    larger = load(path, fit_what_fits=True, image_shape=(1, 32, 32))
    assert larger.sample(1).shape == (1, 1, 32, 32)


def test_without_it_the_error_says_so(path):
    refused(lambda: load(path, latent_dim=5), "load(path, fit_what_fits=True, ...)")


def test_another_game_takes_the_networks_inside_its_wrappers(path):
    model = small(CGAN, latent_dim=8)
    taken = lit_gans.take(model, path)
    inner = [name for name in taken.fitted if name.startswith("generator.generator.layers")]
    assert inner and "generator.generator.project.weight" in taken.reshaped
    average = load(path).generator_ema.module.state_dict()
    for name in inner:
        assert torch.equal(model.state_dict()[name], average[name.removeprefix("generator.generator.")])
    refused(lambda: CGAN.load_from_checkpoint(path), "holds a DCGAN, expected CGAN", "lit_gans.take(CGAN(...), path)")


def test_files_of_weights(path, tmp_path):
    source = load(path)
    weights = source.generator.state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "g.safetensors")
    for given in (saved(tmp_path, weights), tmp_path / "g.safetensors", weights, {"G": weights}, source.generator):
        model = small(DCGAN)
        assert not take(model.generator, given).missing
        assert all(torch.equal(value, weights[name]) for name, value in model.generator.state_dict().items())
    refused(lambda: take(small(DCGAN), weights), "they are like its generator's: take(model.generator, ...)")
    refused(lambda: load(saved(tmp_path, weights)), "lit_gans.take(model, path)")
    refused(lambda: load(saved(tmp_path, small(DCGAN))), "torch.save(model)", "trainer.save_checkpoint(path)")
    refused(lambda: take(small(DCGAN), saved(tmp_path, {"a": 1})), "holds no weights by name, but a")
    refused(lambda: take(small(DCGAN), nn.Linear(3, 4)), "no weight of a Linear fits this DCGAN")
    refused(lambda: take(small(DCGAN), tmp_path / "none.safetensors"), "there is no file")


def test_averages_come_and_go(path, tmp_path):
    plain = load(path, ema_decay=0)
    assert plain.generator_ema is None and torch.equal(
        plain.generator.project.weight, load(path).generator.project.weight
    )
    fit(tmp_path / "b", plain, max_steps=2)
    again = load(tmp_path / "b" / "checkpoints" / "last.ckpt", ema_decay=0.9)
    assert torch.equal(again.generator_ema.module.project.weight, again.generator.project.weight)
    fit(tmp_path / "c", small(VAE, ema_decay=0), max_steps=1)
    both = load(tmp_path / "c" / "checkpoints" / "last.ckpt", ema_decay=0.9)
    assert both.sample(1).shape == (1, *SHAPE)


def test_frozen_parts_stay_as_they_were_taken(path, tmp_path):
    model = load(path, fit_what_fits=True, image_shape=SHAPE)
    first = (
        model.discriminator.layers[0]
        if hasattr(model.discriminator, "layers")
        else next(model.discriminator.children())
    )
    first.requires_grad_(False)
    before = [weight.clone() for weight in first.parameters()]
    fit(tmp_path / "tuned", model, max_steps=2)
    assert before and all(torch.equal(a, b) for a, b in zip(before, first.parameters(), strict=True))


@pytest.mark.parametrize("device", ["gpu", "cuda:77:1", "npu"])
def test_devices_that_there_are_not(device, path):
    refused(lambda: load(path, device), "there is no device" if device != "npu" else "device")
    if device == "gpu":
        refused(lambda: small(DCGAN).to(device), "there is no device 'gpu'")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(path):
    refused(lambda: load(path, "cuda"), "no device 'cuda' that PyTorch can use")


def test_an_argument_that_does_not_exist_is_answered_as_at_the_call(path):
    refused(lambda: load(path, lr=1e-3), "DCGAN has no argument 'lr' to load", "functools.partial(lit_gans.optim.Adam")
