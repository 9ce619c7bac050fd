"""The guide to the parameters of Keras' `Conv2D`. The texts are in ``parameters.toml``, ordered by importance.

>>> [parameter.name for parameter in PARAMETERS if parameter.group == "choose"]
['filters', 'kernel_size', 'strides', 'padding']
"""

import difflib
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from stridednet.errors import InputError


class Required:
    """The type of `REQUIRED`."""

    def __repr__(self) -> str:
        """Return the text shown in place of a default."""
        return "required"


REQUIRED: Final = Required()  # stands for the default of a parameter that has none

Group = Literal["choose", "reason", "leave"]

GROUPS: dict[Group, tuple[str, str]] = {
    "choose": ("Choose for every layer", "these four define the network"),
    "reason": ("Change when needed", "the default suits most networks"),
    "leave": ("Keep the default", "changing it rarely helps"),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of `Conv2D`. The texts are plain except for code, which is between backticks."""

    name: str
    default: Any  # as in Keras' signature; REQUIRED if there is none
    group: Group
    in_short: str  # for tables, at most 42 characters
    does: str
    allowed: str
    names: tuple[str, ...]  # strings that Keras accepts
    tutorial: str  # the tutorial's advice
    when: str  # when to change it
    costs: str
    traps: tuple[str, ...]
    measure: tuple[str, ...]  # commands that measure its effect
    sources: tuple[tuple[str, str], ...]  # title and address

    @property
    def default_text(self) -> str:
        """The default as text; strings are not quoted."""
        return self.default if isinstance(self.default, str) else repr(self.default)


def _read(table: dict[str, Any]) -> Parameter:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    default = REQUIRED if fields.pop("required", False) else fields.pop("default", None)
    sources = tuple((title, address) for title, address in fields.pop("sources"))
    return Parameter(default=default, names=fields.pop("names", ()), sources=sources, **fields)


def _read_all() -> tuple[Parameter, ...]:
    text = (resources.files("stridednet") / "conv2d" / "parameters.toml").read_text(encoding="utf-8")
    return tuple(map(_read, tomllib.loads(text)["parameter"]))


PARAMETERS: tuple[Parameter, ...] = _read_all()
"""All parameters of `Conv2D`, ordered by importance."""


def find_parameter(name: str) -> Parameter:
    """Return the parameter with the given name.

    >>> find_parameter("Kernel-Size").name
    'kernel_size'

    Args:
        name: Name of a `Conv2D` parameter, in upper or lower case, with hyphens or underscores.

    Raises:
        InputError: There is no such parameter; the message suggests similar names.
    """
    known = {parameter.name: parameter for parameter in PARAMETERS}
    wanted = name.strip().lower().replace("-", "_")
    if wanted in known:
        return known[wanted]
    near = [each for each in known if len(wanted) > 2 and wanted in each]
    near = near or difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else f"its parameters are {', '.join(known)}"
    raise InputError(f"Conv2D has no parameter '{name}'; {advice}")
