"""``lit-gans translate``, as a user has it but in this process."""

import pytest
import torch
from conftest import fails, fit, small
from PIL import Image

from lit_gans import DCGAN, CaptionedGlyphs, Colorizer, CycleGAN, PairedGlyphs, Pix2Pix, UnpairedGlyphs
from lit_gans.cli.main import main
from lit_gans.networks import ResNetTranslation, UNetTranslation


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Of every kind, hardly trained."""
    folder = tmp_path_factory.mktemp("checkpoints")
    models = {
        "cycle": (
            CycleGAN(image_shape=(3, 16, 16), backbone=ResNetTranslation(width=4, blocks=1)),
            UnpairedGlyphs(size=16, count=20, batch_size=4),
        ),
        "pix": (
            Pix2Pix(image_shape=(3, 16, 16), backbone=UNetTranslation(width=4)),
            PairedGlyphs(size=16, count=20, batch_size=4),
        ),
        "dcgan": (small(DCGAN), None),
        "colour": (small(Colorizer, image_shape=(3, 16, 16)), CaptionedGlyphs(size=16, count=24, batch_size=2)),
    }
    for name, (model, data) in models.items():
        fit(folder / name, model, data, max_steps=1, limit_val_batches=0)
    return {name: folder / name / "checkpoints" / "last.ckpt" for name in models}


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures of two sizes, one of them grey, and of something else."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, size in enumerate([(20, 31), (20, 31), (17, 9)]):
        Image.effect_noise(size, 60).convert("L" if number == 1 else "RGB").save(folder / f"{number}.png")
    Image.effect_noise((20, 31), 60).convert("RGB").save(folder / "3.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def translate(*arguments):
    main(["translate", *map(str, arguments)])


def test_a_folder_keeps_names_and_sizes(checkpoints, photos, tmp_path, capsys):
    (photos / "broken.png").write_bytes(b"no picture")
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out", "--batch_size", 2)
    made = {file.name: Image.open(file).size for file in (tmp_path / "out").iterdir()}
    assert made == {"0.png": (20, 31), "1.png": (20, 31), "2.png": (17, 9), "3.jpg": (20, 31)}
    done = capsys.readouterr()
    assert "4 pictures in" in done.out and "skipped" in done.err and "broken.png" in done.err


def test_a_batch_changes_nothing(checkpoints, photos, tmp_path):
    for batch in (1, 8):
        translate(checkpoints["cycle"], photos, "--output", tmp_path / str(batch), "--batch_size", batch)
    for name in ("0.png", "2.png"):
        alone, together = (
            torch.frombuffer(bytearray(Image.open(tmp_path / str(b) / name).tobytes()), dtype=torch.uint8)
            for b in (1, 8)
        )
        assert (alone.int() - together.int()).abs().max() <= 1


def test_the_directions_differ(checkpoints, photos, tmp_path):
    for direction in ("AtoB", "BtoA"):
        output = tmp_path / f"{direction}.png"
        translate(checkpoints["cycle"], photos / "0.png", "--output", output, "--direction", direction)
    assert Image.open(tmp_path / "AtoB.png").tobytes() != Image.open(tmp_path / "BtoA.png").tobytes()


def test_by_way_of_a_smaller_size(checkpoints, photos, tmp_path):
    translate(checkpoints["pix"], photos / "0.png", "--output", tmp_path / "a.webp", "--size", 12)
    assert Image.open(tmp_path / "a.webp").size == (20, 31)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["pix", "nowhere.png"], "there is no file or folder nowhere.png"),
        (["dcgan", "0.png"], "holds a DCGAN, which draws from noise"),
        (["pix", "0.png", "--direction", "BtoA"], "a Pix2Pix translates one way only"),
        (["pix", "notes.txt"], "cannot be used as a picture"),
        (["pix", ".", "--output", "out.png"], "is a folder, so output must be one too"),
        (["pix", "0.png", "--output", "0.png"], "would replace"),
        (["pix", ".", "--output", "."], "would replace"),
        (["pix", "0.png", "--batch_size", "0"], "batch_size must be at least 1"),
        (["pix", "0.png", "--size", "2"], "size must be at least 8"),
        (["pix", "0.png", "--device", "tpu9"], "cannot be used"),
    ],
)
def test_errors_are_one_sentence(arguments, message, checkpoints, photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    with pytest.raises(SystemExit):
        translate(checkpoints[arguments[0]], *arguments[1:])
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_folders_in_the_folder_keep_their_names(checkpoints, photos, tmp_path, capsys):
    for name in ("cats/0.png", "cats/deep/0.png", ".hidden.png", ".git/0.png", "dogs/Upper.GIF"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 31), 60).convert("RGB").save(photos / name)
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out")
    made = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert made == ["0.png", "1.png", "2.png", "3.jpg", "cats/0.png", "cats/deep/0.png", "dogs/Upper.GIF"]
    assert "7 pictures in" in capsys.readouterr().out


def test_class_folders_alone(checkpoints, photos, tmp_path, capsys):
    (tmp_path / "classes" / "cats").mkdir(parents=True)
    (photos / "0.png").rename(tmp_path / "classes" / "cats" / "0.png")
    translate(checkpoints["cycle"], tmp_path / "classes", "--output", tmp_path / "out")
    assert (tmp_path / "out" / "cats" / "0.png").is_file()


@pytest.mark.parametrize("size", [(500, 1), (1, 1)])
def test_one_odd_picture_does_not_end_it(checkpoints, photos, tmp_path, capsys, size):
    for name in ("1a.png", "1b.png"):  # two of a size are translated together
        Image.effect_noise(size, 60).convert("RGB").save(photos / name)
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out")
    made = {file.name for file in (tmp_path / "out").iterdir()}
    assert made == {"0.png", "1.png", "2.png", "3.jpg"}
    done = capsys.readouterr()
    assert "4 pictures in" in done.out and done.err.count(f"{size[0]}x{size[1]} pixels cannot be translated") == 2
    with pytest.raises(SystemExit):
        translate(checkpoints["cycle"], photos / "1a.png", "--output", tmp_path / "b.png")
    error = capsys.readouterr().err
    assert "no picture was translated" in error and "1a.png" in error and "Traceback" not in error


def test_one_too_large_for_the_memory_does_not_end_it(checkpoints, photos, tmp_path, capsys, monkeypatch):
    whole = CycleGAN.translate
    monkeypatch.setattr("lit_gans.cli.translate._LARGE", 20)
    seen = []

    def small_memory(self, images, **how):
        seen.append(len(images))
        if images.numel() > 3 * 20 * 31:
            raise RuntimeError("can't allocate memory")
        return whole(self, images, **how)

    monkeypatch.setattr(CycleGAN, "translate", small_memory)
    Image.effect_noise((60, 40), 60).convert("RGB").save(photos / "1large.png")
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out")
    done = capsys.readouterr()
    assert 2 in seen and "4 pictures in" in done.out and "1large.png" in done.err and "--size" in done.err
    assert "1large.png" not in {file.name for file in (tmp_path / "out").iterdir()}


def test_kinds_that_nothing_reads_are_named(checkpoints, photos, tmp_path, capsys):
    for name in ("IMG_1.PSD", ".hidden.psd", "notes.txt"):
        (photos / name).write_bytes(b"x")
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out")
    said = capsys.readouterr()
    assert "IMG_1.PSD: .PSD is not read; make it a .jpg or a .png" in said.err and "4 pictures in" in said.out
    assert "hidden" not in said.err and "notes" not in said.err


def test_a_picture_that_its_form_cannot_hold_does_not_end_it(checkpoints, photos, tmp_path, capsys, monkeypatch):
    save = Image.Image.save

    def narrow(self, file, format=None, **more):
        if format == "JPEG":
            raise ValueError("encoding error 5: Image size exceeds limit")
        save(self, file, format, **more)

    monkeypatch.setattr(Image.Image, "save", narrow)
    translate(checkpoints["cycle"], photos, "--output", tmp_path / "out")
    done = capsys.readouterr()
    assert "3 pictures in" in done.out and "3.jpg: it cannot be written" in done.err
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_no_picture_is_replaced_unasked(checkpoints, photos, tmp_path, capsys):
    kept = {file.name: file.read_bytes() for file in photos.iterdir()}

    def refused(*arguments):
        with pytest.raises(SystemExit):
            translate(checkpoints["cycle"], *arguments)
        error = capsys.readouterr().err
        assert "--force" in error and "Traceback" not in error
        assert kept == {file.name: file.read_bytes() for file in photos.iterdir()}
        return error

    assert "1.png is there already" in refused(photos / "0.png", "--output", photos / "1.png")
    (tmp_path / "other").mkdir()
    (photos / "0.png").rename(tmp_path / "other" / "0.png")
    (tmp_path / "other" / "1.png").write_bytes(kept["1.png"])
    (tmp_path / "other" / "new.png").write_bytes(kept.pop("0.png"))
    (photos / "0.png").write_bytes(kept.setdefault("0.png", b"mine"))
    assert "0.png and 1 more files are there" in refused(tmp_path / "other", "--output", photos)
    assert not (photos / "new.png").exists()
    translate(checkpoints["cycle"], tmp_path / "other", "--output", photos, "--force")
    assert Image.open(photos / "0.png").size == (20, 31) and (photos / "new.png").exists()


def test_an_earlier_output_in_the_folder_is_no_picture(checkpoints, photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    translate(checkpoints["cycle"], ".", "--output", "translated")
    translate(checkpoints["cycle"], ".", "--output", "translated", "--force")
    assert sorted(p.name for p in (photos / "translated").iterdir()) == ["0.png", "1.png", "2.png", "3.jpg"]


def test_an_ending_that_is_no_picture(checkpoints, photos, tmp_path, capsys):
    (photos / "0.png").rename(photos / "picture")
    with pytest.raises(SystemExit):
        translate(checkpoints["cycle"], photos / "picture", "--output", tmp_path / "out")
    assert "must end in .jpg" in capsys.readouterr().err
    translate(checkpoints["cycle"], photos / "picture", "--output", tmp_path / "a.gif")
    assert Image.open(tmp_path / "a.gif").size == (20, 31)


# ---------------------------------------------------------------- folders, for every command that reads pictures


@pytest.fixture
def messy(tmp_path):
    """Folders in folders, a link, kinds of all sorts, and what is odd."""
    folder = tmp_path / "messy"
    (folder / "cat" / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    picture = Image.effect_noise((20, 31), 60).convert("RGB")
    for name in ("a.jpg", "cat/b.png", "cat/deep/c.webp", "cat/d.BMP", ".hidden.jpg", ".git/x.png"):
        picture.save(folder / name)
    (folder / "cat" / "broken.png").write_bytes(b"\x89PNG and no more")
    (folder / "linked").symlink_to(folder / "cat", target_is_directory=True)
    Image.new("1", (4000, 3000)).save(folder / "huge.png")
    return folder


USABLE = {"a.jpg", "cat/b.png", "cat/deep/c.webp", "cat/d.BMP"}


@pytest.mark.parametrize(("command", "model"), [("translate", "cycle"), ("colorize", "colour")])
def test_a_messy_folder_keeps_names_and_kinds(command, model, checkpoints, messy, tmp_path, capsys):
    out, words = tmp_path / "out", ["--max_megapixels", "10"]
    main([command, str(checkpoints[model].parent.parent), str(messy), "--output", str(out), *words])
    done = capsys.readouterr()
    assert {file.relative_to(out).as_posix() for file in out.rglob("*.*") if file.is_file()} == USABLE
    for name, kind in {"a.jpg": "JPEG", "cat/deep/c.webp": "WEBP", "cat/d.BMP": "BMP"}.items():
        with Image.open(out / name) as picture:
            assert picture.format == kind and picture.size == (20, 31)
    assert "4 pictures in" in done.out and done.err.count("skipped ") == 2
    assert "broken.png cannot be used" in done.err and "BytesIO" not in done.err
    assert "12 megapixels" in done.err and "raise --max_megapixels" in done.err
    before = (out / "a.jpg").read_bytes()
    assert "are there already" in fails(command, checkpoints[model], messy, "--output", out)
    assert (out / "a.jpg").read_bytes() == before


def test_invert_skips_what_cannot_be_read(checkpoints, messy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    how = ["--steps", "2", "--restarts", "1", "--max_megapixels", "10"]
    main(["invert", str(checkpoints["dcgan"]), str(messy), *how, "--output", "found.jpg"])
    done = capsys.readouterr()
    assert "4 pictures, each above its reconstruction" in done.out and done.err.count("skipped ") == 2
    with Image.open(tmp_path / "found.jpg") as picture:
        assert picture.format == "JPEG"
    error = fails("invert", checkpoints["dcgan"], messy / "cat/broken.png", *how)
    assert "no picture was inverted" in error and "broken.png" in error


def test_hints_are_for_one_picture(checkpoints, photos):
    words = ["--hint", "3,4,brown"]
    assert "a hint is a place in one picture" in fails("colorize", checkpoints["colour"], photos, *words)


def test_a_folder_may_have_a_dot_and_too_few_pixels_are_named(checkpoints, photos, tmp_path, capsys):
    Image.new("RGB", (50, 1)).save(photos / "line.png")
    translate(checkpoints["cycle"], photos / "0.png", "--output", f"{tmp_path}/my.png/")
    assert (tmp_path / "my.png" / "0.png").is_file()
    error = fails("translate", checkpoints["cycle"], photos / "line.png", "--output", tmp_path / "x.png")
    assert "50x1 pixels cannot be translated (they are too few for the networks)" in error
    assert "there is no file or folder" in fails("translate", checkpoints["cycle"], tmp_path / "nowhere")
