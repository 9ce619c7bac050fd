"""What a server answers when it does not do what a request asks for."""

from typing import Any

BAD_REQUEST, NOT_FOUND, TIMEOUT, TOO_LARGE, BUSY = 400, 404, 408, 413, 503
_RETRY_AFTER = 1  # seconds: a full queue is computed in less

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"example": {"error": "the reason, in one line"}}}}
    for status, text in (
        (BAD_REQUEST, "Not a readable picture or tensor, or an invalid parameter"),
        (NOT_FOUND, "No such model, or no such version"),
        (TIMEOUT, "The body did not arrive in time"),
        (TOO_LARGE, "Too many bytes, pixels or images"),
        (BUSY, "The queue is full; the header Retry-After says when to try again"),
    )
}  # for the OpenAPI description


class RefusedError(Exception):
    """A request is not carried out.

    Args:
        status: The HTTP status.
        reason: One line for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = " ".join(reason.split())

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {"Retry-After": str(_RETRY_AFTER)} if self.status == BUSY else {}


def busy(what: str) -> RefusedError:
    """Return the refusal of a server whose queue is full."""
    return RefusedError(BUSY, f"{what}; try again in {_RETRY_AFTER} s")
