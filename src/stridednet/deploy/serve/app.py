"""The web application: routes, and what every answer has in common."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import stridednet
from stridednet.deploy.serve.inference_protocol import protocol_routes
from stridednet.deploy.serve.metrics import MeasuredApp, Metrics
from stridednet.deploy.serve.page import description, page, policy
from stridednet.deploy.serve.refusal import BAD_REQUEST, REFUSALS, RefusedError
from stridednet.deploy.serve.runs import OpenedRun, ServedRuns
from stridednet.deploy.serve.service import Answer, Service
from stridednet.deploy.serve.settings import Limits

_TOP = 5
_HUNG_UP = 499  # nginx' status for a client that did not wait for the answer
_PICTURE: dict[str, Any] = {
    "required": True,
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
        },
    },
}


def build_app(opened: Mapping[str, OpenedRun], limits: Limits, threads: int) -> MeasuredApp:
    """Return the application of one server process.

    Args:
        opened: The runs by name; the first one is the default.
        limits: What a request may cost.
        threads: Number of threads that compute a model.
    """
    metrics = Metrics()
    capacity = limits.queue + limits.decoders  # so that what was accepted for decoding is not refused afterwards
    service = Service(ServedRuns(opened, capacity, threads, metrics.batch), limits, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Limits]]:
        async with service.running():
            yield {"limits": limits}  # for `BoundedConnection`
        print(
            f"stopped after {measured.answered:,} answers to {measured.accepted:,} requests",
            file=sys.stderr,
            flush=True,
        )

    app = FastAPI(
        title="stridednet",
        version=stridednet.__version__,
        description="Predictions of trained image classifiers.",
        docs_url=None,  # FastAPI's own pages load scripts from a CDN
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_routes(app, service)
    app.include_router(protocol_routes(service))
    _add_errors(app)
    for methods in app.openapi()["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)  # FastAPI's status for invalid parameters; here it is 400
    measured = MeasuredApp(app, metrics)
    return measured


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        summary="The most probable classes of a picture",
        openapi_extra={"requestBody": _PICTURE},
        responses=REFUSALS,
        response_model_exclude_none=True,
    )
    async def predict(
        request: Request,
        top_k: Annotated[int, Query(ge=1, description="Number of classes.")] = _TOP,
        explain: Annotated[
            bool,
            Query(description="Whether the first class gets a data URL of the picture with what speaks for the class."),
        ] = False,
        model: Annotated[str | None, Query(description="Name of a run; the first one if it is left out.")] = None,
    ) -> list[Answer]:
        return await service.predict(request, model, top_k, explain)

    @app.get("/models", summary="The runs that are served, the default first")
    async def models() -> list[dict[str, Any]]:
        opened = {name: service.runs.of(name).opened for name in service.runs.names}
        return [
            {
                "name": name,
                "version": one.version,
                "engine": one.engine.name,
                "image_size": one.size,
                "resize": one.rule,
                "labels": one.labels,
            }
            for name, one in opened.items()
        ]

    @app.get("/metrics", summary="Metrics in Prometheus' text format", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.get("/", include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": policy()})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(description(app.openapi()), headers={"Content-Security-Policy": policy()})


def _add_errors(app: FastAPI) -> None:
    """Answer every error with ``{"error": reason}``."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse({"error": error.reason}, error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": f"{first['loc'][-1]}: {first['msg']}"}, BAD_REQUEST)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def hung_up(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=_HUNG_UP)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"error": "internal error; the server's log has the reason"}, 500)
