"""Silence what image decoders print about invalid metadata and bytes."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence the decoders' warnings about invalid metadata and bytes.

    They do not name the file, and unreadable files are reported by name anyway. libjpeg writes directly to the
    standard error of the process, which is therefore redirected.
    """
    log = logging.getLogger("PIL")
    level = log.level
    log.setLevel(logging.CRITICAL)
    screen = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        log.setLevel(level)
        os.dup2(screen, 2)
        os.close(screen)
