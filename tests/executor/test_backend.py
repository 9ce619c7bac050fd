import pytest
import torch

from stridednet.executor import backend as backend_module
from stridednet.executor.backend import Backend
from stridednet.executor.compiled.library import Loaded, address, load_library


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_given_precision_is_used(precision: str, dtype: torch.dtype) -> None:
    backend = Backend.choose(precision)  # type: ignore[arg-type]
    assert (backend.precision, backend.dtype, backend.device.type) == (precision, dtype, "cpu")
    assert backend.in_float32().dtype == torch.float32
    assert backend.library is load_library().library


def test_auto_is_the_fastest_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "fastest_precision", lambda _: "bfloat16")
    assert Backend.choose().precision == "bfloat16"


def test_why_there_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "load_library", lambda: Loaded(None, "the compiler failed"))
    assert (Backend.choose("float32").library, Backend.choose("float32").problem) == (None, "the compiler failed")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(4, 3, dtype=torch.float64),
        torch.zeros(4, 3, dtype=torch.float16),
        torch.zeros(3, 4),
        torch.zeros(12),
        torch.zeros(3, 4).T,
        torch.zeros(8, 3)[::2],
        torch.zeros(4, 3, device="meta"),
    ],
)
def test_compiled_code_gets_no_other_tensor_than_it_expects(tensor: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"needs a contiguous torch\.float32 tensor of shape \(4, 3\) on the CPU"):
        address(tensor, torch.float32, (4, 3))
    good = torch.zeros(4, 3)
    assert address(good, torch.float32, (4, 3)) == good.data_ptr()
