"""The processes that decode pictures of strangers: limits of time, memory and number."""

import asyncio
import io
import json
import os
import signal
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image
from servers import png

from stridednet.deploy.serve.decoding import Decoders
from stridednet.deploy.serve.refusal import RefusedError
from stridednet.deploy.serve.settings import Limits

T = TypeVar("T")


def _with_decoders(limits: Limits, use: Callable[[Decoders], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Decoders(limits) as decoders:
            return await use(decoders)

    return asyncio.run(run())


def _children() -> set[int]:
    found = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
    return {int(number) for numbers in found for number in numbers}


def _is_decoder(number: int) -> bool:
    return b"serve.decoder" in Path(f"/proc/{number}/cmdline").read_bytes()


def test_pictures_are_decoded_as_pillow_does() -> None:
    async def use(decoders: Decoders) -> None:
        image, shown = await decoders.decode(png(1, 40), 40, {}, longest=20)
        with Image.open(io.BytesIO(png(1, 40))) as picture:
            np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))
        assert shown.shape == (20, 20, 3)

    _with_decoders(Limits(decoders=1), use)


def test_a_picture_that_takes_too_long_is_refused_and_its_process_ends() -> None:
    async def use(decoders: Decoders) -> None:
        (decoder,) = filter(_is_decoder, _children())
        os.kill(decoder, signal.SIGSTOP)
        with pytest.raises(RefusedError, match=r"^not decoded within 0.5 s$") as refused:
            await decoders.decode(png(1), 8, {})
        assert refused.value.status == 400
        assert not Path(f"/proc/{decoder}").exists()

    _with_decoders(Limits(decoders=1, decoding=0.5), use)


def _claiming(width: int, height: int) -> bytes:
    """Return the start of a PNG file of that size."""
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_memory_and_pixels_are_limited() -> None:
    async def use(decoders: Decoders) -> None:
        for side, reason in ((40_000, "too much memory"), (100_000, "10,000,000,000 pixels; at most 5,000,000,000")):
            with pytest.raises(RefusedError, match=reason) as refused:
                await decoders.decode(_claiming(side, side), 8, {})
            assert refused.value.status == 413
        await decoders.decode(png(1), 8, {})

    _with_decoders(Limits(decoders=1, pixels=5 * 10**9), use)


def test_only_some_pictures_wait() -> None:
    async def use(decoders: Decoders) -> None:
        tasks = [asyncio.create_task(decoders.decode(png(seed), 8, {})) for seed in range(8)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [one for one in done if isinstance(one, RefusedError)]
        assert {one.status for one in refused} == {503}
        assert len(refused) == 8 - 1 - 3  # one is decoded, three wait

    _with_decoders(Limits(decoders=1, queue=3), use)


def test_json_that_would_fill_the_memory_is_refused() -> None:
    async def use(decoders: Decoders) -> None:
        body = b'{"a": [' + b"[[[[]]]]," * 4_000_000 + b"1]}"  # 36 MB, more than 2 GB as lists
        with pytest.raises(RefusedError, match="too much memory"):
            await decoders.read_tensor(body, 8)
        tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [7] * 192}
        identifier, images = await decoders.read_tensor(json.dumps({"inputs": [tensor]}).encode(), 8)
        assert (identifier, images.tolist()) == (None, np.full((1, 8, 8, 3), 7).tolist())

    _with_decoders(Limits(decoders=1), use)
