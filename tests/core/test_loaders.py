"""Loaders of any shape: what other libraries' loaders give, and what is refused with the words to type."""

from collections import UserDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from conftest import SHAPE, refused, small, trainer
from PIL import Image
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, TensorDataset

from lit_gans import CGAN, DCGAN, SGAN, CycleGAN, Glyphs, Pix2Pix, load
from lit_gans.callbacks import Quality

N = 8


def images(size=16):
    return torch.rand(N, 1, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def labels():
    return torch.arange(N) % 2


def received(model, batch):
    return model.receive(batch)


def fitted(folder, model, *data, **options):
    run = trainer(folder, **{"max_steps": 2, **options})
    run.fit(model, *data)
    return run


@dataclass
class Pair:
    image: torch.Tensor
    label: torch.Tensor | None = None


class Plain:
    def __init__(self):
        self.image, self.label = images(), labels()


Named = namedtuple("Named", "label image")


@pytest.mark.parametrize(
    "batch",
    [
        images(),
        images().double(),
        images().numpy(),
        (images(), labels()),
        [images().numpy(), labels().numpy()],
        {"image": images(), "label": labels()},
        UserDict(image=images(), label=labels()),
        Named(labels(), images()),
        Pair(images()),
        Plain(),
        list(images()),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_batches_of_any_kind_are_named(batch):
    got = received(small(DCGAN), batch)
    assert torch.allclose(got["image"], images()) and got["image"].dtype == torch.float32
    assert "label" not in got or torch.equal(got["label"], labels())


def test_bytes_and_pictures_are_brought_into_the_range():
    raw = torch.arange(N * 256).view(N, *SHAPE).remainder(256).to(torch.uint8)
    wanted = raw.float() / 127.5 - 1
    pictures = [Image.fromarray(row[0].numpy()) for row in raw]
    for batch in (raw, raw.numpy(), pictures, (pictures, labels()), {"image": pictures}):
        assert torch.allclose(received(small(DCGAN), batch)["image"], wanted)
    colour = [Image.fromarray(np.zeros((16, 16, 3), np.uint8))] * 2
    assert received(small(DCGAN, image_shape=(3, 16, 16)), colour)["image"].shape == (2, 3, 16, 16)
    odd = [Image.new("L", (16, 16)), Image.new("L", (16, 17))]
    refused(lambda: received(small(DCGAN), odd), "must be of one size", "(1, 16, 16) and (1, 17, 16)")


def test_columns_name_what_a_loader_calls_otherwise(tmp_path):
    columns = {"image": "pixel_values", "label": "labels"}
    model = small(CGAN, columns=columns)
    rows = [{"pixel_values": image, "labels": label} for image, label in zip(images(), labels(), strict=True)]
    run = fitted(tmp_path, model, DataLoader(rows, batch_size=4), DataLoader(rows, batch_size=4))
    run.save_checkpoint(tmp_path / "x.ckpt")
    assert load(tmp_path / "x.ckpt").batch_columns == columns
    assert set(received(model, {"image": images(), "label": labels()})) == {"image", "label"}  # its own names still do


@pytest.mark.parametrize(
    ("model", "batch", "columns"),
    [
        (DCGAN, {"pixel_values": images(), "labels": labels()}, {"image": "pixel_values"}),
        (CGAN, {"pixel_values": images(), "labels": labels()}, {"image": "pixel_values", "label": "labels"}),
        (CGAN, {"img": images(), "y": labels()}, {"image": "img", "label": "y"}),
        (DCGAN, {"x": images()}, {"image": "x"}),
        (DCGAN, {"who knows": images()}, {"image": "who knows"}),
        (Pix2Pix, {"input": images(), "output": images()}, {"source": "input", "target": "output"}),
        (CycleGAN, {"A": images(), "B": images()}, {"a": "A", "b": "B"}),
    ],
)
def test_names_of_others_are_answered_with_what_to_type(model, batch, columns):
    refused(lambda: received(small(model), batch), f"{model.__name__}(..., columns={columns!r})")
    shape = {"image_shape": SHAPE, "source_shape": SHAPE} if "image" not in model.needs else {}
    assert set(columns) <= set(received(small(model, columns=columns, **shape), batch))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("pixel_values", "columns must say"),
        ({"image": 3}, "columns must say"),
        ({"pixel_values": "image"}, "write columns={'image': 'pixel_values'}"),
    ],
)
def test_columns_are_names_by_name(columns, words):
    refused(lambda: small(DCGAN, columns=columns), words)


@pytest.mark.parametrize("model", [Pix2Pix, CycleGAN])
def test_tuples_are_named_by_what_the_model_needs(model, tmp_path):
    pairs = DataLoader(TensorDataset(images(), images().flip(0)), batch_size=4)
    net = small(model, image_shape=SHAPE, source_shape=SHAPE)
    first, second = model.needs
    got = received(net, next(iter(pairs)))
    assert torch.equal(got[first], images()[:4]) and torch.equal(got[second], images().flip(0)[:4])
    refused(
        lambda: received(small(model, image_shape=SHAPE, source_shape=SHAPE), images()), "gives bare images, taken as "
    )


def test_two_training_loaders_are_joined_or_are_two_domains(tmp_path):
    two = [DataLoader(TensorDataset(images(), labels()), batch_size=4) for _ in range(2)]
    refused(lambda: fitted(tmp_path, small(DCGAN), two), "a list of 2 training loaders", "ConcatDataset")
    fitted(tmp_path, small(CycleGAN, image_shape=SHAPE, source_shape=SHAPE), two)
    fitted(tmp_path, small(DCGAN), DataLoader(ConcatDataset([loader.dataset for loader in two]), batch_size=4))
    refused(lambda: received(small(DCGAN), (images(), images())), "taken for labels", "(8, 1, 16, 16)")


def test_several_validation_loaders(tmp_path):
    loader = DataLoader(TensorDataset(images(), labels()), batch_size=4)
    quality = Quality(scores=["swd"], count=8, real_count=8, every=1)
    run = fitted(tmp_path, small(DCGAN), loader, [loader, loader], callbacks=[quality])
    assert run.callback_metrics["val/swd"] > 0
    run = fitted(tmp_path, small(Pix2Pix, image_shape=SHAPE, source_shape=SHAPE), two_images(), [two_images()] * 2)
    assert {"val/l1/dataloader_idx_0", "val/l1/dataloader_idx_1"} <= run.callback_metrics.keys()
    run.test(small(DCGAN), [loader, loader], verbose=False)


def two_images():
    return DataLoader(TensorDataset(images(), images()), batch_size=4)


def test_images_in_0_1_are_refused():
    words = ("transforms.Normalize(0.5, 0.5) after ToTensor()", "image * 2 - 1")
    refused(lambda: received(small(DCGAN), (images() + 1) / 2), *words)
    refused(lambda: received(small(DCGAN), ((images() + 1) * 127.5).round() / 255), *words)
    with pytest.warns(UserWarning, match="below 0"):  # bright ones may be in [-1, 1]
        received(small(DCGAN), torch.full((N, *SHAPE), 0.4))


@pytest.mark.parametrize("model", [CGAN, SGAN])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int32, torch.uint8])
def test_labels_of_any_number_type(model, kind, tmp_path):
    fitted(tmp_path, small(model), DataLoader(TensorDataset(images(), labels().to(kind)), batch_size=4))


