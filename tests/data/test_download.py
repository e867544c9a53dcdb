"""Downloads from a server that can be told to misbehave, and archives that should not be trusted."""

import errno
import gzip
import hashlib
import io
import os
import random
import re
import socket
import stat
import tarfile
import threading
import zipfile
from http.client import HTTPResponse, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_gans.data import download
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.errors import UsageError

CONTENT = random.Random(0).randbytes(300_000)  # several chunks
OTHER = random.Random(1).randbytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = "https://example.org/the-set"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append((self.path, wanted))
        server.agents.append(self.headers["User-Agent"])
        if server.statuses:
            return self.refuse(server.statuses.pop(0))
        content = server.files.get(self.path)
        if content is None:
            return self.refuse(404)
        server.arrived.set()
        if server.waits:
            server.released.wait(5)
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if first >= len(content) > 0:
            return self.refuse(416, {"Content-Range": f"bytes */{len(content)}"} if server.tells_total else {})
        first = max(0, first + server.shift) if first else 0
        self.send_response(206 if wanted and server.ranges else 200)
        if wanted and server.ranges and server.names_range:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        body = content[first:]
        cut = server.cuts.pop(0) if server.cuts else None
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(body) + body[:cut] + (b"\r\n0\r\n\r\n" if cut is None else b""))
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut])
        self.close_connection = cut is not None
        if cut is not None and server.stalls and not server.released.wait(5):
            server.requests.append(("the client never gave up", None))

    def refuse(self, status, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/set.bin": CONTENT}
        self.requests, self.agents = [], []
        self.statuses = []  # answers to the first requests
        self.cuts = []  # bytes after which the first bodies end
        self.ranges = self.names_range = self.tells_total = True
        self.chunked = self.stalls = False
        self.shift = 0  # how far beyond the asked byte a range begins
        self.arrived, self.released = threading.Event(), threading.Event()
        self.waits = False  # with every answer, until released

    def handle_error(self, *arguments):
        pass  # clients that hang up are part of the tests

    def url(self, path="/set.bin"):
        return f"http://127.0.0.1:{self.server_port}{path}"

    @property
    def ranges_asked(self):
        return [wanted for _, wanted in self.requests]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE", 0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def left(folder):
    """The names in a folder, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def full_disk(monkeypatch, room):
    """Lets files opened by a Path take ``room`` bytes each."""

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    opened = Path.open

    def open_full(path, mode="r", *arguments, **keywords):
        if not set(mode) & set("wax"):
            return opened(path, mode, *arguments, **keywords)
        return io.BufferedWriter(Full(path, mode.replace("b", "")))

    monkeypatch.setattr(Path, "open", open_full)


def fails(remote, folder):
    """The sentence of a fetch that must fail and leave nothing under the final name."""
    with pytest.raises(UsageError) as caught:
        fetch(remote, folder, PAGE)
    assert "set.bin" not in left(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# fetch


@pytest.mark.parametrize("digest", [None, MD5, SHA256, MD5.upper()], ids=["none", "md5", "sha256", "upper"])
def test_fetch(server, tmp_path, digest):
    folder = tmp_path / "new" / "folder"
    path = fetch(Remote(server.url(), digest), folder, PAGE)
    assert path == folder / "set.bin" and path.read_bytes() == CONTENT
    assert left(folder) == ["set.bin"]
    assert server.requests == [("/set.bin", None)] and "urllib" not in server.agents[0]
    assert fetch(Remote(server.url(), digest), folder, PAGE) == path
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url, name, expected",
    [
        ("http://h/a/train%20set.mat?x=1/2#y", None, "train set.mat"),
        ("https://h/download?id=7", "img.zip", "img.zip"),
    ],
)
def test_file_name(url, name, expected):
    assert Remote(url, name=name).file == expected


def test_digest_of_unknown_kind():
    with pytest.raises(ValueError, match="32 or 64"):
        Remote("http://h/a", "abc")


def test_fetch_under_another_name(server, tmp_path):
    assert fetch(Remote(server.url(), MD5, "mine.dat"), tmp_path, PAGE) == tmp_path / "mine.dat"
    assert left(tmp_path) == ["mine.dat"]


def test_fetch_leaves_what_is_there(server, tmp_path):
    (tmp_path / "set.bin").write_bytes(b"put here by hand")
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == b"put here by hand"
    assert server.requests == [] and [path.name for path in tmp_path.iterdir()] == ["set.bin"]


def test_fetch_of_nothing(server, tmp_path):
    server.files["/empty"] = b""
    assert fetch(Remote(server.url("/empty")), tmp_path, PAGE).read_bytes() == b""


def test_wrong_checksum(server, tmp_path):
    server.files["/set.bin"] = OTHER
    message = fails(Remote(server.url(), MD5), tmp_path)
    found = hashlib.md5(OTHER).hexdigest()
    for part in (server.url(), MD5, found, "checksum", "run again", PAGE, str(tmp_path)):
        assert part in message
    assert left(tmp_path) == [] and len(server.requests) == 1  # nothing old was resumed, so nothing to try anew
    server.files["/set.bin"] = CONTENT
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_resumes_what_a_killed_process_left(server, tmp_path, digest):
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:123_456])
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=123456-"] and left(tmp_path) == ["set.bin"]


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_resumes_what_ctrl_c_left(server, tmp_path, monkeypatch, digest):
    def interrupted(response):
        yield response.read(70_000)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "_chunks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(Remote(server.url(), digest), tmp_path, PAGE)
    assert left(tmp_path) == ["set.bin.part"]
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=70000-"]


def test_old_part_of_another_file(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(OTHER[:1000])
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=1000-", None]


def test_old_part_and_wrong_checksum(server, tmp_path):
    server.files["/set.bin"] = OTHER
    (tmp_path / "set.bin.part").write_bytes(OTHER[:1000])
    assert MD5 in fails(Remote(server.url(), MD5), tmp_path)
    assert server.ranges_asked == ["bytes=1000-", None] and left(tmp_path) == []


def test_empty_part(server, tmp_path):
    (tmp_path / "set.bin.part").touch()
    assert fetch(Remote(server.url()), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == [None]


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
@pytest.mark.parametrize("tells_total", [True, False])
def test_complete_part(server, tmp_path, digest, tells_total):
    server.tells_total = tells_total
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    # with neither size nor checksum there is no telling whether the part is right
    anew = [] if digest or tells_total else [None]
    assert server.ranges_asked == [f"bytes={len(CONTENT)}-", *anew]


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_part_longer_than_the_file(server, tmp_path, digest):
    (tmp_path / "set.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT


def test_complete_part_of_another_file(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(OTHER)
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_cut_connections_are_resumed(server, tmp_path, digest, chunked):
    server.cuts, server.chunked = [100_000, 50_000, 0, 10], chunked
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    if chunked:  # what came of a broken chunk may be lost
        assert len(server.requests) == 5
    else:
        assert server.ranges_asked == [None, *(f"bytes={have}-" for have in (100_000, 150_000, 150_000, 150_010))]
    assert left(tmp_path) == ["set.bin"]


@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, "reset"), TimeoutError("timed out"), IncompleteRead(b"")], ids=repr
)
def test_broken_connections_are_resumed(server, tmp_path, monkeypatch, error):
    read, calls = HTTPResponse.read, []

    def breaks_once(response, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise error
        return read(response, *arguments)

    monkeypatch.setattr(HTTPResponse, "read", breaks_once)
    assert fetch(Remote(server.url()), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == [None, f"bytes={2 * download.CHUNK}-"]


def test_a_silent_connection_is_resumed(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    server.cuts, server.stalls = [2 * download.CHUNK], True
    assert fetch(Remote(server.url()), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.requests == [("/set.bin", None), ("/set.bin", f"bytes={2 * download.CHUNK}-")]
    assert not server.released.is_set()


def test_many_cuts_end(server, tmp_path):
    server.cuts = [1000] * 20
    message = fails(Remote(server.url(), MD5), tmp_path)
    assert len(server.requests) == 1 + download.RESUMES
    assert "cut after 6000 of 300000 bytes" in message and "run again" in message
    assert left(tmp_path) == ["set.bin.part"] and (tmp_path / "set.bin.part").read_bytes() == CONTENT[:6000]
    server.cuts = []
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked[-1] == "bytes=6000-"


def test_cuts_with_progress_do_not_count(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PROGRESS", 20_000)
    server.cuts = [20_000] * 14
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT
    assert len(server.requests) == 15


def test_the_same_beginning_again_is_no_progress(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PROGRESS", 20_000)
    server.cuts, server.ranges = [20_000] * 50, False
    fails(Remote(server.url(), MD5), tmp_path)
    assert len(server.requests) <= 2 + download.RESUMES


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_server_without_ranges(server, tmp_path, digest):
    server.ranges, server.cuts = False, [100_000]
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:150_000])
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=150000-", "bytes=100000-"]


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
@pytest.mark.parametrize("shift", [-1000, 1000, -10_000])
def test_server_with_another_range(server, tmp_path, digest, shift):
    server.shift = shift  # -10,000 answers from the first byte on
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:10_000])
    assert fetch(Remote(server.url(), digest), tmp_path, PAGE).read_bytes() == CONTENT
    assert len(server.requests) == (1 if shift == -10_000 else 2)


def test_server_that_does_not_name_the_range(server, tmp_path):
    server.names_range = False
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:10_000])
    assert fetch(Remote(server.url()), tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=10000-", None]


@pytest.mark.parametrize("statuses", [[503], [500, 502, 503, 504, 503]], ids=str)
def test_busy_server(server, tmp_path, statuses):
    count = len(statuses)
    server.statuses = statuses
    assert fetch(Remote(server.url(), MD5), tmp_path, PAGE).read_bytes() == CONTENT
    assert len(server.requests) == count + 1


def test_server_that_stays_busy(server, tmp_path):
    server.statuses = [503] * 20
    assert "503" in fails(Remote(server.url()), tmp_path)
    assert len(server.requests) == 1 + download.RESUMES and left(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 410, 416, 429])
def test_refused(server, tmp_path, status):
    server.statuses = [status]
    message = fails(Remote(server.url(), MD5), tmp_path)
    assert f"set.bin could not be downloaded from {server.url()} (HTTP {status}" in message
    assert f"fetch it by hand from {PAGE} and put it in {tmp_path}" in message
    assert len(server.requests) == 1 and left(tmp_path) == []


@pytest.mark.parametrize("digest", [None, MD5], ids=["unknown", "md5"])
def test_refusal_keeps_the_part(server, tmp_path, digest):
    server.statuses = [403]
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:10])
    fails(Remote(server.url(), digest), tmp_path)
    assert (tmp_path / "set.bin.part").read_bytes() == CONTENT[:10]


def test_gone_host(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(download, "time", SimpleNamespace(sleep=pauses.append))
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/set.bin"
        message = fails(Remote(url), tmp_path)
    assert f"set.bin could not be downloaded from {url} (" in message and "refused" in message and PAGE in message
    assert left(tmp_path) == [] and pauses == []


def test_mirrors(server, tmp_path):
    server.files |= {"/wrong": OTHER}
    mirrors = [Remote(server.url(path), MD5) for path in ("/gone/set.bin", "/wrong", "/set.bin", "/never")]
    path = fetch(mirrors, tmp_path, PAGE)
    assert path == tmp_path / "set.bin" and path.read_bytes() == CONTENT and left(tmp_path) == ["set.bin"]
    assert [asked for asked, _ in server.requests] == ["/gone/set.bin", "/wrong", "/set.bin"]


def test_a_mirror_resumes_what_another_began(server, tmp_path):
    server.files["/bad/set.bin"], server.cuts = CONTENT, [1000] * (1 + download.RESUMES)
    mirrors = (Remote(server.url("/bad/set.bin"), MD5), Remote(server.url(), MD5))
    assert fetch(mirrors, tmp_path, PAGE).read_bytes() == CONTENT
    assert server.requests[-1] == ("/set.bin", "bytes=6000-")


def test_no_mirror_works(server, tmp_path):
    server.files["/wrong"] = OTHER
    urls = [server.url("/gone/set.bin"), server.url("/wrong")]
    message = fails([Remote(url, MD5) for url in urls], tmp_path)
    assert all(part in message for part in (*urls, "404", MD5, PAGE))


@pytest.mark.parametrize("room", [0, 100_000])
def test_full_disk(server, tmp_path, monkeypatch, room):
    mirrors = [Remote(server.url(), MD5), Remote(server.url("/never"), MD5)]
    with monkeypatch.context() as patch:
        full_disk(patch, room)
        message = fails(mirrors, tmp_path)
    assert str(tmp_path / "set.bin") in message and "free space" in message and os.strerror(errno.ENOSPC) in message
    assert len(server.requests) == 1  # other places have no more room
    assert left(tmp_path) == ["set.bin.part"]
    kept = (tmp_path / "set.bin.part").read_bytes()
    assert kept == CONTENT[: len(kept)] and bool(kept) == bool(room)
    assert fetch(mirrors, tmp_path, PAGE).read_bytes() == CONTENT
    assert server.ranges_asked[-1] == (f"bytes={len(kept)}-" if kept else None)


def test_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        fetch(Remote(server.url()), tmp_path / "file" / "folder", PAGE)


def test_two_at_a_time(server, tmp_path):
    server.waits, paths = True, []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(Remote(server.url(), MD5), tmp_path, PAGE)))
        for _ in range(2)
    ]
    threads[0].start()
    assert server.arrived.wait(5)
    server.arrived.clear()
    threads[1].start()
    assert not server.arrived.wait(0.3)  # the second does not ask while the first is served
    server.released.set()
    for thread in threads:
        thread.join(5)
    assert paths == [tmp_path / "set.bin"] * 2 and paths[0].read_bytes() == CONTENT
    assert len(server.requests) == 1


# unpack

FILES = {"d/a.txt": b"hello" * 50, "d/e/ü.bin": CONTENT[:700], "top.txt": b"x" * 1300}
KINDS = ["zip", "tar", "tar.gz", "tgz"]


def pack(path, entries, link=None):
    """An archive of (name, content) pairs, None for a folder; ``link`` is the tar type or Unix mode of the last."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for number, (name, content) in enumerate(entries):
                info = zipfile.ZipInfo(name if content is not None else f"{name}/")
                if link and number == len(entries) - 1:
                    info.external_attr = link << 16
                archive.writestr(info, content or b"")
        return path
    plain = path.suffix.lower() == ".tar"
    with tarfile.open(path, "w" if plain else "w:gz", **({} if plain else {"compresslevel": 0})) as archive:
        for number, (name, content) in enumerate(entries):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            if link and number == len(entries) - 1:
                info.type, info.size, info.linkname = link, 0, "../secret"
            archive.addfile(info, io.BytesIO(content or b""))
    return path


def tree(folder):
    """Everything in a folder: its files' content, None for folders."""
    paths = sorted(folder.rglob("*")) if folder.exists() else []
    return {path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in paths}


def unpack_fails(archive, folder):
    """The sentence of an unpacking that must fail; nothing but an empty folder may come of it."""
    before = tree(archive.parent)
    with pytest.raises(UsageError) as caught:
        unpack(archive, folder)
    assert {**before, folder.name: None} == {**tree(archive.parent), folder.name: None}
    assert str(archive) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_unpack(tmp_path, kind):
    archive = pack(tmp_path / f"set.{kind}", [("d", None), *FILES.items(), ("__MACOSX/._a", b"m"), ("empty", None)])
    unpack(archive, tmp_path / "new" / "folder")
    folders = dict.fromkeys(["d", "d/e", "empty", "__MACOSX"])
    assert tree(tmp_path / "new" / "folder") == {**FILES, **folders, "__MACOSX/._a": b"m"}
    assert archive.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_without_folder_entries(tmp_path, kind):
    unpack(pack(tmp_path / f"SET.{kind.upper()}", FILES.items()), tmp_path / "out")
    assert tree(tmp_path / "out") == {**FILES, "d": None, "d/e": None}


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_from_the_dot(tmp_path, kind):
    entries = [(".", None), *((f"./{name}", content) for name, content in FILES.items())]
    unpack(pack(tmp_path / f"set.{kind}", entries), tmp_path / "out")
    assert tree(tmp_path / "out") == {**FILES, "d": None, "d/e": None}


def test_unpack_a_single_file(tmp_path):
    archive = tmp_path / "train-ubyte.gz"
    archive.write_bytes(gzip.compress(CONTENT))
    unpack(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"train-ubyte": CONTENT}


def test_unpack_files_get_usual_permissions(tmp_path):
    archive = pack(tmp_path / "set.tar", [("d", None), ("d/a", b"1")])  # mode 0o644 and no execution for folders
    (tmp_path / "usual").mkdir()
    (tmp_path / "usual" / "a").touch()
    unpack(archive, tmp_path / "out")
    for left, right in (("out/d", "usual"), ("out/d/a", "usual/a")):
        assert (tmp_path / left).stat().st_mode == (tmp_path / right).stat().st_mode


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_overwrites_nothing(tmp_path, kind):
    out = tmp_path / "out"
    (out / "d").mkdir(parents=True)
    (out / "d" / "mine").write_bytes(b"mine")
    archive = pack(tmp_path / f"set.{kind}", FILES.items())
    unpack(archive, out)
    assert tree(out) == {"d": None, "d/mine": b"mine", "top.txt": FILES["top.txt"]}
    (out / "top.txt").write_bytes(b"changed")
    unpack(archive, out)
    assert tree(out) == {"d": None, "d/mine": b"mine", "top.txt": b"changed"}


def test_unpack_twice_at_a_time(tmp_path, monkeypatch):
    """Another process puts the same folder there between the look and the renaming."""
    rename, out = Path.rename, tmp_path / "out"

    def late(path, target):
        (target / "theirs").mkdir(parents=True)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    unpack(pack(tmp_path / "set.zip", [("d/a", b"1")]), out)
    assert tree(out) == {"d": None, "d/theirs": None}


NAMES = [
    "../evil",
    "a/../../evil",
    "/abs",
    "..",
    "..\\evil",
    "a\\..\\..\\evil",
    "\\abs",
    "C:evil",
    "c:\\evil",
    "C:/evil",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_unpack_refuses_to_write_outside(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    if name == "/abs":
        name = str(tmp_path / "abs")
    if name.endswith("..") and kind == "zip":
        name = "../"
    archive = pack(tmp_path / f"set.{kind}", [("good", b"1"), (name, b"2")])
    message = unpack_fails(archive, tmp_path / "out")
    assert f"holds the entry {name!r}, which would be written outside {tmp_path / 'out'}" in message
    assert "not the official one, delete it" in message
    assert not (tmp_path / "out").exists()  # all names are read before anything is written


@pytest.mark.parametrize(
    "kind, link",
    [
        ("zip", stat.S_IFLNK | 0o777),
        ("zip", stat.S_IFCHR | 0o666),
        ("tar", tarfile.SYMTYPE),
        ("tar", tarfile.LNKTYPE),
        ("tar.gz", tarfile.SYMTYPE),
        ("tgz", tarfile.FIFOTYPE),
        ("tar", tarfile.CHRTYPE),
        ("tar", tarfile.BLKTYPE),
    ],
)
def test_unpack_refuses_links_and_devices(tmp_path, kind, link):
    archive = pack(tmp_path / f"set.{kind}", [("good", b"1"), ("d/link", b"/etc/passwd")], link)
    message = unpack_fails(archive, tmp_path / "out")
    assert "holds the entry 'd/link', which is a link or a device" in message and "delete it" in message
    assert not (tmp_path / "out").exists()


def cut(data):
    return data[: len(data) // 3]  # in tar files, the end is filled with zeros


def flip(data):
    """One bit of the last file's content, which is x."""
    place = data.rindex(b"x" * 100) + 50
    return data[:place] + b"y" + data[place + 1 :]


def flip_header(data):
    """One letter of the last file's name, which the header's sum covers."""
    place = data.rindex(b"top.txt")
    return data[:place] + b"T" + data[place + 1 :]


@pytest.mark.parametrize(
    "kind, damage",
    [
        *(
            (kind, damage)
            for kind in (*KINDS, "gz")
            for damage in (cut, lambda data: b"", lambda data: b"<html>" * 300)
        ),
        *((kind, flip) for kind in ("zip", "tar.gz", "tgz")),
        *((kind, flip_header) for kind in ("tar", "tar.gz", "zip")),
        ("gz", lambda data: data[:10] + b"\xff" + data[11:]),  # no deflate block begins so
        ("gz", lambda data: data[:-8] + bytes(4) + data[-4:]),  # another checksum
    ],
)
def test_unpack_damaged(tmp_path, kind, damage):
    archive = tmp_path / f"set.{kind}"
    if kind == "gz":
        archive.write_bytes(gzip.compress(CONTENT))
    else:
        pack(archive, FILES.items())
    archive.write_bytes(damage(archive.read_bytes()))
    message = unpack_fails(archive, tmp_path / "out")
    assert "is damaged or truncated" in message and "delete it and run again" in message
    assert tree(tmp_path / "out") == {}


def test_unpack_damaged_leaves_what_was_there(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_bytes(b"mine")
    archive = pack(tmp_path / "set.zip", FILES.items())
    archive.write_bytes(flip(archive.read_bytes()))
    unpack_fails(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"mine": b"mine"}


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_on_a_full_disk(tmp_path, monkeypatch, kind):
    archive = pack(tmp_path / f"set.{kind}", FILES.items())
    with monkeypatch.context() as patch:
        full_disk(patch, 1000)  # enough for all but the last
        message = unpack_fails(archive, tmp_path / "out")
    assert "free space" in message and os.strerror(errno.ENOSPC) in message and "damaged" not in message
    assert tree(tmp_path / "out") == {}


def test_unpack_interrupted(tmp_path, monkeypatch):
    def interrupted(entry, folder):
        (folder / "half").write_bytes(b"1")
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(pack(tmp_path / "set.zip", FILES.items()), tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_unpack_hides_what_is_not_whole(tmp_path, monkeypatch):
    seen, extract = [], download._extract

    def watching(entry, folder):
        extract(entry, folder)
        seen.extend(path.name for path in (tmp_path / "out").iterdir())

    monkeypatch.setattr(download, "_extract", watching)
    unpack(pack(tmp_path / "set.zip", FILES.items()), tmp_path / "out")
    assert len(seen) == 3 and all(name.startswith(".") and str(os.getpid()) in name for name in seen)


@pytest.mark.parametrize("name", ["set.rar", "set", "set.7z"])
def test_unpack_another_kind(tmp_path, name):
    (tmp_path / name).write_bytes(b"1")
    assert ".tar.gz" in unpack_fails(tmp_path / name, tmp_path / "out")
