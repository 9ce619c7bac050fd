"""Python's garbage collection in a process of our own; in a user's process it stays as it is."""

import atexit
import gc


def collect_less() -> None:
    """Look for garbage less often, and not at all when the process ends, whose memory goes back as a whole anyway.

    Keras and PyTorch make half a million objects that live as long as the process. By default Python searches them all
    again and again while they are imported, and several times at the end: a third of the time that a short command
    takes (measured by ``benchmarks/startup.py``). `gc.freeze`, meant for processes that fork, takes them out of the
    search: https://docs.python.org/3/library/gc.html
    """
    gc.set_threshold(10_000, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
