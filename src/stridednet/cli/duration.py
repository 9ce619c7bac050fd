"""Durations on the command line."""

import math
import re

from stridednet.errors import InputError

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``90s``, ``20m``, ``1.5h`` or ``1h30m``.

    >>> parse_duration("20m"), parse_duration("1h30m"), parse_duration("90s")
    (1200.0, 5400.0, 90.0)

    Raises:
        InputError: It has another form, or is 0.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    seconds = math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds < math.inf:
        raise InputError(f"a duration is written as 90s, 20m or 1.5h. Received: {text!r}")
    return seconds
