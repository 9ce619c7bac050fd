"""The pictures of trials: a data set is prepared once, and each seed has its own draw of it."""

from collections.abc import Callable

from stridednet.data.prepare import TrainingData, prepare
from stridednet.recipe import Recipe
from stridednet.settings import DataSettings

_MEASURED_ON = "for each seed a part of train is drawn to measure on, and test is not looked at"


class Folds:
    """Gives each recipe its data; what recipes share is read once.

    Args:
        say: Takes lines about the data set that is read first; of others, which differ in size or labels, nothing is
            said.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._prepared: dict[tuple[DataSettings, int], TrainingData] = {}

    def of(self, recipe: Recipe) -> TrainingData:
        """Return the recipe's pictures, with the val subset that its seed draws.

        Raises:
            DataError: The data set cannot be used, or a class has too few images.
        """
        place = (recipe.data, recipe.image_size)
        if place not in self._prepared:
            say = self._silent if self._prepared else self._say
            self._prepared[place] = prepare(recipe.data, recipe.image_size, say, _MEASURED_ON)
        return self._prepared[place].fold(recipe.data.test_size, recipe.seed)

    @staticmethod
    def _silent(_: str) -> None:
        pass
