"""Words of a command line become the arguments of a function, or one sentence, before anything heavy is imported."""

import subprocess
import sys
from typing import Annotated, Literal

import pytest
from conftest import fails

from lit_gans.cli.calling import Call
from lit_gans.cli.main import COMMANDS
from lit_gans.cli.options import DataOptions, Option, seeds


def command(
    checkpoint: str,
    pictures: str,
    count: int = 4,
    size: float = 1.0,
    seed: Annotated[list[int] | None, Option(parse=seeds)] = None,
    label: list[int] | None = None,
    metrics: list[str] = ["fid"],  # noqa: B006
    hint: Annotated[list[str], Option(separate=False)] = [],  # noqa: B006
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    data: str | None = None,
    force: bool = False,
    data_options: DataOptions = None,
) -> None:
    """Does this.

    And says more.

    Args:
        count: how many,
            in two lines.
    """
    got.update({name: value for name, value in locals().items() if value is not None})


got = {}


@pytest.fixture(autouse=True)
def empty():
    got.clear()


def given(line):
    Call("demo", command).run(line.split())
    return got


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("--label 3 5 a.ckpt b", "label", [3, 5]),
        ("a b --label 3,5", "label", [3, 5]),
        ("a --label=[3,5] b", "label", [3, 5]),
        ("a b --label=[]", "label", []),
        ("a b --label=-1", "label", [-1]),
        ("--metrics fid kid runs/a b", "metrics", ["fid", "kid"]),
        ("--metrics fid best b", "metrics", ["fid"]),
        ("a b --metrics [fid,kid]", "metrics", ["fid", "kid"]),
        ("a b --metrics fid,kid", "metrics", ["fid", "kid"]),
        ("a b --hint 1,2,red 3,4,#fff", "hint", ["1,2,red", "3,4,#fff"]),
        ("a b --seed 3", "seed", [3]),
        ("a b --seed 0-3,9", "seed", [0, 1, 2, 3, 9]),
        ("a b --seed -5", "seed", [-5]),
        ("a b --count 1e3", "count", 1000),
        ("a b --direction btoa", "direction", "BtoA"),
        ("--force a b", "force", True),
        ("a --force false b", "force", False),
        ("--ckpt_path a b", "checkpoint", "a"),
        ("--pictures b a", "checkpoint", "a"),
        ("--count 3 a b --size -0.5", "size", -0.5),
        ("a b --data.size 32 --data.flip=true", "data_options", {"size": "32", "flip": "true"}),
        ("a b --data null --count 2", "count", 2),
    ],
)
def test_words_in_any_order_and_spelling(line, name, value):
    assert given(line)[name] == value
    assert got["checkpoint"] in ("a", "a.ckpt", "runs/a", "best") and got["pictures"] == "b"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a", "demo lacks what is required: pictures"),
        ("a b c", "'c' is a word too many: demo takes one checkpoint and one pictures"),
        ("a b --cuont 3", "--cuont is no option of demo; did you mean --count?"),
        ("a b --zzz", "--zzz is no option of demo; 'lit-gans demo --help' lists the options"),
        ("a b --n 3", "--n is no option of demo; use --count"),
        ("a b --network c", "--network is no option of demo; name the checkpoint alone"),
        ("a b --cou 3", "did you mean --count?"),
        ("a b --count", "--count needs a value"),
        ("a b --count --force", "--count needs a value"),
        ("a b --count ten", "--count must be a whole number, got 'ten'"),
        ("a b --count 1.5", "--count must be a whole number, got '1.5'"),
        ("a b --size big", "--size must be a number, got 'big'"),
        ("a b --label seven", "--label must be a whole number, got 'seven'"),
        ("a b --seed abc", "--seed must be a whole number, say 5, or several, say 3,5,9 or 0-63, got 'abc'"),
        ("a b --seed 5-3", "--seed must be whole numbers, the smaller first, at most a million, got '5-3'"),
        ("a b --direction BA", "--direction must be AtoB or BtoA, got 'BA'"),
        ("a b --force=maybe", "--force must be true or false"),
        ("a b --model.width 3", "--model.width is an option of fit; demo takes the data's alone"),
    ],
)
def test_wrong_words_are_one_sentence(line, words, capsys):
    with pytest.raises(SystemExit) as ended:
        given(line)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and words in said and said.count("\n") == 1


