"""Batches as pictures, pixel by pixel."""

import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image

from lit_gans.errors import UsageError
from lit_gans.images.grid import beside, grid, to_image
from lit_gans.images.photos import find_pictures, is_drawn, read_picture, write_picture
from lit_gans.images.shape import in_colour, to_uint8
from lit_gans.images.sheet import captioned


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize(
    "value, expected", [(-1, 0), (1, 255), (0, 128), (0.5, 191), (-0.5, 64), (3, 255), (-3, 0), (0.99609375, 255)]
)
def test_to_uint8(value, expected, dtype):
    out = to_uint8(torch.full((2, 3), float(value), dtype=dtype, requires_grad=True))
    assert out.dtype == torch.uint8 and out.tolist() == [[expected] * 3] * 2


def test_to_uint8_undoes_normalisation():
    levels = torch.arange(256)
    assert torch.equal(to_uint8(levels / 127.5 - 1).long(), levels)


@pytest.mark.parametrize(
    "count, columns, rows_columns",
    [(2, None, (1, 2)), (9, None, (3, 3)), (64, None, (8, 8)), (5, 2, (3, 2)), (3, 5, (1, 3))],
)
@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 8, 8)], ids=str)
def test_grid_shape(count, columns, rows_columns, shape):
    picture = grid(torch.rand(count, *shape), columns)
    rows, across = rows_columns
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, rows * (shape[1] + 2) + 2, across * (shape[2] + 2) + 2)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 50])
def test_grid_is_about_square(count):
    _, height, width = grid(torch.rand(count, 1, 40, 40)).shape
    assert abs(height - width) <= 42 * 2


def test_grid_of_one():
    picture = grid(torch.full((1, 1, 4, 6), 1.0))
    assert picture.shape == (3, 4, 6) and (picture == 255).all()


def test_grid_places_images_row_by_row():
    values = torch.tensor([-0.5, 0.0, 0.5, 1.0])
    picture = grid(values.view(4, 1, 1, 1).expand(4, 1, 3, 5), columns=2)
    for i, value in enumerate(to_uint8(values)):
        top, left = 2 + i // 2 * 5, 2 + i % 2 * 7
        assert (picture[:, top : top + 3, left : left + 5] == value).all()
    assert (picture[:, :2] == 0).all() and (picture[:, :, :2] == 0).all()


def test_grid_channels():
    images = torch.rand(2, 4, 4, 4) * 2 - 1
    colour = grid(images[:, :3])
    assert torch.equal(colour[:, 2:6, 2:6], to_uint8(images[0, :3]))
    assert torch.equal(grid(images.repeat(1, 2, 1, 1)), colour)  # of eight channels the first three
    grey, two = grid(images[:, :1]), grid(images[:, :2])
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2]) and grey[:, 2:6, 2:6].float().std() > 0
    assert torch.equal(two, grid(images[:, :2].mean(1, keepdim=True)))


def test_transparent_images_stand_on_a_checkerboard():
    clear, solid = torch.full((1, 4, 16, 16), -1.0), torch.full((1, 4, 16, 16), 1.0)
    solid[:, :3] = -1
    board = grid(clear)
    assert board[:, 0, 0].tolist() == [255] * 3 and board[:, 0, 2].tolist() == [204] * 3  # 8 squares a side
    assert torch.equal(board[:, 2:4, :2], board[:, :2, 2:4])
    assert (grid(solid) == 0).all()
    half = solid.clone()
    half[:, 3] = 0
    assert torch.equal(grid(half)[:, 0, 0], torch.tensor([128] * 3, dtype=torch.uint8))
    assert grid(torch.cat([clear, solid])).shape == (3, 20, 38)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_what_is_seen_of_any_channels(channels):
    images = torch.rand(2, channels, 3, 3) * 2 - 1
    seen = in_colour(images)
    expected = {1: images, 2: images.mean(1, keepdim=True), 3: images, 5: images[:, :3]}.get(channels)
    if channels == 4:
        expected = images[:, :3] * (images[:, 3:] + 1) / 2 + (1 - images[:, 3:]) / 2
    torch.testing.assert_close(seen, expected)


def test_pictures_side_by_side_of_unlike_channels():
    parts = [torch.rand(2, channels, 3, 3) * 2 - 1 for channels in (1, 4, 5)]
    joined = beside(parts)
    assert joined.shape == (2, 3, 3, 9) and torch.equal(joined[:, 2, :, :3], parts[0][:, 0])
    assert torch.equal(joined[..., 6:], parts[2][:, :3])
    assert torch.equal(beside([parts[1], parts[1]])[..., 3:], parts[1])  # transparency is kept where all have it


