"""Several trials at once, each in a process of its own with its share of the cores.

Two cores do not train a network of this size twice as fast as one: parts of a step are not divided, and the cores wait
for each other. Two trainings, each on a core of its own, get more done than one after the other on both.
"""

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from queue import SimpleQueue

from stridednet.errors import InputError
from stridednet.machine import cores_of_this_process
from stridednet.sweeps.trial import Outcome, Trial
from stridednet.sweeps.worker import order


class SideBySide:
    """Runs the trials in ``jobs`` processes.

    Args:
        jobs: How many at once, each with as many of the cores; what is left over goes to the first ones.

    Raises:
        InputError: There are fewer cores than that.
    """

    def __init__(self, jobs: int) -> None:
        cores = cores_of_this_process()
        if not 1 <= jobs <= len(cores):
            raise InputError(f"jobs is 1 to {len(cores)}, the cores that this process may use. Received: {jobs}")
        self._shares = [cores[first::jobs] for first in range(jobs)]

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield each trial with its outcome, in the order in which they end."""
        waiting = list(trials)
        workers = [_Worker(share) for share in self._shares[: len(waiting)]]
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in workers:
            idle.put(worker)

        def run_one(trial: Trial) -> tuple[Trial, Outcome]:
            worker = idle.get()
            try:
                return trial, worker.run(trial)
            finally:
                idle.put(worker)

        threads = ThreadPoolExecutor(max(len(workers), 1))
        try:
            for done in as_completed([threads.submit(run_one, trial) for trial in waiting]):
                yield done.result()
        finally:  # all are done, or whoever asked wants no more of them
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
            threads.shutdown()
            for worker in workers:
                worker.close()


class _Worker:
    """A process that trains one trial after the other; one that died is started anew for the next trial."""

    def __init__(self, cores: Sequence[int]) -> None:
        self._cores = ",".join(map(str, cores))
        self._process: subprocess.Popen[str] | None = None

    def run(self, trial: Trial) -> Outcome:
        process = self._process or self._start()
        try:
            print(order(trial), file=process.stdin, flush=True)
            answer = next(iter(process.stdout or ()), "")
        except BrokenPipeError:
            answer = ""
        if answer:
            return Outcome.from_json(answer)
        status = self.close()
        how = f"was killed by signal {-status}; was there too little memory?" if status < 0 else f"ended with {status}"
        return Outcome(trial.variant.name, trial.seed, error=f"the process of this trial {how}")

    def kill(self) -> None:
        """End the process; a trial that it is in the middle of ends with an error."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> int:
        """Wait for the process, which has ended or been killed, and return its exit status."""
        if self._process is None:
            return 0
        self._process.communicate()  # closes both ends, whatever still stood in them
        status, self._process = self._process.returncode, None
        return status

    def _start(self) -> subprocess.Popen[str]:
        with _children_deaf_to_interrupts():
            self._process = subprocess.Popen(  # noqa: S603 -- this very interpreter
                [sys.executable, "-m", "stridednet.sweeps.worker", self._cores],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        return self._process


@contextmanager
def _children_deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; the sweep's own decides what to do, and stops the others.

    A child inherits the blocked signals of the thread that starts it, so it is deaf to them from its first moment: a
    handler of its own would come only after seconds of imports.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
