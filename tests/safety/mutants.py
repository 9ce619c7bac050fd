"""Damaged copies of a file, the same ones in every run of the tests."""

import random
import re
from collections.abc import Callable, Iterator

COUNT = 100
_NUMBERS = (b"-1", b"0", b"1e999", b"nan", b"9" * 30, b"2147483648", b"true", b'""', b"[]")


def mutants(content: bytes, seed: str) -> Iterator[bytes]:
    """Yield `COUNT` damaged copies, each with one to four changes."""
    rng = random.Random(seed)
    for _ in range(COUNT):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            rng.choice(_CHANGES)(changed, rng)
        yield bytes(changed)


def _flip(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _overwrite(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content) + 1)
    value = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80"))
    length = min(rng.choice((1, 2, 4, 8, 64)), len(content) - place)
    content[place : place + length] = value * length


def _truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _delete(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content) + 1)
    del content[place : place + rng.choice((1, 4, 100))]


def _duplicate(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content) + 1)
    part = content[place : place + rng.choice((1, 16, 1000))]
    content[place:place] = part * rng.choice((1, 1, 20))


def _insert(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content) + 1)
    content[place:place] = rng.randbytes(rng.choice((1, 4, 64)))


def _replace_number(content: bytearray, rng: random.Random) -> None:
    """Replace a number that is written in digits."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if found:
        number = rng.choice(found)
        content[number.start() : number.end()] = rng.choice(_NUMBERS)


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _overwrite,
    _truncate,
    _delete,
    _duplicate,
    _insert,
    _replace_number,
)
