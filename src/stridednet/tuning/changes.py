"""The changes of a recipe that a tuning tries, those that usually matter most first; docs/tune.md lists them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from stridednet.errors import RecipeError
from stridednet.recipe import Recipe, flat
from stridednet.sweeps.axes import Variant

_Settings = dict[str, Any]
_WARPS = ("rotation_range", "width_shift_range", "height_shift_range", "zoom_range")
_STRONG_WARPS = (15.0, 0.15, 0.15, 0.25)
_GENTLE_WARPS = (5.0, 0.05, 0.05, 0.1)


def changes_of(base: Recipe, fixed: Collection[str] = ()) -> tuple[Variant, ...]:
    """Return the single changes of a recipe, those that usually matter most first.

    A change is left out if the recipe's model does not have the setting, or if it is not allowed.

    Args:
        base: The recipe.
        fixed: Dotted keys of settings that stay as they are.
    """
    known = flat(base.model_dump())
    found: dict[Recipe, Variant] = {base: Variant()}
    for propose in _PROPOSALS:
        settings = propose(known)
        if not settings or not settings.keys() <= known.keys() or settings.keys() & set(fixed):
            continue
        variant = Variant(tuple(settings.items()))
        try:
            found.setdefault(variant.recipe(base), variant)
        except RecipeError:
            continue
    return tuple(found.values())[1:]


def combined(changes: Sequence[Variant], base: Recipe) -> Variant | None:
    """Return several changes as one, or None if they concern the same setting or do not go together.

    >>> some = [Variant((("epochs", 3),)), Variant((("label_smoothing", 0.2),))]
    >>> combined(some, Recipe()).name, combined([some[0], some[0]], Recipe())
    ('epochs=3, label_smoothing=0.2', None)
    """
    settings = [pair for change in changes for pair in change.settings]
    if len({key for key, _ in settings}) < len(settings):
        return None
    variant = Variant(tuple(settings))
    try:
        variant.recipe(base)
    except RecipeError:
        return None
    return variant


def _toggled(key: str) -> Callable[[_Settings], _Settings]:
    return lambda known: {key: not known[key]} if key in known else {}


def _times(key: str, factor: float) -> Callable[[_Settings], _Settings]:
    return lambda known: {key: float(f"{factor * known[key]:.3g}")} if known.get(key) else {}


def _either(key: str, value: Any, otherwise: Any) -> Callable[[_Settings], _Settings]:
    """Return a proposal of one value, or of the other one if that is what the recipe has."""
    return lambda known: {key: otherwise if known.get(key) == value else value}


def _size(factor: float) -> Callable[[_Settings], _Settings]:
    return lambda known: {"image_size": 4 * round(factor * known["image_size"] / 4)}


def _filters(factor: float) -> Callable[[_Settings], _Settings]:
    def propose(known: _Settings) -> _Settings:
        filters = known.get("model.filters")
        return {"model.filters": tuple(8 * round(factor * one / 8) or one for one in filters)} if filters else {}

    return propose


def _another_stage(known: _Settings) -> _Settings:
    filters = known.get("model.filters")
    return {"model.filters": (*filters, 2 * filters[-1])} if filters else {}


def _model(name: str) -> Callable[[_Settings], _Settings]:
    # Only the architectures with stages can be exchanged for each other.
    return lambda known: {"model.name": name} if "model.filters" in known else {}


def _weight_decay(factor: float) -> Callable[[_Settings], _Settings]:
    of_adamw = _times("optimizer.weight_decay", factor)
    return lambda known: of_adamw(known) if known["optimizer.name"] == "adamw" else {}


def _warps(known: _Settings) -> _Settings:
    strong = known["augmentation.rotation_range"] < _STRONG_WARPS[0]
    values = _STRONG_WARPS if strong else _GENTLE_WARPS
    return {f"augmentation.{name}": value for name, value in zip(_WARPS, values, strict=True)}


_PROPOSALS: tuple[Callable[[_Settings], _Settings], ...] = (
    _toggled("augmentation.trivial_augment"),
    _times("optimizer.learning_rate", 2),
    _size(4 / 3),
    _model("residual"),
    _filters(1.5),
    _warps,
    _times("optimizer.learning_rate", 0.5),
    _weight_decay(5),
    _either("model.dropout", 0.25, 0.0),
    _toggled("augmentation.horizontal_flip"),
    _either("label_smoothing", 0.0, 0.1),
    _another_stage,
    _either("model.downsample", "max_pool", "strides"),
    _either("model.stem_kernel", 3, 7),
    _size(2 / 3),
    _either("mixing.mixup", 0.2, 0.0),
    _either("model.dense_dropout", 0.5, 0.0),
    _either("resize", "pad", "squash"),
    _either("model.kernel_size", 5, 3),
    _model("vgg"),
    _filters(0.5),
    _weight_decay(0.2),
)
