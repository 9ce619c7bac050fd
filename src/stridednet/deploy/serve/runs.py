"""The runs that a server serves, each with its model's thread; a run that is replaced is opened again."""

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stridednet.data.samples import Ranges
from stridednet.deploy.serve.engine import Engine, Pixels, open_engine
from stridednet.deploy.serve.model_thread import Batch, ModelThread
from stridednet.deploy.serve.refusal import NOT_FOUND, RefusedError, busy
from stridednet.errors import StridedNetError, one_line
from stridednet.run_directory import RunDirectory
from stridednet.settings import ResizeRule
from stridednet.storage import sha256

if TYPE_CHECKING:
    from stridednet.evaluation.explanation import PictureExplainer

_INTERVAL = 1.0  # seconds between two looks at the files of a run
_LAST_ANSWERS = 60.0  # seconds after which no request uses a model that was replaced: none takes that long
_VERSION_LENGTH = 12

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class OpenedRun:
    """A run that is loaded.

    Args:
        run: The folder.
        labels: The classes.
        size: Height and width of the images, in pixels.
        rule: How a picture becomes such a square.
        ranges: Which samples of more than 8 bits become 0 and 255.
        version: The first digits of the SHA-256 of its ``model.keras``.
        engine: What computes it.
        stamp: What identified its files before they were read.
    """

    run: RunDirectory
    labels: list[str]
    size: int
    rule: ResizeRule
    ranges: Ranges
    version: str
    engine: Engine
    stamp: "_Stamp | None"

    @classmethod
    def load(cls, folder: Path, threads: int, *, trust: bool = False) -> "OpenedRun":
        """Load a run.

        Args:
            folder: Of a finished run.
            threads: Number of threads that compute it.
            trust: Whether its model may run Python code; see `RunDirectory.open`.

        Raises:
            StridedNetError: It is not a finished run, or is damaged.
        """
        run = RunDirectory.open(folder, trust=trust)
        stamp, version = _stamp(run), _version(run)
        engine = open_engine(run, threads)
        recipe = run.recipe
        return cls(run, run.labels, recipe.image_size, recipe.resize, run.sample_ranges, version, engine, stamp)


class ServedRun:
    """A loaded run at work. Its explanations need Keras, which is imported when the first one is asked for."""

    def __init__(self, opened: OpenedRun, capacity: int, on_batch: Callable[[Batch], None]) -> None:
        """Start the model's thread; the arguments are those of `ModelThread`."""
        self.opened = opened
        self.model = ModelThread(opened.engine.compute, capacity, on_batch)
        self._explainer: PictureExplainer | None = None
        self._lock = threading.Lock()

    def explain(self, image: Pixels, picture: Pixels, label: str) -> bytes:
        """Return what speaks for a class in a picture, as PNG.

        Args:
            image: ``(size, size, 3)``, as the model takes it.
            picture: ``(height, width, 3)``, in its own proportions.
            label: The class.

        Raises:
            RefusedError: The run was replaced, and is not opened again yet.
            StridedNetError: The model has no feature maps, or is damaged.
        """
        with self._lock:
            if self._explainer is None:
                if _version(self.opened.run) != self.opened.version:
                    raise busy("the run is being replaced")
                from stridednet.evaluation.explanation import PictureExplainer
                from stridednet.threads import claim_process

                claim_process()
                self._explainer = PictureExplainer(self.opened.run)
        return self._explainer.explained(image, picture, label).png()


class ServedRuns:
    """All runs of a server process, by name."""

    def __init__(
        self,
        opened: Mapping[str, OpenedRun],
        capacity: int,
        threads: int,
        on_batch: Callable[[str, Batch], None],
    ) -> None:
        """Start a thread for each model.

        Args:
            opened: The runs; the first one is the default.
            capacity: Number of images that may wait for each.
            threads: Number of threads that compute a model that is opened again.
            on_batch: Called with the name of a run and each batch.
        """
        self._capacity = capacity
        self._threads = threads
        self._on_batch = on_batch
        self._stamps = {name: one.stamp for name, one in opened.items()}
        self._served = {name: self._started(name, one) for name, one in opened.items()}

    @property
    def names(self) -> list[str]:
        """The names of the runs."""
        return list(self._served)

    def of(self, name: str | None) -> ServedRun:
        """Return the run of a name; the first one for None.

        Raises:
            RefusedError: There is no such run.
        """
        chosen = next(iter(self._served)) if name is None else name
        if chosen not in self._served:
            raise RefusedError(NOT_FOUND, f"there is no model {chosen!r}; there are {', '.join(self._served)}")
        return self._served[chosen]

    def close(self) -> None:
        """Compute what is waiting, and end the threads."""
        for served in self._served.values():
            served.model.close()

    async def watch(self) -> None:
        """Open each run again whose files are replaced, until this task is cancelled.

        The old model serves until the new one is loaded. If that cannot be loaded, a line on standard error says why,
        and the old one stays.
        """
        seen = dict(self._stamps)
        while True:
            await asyncio.sleep(_INTERVAL)
            for name, served in list(self._served.items()):
                stamp = _stamp(served.opened.run)
                # Files that changed since the last look may still be incomplete.
                if stamp is not None and stamp == seen[name] and stamp != self._stamps[name]:
                    self._stamps[name] = stamp
                    if await asyncio.to_thread(self._open_again, name, served):
                        close = threading.Thread(target=served.model.close, daemon=True).start
                        asyncio.get_running_loop().call_later(_LAST_ANSWERS, close)
                seen[name] = stamp

    def _open_again(self, name: str, old: ServedRun) -> bool:
        try:
            opened = OpenedRun.load(old.opened.run.folder, self._threads, trust=old.opened.run.trust)
        except (StridedNetError, OSError) as error:
            print(f"{name} was replaced, but cannot be opened: {one_line(error)}", file=sys.stderr, flush=True)
            return False
        self._served[name] = self._started(name, opened)
        print(f"{name} was replaced; now serving {opened.version}", file=sys.stderr, flush=True)
        return True

    def _started(self, name: str, opened: OpenedRun) -> ServedRun:
        return ServedRun(opened, self._capacity, lambda batch: self._on_batch(name, batch))


def _version(run: RunDirectory) -> str:
    return sha256(run.model_file)[:_VERSION_LENGTH]


def _stamp(run: RunDirectory) -> _Stamp | None:
    """Return what changes when a run is replaced; None while it is not complete."""
    try:
        found = [path.stat() for path in (run.report_file, run.model_file)]
    except OSError:
        return None
    return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)
