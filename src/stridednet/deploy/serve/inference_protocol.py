"""The Open Inference Protocol, version 2: health, metadata and inference with tensors as JSON.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import asyncio
import json
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

import stridednet
from stridednet.data.decode import Pixels
from stridednet.deploy.serve.model_thread import LARGEST_BATCH
from stridednet.deploy.serve.refusal import BAD_REQUEST, BUSY, TOO_LARGE, RefusedError
from stridednet.deploy.serve.runs import OpenedRun
from stridednet.deploy.serve.service import Service

INPUT, OUTPUT = "images", "probabilities"


def protocol_routes(service: Service) -> APIRouter:
    """Return the routes below ``/v2``."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @router.get("", summary="The server's name and version")
    async def server() -> dict[str, Any]:
        return {"name": "stridednet", "version": stridednet.__version__, "extensions": []}

    @router.get("/health/live", summary="Whether the process answers")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Whether a picture would be accepted now; otherwise status 503")
    async def ready() -> JSONResponse:
        return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else BUSY)

    @router.get("/models/{name}", summary="The tensors that a model takes and returns, and its labels")
    async def metadata(name: str) -> dict[str, Any]:
        return _metadata(name, service.runs.of(name).opened)

    @router.get("/models/{name}/ready", summary="Whether a model would accept a picture now; otherwise status 503")
    async def model_ready(name: str) -> JSONResponse:
        ready = service.runs.of(name).model.is_ready
        return JSONResponse({"name": name, "ready": ready}, 200 if ready else BUSY)

    @router.post("/models/{name}/infer", summary="Probabilities of images", openapi_extra={"requestBody": _REQUEST})
    async def infer(name: str, request: Request) -> dict[str, Any]:
        served = service.runs.of(name)
        async with service.body(request) as body:
            # In a thread, since the JSON of 64 images has millions of numbers.
            given, images = await asyncio.to_thread(_read, body, served.opened.size)
        probabilities = await service.compute(served, images)
        answer = {
            "model_name": name,
            "model_version": served.opened.version,
            "outputs": [
                {
                    "name": OUTPUT,
                    "datatype": "FP32",
                    "shape": list(probabilities.shape),
                    "data": probabilities.ravel().tolist(),
                }
            ],
        }
        return answer | ({"id": given["id"]} if "id" in given else {})

    return router


_REQUEST = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string"},
                    "inputs": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "shape", "datatype", "data"],
                            "properties": {
                                "name": {"const": INPUT},
                                "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
                                "datatype": {"const": "UINT8"},
                                "data": {"type": "array", "description": "Flat or nested, integers from 0 to 255."},
                            },
                        },
                    },
                },
            }
        }
    },
}


def _metadata(name: str, opened: OpenedRun) -> dict[str, Any]:
    labels = opened.labels
    return {
        "name": name,
        "versions": [opened.version],
        "platform": f"stridednet_{opened.engine.name}",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, opened.size, opened.size, 3]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, len(labels)], "parameters": {"labels": labels}}],
    }


def _read(body: bytes, size: int) -> tuple[dict[str, Any], Pixels]:
    """Return a request and its images.

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
    if not isinstance(given.get("id", ""), str):
        raise RefusedError(BAD_REQUEST, f"id: expected a string. Received: {json.dumps(given['id'])[:80]}")
    return given, _images(inputs[0], size)


def _images(tensor: dict[str, Any], size: int) -> Pixels:
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
    if shape[0] > LARGEST_BATCH:
        raise RefusedError(TOO_LARGE, f"at most {LARGEST_BATCH} images per request. Received: {shape[0]:,}")
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
