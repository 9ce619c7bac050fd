"""Interim."""

MOST_REPETITIONS = 12


def level_of_look(look: int, level: float = 0.95) -> float:
    """Interim."""
    return 1 - (1 - level) / 11
