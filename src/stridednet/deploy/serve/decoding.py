"""Decoding pictures of strangers in a few processes, with a limit of time."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from stridednet.data.decode import Pixels
from stridednet.data.samples import Ranges
from stridednet.deploy.serve.decoder import LENGTH, PICTURE, TENSOR, frame
from stridednet.deploy.serve.model_thread import LARGEST_BATCH
from stridednet.deploy.serve.refusal import BAD_REQUEST, RefusedError, busy
from stridednet.deploy.serve.settings import Limits
from stridednet.settings import ResizeRule

_MODULE = "stridednet.deploy.serve.decoder"
_STREAM = 2**20  # bytes that are read ahead


class Decoders:
    """A fixed number of processes, each of which decodes one picture at a time.

    A process that takes too long, or that a picture crashes, is replaced. Use it as an asynchronous context manager, in
    one event loop.
    """

    def __init__(self, limits: Limits) -> None:
        """Set the limits; no process is started yet."""
        self._limits = limits
        self._idle: asyncio.Queue[_Decoder] = asyncio.Queue()
        self._all: list[_Decoder] = []
        self._waiting = 0

    async def __aenter__(self) -> Self:
        """Start the processes."""
        self._all = [_Decoder() for _ in range(self._limits.decoders)]
        for decoder in self._all:
            await decoder.start()
            self._idle.put_nowait(decoder)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the processes."""
        for decoder in self._all:
            await decoder.end()

    @property
    def waiting(self) -> int:
        """Number of pictures that wait for a process."""
        return self._waiting

    @property
    def is_ready(self) -> bool:
        """Whether a picture would be accepted."""
        return self._waiting < self._limits.queue

    async def decode(
        self, content: bytes, size: int, rule: ResizeRule, ranges: Ranges, longest: int = 0
    ) -> list[Pixels]:
        """Decode a picture as in training.

        Args:
            content: The bytes of a file.
            size: Height and width of the first result, in pixels.
            rule: How a picture becomes such a square.
            ranges: Which samples of more than 8 bits become 0 and 255.
            longest: Longer side of a second result, in its own proportions; 0 for none.

        Returns:
            ``(size, size, 3)``, RGB, and perhaps ``(height, width, 3)``.

        Raises:
            RefusedError: It is not a readable picture, exceeds a limit, or too many wait already.
        """
        header = {
            "kind": PICTURE,
            "size": size,
            "rule": rule,
            "longest": longest,
            "ranges": {kind: list(asdict(one).values()) for kind, one in ranges.items()},
            "pixels": self._limits.pixels,
        }
        _, arrays = await self._ask(header, content)
        return arrays

    async def read_tensor(self, body: bytes, size: int) -> tuple[str | None, Pixels]:
        """Read a request of the Open Inference Protocol: in a process too, since JSON can need much time and memory.

        Args:
            body: Of the request.
            size: Height and width of the model's images, in pixels.

        Returns:
            The ID of the request, if it has one, and ``(n, size, size, 3)``.

        Raises:
            RefusedError: It is not a valid request for this model, exceeds a limit, or too many wait already.
        """
        answer, (images,) = await self._ask({"kind": TENSOR, "size": size, "largest": LARGEST_BATCH}, body)
        return answer["id"], images

    async def _ask(self, header: Mapping[str, Any], content: bytes) -> tuple[dict[str, Any], list[Pixels]]:
        async with self._free() as decoder:
            answer, data = await decoder.ask(header, content, self._limits.decoding)
        if "refused" in answer:
            raise RefusedError(*answer["refused"])
        return answer, _arrays(answer["shapes"], data)

    @asynccontextmanager
    async def _free(self) -> AsyncIterator["_Decoder"]:
        if self._waiting >= self._limits.queue:
            raise busy(f"{self._waiting} pictures are waiting to be decoded already")
        self._waiting += 1
        try:
            decoder = await self._idle.get()
        finally:
            self._waiting -= 1
        try:
            yield decoder
        finally:
            self._idle.put_nowait(decoder)


class _Decoder:
    """One process."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def start(self) -> None:
        # A session of its own: Ctrl-C is for the server, which ends its decoders when they are not needed any more.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_STREAM,
            start_new_session=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def ask(self, header: Mapping[str, Any], content: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Send a picture and return the answer; whatever goes wrong, the next picture finds a process that works."""
        if self._process is None or self._process.returncode is not None:
            await self.end()
            await self.start()
        complete = False
        try:
            async with asyncio.timeout(seconds):
                answer = await self._exchange(frame(dict(header), content))
            complete = True
        except TimeoutError:
            raise RefusedError(BAD_REQUEST, f"not decoded within {seconds:g} s") from None
        except (OSError, asyncio.IncompleteReadError):
            raise RefusedError(BAD_REQUEST, "not readable: its decoder crashed") from None
        finally:
            if not complete:
                await self.end()
        return answer

    async def _exchange(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        assert self._process is not None and self._process.stdin and self._process.stdout  # noqa: S101, PT018 -- started
        self._process.stdin.write(request)
        await self._process.stdin.drain()
        source = self._process.stdout
        (length,) = LENGTH.unpack(await source.readexactly(LENGTH.size))
        answer: dict[str, Any] = json.loads(await source.readexactly(length))
        return answer, await source.readexactly(answer["bytes"])


def _arrays(shapes: list[list[int]], data: bytes) -> list[Pixels]:
    found, start = [], 0
    for shape in shapes:
        count = int(np.prod(shape))
        found.append(np.frombuffer(data, np.uint8, count, start).reshape(shape).copy())
        start += count
    return found
