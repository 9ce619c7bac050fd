"""Text notation of shapes and layers, as on the command line."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from stridednet.conv2d.arithmetic import Conv2DLayer, Pair, Shape, check_groups
from stridednet.errors import InputError

_PAIRS = ("kernel_size", "strides", "dilation_rate")
_NUMBERS = ("filters", "groups")
_NAMES = tuple(field.name for field in fields(Conv2DLayer))


def parse_shape(text: str) -> Shape:
    """Parse an input shape.

    >>> parse_shape("96x64x3")
    (96, 64, 3)

    Args:
        text: Height, width and channels, written like ``96x64x3``.

    Returns:
        ``(height, width, channels)``.

    Raises:
        InputError: The text is not a shape.
    """
    numbers = _integers(text)
    if len(numbers) != 3:
        raise InputError(f"the input shape must be HEIGHTxWIDTHxCHANNELS, such as 96x96x3. Received: {text!r}")
    return numbers[0], numbers[1], numbers[2]


def parse_pair(text: str, name: str) -> Pair:
    """Parse a value for both directions, or one for rows and one for columns.

    >>> parse_pair("3", "strides"), parse_pair("3x5", "strides")
    ((3, 3), (3, 5))

    Args:
        text: Written like ``3``, ``3x5`` or ``(3, 5)``.
        name: Name of the argument, for error messages.

    Raises:
        InputError: The text is not such a value.
    """
    numbers = _integers(text)
    if len(numbers) not in (1, 2):
        raise InputError(f"{name} must be an integer or HEIGHTxWIDTH, such as 3 or 3x5. Received: {text!r}")
    return numbers[0], numbers[-1]


def parse_layer(text: str, defaults: Mapping[str, Any] | None = None, channels: int | None = None) -> Conv2DLayer:
    """Parse a layer, written like the arguments of Keras' `Conv2D`.

    >>> str(parse_layer("32, 3x5, strides=2, padding=same"))
    '32,3x5,strides=2,padding=same'

    Args:
        text: Filters, kernel size, and further arguments by name, separated by commas.
        defaults: Values of arguments that the text omits; they take precedence over Keras' defaults.
        channels: Number of input channels, so that an error about groups can propose numbers that work with them.

    Raises:
        InputError: The text is not a layer.
        ModelError: The arguments are invalid for `Conv2D`.
    """
    arguments: dict[str, Any] = {}
    # A comma in parentheses separates rows from columns.
    for place, part in enumerate(part.strip() for part in re.split(r",(?![^()]*\))", text)):
        name, equals, value = part.partition("=")
        if not equals:
            if place > 1:
                raise InputError(
                    f"layer '{text}': only filters and kernel_size can be given without a name. Received: {part!r}"
                )
            name, value = _NAMES[place], part
        name = name.strip().replace("-", "_")
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES) or _NAMES
            raise InputError(f"layer '{text}': unknown argument '{name}'; did you mean {' or '.join(near)}?")
        if name in arguments:
            raise InputError(f"layer '{text}': {name} is given twice")
        arguments[name] = _value(name, value.strip(), text)
    missing = [name for name in ("filters", "kernel_size") if name not in arguments]
    if missing:
        raise InputError(
            f"layer '{text}': missing {' and '.join(missing)}; write a layer like 32,3,strides=2,padding=same"
        )
    chosen = {**(defaults or {}), **arguments}
    if channels is not None and min(chosen["filters"], chosen.get("groups", 1)) > 0:
        check_groups(chosen.get("groups", 1), chosen["filters"], channels, f"layer '{text}': ")
    return Conv2DLayer(**chosen)


def positions(name: str, numbers: Sequence[int]) -> str:
    """Return a short list of indices.

    >>> positions("row", [95])
    'row 95'
    >>> positions("row", [1, 2, 4, 5, 7, 8])
    'rows 1, 2, 4, ..., 8 (6 in total)'

    Args:
        name: What is counted, in the singular.
        numbers: The indices, at least one.
    """
    if len(numbers) == 1:
        return f"{name} {numbers[0]}"
    if len(numbers) <= 4:
        return f"{name}s {', '.join(map(str, numbers))}"
    return f"{name}s {', '.join(map(str, numbers[:3]))}, ..., {numbers[-1]} ({len(numbers)} in total)"


def _value(name: str, value: str, text: str) -> Any:
    if name in _PAIRS:
        return parse_pair(value, f"layer '{text}': {name}")
    if name in _NUMBERS:
        numbers = _integers(value)
        if len(numbers) != 1:
            raise InputError(f"layer '{text}': {name} must be an integer. Received: {value!r}")
        return numbers[0]
    if name == "use_bias":
        if value.lower() not in ("true", "false"):
            raise InputError(f"layer '{text}': use_bias must be true or false. Received: {value!r}")
        return value.lower() == "true"
    return value


def _integers(text: str) -> list[int]:
    """Return the numbers in texts such as ``3``, ``96x96x3``, ``3,5`` and ``(3, 5)``; an empty list for others."""
    inner = text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].strip().removesuffix(",")
    if not re.fullmatch(r"\d{1,6}(\s*[xX,*]\s*\d{1,6})*", inner, re.ASCII):
        return []
    return [int(number) for number in re.findall(r"\d+", inner)]
