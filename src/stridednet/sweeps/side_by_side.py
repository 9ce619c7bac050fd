"""A runner for several trials at once, each in a process of its own with its share of the cores.

Two cores do not train a small network twice as fast as one core: parts of a step are not parallel, and the cores wait
for each other. Two trainings at once, each on one core, therefore take less time than one after the other on both.
"""

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from stridednet.errors import InputError
from stridednet.machine import cores_of_this_process
from stridednet.sweeps.runner import InTurn, Runner
from stridednet.sweeps.trial import Outcome, Trial
from stridednet.sweeps.worker import request


def runner_of(jobs: int) -> AbstractContextManager[Runner]:
    """Return what runs trials, ``jobs`` at once, until the ``with`` block of it ends.

    Raises:
        InputError: ``jobs`` is less than 1, or greater than the number of cores.
    """
    return nullcontext(InTurn()) if jobs == 1 else SideBySide(jobs)


class SideBySide:
    """Run the trials in ``jobs`` processes, which end with the ``with`` block of this object.

    Args:
        jobs: Number of processes. The cores are divided evenly; the first processes get those left over.

    Raises:
        InputError: ``jobs`` is less than 1, or greater than the number of cores.
    """

    def __init__(self, jobs: int) -> None:
        cores = cores_of_this_process()
        if not 1 <= jobs <= len(cores):
            raise InputError(f"jobs must be between 1 and {len(cores)}, the number of usable cores. Received: {jobs}")
        self._workers = [_Worker(cores[first::jobs]) for first in range(jobs)]

    def __enter__(self) -> Self:
        """Return this runner; its processes are started as they are needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the processes, which are idle unless the sweep was interrupted."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield each trial with its outcome, in the order in which they finish.

        A trial is taken from ``trials`` when a process is free for it. The processes stay for the next call.
        """
        waiting, taking = iter(trials), Lock()
        results: SimpleQueue[tuple[Trial, Outcome] | BaseException | None] = SimpleQueue()
        stopped = False

        def work(worker: _Worker) -> None:
            try:
                while True:
                    with taking:
                        trial = None if stopped else next(waiting, None)
                    if trial is None:
                        break
                    results.put((trial, worker.run(trial)))
            except BaseException as error:  # noqa: BLE001 -- is raised again by the thread that waits for the results
                results.put(error)
            results.put(None)

        threads = [Thread(target=work, args=(worker,), daemon=True) for worker in self._workers]
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                while (result := results.get()) is not None:
                    if isinstance(result, BaseException):
                        raise result
                    yield result
        finally:
            stopped = True  # the caller has stopped iterating, or all is done
            if any(thread.is_alive() for thread in threads):
                for worker in self._workers:
                    worker.kill()
            for thread in threads:
                thread.join()


class _Worker:
    """A process that trains one trial at a time; if it dies, the next trial starts a new one."""

    def __init__(self, cores: Sequence[int]) -> None:
        self._cores = ",".join(map(str, cores))
        self._process: subprocess.Popen[str] | None = None

    def run(self, trial: Trial) -> Outcome:
        process = self._process or self._start()
        try:
            print(request(trial), file=process.stdin, flush=True)
            answer = next(iter(process.stdout or ()), "")
        except BrokenPipeError:
            answer = ""
        if answer:
            return Outcome.from_json(answer)
        status = self.close()
        how = (
            f"was killed by signal {-status}, perhaps for lack of memory"
            if status < 0
            else f"exited with status {status}"
        )
        place = (trial.variant.name, trial.fold.repetition, trial.fold.number)
        return Outcome(*place, error=f"the process of this trial {how}")

    def kill(self) -> None:
        """Kill the process; the trial that it is training ends with an error."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> int:
        """Wait for the process, which has exited or been killed, and return its exit status."""
        if self._process is None:
            return 0
        self._process.communicate()  # closes both pipes, and discards what is left in them
        status, self._process = self._process.returncode, None
        return status

    def _start(self) -> subprocess.Popen[str]:
        with _interrupts_blocked_in_children():
            self._process = subprocess.Popen(  # noqa: S603 -- the current interpreter
                [sys.executable, "-m", "stridednet.sweeps.worker", self._cores],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        return self._process


@contextmanager
def _interrupts_blocked_in_children() -> Iterator[None]:
    """Start child processes that ignore Ctrl-C, which reaches every process of a terminal; their parent stops them.

    A child inherits the blocked signals of the thread that starts it, so SIGINT is blocked from the beginning. A signal
    handler in the child would be installed only after seconds of imports.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
