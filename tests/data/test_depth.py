"""Pictures of other depths than 8 bits: what the file says, what the user says, and what nobody can know."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image

from lit_gans.data import ImageFolder
from lit_gans.images.frame import CorruptPicture, Frame
from lit_gans.images.photos import SUFFIXES

RAMP = np.arange(256).reshape(16, 16)  # from black to white
GREY = Frame((16, 16), channels=1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))


def encode(numbers, kind="TIFF", **options):
    file = io.BytesIO()
    Image.fromarray(numbers).save(file, kind, **options)
    return file.getvalue()


def png(numbers, significant=None, exif=b""):
    """A PNG of 16 bits, (H, W) or (H, W, 1 to 4), with an sBIT chunk."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = numbers.shape[:2]
    colours = numbers.shape[2] if numbers.ndim == 3 else 1
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, (0, 4, 2, 6)[colours - 1], 0, 0, 0))
    told = chunk(b"sBIT", bytes([significant] * colours)) if significant else b""
    turn = chunk(b"eXIf", exif) if exif else b""
    return b"\x89PNG\r\n\x1a\n" + head + told + turn + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(numbers, most=None):
    """A TIFF of 16 bits, (H, W, 3)."""
    height, width = numbers.shape[:2]
    tags = {256: width, 257: height, 258: 16, 259: 1, 262: 2, 273: 8, 277: 3, 278: height, 279: numbers.size * 2}
    tags |= {281: most} if most else {}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    body = numbers.astype("<u2").tobytes()
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def colours(numbers, *more):
    return np.stack([numbers, numbers, numbers, *more], 2)


def shown(data, **how):
    return Frame((16, 16), channels=1, **how)(data)[0].int().numpy()


def near(image, expected=RAMP, tolerance=1):
    return np.abs(image - expected).max() <= tolerance


