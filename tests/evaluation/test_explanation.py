import shutil
from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import cv2
import numpy as np
import pytest
from keras import layers
from PIL import Image

from conftest import write_run
from stridednet.data.decode import decode
from stridednet.errors import InputError, ModelError
from stridednet.evaluation.explanation import Drawing, PictureExplainer, over_picture
from stridednet.evaluation.grad_cam import Explainer, overlay
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.settings import ResizeRule

SIZE = Recipe().image_size
COLORS = ("class 0", "class 1", "class 2")  # of red, green and blue


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose model knows colors: each class's score is the mean of a color, minus half the others'."""
    maps = layers.Conv2D(3, 1, name="colors")
    scores = layers.Dense(3, activation="softmax")
    image = keras.Input((SIZE, SIZE, 3))
    x = maps(layers.AveragePooling2D(4)(layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, scores(layers.GlobalAveragePooling2D()(x)))
    maps.kernel.assign(np.eye(3)[None, None])
    scores.kernel.assign(4 * np.eye(3) - 2)
    return Run.open(write_run(tmp_path_factory.mktemp("explain") / "run", model, 3))


def _picture(width: int = 200, height: int = 100) -> np.ndarray:
    """Return a picture that is red on its left third and blue on the rest."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 3, 0] = 255
    picture[:, width // 3 :, 2] = 255
    return picture


def test_the_heat_is_where_the_class_is(run: Run) -> None:
    blue = run.explain(_picture())
    assert (blue.label, blue.heatmap.shape) == ("class 2", (SIZE, SIZE))
    left, right = blue.heatmap[:, : SIZE // 4], blue.heatmap[:, SIZE // 2 :]
    assert (left.max(), right.min()) == (0, 1)
    red = run.explain(_picture(), "class 0")
    assert (red.heatmap[:, : SIZE // 4] == 1).all()
    assert (red.heatmap[:, SIZE // 2 :] == 0).all()
    probabilities = np.exp([4 / 3 - 2, -2, 8 / 3 - 2])
    probabilities /= probabilities.sum()
    assert red.probability == pytest.approx(probabilities[0], abs=0.02)
    assert blue.probability == pytest.approx(probabilities[2], abs=0.02)
    assert run.explain(_picture(), "class 1").heatmap.max() == 0  # nothing is green


def test_files_arrays_and_pillow_images_are_the_same(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(_picture()).save(path)
    expected = Explainer(run.model()).heatmaps(decode(path, SIZE)[None])[0]
    for image in (path, str(path), _picture(), Image.open(path)):
        found = run.explain(image)
        np.testing.assert_allclose(found.heatmap, expected, atol=1e-6)
        assert np.array_equal(found.picture, _picture())


def test_pictures_are_decoded_as_in_training(run: Run, tmp_path: Path) -> None:
    transparent = Image.fromarray(np.dstack([_picture(), np.full((100, 200), 0, np.uint8)]))
    assert (run.explain(transparent).picture == 255).all()  # on white
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(_picture()).save(turned, exif=exif, quality=95)
    heatmap = run.explain(turned, "class 0").heatmap
    assert heatmap[: SIZE // 4].min() > 0.9  # what was left is at the top
    assert heatmap[SIZE // 2 :].max() < 0.1


def test_deep_samples_have_the_range_of_the_training(run: Run, tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40), 600, np.uint16)).save(tmp_path / "deep.png")
    trained = Run(run.folder)
    trained.__dict__["report"] = {"data": {"sample_ranges": {"integer": [0.0, 1200.0]}}}
    assert (trained.explain(tmp_path / "deep.png").picture == 128).all()


def test_it_is_saved_as_png(run: Run, tmp_path: Path) -> None:
    explanation = run.explain(_picture())
    explanation.save(tmp_path / "new folder" / "heat.png")
    saved = np.asarray(Image.open(tmp_path / "new folder" / "heat.png"))
    assert np.array_equal(saved, explanation.overlay)
    assert saved.shape == (200, 400, 3)  # enlarged by a whole number
    assert np.array_equal(saved, overlay(_picture().repeat(2, 0).repeat(2, 1), explanation.heatmap))
    assert explanation._repr_png_() == (tmp_path / "new folder" / "heat.png").read_bytes()
    with pytest.raises(InputError, match=r"^path: the file name must end in \.png\. Received: heat\.jpg"):
        explanation.save("heat.jpg")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"^path: .*folder\.png is a folder"):
        explanation.save(tmp_path / "folder.png")


@pytest.mark.parametrize(
    ("size", "drawn"), [((1200, 300), (128, 512)), ((28, 28), (280, 280)), ((512, 100), (100, 512))]
)
def test_overlays_are_256_to_512_pixels_long(run: Run, size: tuple[int, int], drawn: tuple[int, int]) -> None:
    assert run.explain(_picture(*size)).overlay.shape == (*drawn, 3)


def test_many_pictures_are_drawn(run: Run, tmp_path: Path) -> None:
    explainer = PictureExplainer(run)
    pictures = [np.roll(_picture(60, 60), 3 * number, axis=1) for number in range(19)]  # more than a batch
    files = [tmp_path / "heat" / f"{number}.png" for number in range(19)]
    drawings = (
        Drawing(explainer.read(picture)[0], number % 3, picture, files[number])
        for number, picture in enumerate(pictures)
    )
    assert list(explainer.draw(drawings)) == files
    for number in (0, 17, 18):
        expected = run.explain(pictures[number], COLORS[number % 3]).overlay
        found = cv2.imread(str(files[number]), cv2.IMREAD_COLOR_RGB)
        assert found is not None
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_wrong_arguments(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^label: not one of the run's classes, .* Received: 'cat'"):
        run.explain(_picture(), "cat")
    with pytest.raises(InputError, match=r"^image: expected an array of uint8, .* Received: float64"):
        run.explain(_picture() / 255)
    with pytest.raises(InputError, match=r"^image: no such file\. Received: '.*none\.png'"):
        run.explain(tmp_path / "none.png")
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with pytest.raises(InputError, match=r"^image: .*broken\.png: not an image"):
        run.explain(broken)


def test_a_run_without_feature_maps(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    run = Run.open(write_run(tmp_path / "run", model, 2))
    with pytest.raises(ModelError, match=r"^Grad-CAM needs a layer with a kernel"):
        run.explain(_picture())


def test_the_heat_lies_over_the_part_of_the_picture_that_the_model_saw() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 1
    assert over_picture(heat, 40, 80, "squash") is heat
    cropped = over_picture(heat, 40, 80, "crop")  # the square is columns 20 to 59; a cell has 10x10 pixels
    assert cropped.shape == (40, 80)
    assert np.unravel_index(cropped.argmax(), cropped.shape) == (14, 44)
    assert cropped[14:16, 44:46].min() > 0.85
    assert (cropped[:, :20].max(), cropped[:, 60:].max()) == (0, 0)
    padded = over_picture(heat, 40, 80, "pad")  # the picture is rows 20 to 59 of the square; a cell has 20x20 pixels
    assert padded.shape == (40, 80)
    assert np.unravel_index(padded.argmax(), padded.shape) == (9, 49)
    assert padded[8:12, 48:52].min() > 0.85


@pytest.mark.parametrize(("rule", "expected"), [("squash", (0, 66)), ("crop", (50, 66)), ("pad", (0, 66))])
def test_the_overlay_of_a_run_that_keeps_the_shape(run: Run, rule: ResizeRule, expected: tuple[int, int]) -> None:
    """What is red on a picture of 200x100 pixels, as far as the model sees it, has the heat of red."""
    with_rule = Run.open(shutil.copytree(run.folder, run.folder.parent / f"{run.folder.name}-{rule}-{expected[0]}"))
    with_rule.write_recipe(run.recipe.replace({"resize": rule}))
    red = Run.open(with_rule.folder).explain(_picture(), "class 0")
    colored = np.ptp(red.overlay.astype(int), axis=2).max(axis=0) > 30
    enlarged = len(colored) / 200
    found = np.flatnonzero(colored)
    assert found[0] / enlarged == pytest.approx(expected[0], abs=2)
    assert found[-1] / enlarged == pytest.approx(expected[1], abs=4)
    red.save(run.folder.parent / "heat.png")
    written = cv2.imread(str(run.folder.parent / "heat.png"), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(written, red.overlay)
