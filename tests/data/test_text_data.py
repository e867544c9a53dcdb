"""Data modules of texts: what a batch is, batches by length, splits, vocabularies, and files that cannot be used."""

from types import SimpleNamespace

import pytest
import torch
from conftest import assert_equal, refused
from torch.utils.data import DataLoader

from lit_gans.data import CaptionedGlyphs, GrammarLines, NumberPairs, TextLines, TextPairs
from lit_gans.data.order import BatchStream
from lit_gans.data.tokens import TokenRows
from lit_gans.text import END, PAD, UNKNOWN, lengths

LINES = [f"line {'very ' * (number % 7)}number {number}" for number in range(100)]


def written(path, *lines, ending="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{ending}" for line in lines).encode())
    return str(path)


@pytest.fixture
def make(tmp_path, request):
    """Makes a set of each kind, at a position of a run on some devices."""
    lines = written(tmp_path / "lines.txt", *LINES)
    pairs = written(tmp_path / "pairs.tsv", *(f"{line}\t{line.upper()} !" for line in LINES))
    kinds = {
        "lines": lambda **more: TextLines(lines, **more),
        "pairs": lambda **more: TextPairs(pairs, **more),
        "numbers": lambda **more: NumberPairs("en", "digits", count=90, **more),
        "grammar": lambda **more: GrammarLines(count=90, label="tense", **more),
    }

    def make(kind, position=0, rank=0, world_size=1, **more):
        data = kinds[kind](**{"batch_size": 8, **more})
        ready = SimpleNamespace(total=SimpleNamespace(ready=position))
        loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=ready))
        data.setup()
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, fit_loop=loop)
        return data

    return make


every_kind = pytest.mark.parametrize("kind", ["lines", "pairs", "numbers", "grammar"])


@every_kind
def test_a_batch_has_texts_with_an_end_and_filling_up_to_the_longest(make, kind):
    data = make(kind)
    shapes = {"source": data.source_text_shape, "target": data.text_shape, "tokens": data.text_shape}
    for name, vocabulary in data.vocabularies.items():
        assert shapes[name][1] == len(vocabulary)
        found = []
        for split in ("train", "val", "test"):
            loader = data.train_dataloader() if split == "train" else getattr(data, f"{split}_dataloader")()
            for batch in loader:
                tokens = batch[name]
                assert tokens.dtype == torch.int64 and tokens.shape[1] == lengths(tokens).max() <= shapes[name][0]
                ends = (tokens == END).float().argmax(1)
                assert torch.equal(ends + 1, lengths(tokens)) and (tokens == END).sum(1).eq(1).all()
                if f"{name}_text" in batch and data.tokens[name].kind == "characters":
                    assert vocabulary.decode(tokens) == batch[f"{name}_text"]
                found += [len(row) for row in tokens]
        longest = max(data.samples(split)[:][name].shape[1] for split in data.splits)
        assert longest <= shapes[name][0] and (longest == shapes[name][0]) >= (kind in ("lines", "pairs"))
        assert not (data.samples("train")[:][name] == UNKNOWN).any()
    assert (data.source_text_shape is None) == ("tokens" in data.vocabularies)


@every_kind
def test_a_run_goes_on_where_it_was_and_devices_share_a_batch(make, kind):
    data = make(kind)
    size = len(list(data.train_dataloader()))
    whole = [batch for epoch in range(2) for batch in make(kind, epoch * size).train_dataloader()]
    assert_equal(list(make(kind, 3).train_dataloader()), whole[3 : 3 + size])
    assert_equal(list(make(kind, 3, num_workers=2).train_dataloader()), whole[3 : 3 + size])
    left, right = (list(make(kind, rank=rank, world_size=2, batch_size=4).train_dataloader()) for rank in (0, 1))
    for one, other, both in zip(left, right, whole[:size], strict=True):
        for name, values in both.items():
            rows = [
                [number for number in row if number != PAD] if isinstance(row, list) else row
                for part in (one[name], other[name])
                for row in (part.tolist() if torch.is_tensor(part) else part)
            ]
            expected = values.tolist() if torch.is_tensor(values) else values
            assert rows == [[n for n in row if n != PAD] if isinstance(row, list) else row for row in expected]


# -------------------------------------------------------------------- batches by length


