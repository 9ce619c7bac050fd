"""Both ways to compute: with the compiled kernels, and on PyTorch alone as where there is no compiler."""

import pytest

from stridednet.executor import context
from stridednet.executor.compiled import adam, library, normalization


@pytest.fixture(params=["compiled", "pytorch"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a test run both ways; the first needs a C compiler."""
    way: str = request.param
    if way == "pytorch":
        for module in (context, adam, normalization):
            monkeypatch.setattr(module, "library", lambda: None)
    elif library.library() is None:
        pytest.skip("no C compiler")
    return way
