import time

import pytest
import torch
import torch.nn.functional as nn

from stridednet.executor.precision import fastest_precision

CPU = torch.device("cpu")


def _processor_with(monkeypatch: pytest.MonkeyPatch, *abilities: str) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(abilities, True))


def _slow(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """Make convolutions in one precision take so long that no load on the machine makes the other one slower."""
    convolve = nn.conv2d

    def conv2d(images: torch.Tensor, *arguments: object, **options: object) -> torch.Tensor:
        if images.dtype == dtype:
            time.sleep(0.5)
        return convolve(images, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(nn, "conv2d", conv2d)


def test_auto_is_bfloat16_with_amx_and_float32_without_any_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    _processor_with(monkeypatch, "avx512_bf16", "amx_bf16")
    assert fastest_precision(CPU) == "bfloat16"
    _processor_with(monkeypatch, "avx2")
    assert fastest_precision(CPU) == "float32"


@pytest.mark.parametrize(("slow", "taken"), [(torch.bfloat16, "float32"), (torch.float32, "bfloat16")])
def test_auto_is_measured_with_avx512_bf16_alone(
    monkeypatch: pytest.MonkeyPatch, slow: torch.dtype, taken: str
) -> None:
    _processor_with(monkeypatch, "avx512_bf16")
    _slow(monkeypatch, slow)
    assert fastest_precision(CPU) == taken
