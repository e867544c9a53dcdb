"""Exported files: they compute what the model draws, and say what they take."""

import json
import zipfile

import pytest
import torch
from conftest import EVERY_MODEL, fails, refused, small

import lit_gans
from lit_gans import CGAN, DCGAN, GAN, VAE, AutoEncoder, CycleGAN, LanguageModel, Pix2Pix, export, load, save
from lit_gans.exports.programs import Program, refuse_far
from lit_gans.networks import StyleBackbone
from lit_gans.networks.exported import NOISE_OFF
from lit_gans.text import Vocabulary

ONE_PASS = [cls for cls in EVERY_MODEL if not cls.of_texts and cls.__name__ != "TextToImageTransformer"]


def called(model, function, inputs):
    """What the model itself makes of a function's inputs."""
    given = {port.name: values for port, values in zip(function.inputs, inputs, strict=True)}
    if "image" in given:
        image = given.pop("image")
        return model.colorize(image, **given) if given else model.translate(image)
    if "codes" in given:
        return model.decode(given["codes"])
    names = {"tokens": "text", "attributes": "label"}
    return model.sample(**{names.get(name, name): values for name, values in given.items()})


@pytest.mark.parametrize("cls", ONE_PASS, ids=lambda cls: cls.__name__)
def test_the_function_of_a_model_is_what_it_draws(cls):
    # torch.export and ONNX take seconds for each: examples/benchmarks/exports.py tries them all
    model = small(cls, **({"dropout": 0.0} if cls is Pix2Pix else {}))
    if model.generator_ema is not None:
        model.generator_ema.n_averaged.fill_(1)
        with torch.no_grad():  # another than the generator
            next(iter(model.generator_ema.module.parameters())).mul_(1.5)
    function = model.exported()
    inputs = function.example(3, (21, 19) if function.sides else None)
    with torch.no_grad():
        made = function(*inputs)
    torch.testing.assert_close(made, called(model, function, inputs), rtol=0, atol=1e-5)
    assert [values.shape[1:] for values in inputs if values.ndim == 2] == [
        port.shape[1:] for port, values in zip(function.inputs, inputs, strict=True) if values.ndim == 2
    ]


@pytest.mark.parametrize("cls", [cls for cls in EVERY_MODEL if cls not in ONE_PASS], ids=lambda cls: cls.__name__)
def test_a_loop_over_tokens_is_refused(cls):
    refused(lambda: small(cls).exported(), cls.__name__, "no single pass", "safetensors")


def test_torch_export_keeps_styles_labels_and_what_it_says(tmp_path):
    model, path = small(CGAN, image_shape=(1, 8, 8), backbone=StyleBackbone(width=4, style_dim=8)), tmp_path / "a.pt2"
    model.class_names = ("zero", "one")
    model.generator_ema.following(model.generator).generator.mean_style.fill_(0.5)
    written = export(model, path, truncation=0.5)
    assert written.difference <= 1e-4 and "1 one" in str(written)
    told = {"lit_gans.json": ""}
    run = torch.export.load(path, extra_files=told).module()
    told = json.loads(told["lit_gans.json"])
    assert [port["name"] for port in told["inputs"]] == ["noise", "label"] and told["inputs"][0]["shape"] == [
        "batch",
        8,
    ]
    assert told["model"] == "CGAN" and told["notes"] == ["truncation is fixed at 0.5"]
    noise, label = torch.randn(5, 8), torch.tensor([0, 1, 1, 0, 1])
    expected = model.sample(noise=noise, label=label, truncation=0.5)
    torch.testing.assert_close(run(noise, label), expected, rtol=0, atol=1e-5)
    assert (expected - model.sample(noise=noise, label=label)).abs().max() > 1e-3
    with zipfile.ZipFile(path) as archive:
        assert not any(b"site-packages" in archive.read(name) for name in archive.namelist())


def test_onnx_runtime_translates_pictures_of_any_size(tmp_path):
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason="ONNX is not installed: pip install 'lit_gans[export]'")
    import onnxruntime

    model, path = small(CycleGAN), tmp_path / "a.onnx"
    assert export(model, path, to="a").difference <= 1e-4
    run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [port.shape for port in run.get_inputs()] == [["batch", 3, "height", "width"]]
    assert json.loads(run.get_modelmeta().custom_metadata_map["lit_gans"])["model"] == "CycleGAN"
    for size in ((1, 3, 9, 8), (2, 3, 23, 34)):
        image = torch.rand(size) * 2 - 1
        made = torch.from_numpy(run.run(None, {"image": image.numpy()})[0])
        torch.testing.assert_close(made, model.translate(image, to="a"), rtol=0, atol=1e-4)
    assert b"site-packages" not in path.read_bytes()


