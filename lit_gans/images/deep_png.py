"""Writes PNGs of 16 bits: Pillow writes those of one channel only, and no light library the others."""

import struct
import zlib

import numpy as np

_START = b"\x89PNG\r\n\x1a\n"
_COLOURS = {1: 0, 3: 2, 4: 6}  # channels: what the standard calls grey, colour, colour and transparency


def deep_png(numbers: np.ndarray, text: tuple[str, str] | None = None) -> bytes:
    """A PNG (ISO/IEC 15948) of numbers (H, W, 1, 3 or 4) uint16, with a keyword and its text."""
    height, width, channels = numbers.shape
    rows = np.ascontiguousarray(numbers, ">u2").view(np.uint8).reshape(height, -1)  # (H, 2 W C)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1)  # each row begins with its filter: none
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOURS[channels], 0, 0, 0))]
    if text is not None:
        chunks.append(_chunk(b"tEXt", "\0".join(text).encode("latin-1")))
    chunks += [_chunk(b"IDAT", zlib.compress(filtered.tobytes())), _chunk(b"IEND", b"")]
    return _START + b"".join(chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
