"""The processes that decode pictures of strangers: limits of time, memory and number."""

import asyncio
import io
import os
import re
import signal
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
        image, shown = await decoders.decode(png(1, 40), 40, "squash", {}, longest=20)
        with Image.open(io.BytesIO(png(1, 40))) as picture:
            np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))
        assert shown.shape == (20, 20, 3)

    _with_decoders(Limits(decoders=1), use)


def test_a_picture_that_takes_too_long_is_refused_and_its_process_ends() -> None:
    async def use(decoders: Decoders) -> None:
        (decoder,) = filter(_is_decoder, _children())
        os.kill(decoder, signal.SIGSTOP)
        with pytest.raises(RefusedError, match=r"^not decoded within 0.5 s$") as refused:
            await decoders.decode(png(1), 8, "squash", {})
        assert refused.value.status == 400
        assert not Path(f"/proc/{decoder}").exists()

    _with_decoders(Limits(decoders=1, decoding=0.5), use)


def test_the_memory_of_a_process_is_limited() -> None:
    async def use(decoders: Decoders) -> None:
        await decoders.decode(png(1), 8, "squash", {})
        (decoder,) = filter(_is_decoder, _children())
        limits = Path(f"/proc/{decoder}/limits").read_text()
        assert re.search(rf"^Max address space\s+{2 * 2**30}\s+{2 * 2**30}\s", limits, re.MULTILINE)

    _with_decoders(Limits(decoders=1), use)


def test_only_some_pictures_wait() -> None:
    async def use(decoders: Decoders) -> None:
        tasks = [asyncio.create_task(decoders.decode(png(seed), 8, "squash", {})) for seed in range(8)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [one for one in done if isinstance(one, RefusedError)]
        assert {one.status for one in refused} == {503}
        assert len(refused) == 8 - 1 - 3  # one is decoded, three wait

    _with_decoders(Limits(decoders=1, queue=3), use)
