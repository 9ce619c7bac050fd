"""A race: which kind of recipe and which image size serve these pictures best, judged by short trainings.

The kinds race first, all with small images, since a training of small images sees more of them in the same time and
is further on its way. Then the image sizes race with the kind that won, for the same time each. The first kind and the
recipe's image size are kept unless another one is ahead by more than its handicap and chance.
"""

from dataclasses import replace

from stridednet.candidates import Candidate, Candidates
from stridednet.data.prepare import TrainingData
from stridednet.errors import DataError, ModelError, TrainingError, one_line
from stridednet.executor.backend import Backend
from stridednet.racing.entrant import Entrant, train_entrant
from stridednet.racing.pictures import decodes_quickly, fold_of_train, resized
from stridednet.racing.plan import Plan, plan_race
from stridednet.racing.result import Heat, RaceResult
from stridednet.recipe import Recipe
from stridednet.training.observer import Observer, PartObserver, Workload

_LEAST_HELD_OUT = 40  # pictures; with fewer, only differences of many points are more than chance


def run_race(
    recipe: Recipe, candidates: Candidates, data: TrainingData, backend: Backend, observer: Observer
) -> RaceResult:
    """Choose a recipe by short trainings on the training pictures; val and test are not used.

    Args:
        recipe: The recipe `auto` with the user's settings.
        candidates: What the user left to choose.
        data: The data in the recipe's image size.
        backend: How to compute.
        observer: Is notified of the steps of all trainings, as if they were one.

    Returns:
        The choice. If the model cannot be built with another image size, or a loss becomes NaN, it is the first kind.
    """
    candidates = candidates.of_classes(len(data.labels))
    if recipe.epochs != "auto":
        candidates = candidates.without_handicaps()
    first = candidates.kinds[0]
    kept = first.of(recipe)
    try:
        fold = fold_of_train(data, recipe.seed)
    except DataError:
        return RaceResult(kept, first.name)
    if len(fold.split.val) < _LEAST_HELD_OUT:
        return RaceResult(kept, first.name)
    images, classes, trained = len(data.split.train), len(data.labels), len(fold.split.train)
    largest = None if decodes_quickly(data) else recipe.image_size
    plan = plan_race(kept, candidates, images, classes, trained, largest=largest)
    if plan is None:
        kind = candidates.kind_if_short
        return RaceResult(kind.of(recipe), kind.name)
    epochs = sum(map(plan.epochs, plan.trainings))
    batch = min(int(recipe.sized(trained, classes).batch_size), trained)
    observer.on_start(Workload(epochs, trained // batch, batch, before_training=True))
    trainings = _Trainings(recipe, plan, fold, backend, observer)
    kind, size = first, recipe.image_size
    heats = []
    try:
        if plan.kinds:
            entrants = [trainings.run(one, plan.kinds_size, one.handicap) for one in plan.kinds]
            heats.append(Heat.judged("kind", entrants))
            kind = next(one for one in plan.kinds if one.name == heats[0].winner.kind)
        if plan.sizes:
            known = {one: heats[0].winner for one in plan.sizes if plan.shared(one)}
            handicaps = {one: candidates.image_sizes.get(one, 0.0) for one in plan.sizes} | {size: 0.0}
            entrants = [
                replace(known[one], handicap=handicap) if one in known else trainings.run(kind, one, handicap)
                for one, handicap in handicaps.items()
            ]
            heats.append(Heat.judged("image size", entrants))
            size = heats[-1].winner.image_size
    except (ModelError, TrainingError) as error:
        return RaceResult(kept, first.name, reason=one_line(error))
    finally:
        observer.on_end()
    chosen = kind.of(recipe)
    if size != recipe.image_size:  # and as much computation as before
        effort = recipe.effort * (recipe.image_size / size) ** 2
        chosen = chosen.replace({"image_size": size, "effort": effort})
    return RaceResult(chosen, kind.name, tuple(heats), train=trained, held_out=len(fold.split.val))


class _Trainings:
    """The trainings of a race, one after the other."""

    def __init__(self, recipe: Recipe, plan: Plan, fold: TrainingData, backend: Backend, observer: Observer) -> None:
        self._recipe = recipe
        self._plan = plan
        self._fold = fold
        self._backend = backend
        self._observer = observer
        self._epochs = 0  # of the finished ones

    def run(self, kind: Candidate, size: int, handicap: float) -> Entrant:
        """Train a kind of recipe with an image size."""
        epochs = self._plan.epochs(size)
        length = {"image_size": size, "epochs": epochs, "validation_freq": epochs}
        recipe = kind.of(self._recipe).replace(length)
        data = self._fold if size == self._recipe.image_size else resized(self._fold, recipe)
        observer = PartObserver(self._observer, self._epochs)
        self._epochs += epochs
        return replace(train_entrant(kind.name, recipe, data, self._backend, observer), handicap=handicap)
