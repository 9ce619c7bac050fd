"""A piece of advice, and how grave it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from stridednet.conv2d.network import Network

Severity = Literal["problem", "advice", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "advice", "note")

TUTORIAL = "the tutorial on Keras' Conv2D, 2018"
ARITHMETIC = "arithmetic"


@dataclass(frozen=True)
class Finding:
    """What a rule found, why it matters and what to do."""

    rule: str
    severity: Severity  # problem: it does harm; advice: mostly better otherwise; note: worth knowing
    layer: str  # its name, or that of the whole model
    number: str  # what triggers it
    reason: str
    fix: str
    source: str


Rule = Callable[[Network], Iterator[Finding]]
