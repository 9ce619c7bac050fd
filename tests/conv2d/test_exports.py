import ast
import importlib
import inspect
import subprocess
import sys

import pytest

import stridednet.conv2d
from stridednet.conv2d import parameters

# Every module of the package, so that a module with the name of an export would hide it.
for _module in ("advice", "convolution", "measured", "named_kernels", "notation", "parameters", "window"):
    importlib.import_module(f"stridednet.conv2d.{_module}")


@pytest.mark.parametrize("name", stridednet.conv2d.__all__)
def test_each_name_is_importable_and_documented(name: str) -> None:
    value = getattr(stridednet.conv2d, name)
    assert name in dir(stridednet.conv2d)
    if name == "PARAMETERS":  # a tuple has no docstring of its own
        body = ast.parse(inspect.getsource(parameters)).body
        assignments = [isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name for node in body]
        documentation = body[assignments.index(True) + 1]
        assert isinstance(documentation, ast.Expr)
        assert isinstance(documentation.value, ast.Constant)
        assert "PARAMETERS" in (parameters.__doc__ or "")  # its example
        return
    assert callable(value)
    assert value.__name__ == name
    documentation = inspect.getdoc(value)
    assert documentation is not None
    assert ">>> " in documentation


def test_the_exported_names() -> None:
    assert set(stridednet.conv2d.__all__) == {
        "PARAMETERS", "Conv2DFacts", "Conv2DLayer", "advise", "chain", "convolve", "find_parameter", "named_kernel",
        "parse_layer", "parse_shape", "windows",
    }  # fmt: skip
    with pytest.raises(AttributeError, match=r"module 'stridednet.conv2d' has no attribute 'chains'"):
        _ = stridednet.conv2d.chains


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, stridednet.conv2d\n"
        "heavy = {'torch', 'keras', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "from stridednet.conv2d import chain, find_parameter, parse_layer, parse_shape, windows\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
