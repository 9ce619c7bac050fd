"""Reading the body of a request, and finding the picture in it, in bounded time and memory."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stridednet.deploy.serve.refusal import BAD_REQUEST, TIMEOUT, TOO_LARGE, RefusedError, busy
from stridednet.deploy.serve.settings import MEGABYTE, Limits

_FIELDS = 16  # of a form
_LINGERING = 2.0  # seconds in which the rest of a body that is refused is read, so that the client sees the answer


class Bodies:
    """The bodies of all requests that a server process has in memory."""

    def __init__(self, limits: Limits) -> None:
        """Set the limits."""
        self._limits = limits
        self._held = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Read a body, which counts as memory in use until the context ends.

        Raises:
            RefusedError: It is empty, too large or too slow, or there are too many of them.
            ClientDisconnect: The client hung up.
        """
        parts: list[bytes] = []
        held = 0
        stream = request.stream()
        try:
            try:
                self._check_length(request)
                async with asyncio.timeout(self._limits.receiving):
                    async for part in stream:
                        held += len(part)
                        self._held += len(part)
                        if held > self._limits.body:
                            raise self._too_large()
                        if self._held > self._limits.bodies:
                            raise busy("too many large requests")
                        parts.append(part)
            except TimeoutError:
                raise RefusedError(TIMEOUT, f"not received within {self._limits.receiving:g} s") from None
            except RefusedError:
                parts.clear()
                if "expect" not in request.headers:  # such as curl's: it waits for permission to send more than 1 MB
                    await _drained(stream)
                raise
            if not held:
                raise RefusedError(BAD_REQUEST, "the request has no body; send the bytes of a picture")
            yield b"".join(parts)
        finally:
            self._held -= held

    def _check_length(self, request: Request) -> None:
        """Refuse a body that is announced as too large, before it is received."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limits.body:
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        return RefusedError(TOO_LARGE, f"at most {self._limits.body / MEGABYTE:g} MB are accepted")


async def _drained(stream: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGERING):
            async for _ in stream:
                pass


async def picture_in(request: Request, body: bytes) -> bytes:
    """Return the bytes of the picture: the body, or the one file of a form.

    Args:
        request: The request, for its headers.
        body: Its body.

    Raises:
        RefusedError: The form is damaged, or does not have exactly one file.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return body

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(request.headers, stream(), max_files=2, max_fields=_FIELDS)
        parser.spool_max_size = len(body)  # it is in memory already
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        reason = error.message if isinstance(error, MultiPartException) else str(error)
        raise RefusedError(BAD_REQUEST, f"a damaged form: {reason}") from None
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(form.close)
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise RefusedError(BAD_REQUEST, f"expected a form with one file. Received: {len(files)} files")
        content = await files[0].read()
    if not content:
        raise RefusedError(BAD_REQUEST, "not a readable picture: empty file")
    return content
