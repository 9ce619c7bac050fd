"""The process that decodes pictures and tensors of strangers: it can be killed when one takes too long.

It reads requests from standard input and writes answers to standard output, until standard input is closed. Both are a
length, a line of JSON of that length, and bytes whose number the JSON tells.
"""

import io
import json
import os
import struct
import sys
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from stridednet.data.decode import Pixels, UnusablePictureError, read_picture, resize
from stridednet.data.samples import SampleRange
from stridednet.deploy.serve.refusal import BAD_REQUEST, TOO_LARGE, RefusedError
from stridednet.deploy.serve.tensors import read_request
from stridednet.settings import ResizeRule

PICTURE, TENSOR = "picture", "tensor"  # what a request contains
LENGTH = struct.Struct("<I")
_MEMORY = 2 * 2**30  # bytes of address space


def frame(header: dict[str, Any], content: bytes) -> bytes:
    """Return a request or an answer as it is written."""
    line = json.dumps({**header, "bytes": len(content)}).encode()
    return b"".join((LENGTH.pack(len(line)), line, content))


def decoded(content: bytes, size: int, rule: ResizeRule, longest: int, ranges: dict[str, Any]) -> list[Pixels]:
    """Return a picture as the model takes it and, if ``longest`` is not 0, in its own proportions.

    Args:
        content: The bytes of the file.
        size: Height and width for the model, in pixels.
        rule: How a picture becomes such a square.
        longest: Longer side of the second picture, in pixels.
        ranges: Which samples of more than 8 bits become 0 and 255.

    Raises:
        UnusablePictureError: It is not a readable picture.
    """
    chosen: Any = {kind: SampleRange(*values) for kind, values in ranges.items()}
    found = [resize(read_picture(content, size, chosen), size, rule)]
    if longest:
        picture = read_picture(content, longest, chosen)
        factor = min(1.0, longest / max(picture.shape[:2]))
        height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
        found.append(np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    return found


def _answer(header: dict[str, Any], content: bytes) -> bytes:
    try:
        if header["kind"] == TENSOR:
            identifier, images = read_request(content, header["size"], header["largest"])
            return frame({"id": identifier, "shapes": [images.shape]}, images.tobytes())
        pixels = _pixels(content)
        if pixels > header["pixels"]:
            raise RefusedError(TOO_LARGE, f"{pixels:,} pixels; at most {header['pixels']:,} are accepted")
        found = decoded(content, header["size"], header["rule"], header["longest"], header["ranges"])
    except MemoryError:
        return frame({"refused": [TOO_LARGE, "decoding it takes too much memory"]}, b"")
    except UnusablePictureError as error:
        return frame({"refused": [BAD_REQUEST, f"not a readable picture: {error}"]}, b"")
    except RefusedError as error:
        return frame({"refused": [error.status, error.reason]}, b"")
    return frame({"shapes": [one.shape for one in found]}, b"".join(one.tobytes() for one in found))


def _pixels(content: bytes) -> int:
    """Return the number of pixels that a file claims to have; 0 if Pillow does not know its format."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.width * picture.height
    except Exception:  # noqa: BLE001 -- whatever is wrong with the file is reported when it is decoded
        return 0


def _requests(source: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
    while len(start := source.read(LENGTH.size)) == LENGTH.size:
        header = json.loads(source.read(*LENGTH.unpack(start)))
        yield header, source.read(header["bytes"])


def _main() -> None:
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # a limit of our own is checked first
    cv2.setNumThreads(1)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever a library prints does not come between the answers
        for header, content in _requests(sys.stdin.buffer):
            answers.write(_answer(header, content))
            answers.flush()


if __name__ == "__main__":
    _main()
