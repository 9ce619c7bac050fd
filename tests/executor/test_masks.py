import numpy as np
import pytest
import torch

from stridednet.executor.backend import Backend
from stridednet.executor.compiled.dropout import draw_mask
from stridednet.executor.compiled.library import load_library
from stridednet.executor.masks import Masks, hashed_mask

CPU = torch.device("cpu")


@pytest.mark.usefixtures("implementation")
def test_dropout_drops_its_share() -> None:
    masks = Masks(Backend.choose("float32"))
    masks.seed(3)
    for rate in (0.25, 0.5, 0.1, 0.3):
        mask = masks.draw(torch.empty(400, 1000), rate)
        dropped = float((mask == 0).float().mean())
        assert dropped == pytest.approx(rate, abs=4 * (rate * (1 - rate) / mask.numel()) ** 0.5)
        assert (mask.dtype, mask.unique().tolist()) == (torch.uint8, [0, 1])
    assert float(masks.draw(torch.empty(400, 1000), 0.999995).float().mean()) < 1e-3
    masks.seed(3)
    again = masks.draw(torch.empty(400, 1000), 0.25)
    masks.seed(3)
    assert torch.equal(again, masks.draw(torch.empty(400, 1000), 0.25))


def _oracle(count: int, seed: int, dropped: int) -> np.ndarray:
    """MurmurHash3's finalizer in Python integers, element by element."""

    def mixed(x: int) -> int:
        x ^= x >> 16
        x = x * 0x85EBCA6B % 2**32
        x ^= x >> 13
        x = x * 0xC2B2AE35 % 2**32
        return x ^ x >> 16

    half = count // 2
    numbers = []
    for place in range(count):
        index = half if place == 2 * half else place % half
        bits = mixed((mixed(index ^ seed % 2**32) + (seed >> 32)) % 2**32)
        numbers.append(bits >> 16 if half <= place < 2 * half else bits % 2**16)
    return np.array(numbers) >= dropped


@pytest.mark.parametrize("shape", [(0,), (1,), (2,), (7,), (3, 5, 7, 11), (8, 9)])
@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**63 + 12345, 2**64 - 1])
def test_masks_are_the_same_with_and_without_compiled_code(shape: tuple[int, ...], seed: int) -> None:
    size = torch.Size(shape)
    ours = hashed_mask(size, seed, 20_000, CPU)
    assert np.array_equal(ours.numpy().ravel(), _oracle(size.numel(), seed, 20_000))
    library = load_library().library
    if library is None:
        pytest.skip("no C compiler")
    assert torch.equal(draw_mask(library, size, seed, 20_000), ours)
