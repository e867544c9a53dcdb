"""Images of every kind: transparent ones, more channels, 16 bits, floats, other formats, and frames."""

import io

import numpy as np
import pytest
import tifffile
import torch
from conftest import refused, small
from PIL import Image

from lit_gans import DCGAN
from lit_gans.data import ImageFolder, Paired, Shards, Unpaired
from lit_gans.images.deep_png import deep_png
from lit_gans.images.kinds import FULL, Kind
from lit_gans.images.shape import to_float

SIDE = 8
RNG = np.random.default_rng(0)


def share(channels):
    """Random numbers in [0, 1] that have both ends."""
    numbers = RNG.random((SIDE, SIDE, channels))
    numbers[0, 0], numbers[0, 1] = 0, 1
    return numbers


def encoded(array, kind="PNG", **how):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **how)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def tif(array, **how):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **how)
    return file.getvalue()


def transparent():
    numbers = (share(4) * 255).round().astype(np.uint8)
    numbers[numbers[..., 3] == 0] = (255, 255, 255, 0)
    return numbers


def eights(channels):
    return (share(channels) * 255).round().astype(np.uint8)


def deep(channels, most=65535):
    return (share(channels) * most).round().astype(np.uint16)


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def opened(folder, **how):
    data = ImageFolder(str(folder), **{"size": SIDE, "batch_size": 2, **how})
    data.setup("fit")
    return data


def floats(data):
    """All images as the model gets them."""
    samples = data.samples("train")
    return data.on_after_batch_transfer(samples[list(range(len(samples)))], 0)["image"]