@pytest.mark.parametrize(
    ("label", "multi_label", "words"),
    [
        (labels() + 0.5, False, "classes in whole numbers"),
        (nn.functional.one_hot(labels(), 2), False, "label.argmax(1)"),
        (labels()[:, None], False, "label.squeeze(1)"),
        (["cat"] * N, False, "number the classes from 0"),
        (labels(), True, "leave out multi_label"),
        (torch.full((N, 2), -0.9), True, "attributes of 0 or 1, but the batch has -0.9"),
        (labels()[:, None].repeat(1, 2) * 2 - 1, True, "(label + 1) / 2"),
    ],
)
def test_labels_that_are_none(label, multi_label, words, tmp_path):
    loader = DataLoader([0], collate_fn=lambda rows: {"image": images(), "label": label})
    refused(lambda: fitted(tmp_path, small(CGAN, multi_label=multi_label), loader), words)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (images()[:0], "the first batch is empty"),
        ({}, "gives an empty batch"),
        (images()[:, 0], "images.unsqueeze(1)"),
        (images().permute(0, 2, 3, 1), "images.permute(0, 3, 1, 2)"),
        (images(8), "built for images of shape (1, 16, 16)"),
        ("photos", "a batch must be images"),
        (3, "a batch must be images"),
        (object(), "a batch must be images"),
    ],
    ids=lambda value: "",
)
def test_batches_that_are_none(batch, words):
    refused(lambda: received(small(DCGAN), batch), words)


