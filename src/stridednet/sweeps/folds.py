"""The data of trials: a data set is prepared once, and divided into other folds by each repetition."""

from collections.abc import Callable

from stridednet.data.fold_assignment import Fold
from stridednet.data.prepare import TrainingData, prepare
from stridednet.recipe import Recipe
from stridednet.settings import DataSettings, ResizeRule

_MEASURED_ON = "each training picture is measured by models that did not see it; test is not used"


class Folds:
    """Prepare the data of recipes; recipes with the same data set, labels, sizes and shape of images share it.

    Args:
        say: Called with each message about the first data set; messages about others, which usually differ only in
            image size or labels, are dropped.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._prepared: dict[tuple[DataSettings, int, ResizeRule, int], TrainingData] = {}

    def of(self, recipe: Recipe, fold: Fold) -> TrainingData:
        """Return the recipe's data, with a fold as the val subset.

        Raises:
            DataError: The data set cannot be used, or a class has too few images.
        """
        place = (recipe.data, recipe.image_size, recipe.resize, recipe.source_size)
        if place not in self._prepared:
            say = self._silent if self._prepared else self._say
            self._prepared[place] = prepare(
                recipe.data, recipe.image_size, say, _MEASURED_ON, rule=recipe.resize, source_size=recipe.source_size
            )
        return self._prepared[place].out_of_fold(fold)

    @staticmethod
    def _silent(_: str) -> None:
        pass
