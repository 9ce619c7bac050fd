"""Write checkpoints in the background, while the next epoch is trained."""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

from stridednet.training.interrupt import interrupts_held


class BackgroundWriter:
    """Runs jobs in a thread, in order and one at a time, so that what two jobs hold is never in memory together.

    Used as a context manager; the block ends when the last job has ended, also after an error or Ctrl-C.

    Examples:
        >>> with BackgroundWriter() as writer:
        ...     for text in ("wrote 1", "wrote 2"):
        ...         writer.wait()
        ...         writer.start(lambda text=text: print(text))
        wrote 1
        wrote 2
    """

    def __init__(self) -> None:
        """Start without a job."""
        self._job: _Job | None = None

    def wait(self) -> None:
        """Wait until the job has ended. An error in it is raised here, once."""
        error = self._error_of_job()
        if error is not None:
            raise error

    def start(self, job: Callable[[], None]) -> None:
        """Wait for the earlier job as `wait` does, and start another one."""
        self.wait()
        started = _Job(job)
        started.start()
        self._job = started

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Wait for the job. Its error is raised, unless another one than Ctrl-C is already on its way."""
        with interrupts_held() as let_interrupt_through:
            failed = self._error_of_job()
            if failed is not None and (kind is None or issubclass(kind, KeyboardInterrupt)):
                raise failed
            let_interrupt_through()

    def _error_of_job(self) -> BaseException | None:
        if self._job is None:
            return None
        self._job.ended.wait()  # if it is interrupted, the job is waited for again at the end of the block
        error, self._job = self._job.error, None
        return error


class _Job(Thread):
    """A thread for one job. The interpreter does not exit before it has ended.

    No `ThreadPoolExecutor`, which accepts no jobs once the main thread has ended, though other threads may still train;
    and an event, since a `Thread.join` that Ctrl-C interrupted does not wait when it is called again.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="checkpoints", daemon=False)
        self._work = work
        self.ended = Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again in the waiting thread
            self.error = error
        finally:
            del self._work  # what it holds
            self.ended.set()
