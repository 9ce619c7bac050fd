"""Log losses as one printable character each, since most of an archive's size is their last digits.

Codes are on a logarithmic scale whose steps are 10.7%, so that a loss is off by 3% on average and in either direction:
far less than a picture's loss differs between two trainings.
"""

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-3  # losses below count as 0
_STEP = 0.107  # of the natural logarithm
_MOST = 92  # the code of a loss of about 16, the greatest there is
_FIRST = 35  # character of code 0; from there on, all but one are themselves in JSON


def encoded(losses: NDArray[np.float16]) -> str:
    """Return losses ``(n,)`` as ``n`` characters."""
    exact = losses.astype(np.float64)
    codes = 1 + np.rint(np.log(exact.clip(_LEAST) / _LEAST) / _STEP)
    codes = np.where(exact < _LEAST, 0, codes.clip(1, _MOST)).astype(np.uint8)
    return (codes + _FIRST).tobytes().decode("ascii")


def decoded(text: str) -> NDArray[np.float16]:
    """Return the losses that a text of `encoded` stands for, ``(n,)``; encoding them gives the same text."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.float64) - _FIRST
    return np.where(codes == 0, 0.0, _LEAST * np.exp((codes - 1) * _STEP)).astype(np.float16)
