"""Convert the regularizers and constraints of a recipe to Keras objects."""

import keras

from stridednet.settings import CONSTRAINTS, REGULARIZERS, parse_term


def regularizer(text: str) -> keras.regularizers.Regularizer | None:
    """Return the regularizer for ``none``, ``l1(x)``, ``l2(x)`` or ``l1_l2(x, y)``.

    Raises:
        ValueError: ``text`` is none of these.
    """
    term = parse_term(text, REGULARIZERS)
    return None if term.name == "none" else getattr(keras.regularizers, term.name)(*term.numbers)


def constraint(text: str, axis: int | list[int]) -> keras.constraints.Constraint | None:
    """Return the constraint for ``none``, ``max_norm(x)``, ``min_max_norm(x, y)``, ``non_neg`` or ``unit_norm``.

    Args:
        text: The value of the setting in the recipe.
        axis: Axes over which norms are computed: ``[0, 1, 2]`` for a kernel, which is one norm per filter; 0 for a
            bias.

    Raises:
        ValueError: ``text`` is none of these.
    """
    term = parse_term(text, CONSTRAINTS)
    match term.name:
        case "max_norm":
            return keras.constraints.MaxNorm(term.numbers[0], axis=axis)
        case "min_max_norm":
            return keras.constraints.MinMaxNorm(term.numbers[0], term.numbers[1], axis=axis)
        case "non_neg":
            return keras.constraints.NonNeg()
        case "unit_norm":
            return keras.constraints.UnitNorm(axis=axis)
        case _:
            return None
