"""What a server serves, and its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stridednet.machine import usable_cores

MEGABYTE = 10**6


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Args:
        body: Bytes of a request's body.
        bodies: Bytes of all bodies in memory together.
        pixels: Pixels of a picture.
        decoding: Seconds to decode a picture.
        header: Seconds in which the header of a request must arrive.
        receiving: Seconds in which a body must arrive.
        answer: Seconds in which a client must read an answer.
        connections: Connections of a server process.
        queue: Pictures that may wait, for a decoder and for each model.
        decoders: Number of processes that decode pictures.
    """

    body: int = 16 * MEGABYTE
    bodies: int = 256 * MEGABYTE
    pixels: int = 50 * 10**6
    decoding: float = 10.0
    header: float = 10.0
    receiving: float = 10.0
    answer: float = 30.0
    connections: int = 512
    queue: int = 256
    decoders: int = field(default_factory=usable_cores)


@dataclass(frozen=True)
class ServerSettings:
    """A server.

    Args:
        runs: The folder of each run, by the name under which it is served; the first one is the default.
        limits: What a request may cost.
        workers: Number of server processes.
    """

    runs: Mapping[str, Path]
    limits: Limits = field(default_factory=Limits)
    workers: int = 1