def test_what_is_exported_has_no_noise():
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    function = small(Pix2Pix).exported()
    assert NOISE_OFF in function.notes and not small(CycleGAN).exported().notes
    assert torch.equal(function(image), function(image))


def test_a_file_that_computes_something_else_is_not_written(tmp_path):
    refused(lambda: refuse_far(small(DCGAN), 2e-4, 1e-4, "onnx"), "would differ", "none was written")
    refused(lambda: refuse_far(small(DCGAN), float("nan"), 1e-4, "onnx"), "would differ")
    program = Program(small(GAN).exported())
    assert program.difference(lambda inputs: program.function(*inputs) + 0.01) == pytest.approx(0.01, rel=1e-3)
    assert program.difference(lambda inputs: program.function(*inputs)[:1]) == float("inf")


def test_the_gaussian_of_an_autoencoder_becomes_a_layer():
    model = small(AutoEncoder)
    for _ in range(3):
        model.generator.observe(torch.randn(64, 8) @ torch.randn(8, 8) + 1)
    noise = torch.randn(4, 8)
    torch.testing.assert_close(model.generator.eval().as_layers()(noise), model.generator(noise), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cls", [CGAN, VAE, LanguageModel], ids=lambda cls: cls.__name__)
def test_a_safetensors_file_is_a_checkpoint(cls, tmp_path):
    model = small(cls)
    if cls is LanguageModel:
        model.vocabularies["tokens"] = Vocabulary.learn(["a b c", "c d"])
    path = tmp_path / "a.safetensors"
    written = export(model, path)
    size = path.stat().st_size
    assert written.difference == 0
    again = load(path)
    assert type(again) is cls and dict(again.hparams) == dict(model.hparams)
    assert again.vocabularies == model.vocabularies
    assert torch.equal(again.sample(3, seed=0), model.sample(3, seed=0))
    assert lit_gans.take(small(cls), path).fitted
    refused(lambda: export(model, path), "is there already", "force=True")
    export(model, path, half=True, force=True)
    assert path.stat().st_size < size
    assert load(path).dtype == torch.float32
    kept = load(path).state_dict()
    assert all((kept[k].double() - v.double()).abs().max() < 1e-2 for k, v in model.state_dict().items() if v.numel())


def test_a_safetensors_file_names_no_code_and_its_damage_is_told(tmp_path):
    from safetensors.torch import save_file

    model, path = small(DCGAN), tmp_path / "a.safetensors"
    save(model, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(lambda: load(path), path, "cannot be read")
    path.write_bytes(content.replace(b"lit_gans.models.dcgan.DCGAN", b"subprocess.Popen.aaaaaaaaaa"))
    refused(lambda: load(path), "subprocess.Popen")
    save_file({"weight": torch.ones(1)}, path)
    refused(lambda: load(path), path, "was not saved by lit_gans", "take")
    save_file({"weight": torch.ones(1)}, path, {"lit_gans": "[" * 5000})
    refused(lambda: load(path), path, "damaged")


def test_options_that_do_not_go_together(tmp_path):
    model = small(DCGAN)
    refused(lambda: export(model, tmp_path / "a.bin"), ".onnx, .pt2, .safetensors")
    refused(lambda: export(model, tmp_path / "a.pt2", format="onnx"), "torch-export")
    refused(lambda: export(model, tmp_path / "a.pt2", to="a"), "translates no images")
    refused(lambda: export(model, tmp_path / "a.pt2", half=True), "safetensors")
    refused(lambda: export(model, tmp_path / "a.safetensors", truncation=0.5), "truncation")
    refused(lambda: export(model, tmp_path / "a.pt2", truncation=float("nan")), "finite")
    refused(lambda: export(small(CycleGAN), tmp_path / "a.pt2", truncation=0.5), "does not draw from noise")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_beside_the_checkpoint_and_replaces_nothing(tmp_path, capsys):
    path = tmp_path / "best.ckpt"
    save(small(DCGAN), path)
    for _ in range(2):
        lit_gans.cli.main.main(["export", str(path), "--format", "safetensors"])
    assert {file.name for file in tmp_path.iterdir()} == {"best.ckpt", "best.safetensors", "best-2.safetensors"}
    assert "largest difference from the model: 0" in capsys.readouterr().out
    assert ".onnx, .pt2, .safetensors" in fails("export", path, "--output", tmp_path / "a.bin")
    assert "is there already" in fails("export", path, "--output", tmp_path / "best-2.safetensors")
    assert "translates nothing" in fails("export", path, "--direction", "BtoA")
