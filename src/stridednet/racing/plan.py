"""Which trainings a race has and how long they are, so that it costs at most a given share of the whole training."""

from dataclasses import dataclass

from stridednet.candidates import Candidate, Candidates
from stridednet.recipe import Recipe

SMALL = 64  # pixels; the image size in which the kinds race
_LEAST_EPOCHS = 2  # after fewer, networks have hardly learned anything, and their order says nothing


@dataclass(frozen=True)
class Plan:
    """The trainings of a race, which all compute the same number of pixels.

    With the same network, time is proportional to the number of pixels, so that a training of small images sees more
    of them in the same time.

    Args:
        kinds: The kinds that race; empty if there are fewer than two.
        kinds_size: Height and width of the images with which they do, in pixels.
        sizes: The image sizes that race then, the recipe's own first; empty if there are fewer than two.
        pixels: What each training computes, in pixels of training images.
        images: Number of images of an epoch.
    """

    kinds: tuple[Candidate, ...]
    kinds_size: int
    sizes: tuple[int, ...]
    pixels: float
    images: int

    @property
    def trainings(self) -> tuple[int, ...]:
        """The image sizes of all trainings. The kind that wins was trained with the size in which the kinds race."""
        return (self.kinds_size,) * len(self.kinds) + tuple(size for size in self.sizes if not self.shared(size))

    def shared(self, size: int) -> bool:
        """Return whether the race of the kinds includes the training with this image size."""
        return bool(self.kinds) and size == self.kinds_size

    def epochs(self, size: int) -> int:
        """Return the number of epochs of a training with this image size."""
        return int(self.pixels / (self.images * size**2))


def plan_race(
    recipe: Recipe, candidates: Candidates, images: int, classes: int, fold: int, *, largest: int | None = None
) -> Plan | None:
    """Plan a race; None if there is nothing to choose or the training is too short for a race.

    Image sizes for which less than two epochs are left do not race.

    Args:
        recipe: The recipe of the training after the race.
        candidates: What there is to choose.
        images: Number of its training images.
        classes: Number of classes.
        fold: Number of training images in the race.
        largest: The largest image size that may race, in pixels; None for any.
    """
    epochs = int(recipe.sized(images, classes).epochs)
    whole = epochs * images * recipe.image_size**2
    kinds = candidates.kinds if len(candidates.kinds) > 1 else ()
    others = [size for size in candidates.image_sizes if size != recipe.image_size and size <= (largest or size)]
    while kinds or others:
        sizes = (recipe.image_size, *others) if others else ()
        plan = Plan(kinds, min(SMALL, recipe.image_size), sizes, 0.0, fold)
        pixels = whole * candidates.share / (1 - candidates.share) / len(plan.trainings)
        plan = Plan(kinds, plan.kinds_size, sizes, pixels, fold)
        longest = max(plan.trainings)
        if plan.epochs(longest) >= _LEAST_EPOCHS:
            return plan
        if longest in others:
            others.remove(longest)
        elif others:
            others = []
        else:
            return None
    return None
