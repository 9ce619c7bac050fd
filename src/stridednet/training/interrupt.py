"""Ctrl-C between two steps, never inside one: an exception in the midst of PyTorch's C++ can end the process."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that is given is called; a second Ctrl-C is not held back.

    Only Python's own way of handling it is replaced, and only in the main thread, where Python allows it.
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
