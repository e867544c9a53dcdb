"""Scores from the command line, their protocol, and the commands beside: what they write and what they refuse."""

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import fails, fit, glyphs, small
from PIL import Image

from lit_gans import DCGAN
from lit_gans.cli.main import COMMANDS, main
from lit_gans.metrics import Features, load_classifier

TINY = [
    "--data.characters=01",
    "--data.size=16",
    "--data.count=400",
    "--data.batch_size=20",
    "--model.backbone.width=4",
    "--model.latent_dim=8",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_epochs=1",
    "--quality.count=200",
    "--quality.scores=[fid,kid,density_coverage]",
]
GLYPHS = {"class_path": "lit_gans.Glyphs", "init_args": {"characters": "01", "size": [20, 24], "count": 300}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["fit", *TINY])
    return folder / "runs" / "DCGAN-Glyphs" / "version_0"


@pytest.fixture(scope="module")
def checkpoint(run):
    return str(run / "checkpoints" / "last.ckpt")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A feature network of another input size than the run's images."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "data.yaml").write_text(yaml.safe_dump({"data": GLYPHS}))
    main(["features", str(folder / "data.yaml"), "--epochs=1", f"--output={folder / 'f.safetensors'}"])
    return str(folder / "f.safetensors")


MEMORISATION = ["memorisation", "memorisation_ratio"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scored(checkpoint, *arguments, output="a.json"):
    """What evaluate writes for 200 samples."""
    arguments = arguments if any(a.startswith("--count") for a in arguments) else (*arguments, "--count=200")
    main(["evaluate", checkpoint, *arguments, f"--output={output}", "--force"])
    return json.loads(Path(output).read_text())


# -------------------------------------------------------------------- evaluate


def test_scores_are_those_of_the_run(run, checkpoint, folder, capsys):
    """With the settings of the Quality callback the very numbers, and the same card."""
    found = scored(checkpoint, "--metrics", "fid", "kid", "density_coverage")
    (line,) = (run / "scores.jsonl").read_text().splitlines()
    assert found == {**json.loads(line), "checkpoint": checkpoint}
    assert list(found["values"]) == ["fid", "fid_normalised", "kid", "density", "coverage"]
    assert found["step"] == 20 and found["model"] == "DCGAN"
    assert found["protocol"] == {
        "data": "Glyphs 1x16x16 characters=01 background=plain distortion=0.5 noise=0.03",
        "split": "train",
        "real": 400,
        "fake": 200,
        "features": "digits",
        "averaged": True,
        "seed": 0,
        "resize": "bicubic, antialiased, on uint8",
    }
    shown = capsys.readouterr().out
    assert "fid (less is better)" in shown and "coverage (more is better)" in shown
    assert f"{found['values']['fid']:.4g}" in shown and "DCGAN 20 steps" in shown
    assert "DCGAN-Glyphs/version_0/last.ckpt" in shown and "scores and protocol in a.json" in shown
    assert all(f"{name}: {value}" in shown for name, value in found["protocol"].items())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--metrics=kid"], ["kid"]),
        (["--metrics", "kid"], ["kid"]),
        (["--metrics=[fid,kid]"], ["fid", "fid_normalised", "kid"]),
        (["--metrics", "[fid, kid]"], ["fid", "fid_normalised", "kid"]),
        (["--metrics", "is", "precision_recall", "swd"], ["is", "precision", "recall", "swd"]),
        (["--metrics=swd"], ["swd"]),
        (["--metrics=ppl"], ["ppl"]),
        ([], ["fid", "fid_normalised", "kid", "is", "precision", "recall", "density", "coverage", *MEMORISATION]),
    ],
    ids=" ".join,
)
def test_metrics_as_people_write_them(words, names, checkpoint, folder):
    found = scored(checkpoint, *words)
    assert list(found["values"]) == names
    assert found["protocol"]["features"] == ("none" if names == ["swd"] else "digits")


