"""Serves the page: to this machine alone unless told otherwise, and without a request to any other server."""

import json
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_gans.display.uploads import BYTES
from lit_gans.errors import UsageError
from lit_gans.files import cache_folder, working_folder

_FOLDER = "GRADIO_TEMP_DIR"
PORT, _PORTS = 7860, 100  # the first that is tried, and how many are
HERE = "127.0.0.1"
_LOCAL = (HERE, "localhost", "::1")
_MOST = 2_000_000  # bytes of a request that is no upload
_AWAY = re.compile(r"/(?:file=|proxy=)\s*(?:https?|ftp):|/proxy=", re.IGNORECASE)
_SELF = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
_SELF += "script-src 'self' 'unsafe-inline' 'unsafe-eval'; font-src 'self' data:; worker-src 'self' blob:; "
_SELF += "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
_HEADERS = {
    "content-security-policy": _SELF,  # no browser asks another server, whatever the page says
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# what names other servers in a page, though no browser asks them: for sites that show links, and for programs
_NAMED = re.compile(rb"<meta\s[^>]*(?:og:|twitter:)[^>]*>|https://[\w.]*github[\w.]*/gradio-app/[\w./-]*")
# it reports no use, keeps no history, and asks nobody for a newer version
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
CSS = """
.samples img, .large img, .grey img, .way img, .sum img { image-rendering: pixelated; }
.samples img, .grey img { cursor: crosshair; }
.scores td { white-space: nowrap; }
footer { display: none !important; }
"""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware: refuses what would make the server ask another one, and says so to browsers by headers.

    Args:
        app: the application behind it.
        host: the address that it listens at. At one of this machine alone the page must be asked for by such a name: a
            site elsewhere can give its own name the address of this machine, and would be let in otherwise.
    """

    def __init__(self, app: Any, host: str = HERE) -> None:
        self.app, self.names = app, _LOCAL if host in _LOCAL else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        asked = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if self.names and re.sub(r":\d*$", "", asked).strip("[]") not in self.names:
            await _refuse(send, 403, "this page is for this machine alone")
            return
        if _AWAY.search(path):
            await _refuse(send, 404, "this page gives only its own files")
            return
        if scope["method"] == "POST" and not path.endswith("/upload"):
            body = await _whole(receive)
            if body is None or _names_address(body):
                await _refuse(send, 400, "this page takes only files that were uploaded to it")
                return
            receive = _again(body, receive)
        await self.app(scope, receive, _Answer(send))


class _Answer:
    """Sends an answer on with the headers, and without what names other servers in pages."""

    def __init__(self, send: Send) -> None:
        self.send, self.body = send, b""
        self.start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name in _HEADERS}
            kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in names]
            message["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in _HEADERS.items())]
            if any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in kept):
                self.start = message
                return
        elif self.start is not None:
            self.body += message.get("body", b"")
            if message.get("more_body"):
                return
            start, body = self.start, _NAMED.sub(b"", self.body)
            length = str(len(body)).encode()
            others = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
            start["headers"] = [*others, (b"content-length", length)]
            await self.send(start)
            message = {"type": "http.response.body", "body": body}
        await self.send(message)


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None if it is too long."""
    body, more = b"", True
    while more and len(body) <= _MOST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return None if more or len(body) > _MOST else body


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, then what else comes."""
    given = False

    async def first() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first


def _names_address(body: bytes) -> bool:
    """Whether the path of a file in a request is an address, which the server would fetch."""
    try:
        waiting = [json.loads(body)] if body.strip() else []
    except (ValueError, RecursionError):
        return False  # no JSON, so no file either
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            path = part.get("path")
            if isinstance(path, str) and "://" in path:
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


async def _refuse(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})


def quiet() -> None:
    """Tells gradio, before it is imported, to ask no other server and to keep nothing."""
    os.environ.update(_QUIET)


@contextmanager
def served(gr: Any, make: Callable[[], Any], host: str = HERE, port: int | None = None) -> Iterator[str]:
    """Serves a page, and gives its address; uploads lie in a folder of their own, which is removed at the end.

    Args:
        gr: the module gradio.
        make: makes the page, as Blocks.
        host: the address to listen at; 0.0.0.0 is for all of this machine's.
        port: by default the first from 7860 that is free.

    Raises:
        UsageError: if the port is taken, or the host is none of this machine.
    """
    chosen = free_port(host, port)
    with working_folder(cache_folder() / "uploads") as folder, _uploads_in(folder):
        page = make()
        try:
            page.launch(
                server_name=host,
                server_port=chosen,
                share=False,
                quiet=True,
                inbrowser=False,
                inline=False,
                prevent_thread_lock=True,
                show_error=False,
                allowed_paths=[],
                max_file_size=BYTES,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                footer_links=[],
                state_session_capacity=50,
                app_kwargs={"middleware": [_middleware(host)], "docs_url": None, "redoc_url": None},
                theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
                css=CSS,
            )
            yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{chosen}"
        finally:
            page.close(verbose=False)


@contextmanager
def _uploads_in(folder: Path) -> Iterator[None]:
    """Lets gradio put what it is given, and what it gives, into a folder."""
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(folder)
    try:
        yield
    finally:
        del os.environ[_FOLDER]
        os.environ.update({} if before is None else {_FOLDER: before})


def _middleware(host: str) -> Any:
    from starlette.middleware import Middleware

    return Middleware(Guard, host=host)


def free_port(host: str, port: int | None) -> int:
    """The port to listen at.

    Raises:
        UsageError: if the one that was asked for is taken, or the host is none of this machine.
    """
    tried = range(PORT, PORT + _PORTS) if port is None else [port]
    for number in tried:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as place:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                place.bind((host, number))
            except OverflowError:
                raise UsageError(f"port must be from 1 to 65535, got {number}") from None
            except socket.gaierror:
                raise UsageError(f"host {host!r} is no address of this machine; leave out --host") from None
            except PermissionError:
                raise UsageError(f"port {number} may not be used by you; choose one above 1023") from None
            except OSError as error:
                if error.errno == 99:  # cannot assign: no address of this machine
                    raise UsageError(f"host {host!r} is no address of this machine; leave out --host") from None
                continue
            return number
    asked = f"port {port}" if port is not None else f"every port from {PORT} to {PORT + _PORTS - 1}"
    raise UsageError(f"{asked} is taken; choose another with --port")
