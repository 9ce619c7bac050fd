"""Reading the tensor in a request of the Open Inference Protocol."""

import json
from typing import Any

import numpy as np

from stridednet.data.decode import Pixels
from stridednet.deploy.serve.refusal import BAD_REQUEST, TOO_LARGE, RefusedError

INPUT, OUTPUT = "images", "probabilities"


def read_request(body: bytes, size: int, largest: int) -> tuple[str | None, Pixels]:
    """Return the ID of a request, if it has one, and its images.

    Args:
        body: JSON.
        size: Height and width that the model takes, in pixels.
        largest: Number of images that are accepted.

    Raises:
        RefusedError: It is not a valid request for this model.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(BAD_REQUEST, "the body is not valid JSON") from None
    inputs = given.get("inputs") if isinstance(given, dict) else None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RefusedError(BAD_REQUEST, "inputs: expected a list of one tensor")
    identifier = given.get("id")
    if not isinstance(identifier, str | None):
        raise RefusedError(BAD_REQUEST, f"id: expected a string. Received: {json.dumps(identifier)[:80]}")
    _check_outputs(given.get("outputs"))
    return identifier, _images(inputs[0], size, largest)


def _check_outputs(wanted: Any) -> None:
    if wanted is None:
        return
    names = (
        [one.get("name") if isinstance(one, dict) else one for one in wanted] if isinstance(wanted, list) else wanted
    )
    if names not in ([], [OUTPUT]):
        raise RefusedError(BAD_REQUEST, f"outputs: expected {OUTPUT!r}. Received: {json.dumps(names)[:80]}")


def _images(tensor: dict[str, Any], size: int, largest: int) -> Pixels:
    if tensor.get("name") != INPUT:
        raise RefusedError(
            BAD_REQUEST, f"inputs[0].name: expected {INPUT!r}. Received: {str(tensor.get('name'))[:80]!r}"
        )
    if tensor.get("datatype") != "UINT8":
        received = str(tensor.get("datatype"))[:80]
        raise RefusedError(BAD_REQUEST, f"inputs[0].datatype: expected 'UINT8'. Received: {received!r}")
    shape = tensor.get("shape")
    fits = isinstance(shape, list) and len(shape) == 4 and all(type(side) is int for side in shape)
    if not isinstance(shape, list) or not fits or shape[1:] != [size, size, 3] or shape[0] < 1:
        expected = f"[n, {size}, {size}, 3]"
        raise RefusedError(BAD_REQUEST, f"inputs[0].shape: expected {expected}. Received: {json.dumps(shape)[:80]}")
    if shape[0] > largest:
        raise RefusedError(TOO_LARGE, f"at most {largest} images per request. Received: {shape[0]:,}")
    try:
        values = np.array(tensor.get("data"))
    except (ValueError, OverflowError, RecursionError):  # lists of different lengths, or too deeply nested
        raise RefusedError(BAD_REQUEST, "inputs[0].data: not a tensor") from None
    if values.size != np.prod(shape):
        raise RefusedError(
            BAD_REQUEST, f"inputs[0].data: expected {np.prod(shape):,} numbers. Received: {values.size:,}"
        )
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise RefusedError(BAD_REQUEST, "inputs[0].data: expected integers from 0 to 255")
    return values.astype(np.uint8).reshape(shape)
