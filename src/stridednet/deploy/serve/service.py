"""From a request to its answer: receive, decode, compute, explain."""

import asyncio
import base64
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace

from starlette.requests import Request

from stridednet.data.decode import Pixels
from stridednet.deploy.prediction import Prediction
from stridednet.deploy.serve.bodies import Bodies, picture_in
from stridednet.deploy.serve.decoding import Decoders
from stridednet.deploy.serve.engine import Probabilities
from stridednet.deploy.serve.metrics import Metrics
from stridednet.deploy.serve.refusal import BAD_REQUEST, RefusedError, busy
from stridednet.deploy.serve.runs import ServedRun, ServedRuns
from stridednet.deploy.serve.settings import Limits
from stridednet.errors import ModelError

_LONGEST = 512  # longer side of an explanation, in pixels
_LAST_WORDS = 1.5  # seconds from the last answer to the end of the process
_EXPLANATIONS = 16  # that may wait; each takes as long as many predictions


@dataclass(frozen=True)
class Answer:
    """A class of a picture.

    Args:
        label: Its name.
        score: Its probability.
        explanation: What speaks for it, as the data URL of a PNG file; None if it was not asked for.
    """

    label: str
    score: float
    explanation: str | None = None


class Service:
    """What the routes of a server process share."""

    def __init__(self, runs: ServedRuns, limits: Limits, metrics: Metrics) -> None:
        """Combine the parts; `running` starts what needs an event loop."""
        self.runs = runs
        self.metrics = metrics
        self._bodies = Bodies(limits)
        self._decoders = Decoders(limits)
        self._explaining = 0
        self._explainer = ThreadPoolExecutor(1, "explain")
        metrics.watch_queue("decoder", lambda: self._decoders.waiting)
        for name in runs.names:
            metrics.watch_queue(name, lambda name=name: runs.of(name).model.waiting)  # type: ignore[misc]

    @property
    def is_ready(self) -> bool:
        """Whether a picture would be accepted now."""
        return self._decoders.is_ready and all(self.runs.of(name).model.is_ready for name in self.runs.names)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start decoders and watch the runs, until the context ends."""
        async with self._decoders:
            tasks = [asyncio.create_task(self.runs.watch()), asyncio.create_task(self._read_queues())]
            try:
                yield
            finally:
                _end_process_soon()
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                await asyncio.to_thread(self.runs.close)
                self._explainer.shutdown(wait=False, cancel_futures=True)

    async def predict(self, request: Request, model: str | None, top_k: int, explain: bool) -> list[Answer]:
        """Return the most probable classes of the picture in a request.

        Args:
            request: Its body is the picture, or a form with it.
            model: The name of a run; None for the first one.
            top_k: Number of classes.
            explain: Whether the first class gets its explanation.

        Raises:
            RefusedError: The request is refused.
            ClientDisconnect: The client hung up.
        """
        served = self.runs.of(model)
        opened = served.opened
        async with self._body(request) as body:
            content = await picture_in(request, body)
            with self.metrics.stage("decode"):
                image, *pictures = await self._decoders.decode(
                    content, opened.size, opened.rule, opened.ranges, _LONGEST if explain else 0
                )
        row = (await self._compute(served, image[None]))[0]
        prediction = Prediction.of(opened.labels, row)
        answers = [Answer(label, score) for label, score in prediction.top(top_k)]
        if explain:
            explanation = await self._explained(served, image, pictures[0], prediction.label)
            answers[0] = replace(answers[0], explanation=explanation)
        return answers

    async def infer(self, request: Request, served: ServedRun) -> tuple[str | None, Probabilities]:
        """Return the ID of a request of the Open Inference Protocol, if it has one, and its probabilities.

        Args:
            request: Its body is the JSON.
            served: The run that computes it.

        Raises:
            RefusedError: The request is refused.
            ClientDisconnect: The client hung up.
        """
        async with self._body(request) as body:
            with self.metrics.stage("decode"):
                identifier, images = await self._decoders.read_tensor(body, served.opened.size)
        return identifier, await self._compute(served, images)

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        async with AsyncExitStack() as stack:
            with self.metrics.stage("body"):
                body = await stack.enter_async_context(self._bodies.read(request))
            yield body

    async def _compute(self, served: ServedRun, images: Pixels) -> Probabilities:
        """Return the probabilities of images, ``(n, classes)``; not computed if the client's task is cancelled."""
        return await asyncio.wrap_future(served.model.submit(images))

    async def _explained(self, served: ServedRun, image: Pixels, picture: Pixels, label: str) -> str:
        """Return an explanation as a data URL."""
        if self._explaining >= _EXPLANATIONS:
            raise busy(f"{self._explaining} explanations are waiting already")
        self._explaining += 1
        try:
            with self.metrics.stage("explain"):
                loop = asyncio.get_running_loop()
                png = await loop.run_in_executor(self._explainer, served.explain, image, picture, label)
        except ModelError as error:
            raise RefusedError(BAD_REQUEST, f"explain: {error}") from None
        finally:
            self._explaining -= 1
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"

    async def _read_queues(self) -> None:
        while True:
            self.metrics.read_queues()
            await asyncio.sleep(1)


def _end_process_soon() -> None:
    """End the process although threads may still compute what nobody waits for any more, such as an import of Keras."""
    timer = threading.Timer(_LAST_WORDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