def test_memorisation_is_of_training_images(checkpoint, folder, capsys):
    """By another split's images it is left out, or refused where it was asked for."""
    assert MEMORISATION[0] not in scored(checkpoint, "--reference=test")["values"]
    said = fails("evaluate", checkpoint, "--metrics=memorisation", "--reference=test")
    assert "those of train, got test" in said and "leave out --reference" in said


def test_metrics_before_an_option_and_before_the_checkpoint(checkpoint, folder):
    main(["evaluate", "--metrics", "kid", "swd", "--count=200", checkpoint, "--output=a.json"])
    main(["evaluate", "--metrics=kid", checkpoint, "--count=200", "--output=b.json"])
    first, second = (json.loads(Path(file).read_text())["values"] for file in ("a.json", "b.json"))
    assert list(first) == ["kid", "swd"] and second == {"kid": first["kid"]}


def test_the_same_twice_and_another_seed(checkpoint, folder):
    first = scored(checkpoint)
    before = Path("a.json").read_bytes()
    torch.manual_seed(123)
    scored(checkpoint)
    assert Path("a.json").read_bytes() == before
    other = scored(checkpoint, "--seed=1")
    assert other["values"]["fid"] != first["values"]["fid"] and other["protocol"]["seed"] == 1


def test_the_file_is_beside_the_checkpoint(checkpoint, run, folder):
    (folder / "run" / "checkpoints").mkdir(parents=True)
    shutil.copy(checkpoint, "run/checkpoints/x.ckpt")
    shutil.copy(run / "config.yaml", "run/config.yaml")
    main(["evaluate", "run/checkpoints/x.ckpt", "--metrics=kid", "--count=20"])
    assert json.loads(Path("run/checkpoints/x.json").read_text())["checkpoint"] == "run/checkpoints/x.ckpt"


def test_data_by_name_by_file_and_by_default(run, checkpoint, folder):
    default = scored(checkpoint, "--metrics=kid")
    for data in ("Glyphs", "lit_gans.Glyphs", str(run / "config.yaml")):
        assert scored(checkpoint, "--metrics=kid", "--data", data) == default
    (folder / "other.yaml").write_text(yaml.safe_dump({"data": GLYPHS}))
    other = scored(checkpoint, "--metrics=kid", "--data=other.yaml")
    assert other["protocol"]["real"] == 300 and "1x16x16" in other["protocol"]["data"]
    assert other["values"] != default["values"]


def test_a_checkpoint_in_a_folder_of_its_own_finds_the_run(run, folder):
    """Lightning's ModelCheckpoint makes one of the slash in a score's name."""
    inner = folder / "version_0" / "checkpoints" / "mine_val"
    inner.mkdir(parents=True)
    shutil.copy(run / "checkpoints" / "last.ckpt", inner / "fid=1.0.ckpt")
    shutil.copy(run / "config.yaml", folder / "version_0")
    file = str(inner / "fid=1.0.ckpt")
    assert "characters=01" in scored(file, "--metrics=kid", "--count=20")["protocol"]["data"]


def test_the_other_split(checkpoint, folder):
    found = scored(checkpoint, "--metrics=kid", "--reference", "test", "--count=50")
    assert (found["protocol"]["split"], found["protocol"]["real"], found["protocol"]["fake"]) == ("test", 40, 50)
    assert scored(checkpoint, "--metrics=kid", "--real_count=30")["protocol"]["real"] == 30


def test_a_network_of_ones_own(network, checkpoint, folder):
    """It is for images of 20x24: those of 16x16 are resized."""
    assert load_classifier(network).image_shape == (1, 20, 24)
    found = scored(checkpoint, "--features", network, "--metrics", "fid", "is")
    assert found["protocol"]["features"].startswith("Glyphs 1x20x24 characters=")
    assert 1 <= found["values"]["is"] <= 2
    assert found["values"]["fid"] != scored(checkpoint, "--metrics=fid")["values"]["fid"]


