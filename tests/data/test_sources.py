"""Where pictures are, and how one becomes pixels: every form of file, the right part of it the right way up."""

import io
import multiprocessing
import os
import pickle
import shutil
import warnings
import zipfile
import zlib

import lmdb
import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from lit_gans.data.sources import Folder, Joined, Lmdb, Zip, open_source
from lit_gans.images.frame import CorruptPicture, Frame

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))


def encode(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def solid(colour, size=(8, 8), mode="RGB", kind="PNG", **options):
    return encode(Image.new(mode, size, colour), kind, **options)


def quadrants(width, height):
    """Red and green above, blue and yellow below."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture


def coordinates(width, height):
    """Red is x and green is y: a pixel tells where it was."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(width), np.arange(height)[:, None]
    return Image.fromarray(pixels)


def corners(image):
    """The colours in the middle of the four quadrants."""
    _, height, width = image.shape
    return [
        tuple(image[:, y, x].tolist()) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)
    ]


def write_lmdb(place, pictures, per_commit=7):
    env = lmdb.open(str(place), map_size=1 << 26)
    items = list(pictures.items())
    for first in range(0, len(items), per_commit):
        with env.begin(write=True) as transaction:
            for key, value in items[first : first + per_commit]:
                transaction.put(key, value)
    env.close()
    (place / "lock.mdb").unlink(missing_ok=True)
    return place


# -------------------------------------------------------------------- pixels


@pytest.mark.parametrize("size", [(16, 16), (16, 32), (33, 17)])
@pytest.mark.parametrize("picture", [(64, 64), (90, 60), (60, 90), (301, 40), (9, 10)], ids=str)
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_the_middle_is_the_middle(size, picture, fit):
    image = Frame(size, fit=fit)(encode(quadrants(*picture)))
    assert image.shape == (3, *size) and image.dtype == torch.uint8
    near = torch.tensor(corners(image)) - torch.tensor([RED, GREEN, BLUE, YELLOW])
    assert near.abs().max() <= 40  # bicubic filters overshoot near edges
    assert (torch.tensor(corners(image)) > 127).tolist() == (torch.tensor([RED, GREEN, BLUE, YELLOW]) > 127).tolist()


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (1, 1), (64, 3)])
def test_a_picture_of_the_right_size_is_kept_as_it_is(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Frame(shape)(encode(Image.fromarray(pixels)))
    assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(pixels))
    grey = Frame(shape, channels=1)(encode(Image.fromarray(pixels[..., 0])))
    assert torch.equal(grey[0], torch.from_numpy(pixels[..., 0].copy()))


@pytest.mark.parametrize("crop", [108, 140, 148, 177, 178])
def test_the_crops_of_celeba(crop):
    image = Frame((crop, crop), crop=crop)(encode(coordinates(178, 218)))
    whole = torch.from_numpy(np.asarray(coordinates(178, 218)).copy()).permute(2, 0, 1)
    assert torch.equal(image, transforms.center_crop(whole, [crop, crop]))


@pytest.mark.parametrize("picture", [(100, 50), (50, 100)], ids=str)
def test_cropped_and_stretched(picture):
    wide = picture[0] > picture[1]
    along = 0 if wide else 1
    cropped = Frame((50, 50))(encode(coordinates(*picture)))
    line = cropped[along, 0, :] if wide else cropped[along, :, 0]
    assert line.tolist() == list(range(25, 75))
    stretched = Frame((50, 50), fit="stretch")(encode(coordinates(*picture)))
    line = stretched[along, 0, :] if wide else stretched[along, :, 0]
    assert line[0] <= 1 and line[-1] >= 98 and line.float().diff().mean() == pytest.approx(2, abs=0.05)


def test_the_middle_of_other_shapes():
    image = Frame((20, 60))(encode(coordinates(100, 50)))  # 100x33 of it
    assert image[0, 0, 0] <= 1 and image[0, 0, -1] >= 98
    assert 8 <= image[1, 0, 0] <= 9 and 40 <= image[1, -1, 0] <= 41


def test_resizing_is_bicubic_and_antialiased():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    whole = torch.from_numpy(pixels).permute(2, 0, 1)
    expected = transforms.resize(whole, [16, 12], transforms.InterpolationMode.BICUBIC, antialias=True)
    image = Frame((16, 12))(encode(Image.fromarray(pixels)))
    assert torch.equal(image, expected)
    pillow = torch.from_numpy(np.asarray(Image.fromarray(pixels).resize((12, 16), Image.Resampling.BICUBIC)).copy())
    assert (image.permute(1, 2, 0).int() - pillow.int()).abs().max() <= 1


