"""A generator from a .safetensors file, without its game and without Lightning."""

import copy
import json
import subprocess
import sys

import pytest
import torch
from conftest import EVERY_MODEL, refused, small
from safetensors import safe_open
from safetensors.torch import save_file

import lit_gans
from lit_gans import CGAN, DCGAN, CycleGAN, LanguageModel
from lit_gans.networks import DCGANBackbone, Generator, load_generator
from lit_gans.networks.alone import KEY
from lit_gans.networks.described import description, made_of

SCRIPT = """
import sys
for name in ("lightning", "pytorch_lightning", "torchmetrics", "jsonargparse", "wandb"):
    sys.modules[name] = None  # an import would fail
import torch
from lit_gans import load_generator
generator = load_generator(sys.argv[1])
torch.save(generator(torch.ones(3, generator.latent_dim)), sys.argv[2])
"""
# those that draw by sentences or write have no single network of this kind
WITHOUT = "DFGAN DiscreteVAE ELECTRA GANCLS LanguageModel MaskedLM Seq2Seq Seq2SeqGAN SeqGAN StackGAN "
WITHOUT += "TextToImageTransformer"


def moved(model):
    """The model with weights that are not those of its start, in its average too."""
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.add_(0.1 * torch.rand(value.shape))
    return model


def test_two_lines_without_lightning(tmp_path):
    model = moved(small(DCGAN))
    lit_gans.export(model, tmp_path / "x.safetensors")
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "x.safetensors"), str(tmp_path / "images.pt")]
    subprocess.run(arguments, check=True)
    drawn = torch.load(tmp_path / "images.pt")
    assert torch.equal(drawn, model.sample(noise=torch.ones(3, model.latent_dim)))


@pytest.mark.parametrize("cls", EVERY_MODEL, ids=lambda cls: cls.__name__)
def test_every_model_of_images(cls, tmp_path):
    model, path = moved(small(cls)), tmp_path / "x.safetensors"
    lit_gans.save(model, path)
    if cls.__name__ in WITHOUT.split():
        refused(lambda: load_generator(path), path, "does not say how its generator is made")
        return
    for to in model.domains or (None,):
        network, own = load_generator(path, to), model.generator_ema.following(model.generator)
        own = model.drawing(own) if to is None else model.towards(own, to)
        assert type(network) is type(own) and not network.training
        weights = network.state_dict()
        assert not any(p.requires_grad for p in network.parameters())
        assert weights.keys() == own.state_dict().keys()
        assert all(torch.equal(value, weights[name]) for name, value in own.state_dict().items())


def test_by_class_and_in_half_precision(tmp_path):
    model, path = moved(small(CGAN)), tmp_path / "x.safetensors"
    lit_gans.save(model, path, half=True)
    network, noise = load_generator(path), torch.randn(2, model.latent_dim)
    drawn = network(noise, torch.eye(model.num_classes)[[1, 0]])
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(drawn, model.sample(noise=noise, label=[1, 0]), atol=1e-2, rtol=0)


def test_from_a_file_of_averages_alone(tmp_path):
    model, path = moved(small(DCGAN)), tmp_path / "x.safetensors"
    lit_gans.save(model, path, sampling_only=True)
    noise = torch.randn(2, model.latent_dim)
    assert torch.equal(load_generator(path)(noise), model.sample(noise=noise))


def test_both_ways(tmp_path):
    model, path = moved(small(CycleGAN)), tmp_path / "x.safetensors"
    lit_gans.save(model, path)
    image = torch.rand(1, 3, 20, 24)
    for to in ("a", "b"):
        assert torch.equal(load_generator(path, to)(image), model.translate(image, to=to))
    assert torch.equal(load_generator(path)(image), model.translate(image))
    refused(lambda: load_generator(path, "c"), "translate to b and a, got to='c'")


class Own(Generator):
    """A network of a user's own."""

    def __init__(self):
        super().__init__()
        self.latent_dim = 3
        self.layer = torch.nn.Linear(3, 64)

    def forward(self, noise):
        return self.layer(noise).view(-1, 1, 8, 8).tanh()


def test_what_is_not_described_is_said(tmp_path):
    path = tmp_path / "x.safetensors"
    lit_gans.save(DCGAN(image_shape=(1, 8, 8), generator=Own(), backbone=DCGANBackbone(width=4)), path)
    refused(lambda: load_generator(path), path, "does not say how its generator is made", "lit_gans.load")
    lit_gans.save(small(LanguageModel), path, force=True)
    refused(lambda: load_generator(path), path, "does not say how its generator is made")
    refused(lambda: load_generator(tmp_path / "y.safetensors"), "there is no checkpoint file")
    refused(lambda: load_generator("r3gan-mnst"), "did you mean r3gan-mnist")
    refused(lambda: load_generator("r3gan-mnist", to="a"), "r3gan-mnist.safetensors draws; leave to out")
    lit_gans.save(small(DCGAN), tmp_path / "x.ckpt")
    refused(lambda: load_generator(tmp_path / "x.ckpt"), "is no .safetensors file", "lit-gans export")
    path.write_bytes(b"nothing")
    refused(lambda: load_generator(path), path, "cannot be read", "lit-gans export")


@pytest.mark.parametrize(
    "network",
    [
        {"class": "os.system", "arguments": {"command": "true"}},
        {"class": "base.Callable", "arguments": {}},
        {"class": "layers.InstanceNorm", "arguments": {"num_features": 3}},
        {"class": "mlp.MLPGenerator", "arguments": {"no": 1}},
        {"class": "mlp.MLPGenerator"},
        [],
    ],
    ids=str,
)
def test_a_file_can_only_name_networks_of_this_package(network, tmp_path):
    header = {KEY: json.dumps({"": {"weights": "g.", "network": network}})}
    save_file({"g.x": torch.zeros(1)}, tmp_path / "x.safetensors", header)
    refused(lambda: load_generator(tmp_path / "x.safetensors"))


def test_weights_of_another_network_are_refused(tmp_path):
    model, path = small(DCGAN), tmp_path / "x.safetensors"
    lit_gans.save(model, path)
    with safe_open(path, "pt") as file:
        header = file.metadata()
    save_file({"generator_ema.module.x": torch.zeros(1)}, path, header)
    refused(lambda: load_generator(path), path, "is damaged")


def test_copies_and_changes():
    network = small(DCGAN).generator
    assert description(copy.deepcopy(network)) == description(network)
    again = made_of(description(network))
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
    network.extra = torch.nn.Linear(2, 2)  # no longer what its arguments make
    assert description(network) is None
