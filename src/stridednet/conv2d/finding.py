"""A finding: one piece of advice, and how severe it is."""

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
    """What a rule found, why it matters and how to fix it."""

    rule: str
    severity: Severity  # problem: harmful; advice: another value is usually better; note: for information
    layer: str  # name of the layer, or of the model if the finding concerns the whole network
    number: str  # the values that triggered the rule
    reason: str
    fix: str
    source: str


Rule = Callable[[Network], Iterator[Finding]]