def test_features_by_name(folder, monkeypatch, capsys):
    monkeypatch.setattr("lit_gans.data.glyphs.Glyphs.__init__.__defaults__", ("01", 8, 1, 300, 0.5, 0.03, "plain"))
    main(["features", "Glyphs", "--epochs", "1", "--seed=2", "--output", "sub/f.safetensors"])
    made = load_classifier("sub/f.safetensors")
    assert (made.num_classes, made.image_shape) == (2, (1, 8, 8))
    assert made.name.startswith("Glyphs 1x8x8 characters=01 ") and made.name.endswith(" epochs=1 seed=2")
    assert "of 30 test images right; weights in sub/f.safetensors" in capsys.readouterr().out


def test_nothing_is_half_written(checkpoint, folder, monkeypatch):
    scored(checkpoint, "--metrics=kid")
    before = Path("a.json").read_bytes()
    whole = Path.write_text

    def half(self, text, *args, **kwargs):
        whole(self, text[: len(text) // 2])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "write_text", half)
        scored(checkpoint, "--metrics=kid", "--seed=1")
    assert Path("a.json").read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["a.json"]


# -------------------------------------------------------------------- compare


def test_compare_has_a_column_each(checkpoint, folder, capsys):
    first = scored(checkpoint, "--metrics", "fid", "kid")
    second = scored(checkpoint, "--metrics", "kid", "swd", "--seed=1", output="b, é😀.json")
    capsys.readouterr()
    main(["compare", "a.json", "b, é😀.json"])
    shown = capsys.readouterr().out
    rows = {
        line.split()[1]: [cell.strip() for cell in line.split("│")[2:4]] for line in shown.splitlines() if "│" in line
    }
    assert shown.count("DCGAN 20 steps") == 2
    assert rows["kid"] == [f"{each['values']['kid']:.4g}" for each in (first, second)]
    assert rows["fid"][1] == rows["swd"][0] == "-" and rows["fid"][0] == f"{first['values']['fid']:.4g}"
    assert "features: digits" in shown


def test_names_with_brackets_and_no_checkpoint_are_shown(checkpoint, folder, capsys):
    """Brackets are no markup, and a line of scores.jsonl names no checkpoint."""
    found = scored(checkpoint, "--metrics=kid", "--count=20")
    found["protocol"]["data"] = "Glyphs characters=[/b]"
    for name, place in (("a", "x/[red]/y/last.ckpt"), ("b", "")):
        Path(f"{name}.json").write_text(json.dumps({**found, "checkpoint": place}))
    main(["compare", "[a.json, b.json]"])
    shown = capsys.readouterr().out
    assert "x/[red]/last.ckpt" in shown and "characters=[/b]" in shown and "//" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count=190"], "fake: 200 and 190"),
        (["--reference=test"], "split: train and test; real: 400 and 40"),
        (["--data=other.yaml"], "background=plain distortion=0.5 noise=0.03 and Glyphs"),
        (["--metrics=swd"], "features: digits and none"),
        (["--features=NETWORK"], "features: digits and Glyphs 1x20x24"),
    ],
)
def test_unlike_protocols_do_not_compare(arguments, words, checkpoint, network, folder):
    (folder / "other.yaml").write_text(
        yaml.safe_dump({"data": {**GLYPHS, "init_args": {"characters": "23", "count": 400}}})
    )
    scored(checkpoint, "--metrics=kid")
    arguments = [a.replace("NETWORK", network) for a in arguments]
    kid = [] if "--metrics=swd" in arguments else ["--metrics=kid"]
    scored(checkpoint, *kid, *arguments, output="b.json")
    error = fails("compare", "a.json", "b.json")
    assert words in error and "do not compare" in error and "lit-gans evaluate" in error


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "{}",
        '{"values": {}, "protocol": {}}',
        '{"values": null, "protocol": CARD, "step": 1}',
        '{"values": {"fid": "x"}, "protocol": CARD, "step": 1}',
        '{"values": {"fid": 1}, "protocol": CARD, "step": null}',
        '{"values": {"fid": 1}, "protocol": CARD, "step": 1, "more": 1}',
    ],
)
def test_what_holds_no_scores(content, folder):
    card = dict.fromkeys(("data", "split", "real", "fake", "features", "averaged", "seed"), 1)
    (folder / "x.json").write_text(content.replace("CARD", json.dumps(card)))
    assert "x.json holds no scores of 'lit-gans evaluate'" in fails("compare", "x.json")


