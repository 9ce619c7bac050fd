"""What a race found: its trainings, what was chosen, and why."""

from dataclasses import dataclass
from typing import Any, Self

from stridednet.racing.entrant import Entrant
from stridednet.recipe import Recipe


@dataclass(frozen=True)
class Heat:
    """The trainings of a race that differ in one respect.

    Args:
        name: ``"kind"`` or ``"image size"``.
        entrants: In the order of the candidates; the first one is kept unless another one is ahead.
        winner: One of them.
    """

    name: str
    entrants: tuple[Entrant, ...]
    winner: Entrant

    @classmethod
    def judged(cls, name: str, entrants: list[Entrant]) -> Self:
        """Return the heat with its winner.

        That is the best one, after handicaps, of those that are ahead of the first one by more than one standard error.
        """
        first, *others = entrants
        ahead = [one for one in others if one.lead(first) - one.handicap > one.chance(first)]
        return cls(name, tuple(entrants), max(ahead, key=lambda one: one.accuracy - one.handicap, default=first))


@dataclass(frozen=True)
class RaceResult:
    """What was chosen, and why.

    Args:
        recipe: The recipe with the chosen settings.
        kind: The name of the chosen kind.
        heats: What was measured; empty if there was no race.
        reason: Why there was no race.
        train: Number of pictures that each training of the race was trained on.
        held_out: Number of pictures that it was measured on.
    """

    recipe: Recipe
    kind: str
    heats: tuple[Heat, ...] = ()
    reason: str = "too few pictures or epochs"
    train: int = 0
    held_out: int = 0

    def message(self) -> str:
        """Return the result in one line."""
        size = f"{self.recipe.image_size}x{self.recipe.image_size}"
        if not self.heats:
            return f"recipe: {self.kind}, {size}; not compared with others: {self.reason}"
        measured = "; ".join(
            ", ".join(f"{_entry(heat, one)} {one.accuracy:.3f}" for one in heat.entrants) for heat in self.heats
        )
        return f"recipe: {self.kind}, {size}; accuracy on {self.held_out:,} training pictures held out: {measured}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can contain it."""
        return {
            "kind": self.kind,
            "image_size": self.recipe.image_size,
            "reason": "" if self.heats else self.reason,
            "train": self.train,
            "held_out": self.held_out,
            "heats": [
                {
                    "of": heat.name,
                    "winner": _entry(heat, heat.winner),
                    "trainings": [
                        {
                            "kind": one.kind,
                            "image_size": one.image_size,
                            "epochs": one.epochs,
                            "images": one.images,
                            "seconds": one.seconds,
                            "accuracy": round(one.accuracy, 4),
                            "handicap": one.handicap,
                            "lead": round(one.lead(heat.entrants[0]), 4),
                            "standard_error": round(one.chance(heat.entrants[0]), 4),
                        }
                        for one in heat.entrants
                    ],
                }
                for heat in self.heats
            ],
        }


def _entry(heat: Heat, one: Entrant) -> str:
    return one.kind if heat.name == "kind" else f"{one.image_size}x{one.image_size}"