ROWS = {  # a file's numbers, the file, and what the set is then
    "transparent": (transparent, encoded, "png", (4, 8, (0, 255))),
    "five channels": (lambda: eights(5), npy, "npy", (5, 8, (0, 255))),
    "five channels first": (lambda: eights(5), lambda a: npy(a.transpose(2, 0, 1)), "npy", (5, 8, (0, 255))),
    "five channels of a tif": (
        lambda: eights(5),
        lambda a: tif(a, photometric="minisblack", planarconfig="contig"),
        "tif",
        (5, 8, (0, 255)),
    ),
    "five pages of a tif": (lambda: eights(5), lambda a: tif(a.transpose(2, 0, 1)), "tif", (5, 8, (0, 255))),
    "LZW": (
        lambda: eights(5),
        lambda a: tif(a, photometric="minisblack", planarconfig="contig", compression="lzw"),
        "tif",
        (5, 8, (0, 255)),
    ),
    "16 bits": (lambda: deep(1), lambda a: encoded(a[..., 0]), "png", (1, 16, (0, 65535))),
    "16 bits in colour": (lambda: deep(3), deep_png, "png", (3, 16, (0, 65535))),
    "16 bits, transparent": (lambda: deep(4), deep_png, "png", (4, 16, (0, 65535))),
    "16 bits of a tif": (
        lambda: deep(6),
        lambda a: tif(a, photometric="minisblack", planarconfig="contig"),
        "tif",
        (6, 16, (0, 65535)),
    ),
    "floats": (lambda: share(1).astype(np.float32), lambda a: tif(a[..., 0]), "tif", (1, 32, (0, 1))),
    "floats of five": (lambda: share(5).astype(np.float32), npy, "npy", (5, 32, (0, 1))),
    "signed floats": (lambda: (share(2) * 2 - 1).astype(np.float32), npy, "npy", (2, 32, (-1, 1))),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_set_is_read_in_its_own_kind_and_written_back_exactly(row, tmp_path):
    make, encode, ending, (channels, bits, limits) = ROWS[row]
    arrays = [make() for _ in range(3)]
    data = opened(write(tmp_path / "set", {f"{n}.{ending}": encode(array) for n, array in enumerate(arrays)}))
    assert (data.image_shape, data.image_kind) == ((channels, SIDE, SIDE), Kind(bits, limits))
    images = floats(data)
    assert images.dtype == torch.float32 and images.min() == -1 and images.max() == 1
    written = data.image_kind.numbers(images)
    expected = np.stack(arrays)
    if channels == 4:  # nobody sees the colour of what is not there
        expected[..., :3][expected[..., 3] == 0] = np.iinfo(expected.dtype).max
    assert written.dtype == expected.dtype
    np.testing.assert_allclose(written, expected, rtol=0, atol=2e-7 if bits == 32 else 0)
    channel = {1: "grey", 3: "colour", 4: "colour and transparency"}.get(channels, f"{channels} channels")
    assert f"{channel}, {Kind(bits, limits).words()}" in data.facts()["size"]


def test_signed_numbers_need_a_range(tmp_path):
    scans = [(share(1) * 4095 - 1024).round().astype(np.int16) for _ in range(3)]
    folder = write(tmp_path / "set", {f"{n}.npy": npy(scan[..., 0]) for n, scan in enumerate(scans)})
    refused(lambda: opened(folder), "3 pictures of", "go from -1024 to 3071", "give data.file_range=[low, high]")
    data = opened(folder, file_range=(-1024, 3071))
    assert data.image_shape[0] == 1 and data.image_kind == Kind(16, (-1024, 3071))
    written = data.image_kind.numbers(floats(data))
    assert written.dtype == np.int16 and np.array_equal(written, np.stack(scans))
    assert data.image_kind.ending(1) == ".npy"  # a PNG has no numbers below 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_large_integers_need_a_range(dtype, tmp_path):
    folder = write(tmp_path / "set", {"0.npy": npy((share(1) * 9).round().astype(dtype))})
    refused(lambda: opened(folder), "go from 0 to 9", "give data.file_range=[low, high]")
    assert opened(folder, file_range=(0, 9)).image_kind == Kind(32, (0, 9))


@pytest.mark.parametrize("order", "<>")
def test_either_order_of_bytes(order, tmp_path):
    numbers = deep(1)
    data = opened(write(tmp_path / "set", {"0.npy": npy(numbers.astype(f"{order}u2"))}))
    assert data.image_kind == Kind(16, FULL[16])
    assert np.array_equal(data.image_kind.numbers(floats(data))[0], numbers)


def test_floats_beyond_the_usual_ranges_need_one(tmp_path):
    folder = write(tmp_path / "set", {"0.npy": npy(share(1) * 3), "1.npy": npy(share(1))})
    assert opened(folder).image_kind == Kind(32, (0, 255))
    write(folder, {"2.npy": npy(share(1) * 3000)})
    refused(lambda: opened(folder), "go from 0 to 3000")
    assert opened(folder, file_range=[0, 3000]).image_kind.limits == (0, 3000)


def test_a_file_outside_the_range_of_those_looked_at_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lit_gans.data.kinds._SOME", 2)
    folder = write(tmp_path / "set", {f"{n}.npy": npy(share(1) * (7 if n == 1 else 1)) for n in range(3)})
    refused(lambda: opened(folder), "1.npy", "go from 0 to 7", "those of other files from 0 to 1", "data.file_range")


def test_twelve_bits_stay_twelve(tmp_path):
    arrays = [deep(1, 4095) for _ in range(2)]
    folder = write(tmp_path / "set", {f"{n}.png": encoded(a[..., 0]) for n, a in enumerate(arrays)})
    data = opened(folder, file_range=(0, 4095))
    assert np.array_equal(data.image_kind.numbers(floats(data)), np.stack(arrays))


def test_mixed_folders_become_what_channels_says(tmp_path):
    files = {"a.png": encoded(transparent()), "b.png": encoded(eights(3)), "c.png": encoded(eights(1)[..., 0])}
    folder = write(tmp_path / "set", files)
    mixed = opened(folder)
    assert mixed.image_shape[0] == 3  # on white, grey repeated
    with Image.open(folder / "a.png") as picture:
        white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    shown = mixed.image_kind.numbers(floats(mixed)[:1])[0]
    assert np.abs(shown.astype(int) - np.asarray(white).astype(int)).max() <= 1
    four = floats(opened(folder, channels=4))
    assert torch.equal(four[1:, 3], torch.ones(2, SIDE, SIDE)) and four[0, 3].min() == -1
    assert torch.equal(four[1:, :3], floats(mixed)[1:])
    assert floats(opened(folder, channels=1)).shape == (3, 1, SIDE, SIDE)
    refused(lambda: opened(folder, channels=5), "have 1 or 3 or 4 channels, not 5")
    refused(lambda: opened(folder, bits=12), "bits must be 8, 16, or 32")


def test_arrays_of_other_channels_are_not_converted(tmp_path):
    folder = write(tmp_path / "set", {"a.npy": npy(eights(5)), "b.npy": npy(eights(6))})
    refused(lambda: opened(folder, channels=5), "b.npy", "it has 6 channels, not 5")
    refused(lambda: opened(folder), "it has 5 channels, not 3: give data.channels=5 if all files have them")
    write(folder, {"b.npy": npy(np.zeros((2, 5, SIDE, SIDE)))})
    refused(lambda: opened(folder, channels=5), "b.npy", "one image a file")
    write(folder, {"b.npy": npy(np.full((SIDE, SIDE), np.nan))})
    refused(lambda: opened(folder, channels=5), "NaN or infinite")


def test_a_tif_that_would_fill_the_memory_is_refused(tmp_path):
    big = tif(np.zeros((1200, 1000, 5), np.uint8), photometric="minisblack", planarconfig="contig", compression="zlib")
    folder = write(tmp_path / "set", {"a.tif": big})
    refused(lambda: opened(folder, channels=5, max_megapixels=1), "a.tif", "it has 1 megapixels, more than the limit")
    write(folder, {"a.tif": tif(np.zeros((8, 8, 600), np.uint8), photometric="minisblack", planarconfig="contig")})
    refused(lambda: opened(folder, channels=5), "600 numbers a pixel")


def test_batches_that_no_data_module_made_ready(tmp_path):
    folder = write(tmp_path / "set", {f"{n}.png": encoded(deep(1)[..., 0]) for n in range(3)})
    data = opened(folder)
    batch = next(iter(data.train_dataloader()))
    model = small(DCGAN, image_shape=data.image_shape)
    assert batch["image"].dtype == torch.int16
    assert torch.equal(model.receive(dict(batch))["image"], data.on_after_batch_transfer(dict(batch), 0)["image"])


def test_an_opaque_alpha_is_no_transparency(tmp_path):
    screens = np.concatenate([eights(3), np.full((SIDE, SIDE, 1), 255, np.uint8)], 2)
    assert opened(write(tmp_path / "set", {"a.png": encoded(screens)})).image_shape[0] == 3


def test_arrays_beside_photographs_are_left_out(tmp_path):
    folder = write(tmp_path / "set", {"a.png": encoded(eights(3)), "features.npy": npy(eights(3))})
    data = opened(folder)
    assert data.source.names == ["a.png"] and "1 .npy" in data.facts()["left out"]


def test_hidden_colours_do_not_bleed_into_what_is_seen(tmp_path):
    numbers = np.zeros((16, 16, 4), np.uint8)
    numbers[:, :8] = (255, 0, 0, 255)  # red, beside a green that nobody sees
    numbers[:, 8:] = (0, 255, 0, 0)
    image = floats(opened(write(tmp_path / "set", {"a.png": encoded(numbers)}), size=7))[0]
    seen = image[:, image[3] > -1]
    assert (seen[1] == -1).all() and (seen[0] == 1).all()
    assert (image[:3, image[3] == -1] == 1).all()


@pytest.mark.parametrize("ending", ["jfif", "jp2", "avif", "heic"])
def test_other_formats(ending, tmp_path):
    if ending == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    flat = np.full((64, 64, 3), (200, 90, 40), np.uint8)
    file = io.BytesIO()
    Image.fromarray(flat).save(file, {"jfif": "JPEG", "jp2": "JPEG2000", "avif": "AVIF", "heic": "HEIF"}[ending])
    data = opened(write(tmp_path / "set", {f"a.{ending}": file.getvalue()}))
    assert np.abs(data.image_kind.numbers(floats(data))[0].astype(int) - flat[:SIDE, :SIDE]).max() <= 6


def test_sixteen_bits_are_resized_without_losing_them(tmp_path):
    ramp = np.linspace(0, 1000, 32, dtype=np.uint16)[None].repeat(32, 0)  # all in the lowest 4 of 256 steps
    data = opened(write(tmp_path / "set", {"a.png": encoded(ramp)}), file_range=(0, 65535))
    assert len(np.unique(data.image_kind.numbers(floats(data)))) == SIDE
    assert len(np.unique(floats(opened(tmp_path / "set", bits=8)))) <= 4


def test_decoded_files_of_unlike_kinds_are_not_mixed_up(tmp_path):
    folder = write(tmp_path / "set", {"a.npy": npy(share(1))})
    types = []
    for how in ({}, {"bits": 16}, {"bits": 8, "file_range": (0, 1)}, {"file_range": (0, 2)}, {}):
        data = opened(folder, cache=str(tmp_path / "cache"), **how)
        types.append(data.samples("train")[[0]]["image"].dtype)
    assert types == [torch.float32, torch.int16, torch.uint8, torch.float32, torch.float32]
    assert len([*(tmp_path / "cache").glob("*.safetensors")]) == 4
    file = next(file for file in (tmp_path / "cache").iterdir() if file.suffix == ".safetensors")
    content = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[start + 5] ^= 255
    file.write_bytes(content)
    refused(
        lambda: [
            floats(opened(folder, cache=str(tmp_path / "cache"), **how))
            for how in ({}, {"bits": 16}, {"bits": 8, "file_range": (0, 1)}, {"file_range": (0, 2)})
        ],
        "differs from its checksum",
    )


@pytest.mark.parametrize("row", ["transparent", "five channels", "16 bits in colour", "floats of five"])
def test_shards_keep_the_kind(row, tmp_path):
    from lit_gans.cli.main import main

    pytest.importorskip("litdata")
    make, encode, ending, (channels, bits, limits) = ROWS[row]
    folder = write(tmp_path / "set", {f"{n}.{ending}": encode(make()) for n in range(5)})
    main(["shard", str(folder), "--output", str(tmp_path / "shards"), "--size", str(SIDE), "--shard_mb", "0.002"])
    data = Shards(str(tmp_path / "shards"), batch_size=2)
    data.setup("fit")
    assert (data.image_shape, data.image_kind) == ((channels, SIDE, SIDE), Kind(bits, limits))
    one, other = ({image.numpy().tobytes() for image in floats(each)} for each in (data, opened(folder)))
    assert one == other and len(one) == 5


def test_pairs_and_two_domains(tmp_path):
    root = tmp_path / "set"
    for number in range(3):
        write(root / "trainA", {f"{number}.png": encoded(transparent())})
        write(root / "trainB", {f"{number}.png": encoded(deep(1)[..., 0])})
    two = Unpaired(str(root), size=SIDE)
    two.setup("fit")
    assert two.image_shape[0] == 3 and two.image_kind == Kind()  # they differ, so that 3 channels of 8 bits are left
    pairs = Paired(str(root), size=SIDE, channels=1, source_channels=4, bits=16)
    pairs.setup("fit")
    batch = pairs.on_after_batch_transfer(pairs.samples("train")[[0, 1]], 0)
    assert batch["source"].shape[1:] == (4, SIDE, SIDE) and batch["target"].shape[1:] == (1, SIDE, SIDE)
    with Image.open(root / "trainB" / "0.png") as picture:
        assert np.array_equal(pairs.image_kind.numbers(batch["target"])[0, ..., 0], np.asarray(picture))


def test_photographs_and_maps_of_depth(tmp_path):
    photo, depth = eights(3), (share(1) * 10).astype(np.float32)
    write(tmp_path / "set" / "trainA", {"a.png": encoded(photo)})
    write(tmp_path / "set" / "trainB", {"a.npy": npy(depth)})
    pairs = Paired(str(tmp_path / "set"), size=SIDE, channels=1, source_channels=3, bits=32, file_range=(0, 10))
    pairs.setup("fit")
    batch = pairs.on_after_batch_transfer(pairs.samples("train")[[0]], 0)
    assert np.array_equal(Kind().numbers(batch["source"])[0], photo)  # the range is that of the floats
    np.testing.assert_allclose(pairs.image_kind.numbers(batch["target"])[0], depth, atol=2e-6)


def test_arrays_on_one_side_are_not_left_out(tmp_path):
    photo, depth = encoded(eights(1)[..., 0]), npy(eights(1))
    write(tmp_path / "trainA", {"0.png": photo, "0.npy": depth})
    write(tmp_path / "trainB", {"0.npy": depth})
    for kind in (Paired, Unpaired):
        assert kind(str(tmp_path), size=SIDE).unread() == {".npy": 1}  # the one beside a photograph


def test_crops_and_flips_of_floats(tmp_path):
    data = opened(write(tmp_path / "set", {"a.npy": npy(share(5))}), size=4, load_size=SIDE, flip=True)
    images = data.samples("train")[[0]]["image"]
    draws = {"image": torch.tensor([[0.0, 0.99, 0.0, 0.0]])}  # mirrored, from the bottom left
    crop = data.on_after_batch_transfer({"image": images, "draws": draws}, 0)["image"]
    assert torch.equal(crop, images[:, :, 4:, :4].flip(3))


def test_frames_of_an_animation(tmp_path):
    frames = [Image.new("L", (16, 16), 20 * level) for level in range(1, 8)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    folder = write(tmp_path / "set" / "train" / "a", {"x.gif": file.getvalue()})
    write(tmp_path / "set" / "train" / "b", {"y.png": encoded(eights(3))})
    data = opened(tmp_path / "set", frames=3)
    assert data.source.names == [f"train/a/x.gif#{n:05}" for n in (0, 3, 6)] + ["train/b/y.png"]
    assert data.classes == ["a", "b"] and data.samples("train").values("label").tolist() == [0, 0, 0, 1]
    levels = data.image_kind.numbers(floats(data))[:3, 0, 0, 0]
    assert levels.tolist() == [20, 80, 140]
    assert int.from_bytes(data.source.read(2)[:1], "big") == 0x89  # going back begins anew
    assert np.asarray(Image.open(io.BytesIO(data.source.read(1)))).flat[0] == 80
    refused(lambda: opened(tmp_path / "set", frames=0), "frames must be at least 1")
    assert len(opened(folder).source) == 1


def test_frames_of_a_video(tmp_path):
    av = pytest.importorskip("av")
    (tmp_path / "set").mkdir()
    with av.open(str(tmp_path / "set" / "x.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for level in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 25 * level, np.uint8), format="rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    refused(lambda: opened(tmp_path / "set"), "holds no image", "videos give their frames with data.frames=1")
    data = opened(tmp_path / "set", frames=4)
    levels = data.image_kind.numbers(floats(data))[:, 4, 4, 0].astype(int)
    assert np.abs(levels - [0, 100, 200]).max() <= 8


def test_sixteen_bits_as_floats():
    numbers = torch.tensor([-32768, 0, 32767], dtype=torch.int16)
    assert to_float(numbers).tolist() == pytest.approx([-1, 1 / 65535, 1], abs=1e-7)
    assert FULL[16] == (0, 65535)
