"""The Open Inference Protocol, version 2: health, metadata and inference with tensors as JSON.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

import stridednet
from stridednet.deploy.serve.refusal import BUSY, NOT_FOUND, REFUSALS, RefusedError
from stridednet.deploy.serve.runs import OpenedRun, ServedRun
from stridednet.deploy.serve.service import Service
from stridednet.deploy.serve.tensors import INPUT, OUTPUT


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

    async def current(name: str) -> ServedRun:
        return service.runs.of(name)

    async def of_version(name: str, version: str) -> ServedRun:
        served = service.runs.of(name)
        if version != served.opened.version:
            raise RefusedError(NOT_FOUND, f"{name} has version {served.opened.version}. Received: {version!r}")
        return served

    _add_model_routes(router, service, "/models/{name}", current)
    _add_model_routes(router, service, "/models/{name}/versions/{version}", of_version)
    return router


def _add_model_routes(
    router: APIRouter, service: Service, path: str, chosen: Callable[..., Awaitable[ServedRun]]
) -> None:
    """Add the routes of a model, which a dependency chooses from the path."""

    @router.get(path, summary="The tensors that a model takes and returns, and its labels")
    async def metadata(name: str, served: Annotated[ServedRun, Depends(chosen)]) -> dict[str, Any]:
        return _metadata(name, served.opened)

    @router.get(f"{path}/ready", summary="Whether a model would accept a picture now; otherwise status 503")
    async def ready(name: str, served: Annotated[ServedRun, Depends(chosen)]) -> JSONResponse:
        is_ready = served.model.is_ready
        return JSONResponse({"name": name, "ready": is_ready}, 200 if is_ready else BUSY)

    @router.post(
        f"{path}/infer",
        summary="Probabilities of images",
        openapi_extra={"requestBody": _REQUEST},
        responses=REFUSALS,
    )
    async def infer(name: str, served: Annotated[ServedRun, Depends(chosen)], request: Request) -> dict[str, Any]:
        identifier, probabilities = await service.infer(request, served)
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
        return answer | ({} if identifier is None else {"id": identifier})


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
