"""What is known of each parameter of Keras' `Conv2D`. The texts are in ``parameters.toml``, by rank."""

import difflib
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from stridednet.errors import InputError


class Required:
    """The type of `REQUIRED`."""

    def __repr__(self) -> str:
        """Say what it stands for."""
        return "required"


REQUIRED: Final = Required()  # the default of a parameter that has none

Group = Literal["choose", "reason", "leave"]

GROUPS: dict[Group, tuple[str, str]] = {
    "choose": ("Choose", "these four shape the network; decide on each for every layer"),
    "reason": ("Change with a reason", "the default is right until something calls for another"),
    "leave": ("Leave alone", "in nearly every network"),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of `Conv2D`. Texts put code between backticks, and are Markdown without other marks."""

    name: str
    default: Any  # as Keras' signature has it; REQUIRED where it has none
    group: Group
    in_short: str  # for a table: at most 42 characters
    does: str
    allowed: str
    names: tuple[str, ...]  # strings that Keras takes
    tutorial: str  # what the tutorial advises
    when: str  # to change it
    costs: str
    traps: tuple[str, ...]
    measure: tuple[str, ...]  # commands that show what it does
    sources: tuple[tuple[str, str], ...]  # title and address

    @property
    def default_text(self) -> str:
        """The default as one would write it in a call."""
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


def find_parameter(name: str) -> Parameter:
    """Return a parameter by its name, in upper or lower case, with hyphens or underscores.

    >>> find_parameter("Kernel-Size").name
    'kernel_size'

    Raises:
        InputError: There is none of this name; the message has the nearest ones.
    """
    known = {parameter.name: parameter for parameter in PARAMETERS}
    wanted = name.strip().lower().replace("-", "_")
    if wanted in known:
        return known[wanted]
    near = [each for each in known if len(wanted) > 2 and wanted in each]
    near = near or difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else f"its parameters: {', '.join(known)}"
    raise InputError(f"Conv2D has no parameter '{name}'; {advice}")