class Bare(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, index):
        return images()[index]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((), "trainer.fit(model) has no data"),
        ((Glyphs,), "the class Glyphs; make an object of it"),
        (("photos",), "ImageFolder(root='photos')"),
        ((Bare(),), "was given a Bare; put it into a loader"),
        ((images(),), "was given a Tensor; put it into a loader"),
        ((DataLoader(images(), 4), Bare()), "was given a Bare"),
        ((DataLoader(images(), 4, collate_fn=lambda rows: None),), "gave None for its first batch"),
    ],
    ids=lambda value: "",
)
def test_data_that_are_none(data, words, tmp_path):
    refused(lambda: fitted(tmp_path, small(DCGAN), *data), words)


def test_a_class_in_place_of_a_model_is_named(tmp_path):
    with pytest.raises(TypeError, match="a class, of which an object must be made first"):
        fitted(tmp_path, DCGAN, DataLoader(images(), 4))


def test_torchvisions_pictures_without_a_transform(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    loader = DataLoader(datasets.FakeData(4, (1, 16, 16)), batch_size=2)
    refused(lambda: fitted(tmp_path, small(DCGAN), loader), "PIL pictures", "Normalize(0.5, 0.5)")


def test_the_librarys_data_are_data_sets_for_any_loader(tmp_path):
    data = Glyphs(size=16, count=12, batch_size=4)
    batch = next(iter(data.train_dataloader()))  # without setup
    assert batch["image"].shape == (4, *SHAPE)
    one = data.splits["train"][3]
    assert one["image"].shape == SHAPE and one["label"].shape == ()
    assert torch.equal(data.splits["train"][[3]]["image"][0], one["image"])
    loader = DataLoader(data.splits["train"], batch_size=5)
    assert next(iter(loader))["image"].shape == (5, *SHAPE)
    fitted(tmp_path, small(DCGAN), loader)
    fitted(tmp_path, small(DCGAN), data.train_dataloader())


def test_an_example_input_goes_through_data_of_the_library(tmp_path):
    model = small(DCGAN)
    model.example_input_array = torch.randn(1, 8)
    data = Glyphs(size=16, count=12, batch_size=4)
    assert data.on_after_batch_transfer(model.example_input_array, 0) is model.example_input_array


def test_a_loop_of_ones_own():
    """What the documentation shows: no Trainer, the library's data and losses."""
    data, model = Glyphs(size=16, count=12, batch_size=4), small(DCGAN)
    optimizers = model.configure_optimizers()[0]
    for batch in data.train_dataloader():
        batch = model.receive(data.on_after_batch_transfer(batch, 0))
        fake = model.generate(batch)
        for optimizer, terms in zip(
            optimizers,
            (model.generator_loss(batch, fake), model.discriminator_loss(batch, fake.detach())),
            strict=True,
        ):
            optimizer.zero_grad()
            sum(terms.values()).backward()
            optimizer.step()
    assert model.sample(2).shape == (2, *SHAPE)
