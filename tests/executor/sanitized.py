"""Calls the compiled functions on buffers of exact sizes; run by test_sanitizers.py under AddressSanitizer.

Arguments: the library, and the seed of the shapes.
"""

import ctypes
import itertools
import sys

import numpy as np

INFINITY = float("inf")
ODD = [(1, 1), (1, 3), (2, 1), (7, 5), (300, 1), (1, 300), (1000, 257), (64, 256), (33, 100), (0, 4)]


def load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    pointer, count, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    for dtype in ("float32", "bfloat16"):
        forward, backward = (getattr(library, f"{name}_{dtype}") for name in ("forward", "backward"))
        forward.argtypes = [pointer] * 3 + [count] * 2 + [pointer] * 6 + [real] * 5 + [ctypes.c_int]
        backward.argtypes = [pointer] * 6 + [count] * 2 + [pointer] * 4 + [real] * 3
    library.draw_mask.argtypes = [pointer, count, ctypes.c_uint64, ctypes.c_int32]
    library.draw_mask.restype = None
    library.adam.argtypes = [count] + [pointer] * 10 + [real] * 4
    library.adam.restype = ctypes.c_double
    return library


def misaligned(array: np.ndarray, aligned: bool) -> np.ndarray:
    """Return a copy that starts at any element's address, or at one that vector registers like."""
    if aligned:
        return array.copy()
    buffer = np.empty(array.size + 1, array.dtype)[1:]
    buffer[:] = array.ravel()
    return buffer


def normalization(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    for (rows, channels), narrow, dropping, relu, aligned in itertools.product(ODD, *[(False, True)] * 4):
        values = rng.normal(size=rows * channels).astype(np.float32)
        stored = (values.view(np.uint32) >> 16).astype(np.uint16) if narrow else values
        x, gradient = misaligned(stored, aligned), misaligned(stored, aligned)
        y, of_x = np.empty_like(x), np.empty_like(x)
        kept = misaligned((rng.random(rows * channels) < 0.7).astype(np.uint8), aligned) if dropping else None
        scale, offset, mean, inverse, moving_mean, moving_variance, of_scale, of_offset = (
            misaligned(rng.uniform(0.5, 1.5, channels).astype(np.float32), aligned) for _ in range(8)
        )
        mask = None if kept is None else kept.ctypes.data
        floor = 0.0 if relu else -INFINITY
        kind = "bfloat16" if narrow else "float32"
        for training in (1, 0):
            moving = (moving_mean.ctypes.data, moving_variance.ctypes.data) if training else (None, None)
            status = getattr(library, f"forward_{kind}")(
                x.ctypes.data, y.ctypes.data, mask, rows, channels, scale.ctypes.data, offset.ctypes.data,
                mean.ctypes.data, inverse.ctypes.data, *moving, 1e-3, 0.9, floor, floor, 1.4, training,
            )  # fmt: skip
            assert status == 0
        status = getattr(library, f"backward_{kind}")(
            gradient.ctypes.data, x.ctypes.data, mask, of_x.ctypes.data, of_scale.ctypes.data, of_offset.ctypes.data,
            rows, channels, scale.ctypes.data, offset.ctypes.data, mean.ctypes.data, inverse.ctypes.data, floor, floor,
            1.4,
        )  # fmt: skip
        assert status == 0
        assert np.isfinite(of_scale).all()


def masks(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    for count in (0, 1, 2, 3, 63, 64, 65, 1000, 4097):
        mask = np.empty(count, np.uint8)
        library.draw_mask(mask.ctypes.data, count, int(rng.integers(2**64, dtype=np.uint64)), 20_000)
        assert set(mask.tolist()) <= {0, 1}


def adam(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    for sizes in ([1], [1, 4096, 4097], [3, 1, 10_000], [5, 0, 7], []):
        starts = np.array([0, *np.cumsum(sizes)], np.int64)
        total = int(starts[-1])
        parameters, first, second = (rng.random(total).astype(np.float32) for _ in range(3))
        copies = np.empty(total, np.uint16)
        wide = np.array([number % 2 for number in range(len(sizes))], np.uint8)
        gradients = [np.zeros(size, np.float32 if flag else np.uint16) for size, flag in zip(sizes, wide, strict=True)]
        addresses = np.array([gradient.ctypes.data for gradient in gradients], np.uintp)
        if len(sizes) > 2:
            addresses[2] = 0  # a variable without a gradient
        strengths = np.full(len(sizes), 0.01, np.float32)
        for narrow in (copies.ctypes.data, None):
            penalty = library.adam(
                len(sizes), starts.ctypes.data, addresses.ctypes.data, wide.ctypes.data, parameters.ctypes.data,
                first.ctypes.data, second.ctypes.data, narrow, *[strengths.ctypes.data] * 3, 1e-3, 0.9, 0.999, 1e-7,
            )  # fmt: skip
            assert penalty >= 0
        assert np.isfinite(parameters).all()


def main() -> None:
    library = load(sys.argv[1])
    rng = np.random.default_rng(int(sys.argv[2]))
    for part in (normalization, masks, adam):
        part(library, rng)
    print("clean")


if __name__ == "__main__":
    main()