def stream(position=0, rank=0, world_size=1, size=1000, seed=1, batch=4, **more):
    return list(BatchStream((size,), batch, seed, lambda: position, rank, world_size, **more))


def test_batches_by_length_have_every_sample_once_and_little_filling():
    rng = torch.Generator().manual_seed(0)
    length = torch.randint(1, 50, (1000,), generator=rng)
    plain, ordered = stream(), stream(lengths=length)
    rows = torch.cat([pick.rows[0] for pick in ordered])
    assert len(ordered) == 250 and sorted(rows.tolist()) == list(range(1000))

    def filling(picks):
        return sum(float((length[p.rows[0]].max() - length[p.rows[0]]).sum()) for p in picks) / float(length.sum())

    assert filling(ordered) < 0.05 < 0.4 < filling(plain)
    longest = torch.tensor([int(length[pick.rows[0]].max()) for pick in ordered], dtype=torch.float)
    rank = torch.corrcoef(torch.stack([longest, torch.arange(250.0)]))[0, 1]
    assert abs(rank) < 0.2, "the batches do not come by length"
    second = stream(position=250, lengths=length)
    assert not torch.equal(second[0].rows[0], ordered[0].rows[0])
    assert torch.equal(stream(position=100, lengths=length)[150].rows[0], second[0].rows[0])


def test_all_devices_batches_of_a_step_are_of_similar_length():
    length = torch.arange(1000) % 97
    ranks = [stream(rank=rank, world_size=2, batch=2, lengths=length) for rank in (0, 1)]
    both = stream(batch=4, lengths=length)
    for left, right, whole in zip(*ranks, both, strict=True):
        assert torch.equal(torch.cat([left.rows[0], right.rows[0]]), whole.rows[0])


def test_what_does_not_fill_a_batch_is_left_out_as_before():
    length = torch.arange(10)
    rows = torch.cat([pick.rows[0] for pick in stream(size=10, lengths=length)])
    assert len(rows) == 8 == len({*rows.tolist()}) and len(stream(size=10)) == 2


@pytest.mark.parametrize("by_length", [False, True])
def test_by_length_is_an_option(make, by_length):
    data = make("lines", by_length=by_length)
    mixed = [len({*lengths(batch["tokens"]).tolist()}) for batch in data.train_dataloader()]
    assert (max(mixed) <= 3) == by_length


# -------------------------------------------------------------------- vocabularies and lengths


def test_the_vocabulary_is_of_training_alone_and_others_are_unknown(tmp_path):
    train, other = written(tmp_path / "a.txt", "a b", "c d"), written(tmp_path / "b.txt", "a x")
    data = TextLines(train, val_path=other)
    assert len(data.vocabularies["tokens"]) == 9 and data.text_shape == (3, 9) and not data.splits
    assert data.samples("val")[:]["tokens"].tolist() == [[5, UNKNOWN, END]]
    assert data.samples("test")[:]["tokens"].tolist() == [[5, UNKNOWN, END]], "validation stands in"
    assert len(data.samples("train")) == 2
    again = TextLines(train, val_path=other)
    assert again.vocabularies == data.vocabularies


def test_texts_that_are_too_long_are_left_out_and_said(tmp_path):
    train = written(tmp_path / "a.txt", "a b c", "a b", "b c", "a b c d")
    val = written(tmp_path / "b.txt", "a", "a b c d e f")
    data = TextLines(train, val_path=val, length=4, batch_size=3)
    with pytest.warns(UserWarning, match="1 of 4 train texts are longer than 4 tokens with their end and are left out"):
        assert data.samples("train").sizes == [3]
    with pytest.warns(UserWarning, match="say 'a b c d e f'; data.length raises the limit"):
        assert data.samples("val").sizes == [1]
    assert sorted(lengths(next(iter(data.train_dataloader()))["tokens"]).tolist()) == [3, 3, 4]
    refused(lambda: TextLines(val, val_size=0, test_size=0, length=1), "length must be at least 2, got 1")
    short = TextLines(written(tmp_path / "c.txt", "a b c", "d e f"), val_path=val, length=2)
    refused(lambda: short.samples("train"), "all 2 train texts are longer than 2 tokens", "raise data.length")