def test_help_says_what_the_signature_and_the_docstring_say(capsys):
    with pytest.raises(SystemExit):
        given("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "usage: lit-gans demo checkpoint pictures [options] Does this. And says more." in shown
    assert "--count N how many, in two lines [4]" in shown
    assert "--direction AtoB|BtoA" in shown and "--label N,N" in shown and "[fid]" in shown
    assert "data_options" not in shown


def test_options_that_commands_share_have_one_help_and_one_default():
    helps = {}
    for name in ("sample", "interpolate", "arithmetic", "invert", "translate", "colorize", "embed", "evaluate"):
        parameters = Call(name, COMMANDS[name]).parameters
        assert {"checkpoint", "output", "device", "force", "trust"} <= parameters.keys()
        assert parameters["device"].default == "auto" and parameters["force"].default is False
        for option in ("checkpoint", "device", "trust"):
            helps.setdefault(option, set()).add(parameters[option].help)
    assert all(len(texts) == 1 for texts in helps.values())


@pytest.mark.parametrize(
    "line",
    ["sample x.ckpt --cuont 3", "sample x.ckpt --label seven", "interpolate x.ckpt --mode slerp", "sample no.ckpt"],
)
def test_an_answer_needs_no_pytorch(line, tmp_path):
    code = (
        "import sys\nfrom lit_gans.cli.main import main\n"
        f"try: main({line.split()!r})\nexcept SystemExit as ended: assert ended.code in (1, 2)\n"
        "assert not {'torch', 'lightning', 'jsonargparse', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("lit-gans: error: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "x.ckpt", "--mode", "slerp"], "--mode is no option of sample"),
        (["evaluate", "x.ckpt", "--scores", "fid"], "--scores is no option of evaluate; use --metrics"),
        (["interpolate", "x.ckpt", "--mode", "slerp"], "--mode must be spherical or linear, got 'slerp'"),
        (["translate", "x.ckpt", "y", "--direction", "BA"], "--direction must be AtoB or BtoA, got 'BA'"),
        (["cache", "lists"], "action must be list or clear, got 'lists'"),
        (["compare"], "compare lacks what is required: scores"),
    ],
)
def test_commands_answer_so(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.ckpt").touch()
    (tmp_path / "y").mkdir()
    assert said in fails(*words, code=2)


def test_a_run_that_there_is_not_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("sample", "evaluate", "interpolate"):
        assert fails(command, "runs/a").startswith("lit-gans: error: there is no checkpoint file runs/a;")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", ""], "checkpoint needs a value"),
        (["sample", "x.ckpt", "--output="], "--output needs a value"),
        (["invert", "x.ckpt", " "], "pictures needs a value"),
        (["plot", "y", ""], "runs needs a value"),
        (["cite", ""], "run needs a value"),
        (["evaluate", "x.ckpt", "--data", ""], "--data needs a value"),
        (["evaluate", "x.ckpt", "--data", "Glyphs", "--data.size", ""], "--data.size needs a value"),
        (["evaluate", "x.ckpt", "--data", "Glyphs", "--data.", "3"], "--data. names no option of the data"),
        (["evaluate", "x.ckpt", "--data", "MNST"], "unknown data 'MNST'; did you mean MNIST?"),
        (["evaluate", "x.ckpt", "--data", "./nowhere"], "there is no folder ./nowhere with data"),
        (["evaluate", "x.ckpt", "--data", "x.ckpt"], "x.ckpt is no data: they are a folder of pictures"),
        (["evaluate", "x.ckpt", "--data", "Glyphs", "--data.szie", "3"], "--data.szie is no option of Glyphs; did you"),
        (
            ["evaluate", "x.ckpt", "--data", "glyphs", "--data.size", "x"],
            "--data.size must be a whole number or a list",
        ),
        (["features", "y", "--data.batch_size", "0"], "--data.batch_size must be at least 1, got 0"),
        (["arithmetic", "x.ckpt", "--data", "LSGAN"], "unknown data 'LSGAN'"),
    ],
    ids=range(15),
)
def test_empty_words_and_wrong_data_are_answered_before_anything_is_read(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.ckpt").touch()
    (tmp_path / "y").mkdir()
    assert said in fails(*words, code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.ckpt", "y"]