@pytest.mark.parametrize("half, offset", [("left", 0), ("right", 40)])
@pytest.mark.parametrize("size, first, last", [((30, 40), (0, 0), (39, 29)), ((30, 30), (5, 0), (34, 29))])
def test_halves(half, offset, size, first, last):
    image = Frame(size, half=half)(encode(coordinates(80, 30)))
    assert image[:2, 0, 0].tolist() == [first[0] + offset, first[1]]
    assert image[:2, -1, -1].tolist() == [last[0] + offset, last[1]]


def test_halves_of_an_odd_width():
    with pytest.raises(CorruptPicture, match="even width, but this is 81x30"):
        Frame((30, 40), half="left")(encode(coordinates(81, 30)))


def test_a_crop_larger_than_the_picture():
    with pytest.raises(CorruptPicture, match="100x218 pixels, smaller than the crop of 178"):
        Frame((8, 8), crop=178)(encode(coordinates(100, 218)))


STORED = {  # how an upright picture is turned before it is stored with an orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_put_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = quadrants(48, 32)
    if orientation in STORED:
        stored = stored.transpose(STORED[orientation])
    image = Frame((32, 48))(encode(stored, kind, exif=exif))  # not square, so that a turned one would be cut
    assert (torch.tensor(corners(image)) > 127).tolist() == (torch.tensor([RED, GREEN, BLUE, YELLOW]) > 127).tolist()
    assert image[1, :16, :20].max() < 60 and image[0, 20:, 30:].min() > 190


GREY16 = np.full((8, 8), 200 * 257, np.uint16)
MODES = {
    "grey": (solid(120, mode="L"), (120,) * 3),
    "grey jpeg": (solid(120, mode="L", kind="JPEG"), (120,) * 3),
    "black and white": (solid(1, mode="1"), (255,) * 3),
    "palette": (encode(Image.new("RGB", (8, 8), BLUE).quantize(4)), BLUE),
    "gif": (encode(Image.new("RGB", (8, 8), BLUE).quantize(4), "GIF"), BLUE),
    "bmp": (solid(YELLOW, kind="BMP"), YELLOW),
    "webp": (solid(YELLOW, kind="WEBP", lossless=True), YELLOW),
    "cmyk": (solid((0, 255, 255, 0), mode="CMYK", kind="JPEG"), RED),
    "cmyk tiff": (solid((0, 255, 255, 0), mode="CMYK", kind="TIFF"), RED),
    "transparent": (solid((9, 9, 9, 0), mode="RGBA"), (255,) * 3),
    "half transparent": (solid((0, 0, 0, 128), mode="RGBA"), (127,) * 3),
    "opaque": (solid((*BLUE, 255), mode="RGBA"), BLUE),
    "grey and alpha": (solid((9, 0), mode="LA"), (255,) * 3),
    "transparent colour": (solid((1, 2, 3), transparency=(1, 2, 3)), (255,) * 3),
    "transparent grey": (solid(7, mode="L", transparency=7), (255,) * 3),
    "transparent entry": (solid(7, mode="P", kind="GIF", transparency=7), (255,) * 3),
    "16 bits": (encode(Image.fromarray(GREY16)), (200,) * 3),
    "16 bits tiff": (encode(Image.fromarray(GREY16), "TIFF"), (200,) * 3),
    "16 bits, big-endian": (encode(Image.fromarray(GREY16.astype(">u2")), "TIFF"), (200,) * 3),
    "16 bits pgm": (b"P5\n8 8\n65535\n" + GREY16.astype(">u2").tobytes(), (200,) * 3),
    "16 bits white": (encode(Image.fromarray(np.full((8, 8), 65535, np.uint16))), (255,) * 3),
}


@pytest.mark.parametrize("name", MODES)
def test_modes(name):
    data, colour = MODES[name]
    image = Frame((8, 8))(data)
    assert image.shape == (3, 8, 8) and (image.flatten(1).int().T - torch.tensor(colour)).abs().max() <= 3
    grey = Frame((8, 8), channels=1)(data)
    expected = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert grey.shape == (1, 8, 8) and (grey.float() - expected).abs().max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_cut_files(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encode(Image.fromarray(noise), kind)
    Frame((8, 8))(whole)
    for length in (0, 1, 10, 100, len(whole) // 2, int(len(whole) * 0.9)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(CorruptPicture) as error:
                Frame((8, 8))(whole[:length])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"<html>Quota exceeded</html>", b"\0" * 500, os.urandom(500)], ids=range(4))
def test_files_that_are_no_picture(data):
    with pytest.raises(CorruptPicture):
        Frame((8, 8))(data)


# -------------------------------------------------------------------- places

LISTED = ["Upper.JPG", "a.png", "cats/1.png", "cats/10.jpeg", "cats/2.webp", "cats/deep/0.gif", "umlaut-ü.png"]
PASSED = [".hidden.png", ".git/a.png", "__MACOSX/a.png", "__MACOSX/._a.png", "notes.txt", "cats/Thumbs.db", "png"]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "set"
    for number, name in enumerate(LISTED + PASSED):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(solid((number, 0, 0)))
    return place


def zipped(folder, compression=zipfile.ZIP_STORED):
    place = folder.with_suffix(".zip")
    with zipfile.ZipFile(place, "w", compression) as file:
        for path in sorted(folder.rglob("*"), reverse=True):
            file.write(path, path.relative_to(folder))
    return place


def reds(source):
    return [int(Frame((1, 1))(source.read(number))[0]) for number in range(len(source))]


def test_a_folder(folder):
    source = open_source(folder)
    assert isinstance(source, Folder) and source.names == LISTED and reds(source) == list(range(len(LISTED)))
    assert source.where(2) == str(folder / "cats" / "1.png")
    part = source.select(["cats/2.webp", "a.png"])
    assert reds(part) == [4, 1] and part.where(0) == str(folder / "cats" / "2.webp")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip(folder, compression):
    source = open_source(zipped(folder, compression))
    assert isinstance(source, Zip) and source.names == LISTED and reds(source) == list(range(len(LISTED)))
    assert reds(source.select(["cats/2.webp", "a.png"])) == [4, 1]
    data = (folder / LISTED[0]).read_bytes()
    assert source.stamps()[0] == (len(data), zlib.crc32(data))
    source.close()


def test_linked_folders_are_followed(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "set").symlink_to(folder)
    assert open_source(other).names == [f"set/{name}" for name in LISTED]


def test_an_lmdb(tmp_path):
    keys = [b"zz", b"aa", b"\xe9\xff\x00", b"mm"]
    place = write_lmdb(tmp_path / "x_lmdb", {key: solid((number, 0, 0)) for number, key in enumerate(keys)})
    source = open_source(place)
    assert isinstance(source, Lmdb) and [n.encode("latin-1") for n in source.names] == sorted(keys)
    assert reds(source) == [1, 3, 0, 2]
    source.close()
    assert [path.name for path in place.iterdir()] == ["data.mdb"]  # read-only: no lock file


def test_sources_one_after_another(tmp_path, folder):
    place = write_lmdb(tmp_path / "x_lmdb", {b"k%d" % n: solid((100 + n, 0, 0)) for n in range(3)})
    source = Joined([open_source(folder), open_source(place), open_source(zipped(folder))])
    expected = [*range(len(LISTED)), 100, 101, 102, *range(len(LISTED))]
    assert reds(source) == expected and len(source) == len(expected)
    source.close()  # an LMDB cannot be open twice in a process
    again = pickle.loads(pickle.dumps(source))
    assert reds(again) == expected
    assert source.where(8).startswith(str(place)) and source.where(0) == str(folder / LISTED[0])
    again.close()


@pytest.mark.parametrize("kind", ["folder", "zip", "lmdb"])
def test_other_processes_open_a_source_anew(tmp_path, folder, kind):
    pictures = {b"%d" % n: solid((n, 0, 0)) for n in range(7)}
    places = {"folder": folder, "zip": zipped(folder), "lmdb": write_lmdb(tmp_path / "x_lmdb", pictures)}
    source = open_source(places[kind])
    expected = [source.read(number) for number in range(7)]
    if kind == "lmdb":  # which may not be open when other processes are made
        source.close()

    def work():
        for _ in range(50):
            assert [source.read(number) for number in range(7)] == expected

    processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    source.close()


# -------------------------------------------------------------------- what is wrong with places


def test_nothing_there(tmp_path):
    refused(lambda: open_source(tmp_path / "none"), tmp_path / "none", "does not exist", "folder of images or a zip")


def test_no_picture_there(tmp_path):
    (tmp_path / "set").mkdir()
    refused(lambda: open_source(tmp_path / "set"), tmp_path / "set", "holds no image", ".jpg")
    (tmp_path / "set" / "notes.txt").write_text("none")
    refused(lambda: open_source(tmp_path / "set"), tmp_path / "set", "holds no image")
    refused(lambda: open_source(zipped(tmp_path / "set")), tmp_path / "set.zip", "holds no image")
    write_lmdb(tmp_path / "x_lmdb", {})
    refused(lambda: open_source(tmp_path / "x_lmdb"), tmp_path / "x_lmdb", "holds no image")


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "a\\..\\..\\evil.png"])
def test_names_that_lead_out_of_a_zip(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("good.png", solid(RED))
        file.writestr(name, solid(RED))
    refused(lambda: open_source(tmp_path / "set.zip"), tmp_path / "set.zip", "leads out of it", "do not trust")
    assert not list(tmp_path.parent.rglob("evil.png"))


def test_a_cut_zip(folder):
    place = zipped(folder)
    whole = place.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        place.write_bytes(whole[:length])
        refused(lambda: open_source(place), place, "not a whole zip", "fetch it anew")


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "one.jpg").write_bytes(solid(RED, kind="JPEG"))
    refused(lambda: open_source(tmp_path / "one.jpg"), tmp_path / "one.jpg", "not a whole zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_picture_in_a_zip(folder, compression):
    place = zipped(folder, compression)
    with zipfile.ZipFile(place) as file:
        info = file.getinfo("a.png")
    data = bytearray(place.read_bytes())
    at = info.header_offset + 30 + len("a.png") + 5
    data[at : at + 10] = b"\xff" * 10
    place.write_bytes(data)
    source = open_source(place)
    with pytest.raises(CorruptPicture):
        source.read(1)
    assert reds(source.select(["Upper.JPG"])) == [0]
    source.close()


def test_a_zip_with_a_password(folder):
    place = zipped(folder)
    with zipfile.ZipFile(place) as file:
        info = file.getinfo("a.png")
    data = bytearray(place.read_bytes())
    data[info.header_offset + 6] |= 1
    entry = max(
        at for at in range(len(data) - 46) if data[at : at + 4] == b"PK\1\2" and data[at + 46 :][:5] == b"a.png"
    )
    data[entry + 8] |= 1
    place.write_bytes(data)
    with pytest.raises(CorruptPicture, match="password"):
        open_source(place).read(1)


@pytest.mark.parametrize("share", [0, 100, 5000, 20_000, 0.3, 0.5, 0.9])
def test_a_cut_lmdb(tmp_path, share):
    # to read a page that is not there kills a process without a word
    noise = np.random.default_rng(0).integers(0, 256, (20, 60, 60, 3), dtype=np.uint8)
    place = write_lmdb(tmp_path / "x_lmdb", {b"%d" % n: encode(Image.fromarray(p)) for n, p in enumerate(noise)})
    assert len(open_source(place)) == 20
    whole = (place / "data.mdb").read_bytes()
    (place / "data.mdb").write_bytes(whole[: int(share * len(whole)) if isinstance(share, float) else share])
    refused(lambda: open_source(place), place, "not a whole LMDB", "fetch it anew")
    (place / "data.mdb").write_bytes(whole)
    source = open_source(place)
    assert all(source.read(n) for n in range(20))
    source.close()


def test_an_lmdb_of_something_else(tmp_path):
    (tmp_path / "x_lmdb").mkdir()
    (tmp_path / "x_lmdb" / "data.mdb").write_bytes(os.urandom(100_000))
    refused(lambda: open_source(tmp_path / "x_lmdb"), tmp_path / "x_lmdb", "not a whole LMDB")


def test_a_link_to_nowhere(folder):
    before = open_source(folder).fingerprint()
    (folder / "b.png").symlink_to(folder / "gone.png")
    source = open_source(folder)
    assert source.fingerprint() != before
    with pytest.raises(OSError):
        source.read(source.names.index("b.png"))


def test_a_name_that_is_not_utf8(folder):
    path = os.fsencode(folder) + b"/\xff.png"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(solid((77, 0, 0)))
    source = open_source(folder)
    assert source.fingerprint() and reds(source)[-1] == 77


def test_fingerprint(folder):
    seen = [open_source(folder).fingerprint()]
    assert open_source(folder).fingerprint() == seen[0]
    data = (folder / "a.png").read_bytes()
    for change in (
        lambda: os.utime(folder / "a.png", ns=(1, 1)),
        lambda: (folder / "a.png").write_bytes(data + b"\0"),
        lambda: (folder / "a.png").rename(folder / "b.png"),
        lambda: (folder / "b.png").unlink(),
    ):
        change()
        seen.append(open_source(folder).fingerprint())
    assert len({*seen}) == 5


def test_a_place_has_one_fingerprint_by_whatever_way(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert open_source(tmp_path / "link").fingerprint() == open_source(folder).fingerprint()
    shutil.copytree(folder, tmp_path / "copy")
    assert open_source(tmp_path / "copy").fingerprint() != open_source(folder).fingerprint()


def test_a_zip_is_known_by_its_checksums(folder):
    before = open_source(zipped(folder)).fingerprint()
    os.utime(folder / "a.png", (10**9, 10**9))
    assert open_source(zipped(folder)).fingerprint() == before
    data = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(bytes(len(data)))
    assert open_source(zipped(folder)).fingerprint() != before


def test_an_lmdb_of_the_same_size_with_other_pictures(tmp_path):
    seen = set()
    for number in (1, 2):
        env = lmdb.open(str(tmp_path / "x_lmdb"), map_size=1 << 20)
        with env.begin(write=True) as transaction:
            transaction.put(b"a", solid((number, 0, 0)))
        env.close()
        os.utime(tmp_path / "x_lmdb" / "data.mdb", (1, 1))
        seen.add(open_source(tmp_path / "x_lmdb").fingerprint())
    assert len(seen) == 2