def test_grid_leaves_images_alone():
    images = torch.rand(2, 3, 4, 4, requires_grad=True)
    before = images.detach().clone()
    assert not grid(images).requires_grad and torch.equal(images, before)


@pytest.mark.parametrize(
    "point, row, column",
    [((0, 0), 128, 128), ((1, 1), 1, 254), ((-1, -1), 254, 1), ((1, -1), 254, 254), ((9, 0), 128, 254)],
    ids=str,
)
def test_points(point, row, column):
    picture = grid(torch.tensor(point, dtype=torch.float32).view(1, 2, 1, 1))
    assert picture.shape == (3, 256, 256)
    dark = (picture < 255).any(0).nonzero().double()
    assert len(dark) == 9  # a dot of 3 by 3
    assert dark.mean(0).tolist() == pytest.approx([row, column], abs=1)


def test_many_points():
    dark = (grid(torch.rand(500, 2, 1, 1) * 2 - 1) < 255).any(0)
    assert 1000 < int(dark.sum()) <= 4500


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_write_picture(tmp_path, channels, mode):
    picture = torch.randint(0, 256, (channels, 6, 9), dtype=torch.uint8)
    path = tmp_path / "new" / "folder" / "picture.png"
    for content in (255 - picture, picture):  # the second replaces the first
        write_picture(content, path)
        image = Image.open(path)
        assert (image.format, image.mode, image.size) == ("PNG", mode, (9, 6))
        pixels = torch.from_numpy(np.array(image)).view(6, 9, channels).permute(2, 0, 1)
        assert torch.equal(pixels, content) and pixels.float().std() > 0
    assert list(path.parent.iterdir()) == [path]


def test_write_picture_takes_strings_and_views(tmp_path):
    picture = torch.randint(0, 256, (4, 8, 3), dtype=torch.uint8).permute(2, 0, 1)[:, :, ::2]
    write_picture(picture, str(tmp_path / "picture.png"))
    assert np.array_equal(np.array(Image.open(tmp_path / "picture.png")), picture.permute(1, 2, 0).numpy())


def test_write_picture_into_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_picture(torch.zeros(1, 2, 2, dtype=torch.uint8), tmp_path / "file" / "picture.png")


def test_to_image():
    picture = torch.arange(24, dtype=torch.uint8).view(3, 2, 4)
    assert np.array_equal(np.array(to_image(picture)), picture.permute(1, 2, 0).numpy())
    assert np.array_equal(np.array(to_image(picture[:1])), picture[0].numpy())


def test_a_drawn_picture_is_told_from_a_users_own(tmp_path):
    picture = torch.zeros(3, 2, 2, dtype=torch.uint8)
    write_picture(picture, tmp_path / "drawn.png")
    write_picture(picture, tmp_path / "own.png", drawn=False)
    write_picture(to_image(picture), tmp_path / "photo.jpg")
    assert [file.name for file in find_pictures(tmp_path) if is_drawn(file)] == ["drawn.png"]
    refused(lambda: write_picture(picture, tmp_path / "x.txt"), "no name for a picture", ".png")


def test_a_sentence_under_each_image_of_a_grid():
    images = torch.full((5, 3, 16, 16), -1.0)
    picture = captioned(images, ["a small red seven on green"] * 4 + ["one"], columns=3)
    assert picture.dtype == torch.uint8 and picture.shape[0] == 3 and picture.shape[2] == 3 * (96 + 4)
    step = picture.shape[1] // 2
    assert (picture[:, 2:98, 2:98] == 0).all() and (picture[:, 98:step, :98] < 100).any()  # black, and words under it
    assert (picture[:, step:, 204:] == 255).all()  # there is no sixth
    assert captioned(images[:1], [""]).shape == (3, 100, 100)


@pytest.mark.parametrize(
    "array, how, end",
    [
        (np.zeros((8, 8, 5), np.uint8), {}, "it has 5 channels, not 3"),
        (np.full((8, 8), 7.5, np.float32), {}, "nothing says which are black and white: save it in 8 bits"),
        (
            np.zeros((8, 8, 5), np.uint8),
            {"size": (8, 8), "megapixels": 1e-5},
            "raise --max_megapixels, or make it .*",
        ),
    ],
    ids=["channels", "range", "size"],
)
def test_a_picture_for_a_model_is_not_refused_with_options_of_sets(array, how, end, tmp_path):
    np.save(tmp_path / "odd.npy", array)
    with pytest.raises(UsageError, match=f"odd.npy cannot be used as a picture: .*{end}$"):
        read_picture(tmp_path / "odd.npy", **how)
