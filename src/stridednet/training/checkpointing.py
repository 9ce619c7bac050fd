"""Write checkpoints in the background, while the next epoch is trained."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from stridednet.training.interrupt import interrupts_held


class BackgroundWriter:
    """Runs jobs in one thread, in order, at most one at a time: what two jobs hold is never in memory together.

    Used as a context manager; the block ends when the last job has ended, also after an error or Ctrl-C.

    Examples:
        >>> with BackgroundWriter() as writer:
        ...     for number in (1, 2):
        ...         writer.wait()
        ...         writer.start(lambda number=number: print("wrote", number))
        wrote 1
        wrote 2
    """

    def __init__(self) -> None:
        """Start without a job."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._job: Future[None] | None = None

    def wait(self) -> None:
        """Wait until the job has ended. An error in it is raised here, once."""
        if self._job is not None:
            failed = self._job.exception()  # may be interrupted: then the job is still to be waited for
            self._job = None
            if failed is not None:
                raise failed

    def start(self, job: Callable[[], None]) -> None:
        """Wait for the earlier job as `wait` does, and start another one."""
        self.wait()
        self._job = self._thread.submit(job)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Wait for the job. Its error is raised, unless another one than Ctrl-C is already on its way."""
        with interrupts_held() as let_interrupt_through:
            self._thread.shutdown()
            if kind is None or issubclass(kind, KeyboardInterrupt):
                self.wait()
            let_interrupt_through()
