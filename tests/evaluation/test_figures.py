import dataclasses
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from stridednet.errors import InputError
from stridednet.evaluation.figures import check_figure, plot_history
from stridednet.training.history import EpochRow


def _history(epochs: int) -> list[EpochRow]:
    return [
        EpochRow(e, 1 / e, 1 - 0.5 / e, 1.5 / e, 1 - 0.7 / e, 1e-4, 52, 1664, 5.0 + e, 0.5)
        for e in range(1, epochs + 1)
    ]


def test_it_shows_the_tutorials_texts(tmp_path: Path) -> None:
    plot_history(_history(5), "test", tmp_path / "plot.svg")
    # Matplotlib writes the texts of an SVG as comments next to their outlines.
    svg = (tmp_path / "plot.svg").read_text()
    for text in (
        "Training Loss and Accuracy on Dataset", "Epoch #", "Loss/Accuracy",
        "train_loss", "val_loss", "train_acc", "val_acc",
        "val = test subset, evaluated after each epoch; not used for model selection",
    ):  # fmt: skip
        assert f"<!-- {text}" in svg, text


@pytest.mark.parametrize("epochs", [1, 3])
def test_it_draws_four_curves(tmp_path: Path, epochs: int) -> None:
    plot_history(_history(epochs), "val", tmp_path / "plot.png")
    image = matplotlib.image.imread(tmp_path / "plot.png")[:, :, :3]
    # The first four colors of the ggplot style.
    for color in ("#E24A33", "#348ABD", "#988ED5", "#777777"):
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        assert (np.abs(image - rgb).max(axis=2) < 0.02).sum() > 50, color


def test_epochs_without_validation_are_not_points_of_the_curve(tmp_path: Path) -> None:
    rows = _history(4)
    rows[0] = dataclasses.replace(rows[0], val_loss=None, val_accuracy=None)
    rows[2] = dataclasses.replace(rows[2], val_loss=None, val_accuracy=None)
    plot_history(rows, "test", tmp_path / "plot.svg")
    svg = (tmp_path / "plot.svg").read_text()
    assert "evaluated after some epochs" in svg
    for color in ("#348abd", "#777777"):  # val_loss and val_acc: a marker at each of two epochs and one in the legend
        assert len(re.findall(f"<use [^>]*{color}", svg)) == 2 + 1


def test_it_depends_on_the_scores_only(tmp_path: Path) -> None:
    plot_history(_history(3), "test", tmp_path / "a.png")
    plot_history(_history(3), "test", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_unsupported_formats_and_folders_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^plot: .*plot.txt: the file name must end in one of .*\.png"):
        check_figure(tmp_path / "plot.txt")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"^plot: .* is a folder; choose another file name"):
        check_figure(tmp_path / "folder.png")
    check_figure(tmp_path / "plot.PNG")