@pytest.mark.parametrize(("kind", "size"), [("words", 8), ("subwords", 40), ("characters", 12), ("bytes", None)])
def test_kinds_of_tokens(make, kind, size):
    data = make("lines", tokens=kind, vocabulary_size=size)
    assert data.text_shape[1] == (size or 261)
    assert data.facts()["tokens"].startswith(f"{data.text_shape[1]} {kind}, at most ")


def test_rows_are_kept_without_filling():
    rows = TokenRows([[7] * number for number in (3, 0, 5)])
    assert rows.index_select(0, torch.tensor([1])).shape == (1, 0)
    assert rows.index_select(0, torch.tensor([], dtype=torch.long)).shape[0] == 0
    assert rows.index_select(0, torch.tensor([2, 0])).tolist() == [[7] * 5, [7, 7, 7, 0, 0]]


def test_any_loader_puts_texts_together(make):
    data = make("pairs")
    (batch,) = DataLoader(data.samples("val"), batch_size=5)
    whole = data.samples("val")[:]
    assert torch.equal(batch["target"], whole["target"]) and batch["source_text"] == whole["source_text"]


# -------------------------------------------------------------------- lines in files


def test_lines_are_held_out_once_and_are_not_trained_on(tmp_path):
    """A twentieth of the different lines, the same for every seed; copies of one are not trained on either."""
    path = written(tmp_path / "a.txt", *LINES, *LINES[:50], "", "  ", ending="\r\n")
    first, second = (TextLines(path, seed=seed) for seed in (0, 1))
    texts = {split: first.texts(split)["tokens"] for split in ("train", "val", "test")}
    assert texts == {split: second.texts(split)["tokens"] for split in texts}
    assert len(texts["val"]) == len(texts["test"]) == 5
    assert {*texts["train"]} | {*texts["val"]} | {*texts["test"]} == {*LINES}
    assert not {*texts["train"]} & ({*texts["val"]} | {*texts["test"]}) and not {*texts["val"]} & {*texts["test"]}
    assert len(texts["train"]) == 150 - sum((LINES + LINES[:50]).count(t) for t in texts["val"] + texts["test"])
    more = TextLines(path, val_size=0, test_size=20)
    assert more.own_splits == ("train", "test") and len(more.texts("test")["tokens"]) == 20
    assert more.samples("val").sizes == [20]
    assert TextLines(path).facts()["data"] == f"TextLines {path}"


def test_a_folder_of_texts(tmp_path):
    written(tmp_path / "flat/b.txt", *LINES[:30])
    written(tmp_path / "flat/a.TXT", *LINES[30:60])
    written(tmp_path / "flat/notes.md", "no text")
    data = TextLines(str(tmp_path / "flat"))
    assert sorted(text for split in data.own_splits for text in data.texts(split)["tokens"]) == sorted(LINES[:60])
    for name, rows in (("train", LINES[:50]), ("valid", LINES[50:60]), ("README", ["no text"])):
        written(tmp_path / f"split/{name}.txt", *rows)
    data = TextLines(str(tmp_path / "split"))
    assert data.own_splits == ("train", "val") and data.texts("train")["tokens"] == LINES[:50]
    assert data.texts("val")["tokens"] == LINES[50:60]


def test_files_that_cannot_be_used(tmp_path):
    good = written(tmp_path / "good.txt", *LINES)
    written(tmp_path / "empty.txt", "", " ")
    (tmp_path / "latin.txt").write_bytes("gut\nschön\n".encode("latin-1"))
    (tmp_path / "nothing").mkdir()

    def read(path, **more):
        TextLines(str(tmp_path / path) if isinstance(path, str) else path, **more).setup()

    refused(lambda: read("empty.txt"), tmp_path / "empty.txt", "has no text", "write one on every line")
    refused(lambda: read("latin.txt"), tmp_path / "latin.txt", "not text in UTF-8 (line 2)", "save it as UTF-8")
    refused(lambda: read("gone.txt"), "there is no file", "gone.txt")
    refused(lambda: read("good.txt", test_path=str(tmp_path / "gone.txt")), "there is no file", "gone.txt")
    refused(lambda: read("nothing"), "has no .txt file")
    refused(lambda: read("good.txt", val_path=str(tmp_path / "nothing")), "is a folder; name a text file")
    refused(lambda: TextPairs(good, str(tmp_path / "nothing")), "is a folder; name a text file")
    refused(lambda: read(written(tmp_path / "one.txt", "one")), "has 1 different text, too few")
    refused(lambda: read([]), "names no file")
    refused(lambda: read("good.txt", val_path=good, val_size=3), "leave data.val_size out")
    refused(lambda: read("good.txt", val_size=-1), "val_size must be at least 0")
    refused(lambda: read("good.txt", val_size=100), "100 different texts, too few to hold 105 out")
    refused(lambda: read("good.txt", tokens="letters"), "words, subwords, characters, bytes, got 'letters'")
    refused(lambda: read("good.txt", vocabulary_size=4), "vocabulary_size must be at least 6")
    TextLines([good, good]).setup()


