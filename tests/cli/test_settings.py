"""The one reader of configuration files, and all that reads through it."""

import os
import subprocess
import sys

import pytest
import yaml
from conftest import refused, run_cli

from lit_gans import Glyphs
from lit_gans.cli import settings
from lit_gans.cli.main import main
from lit_gans.cli.run_data import open_data

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
ODD = {
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text in UTF-8"),
    "a checkpoint": (b"PK\x03\x04" + bytes(range(256)), "no text in UTF-8"),
    "another encoding": ("model: DCGAN  # größer".encode("latin-1"), "no text in UTF-8"),
    "a large file": (b"# " + b"x" * 2**21, "it has 2.1 MB"),
    "empty": (b"", "it is empty"),
    "blank": (b"\xef\xbb\xbf\n \n", "it is empty"),
    "a comment": (b"# nothing\n", "it holds nothing where names with values should be"),
    "broken": (b"model: DCGAN\ndata: [\n", "line 3: expected the node content"),
    "a tab": (b"model:\n\tclass_path: DCGAN\n", "line 2: found character '\\t'"),
    "a tag": (b"image_shape: !!python/tuple [1, 2]\n", "line 1: could not determine a constructor for the tag"),
    "a program": (b"a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
    "a list": (b"- 1\n", "it holds a list"),
    "a number": (b"5\n", "it holds a number"),
    "a name": (b"DCGAN\n", "it holds a text"),
    "two documents": (b"a: 1\n---\nb: 2\n", "but found another document"),
    "a number for a name": (b"1: 2\n", "1 is no name"),
    "a list for a name": (b"? [a]\n: 2\n", "found unhashable key"),
    "a list in itself": (b"a: &a [*a]\n", "an alias in it stands for something that holds it"),
    "names in themselves": (b"a: &a {b: {c: *a}}\n", "an alias in it stands for something that holds it"),
    "a merge of itself": (b"a: &a\n  <<: *a\n", "an alias in it stands for something that holds it"),
    "a bomb": (BOMB.encode(), "unfold to more than 20,000 values"),
    "41 levels": (b"a: " + b"[" * 41 + b"]" * 41, "more than 40 levels deep"),
    "9000 levels": (b"a: " + b"[" * 9000 + b"]" * 9000, "more than 40 levels deep"),
    "9000 names": (b"".join(b" " * n + b"a:\n" for n in range(900)), "more than 40 levels deep"),
    "a bad escape": (b'a: "\\x"\n', "line 1"),
    "no number": (b"a: !!int x\n", "invalid literal for int"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_configuration_is_one_sentence(name, tmp_path):
    content, reason = ODD[name]
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    refused(lambda: settings.read(path), f"{path} is no configuration of a run (", reason, "--print_config")


def test_what_there_is_not(tmp_path):
    refused(lambda: settings.read(tmp_path / "none.yaml"), tmp_path / "none.yaml", "No such file")
    refused(lambda: settings.read(tmp_path), tmp_path, "Is a directory")


def test_hparams_are_no_configuration(tmp_path):
    for name, content in (("hparams.yaml", "image_shape: !!python/tuple [1, 2]\n"), ("config.yaml", "model: DCGAN\n")):
        (tmp_path / name).write_text(content)
    refused(lambda: settings.read(tmp_path / "hparams.yaml"), f"use {tmp_path / 'config.yaml'}")


def test_numbers_dates_and_aliases(tmp_path):
    path = tmp_path / "fine.yaml"
    path.write_bytes("\ufeffa: 1e-1\nb: 2E3\nc: .5\nd: 2024-13-45\ne: &e {f: größer}\ng: [*e, *e]\n".encode())
    found = {"a": 0.1, "b": 2000.0, "c": 0.5, "d": "2024-13-45", "e": {"f": "größer"}, "g": [{"f": "größer"}] * 2}
    assert settings.read(path) == found


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_it_is_read_in_utf_8_whatever_the_locale(tmp_path):
    (tmp_path / "a.yaml").write_text("name: größer\n", "utf-8")
    code = "import sys; from lit_gans.cli.settings import read; "
    code += r"assert read('a.yaml') == {'name': 'gr\xf6\xdfer'}; print(sys.flags)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | ASCII, capture_output=True)
    assert done.returncode == 0 and b"utf8_mode=0" in done.stdout, done.stderr.decode()


@pytest.mark.slow
def test_fit_reads_and_writes_in_utf_8_whatever_the_locale(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").write_text("# größer\ndata: b.yaml\nmodel: DCGAN\n", "utf-8")
    (tmp_path / "more" / "b.yaml").write_text("class_path: Glyphs\ninit_args: {characters: abc, size: 16}\n")
    (tmp_path / "c.yaml").write_text("# ä\nclass_path: Glyphs\ninit_args: {noise: 1e-1}\n", "utf-8")
    done = run_cli("fit", "--config=more/a.yaml", "--data=c.yaml", "--print_config", cwd=tmp_path, cold=True, **ASCII)
    assert done.returncode == 0, done.stderr
    assert "noise: 0.1" in done.stdout


def test_fit_refuses_and_unfolds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.yaml").write_text(BOMB)
    for words in (["--config", "bomb.yaml"], ["-c=bomb.yaml"], ["--data", "bomb.yaml"], ["--model=bomb.yaml"]):
        with pytest.raises(SystemExit) as end:
            main(["fit", *words])
        assert end.value.code == 1
        assert "bomb.yaml is no configuration of a run (its aliases unfold" in capsys.readouterr().err
    (tmp_path / "set.yaml").write_text("class_path: Glyphs\ninit_args: {noise: 1e-1, characters: 'a: b', size: 16}\n")
    with pytest.raises(SystemExit):
        main(["fit", "--data=set.yaml", "--print_config=skip_null"])
    found = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]
    assert found["noise"] == 0.1 and found["characters"] == "a: b" and found["size"] == 16


def test_other_commands_read_their_files_the_same_way(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.yaml").write_text(BOMB)
    with pytest.raises(SystemExit):
        main(["features", "bomb.yaml"])
    assert "bomb.yaml is no configuration of a run (its aliases unfold" in capsys.readouterr().err


def data_of(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(f"data: {text}\n", "utf-8")
    return open_data("", str(path), None, None)


def test_evaluate_reads_data_as_fit_does(tmp_path):
    data = data_of(
        tmp_path, "{class_path: Glyphs, init_args: {noise: 1e-1, size: [16, 24], characters: äö, count: 50}}"
    )
    assert isinstance(data, Glyphs) and data.noise == 0.1 and data.image_shape == (1, 16, 24)
    assert data.characters == "äö"


@pytest.mark.parametrize(
    "arguments",
    [
        "Glyphs, init_args: {count: .inf}",
        "Glyphs, init_args: {characters: 5}",
        "Glyphs, init_args: {size: 2024-13-45}",
        "Glyphs, init_args: {nose: 1}",
        "Glyphs, init_args: {seed: [[[[[]]]]]}",
        "ImageFolder, init_args: {root: 5}",
    ],
)
def test_settings_of_other_kinds_are_refused(arguments, tmp_path):
    refused(lambda: data_of(tmp_path, f"{{class_path: {arguments}}}"), "cannot be opened")


@pytest.mark.parametrize("text", ["[1]", "5", "{init_args: 3}", "{class_path: x, init_args: [1]}"])
def test_data_sections_of_other_kinds(text, tmp_path):
    refused(lambda: data_of(tmp_path, text), tmp_path / "x.yaml")
