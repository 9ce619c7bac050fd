"""What a model says about a picture, for a person."""

import numpy as np


def print_most_probable(labels: list[str], probabilities: np.ndarray) -> None:
    """Print the three most probable classes; probabilities has the shape (1, classes)."""
    for number in np.argsort(-probabilities[0], kind="stable")[:3]:
        print(f"{probabilities[0, number]:7.2%}  {labels[number]}")