def test_one_text_that_is_far_longer_than_the_others_is_said(tmp_path):
    """The networks would be made for it, and a run would stand still without a word."""
    data = TextLines(written(tmp_path / "long.txt", *LINES, "word " * 2_000), val_size=1, test_size=1)
    with pytest.warns(UserWarning, match="the longest text has 2,001 tokens .* data.length leaves longer ones out"):
        assert data.text_shape[0] == 2_001


# -------------------------------------------------------------------- pairs in files


def test_pairs_in_one_file_two_or_a_folder(tmp_path):
    english, german = ["one", "two", "three", "four"], ["eins", "zwei", "drei", "vier"]
    tabs = [f"{e}\t{g}\tby somebody" for e, g in zip(english, german, strict=True)]
    one = TextPairs(written(tmp_path / "pairs.tsv", *tabs), val_size=0, test_size=0)
    two = TextPairs(
        written(tmp_path / "a.txt", *english), written(tmp_path / "b.txt", *german), val_size=0, test_size=0
    )
    for name, rows in (("train", slice(0, 2)), ("val", slice(2, 3)), ("test", slice(3, 4))):
        written(tmp_path / f"set/{name}.de", *german[rows])
        written(tmp_path / f"set/{name}.en", *english[rows])
    folder = TextPairs(str(tmp_path / "set"), direction="BtoA")
    for data in (one, two):
        assert data.texts("train") == {"source": english, "target": german} and data.own_splits == ("train",)
    assert folder.texts("train") == {"source": english[:2], "target": german[:2]}
    assert folder.texts("val") == {"source": ["three"], "target": ["drei"]}
    assert folder.samples("test")[:]["target_text"] == ["vier"]
    batch = one.samples("train")[[2, 0]]
    assert batch["source_text"] == ["three", "one"] and batch["target_text"] == ["drei", "eins"]
    assert one.vocabularies["target"].decode(batch["target"]) == ["drei", "eins"]


def test_no_text_of_held_out_pairs_is_trained_on_in_either_language(tmp_path):
    pairs = [(f"text {n}", f"Text {n // 2}") for n in range(100)]
    path = written(tmp_path / "pairs.tsv", *("\t".join(pair) for pair in pairs))
    found = {direction: TextPairs(path, direction=direction) for direction in ("AtoB", "BtoA")}
    for data in found.values():
        train = data.texts("train")
        for split in ("val", "test"):
            held_out = data.texts(split)
            assert len(held_out["source"]) == 5
            for name in ("source", "target"):
                assert not {*train[name]} & {*held_out[name]}
    assert found["AtoB"].texts("val")["source"] == found["BtoA"].texts("val")["target"]


def test_the_sentences_of_a_dictionary(tmp_path):
    """Made by hand in the format of Debian's trans-de-en."""
    path = written(
        tmp_path / "de-en",
        "# Version :: devel 2023-01-30",
        "Aal {m} [zool.] | Aale {pl} :: eel | eels",
        "irren {vi} | Ich habe mich geirrt (gestern).; Das war ein Irrtum. | Du irrst dich! :: to err | "
        "I was [obs.] mistaken.; That was an error. | You are <mostly> wrong!",
        "Wer kommt denn heute Abend? [ugs.] :: Who is coming tonight?",
        "ohne Punkt am Ende :: there is no full stop.",
        "Nur zwei. :: This one has only two on the left.",
        f"{'sehr ' * 12}lang. :: This one is too long.",
    )
    data = TextPairs(path, val_size=0, test_size=0)
    assert data.texts("train") == {
        "source": ["Ich habe mich geirrt .", "Du irrst dich!", "Wer kommt denn heute Abend?"],
        "target": ["I was mistaken.", "You are wrong!", "Who is coming tonight?"],
    }