# -------------------------------------------------------------------- the other commands


def test_interpolate_is_wired(checkpoint, folder):
    main(["interpolate", checkpoint, "--count=2", "--steps=3", "--seed=0", "--output=x.png"])
    assert Image.open("x.png").size == (3 * 18 + 2, 2 * 18 + 2)


def test_invert_is_wired(checkpoint, folder, capsys):
    main(["sample", checkpoint, "--count=2", "--seed=0", "--output=pictures"])
    main(["invert", checkpoint, "pictures", "--steps=3", "--restarts=2", "--latents=z.safetensors"])
    assert (folder / "inversion.png").is_file() and (folder / "z.safetensors").is_file()
    assert "2 pictures, each above its reconstruction" in capsys.readouterr().out


def test_plot_is_wired(run, folder):
    main(["plot", str(run), "--output=curves.png"])
    assert (folder / "curves.png").is_file() and (folder / "curves.webp").is_file()


def test_arithmetic_is_wired(checkpoint, folder, monkeypatch, capsys):
    def darker_and_lighter(images, targets, classes, seed):
        assert images.shape[1:] == (1, 16, 16) and classes == 2
        return lambda x: (x.mean((1, 2, 3)) - x.mean())[:, None] * torch.tensor([1e6, -1e6]), torch.ones(1)

    monkeypatch.setattr("lit_gans.cli.recognise.learn", darker_and_lighter)
    main(["arithmetic", checkpoint, "--expression", "0 - 1 + 0", "--count=50", "--output=sum.png"])
    assert (folder / "sum.png").is_file() and "of the 9 in the picture show 0" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_the_arguments(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and f"usage: lit-gans {command}" in shown
    for name, parameter in inspect.signature(COMMANDS[command]).parameters.items():
        option = "--data.size" if name == "data_options" else f"--{name}"
        assert (name if parameter.default is parameter.empty else option) in shown or f"[{name}]" in shown
    assert inspect.getdoc(COMMANDS[command]).splitlines()[0] in " ".join(shown.split())


def test_no_help_imports_what_is_heavy():
    code = (
        "import contextlib, sys\nfrom lit_gans.cli.main import COMMANDS, main\n"
        "for command in [[name] for name in COMMANDS] + [[]]:\n"
        "    with contextlib.suppress(SystemExit): main([*command, '--help'])\n"
        "    heavy = {'torch', 'lightning', 'numpy', 'PIL', 'torchmetrics', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "    assert not heavy, (command, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    general = done.stdout.rpartition("usage: lit-gans COMMAND")[2]
    assert all(f"\n  {name} " in general for name in COMMANDS)


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--metrics", "fid", "fd"], "there is no score 'fd'; did you mean fid? choose from fid, kid", 1),
        (["--metrics=[]"], "metrics names no score", 1),
        (["--metrics"], "--metrics", 2),
        (["--metrics", "--seed=1"], "--metrics", 2),
        (["--metrics=fid", "--count=100"], "of 128 features needs more than 128 fake samples, got 100", 1),
        (["--metrics=fid", "--count=200", "--real_count=100"], "more than 128 real samples, got 100", 1),
        (["--count=1"], "at least 2 images, got count=1", 1),
        (["--count=many"], "count", 2),
        (["--metrics=precision_recall", "--count=2"], "at least 4 fake samples, got 2", 1),
        (["--reference=dev"], "--reference must be train, val or test, got 'dev'", 2),
        (["--output=x.txt"], "output must end in .json, got x.txt", 1),
        (["--output="], "--output needs a value", 2),
        (["--device=tpu"], "device 'tpu' cannot be used", 1),
        (["--direction=BtoA"], "a DCGAN translates nothing; leave out --direction", 1),
        (["--features=nowhere.safetensors"], "the feature network nowhere.safetensors does not exist", 1),
        (["--features=no.yaml"], "no.yaml holds no feature network", 1),
        (["--data=Glphs"], "unknown data 'Glphs'; did you mean Glyphs?", 2),
        (["--data=CIFAR10"], "(3, 16, 16) (channels, height, width), but the generator draws (1, 16, 16)", 1),
        (["--data=Gaussians"], "Gaussians has images of shape (2, 1, 1)", 1),
        (["--data=nowhere.yaml"], "nowhere.yaml does not exist", 1),
        (["--data=no.yaml"], "no.yaml is no configuration of a run", 1),
        (["--data=list.yaml"], "list.yaml is no configuration of a run", 1),
        (["--data=empty.yaml"], "empty.yaml has no data section", 1),
        (["--data=collections.OrderedDict"], "is no data set", 1),
        (["--data=os.path"], "is no data set", 1),
        (["--data=Glyphs", "--root=x"], "--root is no option of Glyphs; leave it out", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_evaluate_refuses(arguments, words, code, checkpoint, folder):
    (folder / "no.yaml").write_text("data: [1]\n")
    (folder / "list.yaml").write_text("data: {class_path: Glyphs, init_args: [1]}\n")
    (folder / "empty.yaml").write_text("")
    before = {p.name for p in Path(checkpoint).parent.iterdir()}
    assert words in fails("evaluate", checkpoint, *arguments, code=code)
    assert {p.name for p in Path(checkpoint).parent.iterdir()} == before


def test_no_checkpoint(checkpoint, folder):
    assert "there is no checkpoint file nowhere.ckpt" in fails("evaluate", "nowhere.ckpt")
    assert "the folder . holds no checkpoint" in fails("evaluate", ".")
    assert "checkpoint needs a value" in fails("evaluate", "", code=2)
    assert "required: checkpoint" in fails("evaluate", code=2)
    (folder / "x.ckpt").write_text("nothing")
    assert "truncated or no checkpoint" in fails("evaluate", "x.ckpt")
    torch.save({"state_dict": {}}, "x.ckpt")
    assert "was not saved by lit_gans" in fails("evaluate", "x.ckpt")
    shutil.copy(checkpoint, "x.ckpt")
    assert "add --data" in fails("evaluate", "x.ckpt")


def test_nan_is_not_scored(checkpoint, folder, monkeypatch):
    monkeypatch.setattr(DCGAN, "sample", lambda self, n=64, **_: torch.full((n, 1, 16, 16), torch.nan))
    assert "the generated images hold NaN or infinity" in fails("evaluate", checkpoint, "--output=a.json")
    assert not list(folder.iterdir())


def test_inception_score_needs_classes(checkpoint, folder, monkeypatch):
    class Pixels(Features):
        name, num_features = "pixels", 256

        def forward(self, images):
            return images.flatten(1)

    monkeypatch.setattr("lit_gans.metrics.evaluation.feature_network", lambda given: Pixels())
    assert "'is' needs the classes" in fails("evaluate", checkpoint, "--metrics", "kid", "is", "--count=20")
    assert scored(checkpoint, "--metrics=kid", "--count=20")["protocol"]["features"] == "pixels"


def test_two_domains_are_no_reference(folder):
    """The shape fits, but there is no such thing as the real images; a grey network takes colour besides."""
    fit(folder, small(DCGAN, image_shape=(3, 16, 16)), glyphs(channels=3), max_steps=2)
    for name in ("UnpairedGlyphs", "PairedGlyphs"):
        data = {"class_path": name, "init_args": {"count": 20, "size": 16}}
        Path("data.yaml").write_text(yaml.safe_dump({"data": data}))
        error = fails("evaluate", "checkpoints/last.ckpt", "--data=data.yaml", "--metrics=kid", "--count=20")
        assert f"{name} has " in error and "instead of single images" in error
    Path("data.yaml").write_text("data: {class_path: Glyphs, init_args: {channels: 3, count: 50}}")
    assert scored("checkpoints/last.ckpt", "--data=data.yaml", "--metrics=kid", "--count=20", "--features=digits")[
        "values"
    ]


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        ([], "required: data", 2),
        (["UnpairedGlyphs"], "UnpairedGlyphs has no labels to learn from", 1),
        (["Glphs"], "unknown data 'Glphs'; did you mean Glyphs?", 2),
        (["tiny.yaml", "--epochs=0"], "epochs must be at least 1, got 0", 1),
        (["tiny.yaml", "--output=x.pt"], "output must end in .safetensors, got x.pt", 1),
        (["Gaussians"], "8 pixels at least", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_features_refuses(arguments, words, code, folder, monkeypatch):
    monkeypatch.setattr("lit_gans.data.scenes.UnpairedGlyphs.__init__.__defaults__", (8, 10))
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"data": GLYPHS}))
    assert words in fails("features", *arguments, code=code)
    assert not list(folder.glob("*.safetensors"))


def test_compare_needs_files(folder):
    assert "required: scores" in fails("compare", code=2)
    assert "there is no file or folder nowhere.json" in fails("compare", "nowhere.json")
    assert "the folder . holds no checkpoint" in fails("compare", ".")
    assert "scores needs a value" in fails("compare", "", code=2)


def test_compare_leaves_out_what_nobody_has_measured(checkpoint, folder, capsys):
    line = scored(checkpoint, "--metrics=kid", "--count=20")
    for name in ("bare", "mine"):
        (folder / "runs" / name / "version_0" / "checkpoints").mkdir(parents=True)
        shutil.copy(checkpoint, folder / "runs" / name / "version_0" / "checkpoints/last.ckpt")
    (folder / "runs" / "off").mkdir()
    (folder / "runs" / "plot.png").touch()
    (folder / "runs/mine/version_0/scores.jsonl").write_text(json.dumps({**line, "step": 20, "checkpoint": ""}))
    capsys.readouterr()
    main(["compare", *(f"runs/{name}" for name in ("bare", "mine", "off", "plot.png"))])
    shown = capsys.readouterr()
    assert "DCGAN 20 steps" in shown.out and shown.err.count("note: left out: ") == 3
    assert "mine/version_0/scores.jsonl" in shown.out
    for name in ("mine", "last"):
        main(["compare", name])
        assert "DCGAN 20 steps" in capsys.readouterr().out
    assert "no scores yet" in fails("compare", "bare", "runs/off")


def test_compare_takes_checkpoints_and_runs(checkpoint, folder, capsys):
    run = folder / "runs/DCGAN-Glyphs/version_0"
    (run / "checkpoints").mkdir(parents=True)
    last = Path(shutil.copy(checkpoint, run / "checkpoints/last.ckpt"))
    assert f"last.ckpt has no scores yet; 'lit-gans evaluate {last}' measures them" in fails("compare", last)
    assert "no scores yet" in fails("compare", run)
    line = scored(checkpoint, "--metrics=kid", "--count=20")
    for step, kid in ((10, 3.0), (20, 1.5), (30, 2.0)):  # less is better
        with (run / "scores.jsonl").open("a") as file:
            file.write(json.dumps({**line, "step": step, "values": {"kid": kid}, "checkpoint": ""}) + "\n")
    with (run / "scores.jsonl").open("a") as file:
        file.write('{"values": {"kid"')  # the run was killed while it wrote
    for place in (run, run / "scores.jsonl"):
        main(["compare", str(place)])
        assert "DCGAN 20 steps" in (shown := capsys.readouterr().out) and "1.5" in shown
    last.with_suffix(".json").write_text(json.dumps({**line, "step": 77}))
    main(["compare", str(last), str(run)])
    assert capsys.readouterr().out.count("DCGAN 77 steps") == 2
    (folder / "empty.jsonl").write_text("\n")
    assert "empty.jsonl holds no scores of a run" in fails("compare", "empty.jsonl")
    assert "is no text" in fails("compare", shutil.copy(checkpoint, folder / "a.json"))


# -------------------------------------------------------------------- earlier results


def kept(folder):
    return {file.name: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def test_an_earlier_result_is_added_to_or_left(checkpoint, folder, capsys):
    last = str(folder / "run" / "checkpoints" / "last.ckpt")
    shutil.copytree(Path(checkpoint).parents[1], folder / "run")
    place = Path(last).parent

    def evaluate(*words):
        main(["evaluate", last, "--metrics", *words, "--count=200"])
        return capsys.readouterr().out

    evaluate("kid")
    kid = kept(place)["last.json"]["values"]["kid"]
    assert "last.json, beside earlier ones of the same protocol" in evaluate("ppl")
    evaluate("kid")
    assert kept(place)["last.json"]["values"].keys() == {"kid", "ppl"}
    assert kept(place)["last.json"]["values"]["kid"] == kid and len(kept(place)) == 1
    careful = kept(place)["last.json"]
    out = evaluate("kid", "--seed=1")
    assert "last-2.json, since" in out and kept(place)["last.json"] == careful
    evaluate("ppl", "--seed=1")
    evaluate("kid", "--reference=test")
    values = {name: each["values"].keys() for name, each in kept(place).items()}
    assert values == {"last.json": {"kid", "ppl"}, "last-2.json": {"kid", "ppl"}, "last-3.json": {"kid"}}
    evaluate("kid", "--seed=1", "--force")
    assert kept(place)["last.json"]["protocol"]["seed"] == 1 and len(kept(place)) == 3


def test_another_state_of_the_checkpoint_is_another_result(checkpoint, folder):
    shutil.copytree(Path(checkpoint).parents[1], folder / "run")
    last = folder / "run" / "checkpoints" / "last.ckpt"
    words = ["evaluate", str(last), "--metrics=kid", "--count=20"]
    main(words)
    saved = torch.load(last, weights_only=True)
    torch.save({**saved, "global_step": saved["global_step"] + 1}, last)
    main(words)
    assert [each["step"] for each in kept(last.parent).values()] == [saved["global_step"] + 1, saved["global_step"]]


def test_a_users_own_file_is_left(checkpoint, folder):
    (folder / "mine.json").write_text("[1, 2]")
    main(["evaluate", checkpoint, "--metrics=kid", "--count=20", "--output=mine.json"])
    assert (folder / "mine.json").read_text() == "[1, 2]" and "kid" in kept(folder)["mine-2.json"]["values"]


def test_a_folder_is_no_place_for_scores(checkpoint, folder):
    (folder / "x.json").mkdir()
    assert "is a folder" in fails("evaluate", checkpoint, "--output=x.json")


def test_a_network_that_is_there_is_kept(folder):
    (folder / "f.safetensors").write_bytes(b"mine")
    assert "--force" in fails("features", "Glyphs", "--output=f.safetensors")
    assert (folder / "f.safetensors").read_bytes() == b"mine"


def test_few_images_leave_fid_out_unless_it_was_asked_for(checkpoint, tmp_path, capsys):
    main(["evaluate", checkpoint, "--count=50", f"--output={tmp_path / 'few.json'}"])
    said = capsys.readouterr()
    assert "note: fid is left out: it takes more than 128 images of each kind, not" in said.err
    assert "kid" in said.out and "fid (" not in said.out
    assert "--metrics kid" in fails(
        "evaluate", checkpoint, "--count=50", "--metrics=fid", f"--output={tmp_path / 'x.json'}"
    )
