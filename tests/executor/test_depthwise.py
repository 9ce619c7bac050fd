import pytest
import torch
import torch.nn.functional as nn

from stridednet.executor.depthwise import DepthwiseConvolution, can_differentiate


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (5, 3), (7, 7)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize("margins", [(0, 0), (2, 1)])
def test_gradients_are_those_of_a_convolution_in_float64(
    size: tuple[int, int], strides: tuple[int, int], margins: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).bfloat16()

    layout = {"memory_format": torch.channels_last}
    image, filters, bias = drawn(3, 8, 9, 10).contiguous(**layout), drawn(8, 1, *size).contiguous(**layout), drawn(8)
    leaves = [tensor.detach().requires_grad_() for tensor in (image, filters, bias)]
    exact = [tensor.double().requires_grad_() for tensor in (image, filters, bias)]
    expected = nn.conv2d(*exact, strides, margins, 1, 8)
    found = DepthwiseConvolution.apply(*leaves, strides, margins)
    weights = drawn(*expected.shape)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(found.double(), expected, atol=0.1, rtol=0.02)
    for leaf, other in zip(leaves, exact, strict=True):
        assert leaf.grad is not None
        assert other.grad is not None
        assert leaf.grad.dtype == torch.bfloat16
        assert float((leaf.grad.double() - other.grad).norm() / other.grad.norm()) < 0.01


def test_what_it_is_used_for() -> None:
    image, filters = torch.zeros(1, 8, 9, 9).bfloat16(), torch.zeros(8, 1, 5, 5).bfloat16()
    assert can_differentiate(image, filters, (1, 1))
    assert not can_differentiate(image.float(), filters.float(), (1, 1))
    assert not can_differentiate(image, filters, (2, 2))
    assert not can_differentiate(image, torch.zeros(8, 8, 5, 5).bfloat16(), (1, 1))
    assert not can_differentiate(image, torch.zeros(8, 1, 2, 2).bfloat16(), (1, 1))
