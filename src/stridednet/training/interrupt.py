"""Handle Ctrl-C only between training steps: an exception inside PyTorch's C++ code can abort the process."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Delay Ctrl-C until the yielded function is called. A second Ctrl-C takes effect immediately.

    Only Python's default signal handler is replaced, and only in the main thread, as Python requires.
    """
    received = False

    def hold(*_: object) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = True

    def let_through() -> None:
        if received:
            raise KeyboardInterrupt

    replaceable = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not replaceable:
        yield let_through
        return
    signal.signal(signal.SIGINT, hold)
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
