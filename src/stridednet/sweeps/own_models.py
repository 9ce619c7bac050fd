"""``FILE.py:function`` as a setting: absolute in recipes, so that it means the same anywhere, and short in tables."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stridednet.errors import InputError
from stridednet.model_settings import is_own_model
from stridednet.models.own_model import absolute_name


def absolute(value: Any, folder: Path) -> Any:
    """Return the value of a setting; if it names a function in a file, with the absolute path of the file.

    Args:
        value: Of any setting.
        folder: What the path is relative to.
    """
    return absolute_name(value, folder) if _names_own_model(value) else value


def short(value: str) -> str:
    """Return the text of a setting's value; if it names a function in a file, without the file's folder.

    >>> short("/home/me/nets/mine.py:build"), short("vgg")
    ('mine.py:build', 'vgg')
    """
    return re.split(r"[/\\]", value)[-1] if _names_own_model(value) else value


def short_variant(name: str) -> str:
    """Return the name of a variant, in which the folder of a model's file may have been written.

    >>> short_variant("model.stem_kernel=3, model.name=nets/mine.py:build")
    'model.stem_kernel=3, model.name=mine.py:build'
    """
    return re.sub(r"\bmodel\.name=[^=]*[/\\]([^/\\=]+\.py:)", r"model.name=\1", name)


def check_distinct(values: Iterable[Any]) -> None:
    """Check that no two values are different files of the same name, since they would look the same in tables.

    Raises:
        InputError: Two are.
    """
    seen: dict[str, Any] = {}
    for value in filter(_names_own_model, values):
        other = seen.setdefault(short(value), value)
        if other != value:
            raise InputError(f"a sweep needs different file names for different models. Received: {other} and {value}")


def _names_own_model(value: Any) -> bool:
    return isinstance(value, str) and is_own_model(value)
