"""``lit-gans cache``: only decoded pictures are listed and deleted, and none that a run reads or writes."""

import multiprocessing
import os
import shutil

import pytest
import torch
from filelock import FileLock
from PIL import Image
from safetensors.torch import save_file

from lit_gans.cli.main import main
from lit_gans.data.cache import decoded
from lit_gans.data.cache_folder import lock_of
from lit_gans.data.sources import open_source
from lit_gans.images.frame import Frame

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def keep(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keep_some(place, keep, title="x"):
    """Decodes two pictures of a folder, which is made if need be."""
    place.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        if not (place / name).exists():
            Image.new("RGB", (4, 4), (9, 9, 9)).save(place / name)
    return decoded(open_source(place), Frame((4, 4)), keep, title)


def test_list_and_clear(tmp_path, keep, capsys):
    for name in ("a", "b"):
        keep_some(tmp_path / name, keep, name)
    (first, second) = sorted(keep.glob("*.safetensors"))
    shutil.copy(first, part := second.with_suffix(".part"))
    part.rename(part := keep / "c-4x4-0123456789ab.part")
    main(["cache", "list"])
    told = capsys.readouterr().out
    assert "3 files" in told and first.name in told and f"2 images of {tmp_path / 'a'}" in told
    assert "not finished" in told and str(keep) in told
    main(["cache", "clear"])
    told = capsys.readouterr().out
    assert all(f"removed {path}" in told for path in (first, second, part)) and "3 files" in told
    assert not list(keep.iterdir()) and (tmp_path / "a" / "a.png").exists()
    main(["cache", "list"])
    assert "0 files of decoded images, 0.0 MB, in" in capsys.readouterr().out


def test_nothing_else_is_deleted(tmp_path, keep):
    keep.mkdir()
    save_file({"image": torch.zeros(2)}, keep / "mine-64x64-0123456789ab.safetensors")
    save_file({"image": torch.zeros(2)}, keep / "mine.safetensors", {"format": "2", "frame": "", "count": "2"})
    (keep / "a-1x1-0123456789ab.part").write_bytes(b"\xff" * 100)
    (keep / "photo.png").write_bytes(b"mine")
    (keep / ".lit_gans").mkdir()
    keep_some(tmp_path / "a", keep)
    (made,) = keep.glob("x-*")
    (keep / "b-4x4-0123456789ab.safetensors").symlink_to(made)
    before = set(keep.iterdir()) - {made, lock_of(made)}
    main(["cache", "clear"])
    assert set(keep.iterdir()) == before


def test_one_whose_header_is_damaged_is_deleted_all_the_same(tmp_path, keep):
    keep_some(tmp_path / "a", keep)
    (made,) = keep.glob("x-*")
    made.write_bytes(b"")
    main(["cache", "clear"])
    assert not list(keep.iterdir())


def test_another_folder(tmp_path, keep, capsys):
    keep_some(tmp_path / "a", tmp_path / "other")
    main(["cache", "clear", "--folder", str(tmp_path / "other")])
    assert "1 file of decoded images" in capsys.readouterr().out and not list((tmp_path / "other").iterdir())


def test_a_file_that_is_read_is_left(tmp_path, keep, capsys):
    ready, done = FORK.Event(), FORK.Event()

    def work():
        images, rows = keep_some(tmp_path / "a", keep)
        ready.set()
        assert done.wait(60)
        assert len(images.index_select(0, rows)) == 2  # opened only now

    reader = FORK.Process(target=work)
    reader.start()
    assert ready.wait(60)
    main(["cache", "clear"])
    assert "in use" in capsys.readouterr().out and list(keep.glob("x-*"))
    done.set()
    reader.join(60)
    assert reader.exitcode == 0
    main(["cache", "clear"])
    assert not list(keep.iterdir())


def test_a_file_that_is_written_is_left(tmp_path, keep, capsys):
    keep_some(tmp_path / "a", keep)
    (made,) = keep.glob("x-*")
    made.rename(part := made.with_suffix(".part"))
    with FileLock(lock_of(made)):
        main(["cache", "clear"])
        assert part.exists() and "in use" in capsys.readouterr().out


def test_one_that_is_cleared_while_it_is_opened_is_made_anew(tmp_path, keep, monkeypatch):
    keep_some(tmp_path / "a", keep)
    (made,) = keep.glob("x-*")
    samestat, cleared = os.path.samestat, []

    def clear_first(one, other):
        if not cleared:
            cleared.append(made.unlink())
            keep_some(tmp_path / "a", keep)  # by another run
            return samestat(one, made.stat())
        return samestat(one, other)

    monkeypatch.setattr(os.path, "samestat", clear_first)
    images, rows = keep_some(tmp_path / "a", keep)
    assert cleared and images.path == made and len(images.index_select(0, rows)) == 2


def test_an_unknown_action(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["cache", "erase"])
    assert ended.value.code == 2 and "must be list or clear, got 'erase'" in capsys.readouterr().err
