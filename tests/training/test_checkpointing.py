import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from stridednet.errors import StorageError
from stridednet.storage import write_text
from stridednet.training.checkpointing import BackgroundWriter


class _Slow:
    """Jobs that end only when they are released; they note when they start and end."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.started = threading.Event()
        self.released = threading.Event()

    def job(self, name: str) -> Callable[[], None]:
        def work() -> None:
            self.events.append(f"{name} starts")
            self.started.set()
            assert self.released.wait(60)
            self.events.append(f"{name} ends")

        return work


def _fails(path: Path) -> Callable[[], None]:
    """Return a job that fails to write: a file is where the folder would be."""
    path.parent.write_text("not a folder")
    return lambda: write_text(path, "text")


def test_a_job_runs_beside_the_caller_and_is_waited_for_at_the_end() -> None:
    slow = _Slow()
    with BackgroundWriter() as writer:
        writer.start(slow.job("a"))
        assert slow.started.wait(60)
        slow.events.append("the caller continues")
        slow.released.set()
    assert slow.events == ["a starts", "the caller continues", "a ends"]


def test_one_job_at_a_time_in_order() -> None:
    slow = _Slow()
    with BackgroundWriter() as writer:
        writer.start(slow.job("a"))
        assert slow.started.wait(60)
        threading.Timer(0.05, slow.released.set).start()
        writer.start(slow.job("b"))
        assert slow.events[:2] == ["a starts", "a ends"]
        writer.start(slow.job("c"))
    assert slow.events == [f"{name} {what}" for name in "abc" for what in ("starts", "ends")]


def test_what_a_job_holds_is_released_when_it_was_waited_for() -> None:
    class State:
        def write(self) -> None:
            pass

    state = State()
    kept = weakref.ref(state)
    with BackgroundWriter() as writer:
        writer.start(state.write)
        del state
        writer.wait()
        assert kept() is None


def test_a_failed_job_is_reported_once_before_the_next_one_starts(tmp_path: Path) -> None:
    later = []
    with BackgroundWriter() as writer:
        writer.start(_fails(tmp_path / "file" / "state.npz"))
        with pytest.raises(StorageError, match=r"^cannot write .*state\.npz: ") as caught:
            writer.start(lambda: later.append("started"))
        assert "\n" not in str(caught.value)
        assert later == []
        writer.wait()
        writer.start(lambda: later.append("started"))
    assert later == ["started"]


def test_a_job_that_fails_last_is_reported_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"), BackgroundWriter() as writer:
        writer.start(_fails(tmp_path / "file" / "state.npz"))


@pytest.mark.parametrize(
    ("raised", "reported"), [(KeyboardInterrupt(), StorageError), (MemoryError(), MemoryError)], ids=repr
)
def test_a_failed_job_beside_another_error(tmp_path: Path, raised: BaseException, reported: type[Exception]) -> None:
    job = _fails(tmp_path / "file" / "state.npz")
    with pytest.raises(reported):
        _fails_beside(job, raised)


def _fails_beside(job: Callable[[], None], error: BaseException) -> None:
    with BackgroundWriter() as writer:
        writer.start(job)
        raise error


def test_ctrl_c_waits_for_the_job_and_a_second_one_does_not_stop_the_waiting() -> None:
    slow = _Slow()

    def interrupts_again() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(0.05, slow.released.set).start()

    def work() -> None:
        with BackgroundWriter() as writer:
            writer.start(slow.job("a"))
            assert slow.started.wait(60)
            threading.Timer(0.05, interrupts_again).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert slow.events == ["a starts", "a ends"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


IN_A_THREAD = """
import threading
from stridednet.training.checkpointing import BackgroundWriter

def train():
    threading.main_thread().join()
    with BackgroundWriter() as writer:
        writer.start(lambda: print("written", flush=True))

threading.Thread(target=train).start()
"""


def test_jobs_of_a_thread_that_outlives_the_main_thread() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_THREAD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("written\n", "")