DEEP = {
    "float, 0 to 1": encode((RAMP / 255).astype(np.float32)),
    "float, 0 to 255": encode(RAMP.astype(np.float32)),
    "float that says -1 to 1": encode((RAMP / 127.5 - 1).astype(np.float32), tiffinfo={340: -1.0, 341: 1.0}),
    "int32 that says 0 to 255": encode(RAMP.astype(np.int32), tiffinfo={340: 0.0, 341: 255.0}),
    "12 of 16 bits, by SMax": encode((RAMP * 4095 // 255).astype(np.uint16), tiffinfo={341: 4095.0}),
    "12 of 16 bits, by Max": encode((RAMP * 4095 // 255).astype(np.uint16), tiffinfo={281: 4095}),
    "12 of 16 bits, by sBIT": png(RAMP * 4095 // 255, 12),
    "12 bits stretched to 16, by sBIT": png((RAMP * 4095 // 255) << 4, 12),
    "16 bits": png(RAMP * 257),
    "16 bits, white is 0": encode((65535 - RAMP * 257).astype(np.uint16), tiffinfo={262: 0}),
    "16 bits of colour in a TIFF": tiff(colours(RAMP * 257)),
    "12 of 16 bits of colour in a TIFF": tiff(colours(RAMP * 4095 // 255), 4095),
    "12 of 16 bits of colour": png(colours(RAMP * 4095 // 255), 12),
}


@pytest.mark.parametrize("name", DEEP)
def test_the_file_says_what_is_black_and_white(name):
    assert near(shown(DEEP[name])), shown(DEEP[name])


def test_a_dark_picture_of_few_significant_bits_stays_dark():
    """It is stretched to 16 bits, as the standard asks; that it has small numbers alone is no sign of another range."""
    assert near(shown(png(RAMP // 32 << 4, 12)), 0)


SAID = {
    "12 of 16 bits": (png(RAMP * 4095 // 255), (0, 4095)),
    "int32": (encode(RAMP.astype(np.int32) * 1000 - 5000), (-5000, 250_000)),
    "float": (encode((RAMP * 10 - 1000).astype(np.float32)), (-1000, 1550)),
    "8 bits": (encode((RAMP // 16).astype(np.uint8), "PNG"), (0, 15)),
    "colour of 16 bits and opaque": (png(colours(RAMP * 4095 // 255, RAMP * 0 + 65535)), (0, 4095)),
    "colour of 16 bits in a TIFF": (tiff(colours(RAMP * 4095 // 255)), (0, 4095)),
    "colour of 16 bits": (png(colours(RAMP * 4095 // 255)), (0, 4095)),
    "what the file says wrongly": (encode(RAMP.astype(np.int32), tiffinfo={341: 9999.0}), (0, 255)),
}


@pytest.mark.parametrize("name", SAID)
def test_the_user_says_what_is_black_and_white(name):
    data, limits = SAID[name]
    assert near(shown(data, file_range=limits), RAMP // 16 * 17 if name == "8 bits" else RAMP)


def test_what_lies_outside_the_range_is_cut_off():
    assert near(shown(DEEP["16 bits"], file_range=(100 * 257, 101 * 257)), (RAMP > 100) * 255, 0)


def test_pictures_of_8_bits_beside_deeper_ones_are_left_alone():
    assert near(shown(encode(RAMP.astype(np.uint8), "PNG"), file_range=(0, 4095)), tolerance=0)


def test_transparency_is_not_scaled():
    picture = Image.new("RGBA", (16, 16), (15, 0, 0, 0))
    file = io.BytesIO()
    picture.save(file, "PNG")
    assert Frame((16, 16), file_range=(0, 15))(file.getvalue()).min() == 255


def test_a_deep_picture_is_put_upright():
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = exif.tobytes().removeprefix(b"Exif\0\0")
    for picture in (png(RAMP * 257, exif=turned), png(colours(RAMP * 257), 16, exif=turned)):
        for how in ({}, {"file_range": (0, 65535)}):
            assert near(shown(picture, **how), RAMP[::-1, ::-1])


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (RAMP.astype(np.int32), "int32 numbers go from 0 to 255 and it does not say which are black and white"),
        (RAMP.astype(np.float32) * 100, "float32 numbers go from 0 to 25500"),
        (RAMP.astype(np.float32) - 1, "from -1 to 254"),
        (np.full((4, 4), np.nan, np.float32), "NaN"),
    ],
)
def test_what_nobody_can_know_is_refused(numbers, reason):
    with pytest.raises(CorruptPicture, match=reason):
        GREY(encode(numbers))
    if "NaN" not in reason:
        with pytest.raises(CorruptPicture, match=r"give data.file_range=\[low, high\]"):
            GREY(encode(numbers))


def folder(tmp_path, data, ending="png", count=3):
    place = tmp_path / "set"
    place.mkdir()
    assert f".{ending}" in SUFFIXES
    for number in range(count):
        (place / f"{number}.{ending}").write_bytes(data)
    return place


def said(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.setup("fit")
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(("level", "colour"), [(300, "black"), (65000, "white"), (30000, None)])
def test_a_set_that_comes_out_nearly_black_or_white_is_named(level, colour, tmp_path):
    place = folder(tmp_path, png(np.full((16, 16), level)))
    messages = [message for message in said(ImageFolder(str(place), size=8)) if "came out" in message]
    if colour is None:
        assert messages == []
    else:
        assert f"3 of 3 pictures that were looked at in {place} came out nearly {colour}" in messages[0]
        assert "0.png" in messages[0] and "data.file_range=[low, high]" in messages[0]


def test_a_set_with_a_range(tmp_path):
    place = folder(tmp_path, DEEP["16 bits"])
    data = ImageFolder(str(place), size=16, channels=1, bits=8, file_range=[0, 255 * 64])
    assert said(data) == []
    image = data.splits["train"][[0]]["image"][0, 0]
    assert near(image.int().numpy(), (RAMP * 257 / 64).clip(max=255))
    whole = ImageFolder(str(place), size=16, channels=1, bits=8)  # not the other one's cache
    whole.setup("fit")
    assert not torch.equal(image, whole.splits["train"][[0]]["image"][0, 0])


@pytest.mark.parametrize("wrong", [(5, 5), (9, 0), (0, float("nan")), (1, 2, 3)])
def test_no_range(wrong, tmp_path):
    refused(lambda: ImageFolder(str(folder(tmp_path, DEEP["16 bits"])), file_range=wrong), "file_range", wrong)


def test_an_animation_is_named(tmp_path):
    frames = [Image.new("L", (16, 16), level) for level in (99, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    messages = said(ImageFolder(str(folder(tmp_path, file.getvalue(), "gif")), size=8))
    assert [message for message in messages if "0.gif holds 2 pictures, of which only the first is used" in message]


def test_a_picture_above_the_limit_says_what_it_is(tmp_path):
    place = folder(tmp_path, encode(np.zeros((1000, 1100), np.uint8), "PNG"), count=1)
    tight = {"size": 8, "max_megapixels": 1}
    refused(
        lambda: ImageFolder(str(place), **tight).setup("fit"),
        place / "0.png",
        "1 megapixels, more than the limit of 1",
        "raise data.max_megapixels",
    )
    data = ImageFolder(str(place), size=8, max_megapixels=2)
    data.setup("fit")
    assert len(data.splits["train"]) == 1
    refused(lambda: ImageFolder(str(place), max_megapixels=0), "max_megapixels must be")


def test_pictures_that_were_left_out_as_too_large_come_in_once_the_limit_is_raised(tmp_path):
    place = folder(tmp_path, encode(np.zeros((1000, 1100), np.uint8), "PNG"), count=2)
    Image.new("L", (8, 8)).save(place / "small.png")
    for limit, left in ((1, 1), (2, 3), (1, 1)):
        data = ImageFolder(str(place), size=8, max_megapixels=limit, skip_corrupt=True)
        data.setup("fit")
        assert len(data.splits["train"]) == left


def test_large_pictures_are_made_smaller_before_they_are_resized(monkeypatch):
    """By whole numbers, with enough left for the filter: nearly the same pixels for a fraction of the memory."""
    import lit_gans.images.frame as module

    rows, columns = np.mgrid[0:600, 0:900]
    picture = np.stack([rows * 255 // 600, columns * 255 // 900, (rows + columns) % 256], 2).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        data = encode(picture, kind)
        frame = Frame((16, 16))
        exact = frame(data).int()
        monkeypatch.setattr(module, "_LARGE", 1000)
        assert frame._spare(900, 600) == 9
        assert (frame(data).int() - exact).abs()[:2].max() <= 4
        assert Frame((16, 16), crop=300)(data).shape == (3, 16, 16)
        monkeypatch.undo()