def test_pairs_that_cannot_be_used(tmp_path):
    ten, nine = written(tmp_path / "ten", *LINES[:10]), written(tmp_path / "nine", *LINES[:9])
    refused(lambda: TextPairs(ten, nine).setup(), f"{ten} has 10 lines and {nine} has 9", "same line of the other")
    refused(lambda: TextPairs(ten).setup(), ten, "has no tab", "give data.target_path")
    some = written(tmp_path / "some.tsv", "a\tb", "", "c d")
    refused(lambda: TextPairs(some).setup(), "line 3 of", "has no tab and so no translation: 'c d'")
    refused(lambda: TextPairs(ten, str(tmp_path / "gone")), "there is no file", "gone")
    refused(lambda: TextPairs(ten, nine, direction="up"), "direction must be 'AtoB' or 'BtoA', got 'up'")
    (tmp_path / "folder").mkdir()
    refused(lambda: TextPairs(str(tmp_path / "folder")), "has no pairs to train on")
    refused(lambda: TextPairs(str(tmp_path / "folder"), nine), "leave data.target_path out")
    for name in ("train.de", "train.en", "train.fr"):
        written(tmp_path / "folder" / name, "x")
    refused(lambda: TextPairs(str(tmp_path / "folder")), "train.de, train.en, train.fr", "more than two languages")
    bad = written(tmp_path / "dict", "one | two :: eins")
    refused(lambda: TextPairs(bad).setup(), "line 1 of", "is no entry")
    none = written(tmp_path / "none", "one :: eins")
    refused(lambda: TextPairs(none).setup(), none, "has no pair of texts")
    (tmp_path / "void").write_text("\n")
    refused(lambda: TextPairs(ten, str(tmp_path / "void")).setup(), "has no text")


def test_pairs_with_an_empty_text_are_left_out_and_counted(tmp_path):
    path = written(tmp_path / "pairs.tsv", *(f"{line}\t{line}" for line in LINES), "only\t", "\tonly", "", "\t")
    data = TextPairs(path)
    data.setup()
    assert data.facts()["left out"] == "2 pairs with an empty text"
    assert sum(len(data.texts(split)["source"]) for split in data.splits) == 100


# -------------------------------------------------------------------- captions of drawn images


def test_combinations_are_held_out(tmp_path):
    data = CaptionedGlyphs(size=8, count=400, characters="012", held_out=0.2)
    assert data.held_out.sum() == round(0.2 * 3 * 2 * 8 * 7)
    seen = {split: {*data.samples(split).values("caption")} for split in ("train", "val", "test")}
    assert len(seen["train"]) > 200 and not (seen["train"] | seen["val"]) & seen["test"]
    other = CaptionedGlyphs(size=8, count=40, characters="012", held_out=0.2, seed=7)
    assert torch.equal(other.held_out, data.held_out) and other.vocabularies == data.vocabularies
    batch = data.samples("test")[:]
    assert data.vocabularies["tokens"].decode(batch["tokens"]) == batch["caption"]
    said = data.read_captions(batch["caption"])
    assert torch.equal(said[:, 0], batch["label"])
    assert [data.caption_attributes["ground"][g] for g in said[:, 3]] == [c.split()[-1] for c in batch["caption"]]
    assert data.text_shape == (7, 5 + 4 + 3 + 8)
    refused(lambda: CaptionedGlyphs(held_out=1.0), "from 0 to less than 1, got 1.0")
    refused(lambda: CaptionedGlyphs(held_out=0.99), "leaves no training image of the")
    refused(lambda: data.read_captions(["a purple cow"]), "'a purple cow' says nothing")


def test_capital_letters_of_captions_are_read_as_small_unless_both_are_drawn():
    words = CaptionedGlyphs(characters="A7").vocabularies["tokens"]
    assert words.decode(words.encode(["A Small red letter A on Green"], known=True)) == [
        "a small red letter a on green"
    ]
    both = CaptionedGlyphs(characters="Aa")
    assert both.read_captions(["a small red letter a on green"])[0, 0] == 1
    assert "A" in both.vocabularies["tokens"].tokens
    assert CaptionedGlyphs(tokens=None).text_shape is None
