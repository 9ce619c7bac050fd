"""What an exported file says of itself: the classes, how to prepare a picture, and from what it was made."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import stridednet
from stridednet.data.decode import PADDING
from stridednet.run_directory import RunDirectory
from stridednet.settings import ResizeRule
from stridednet.storage import sha256

_BOX = 4  # Pillow's number of the filter that is the nearest to area averaging
KEY = "stridednet"
_SHAPES: dict[ResizeRule, str] = {
    "squash": "resize to {size}x{size} pixels without keeping the aspect ratio",
    "crop": (
        "cut out the largest square in the center, from row (height - side) // 2 and column (width - side) // 2; "
        "resize it to {size}x{size} pixels"
    ),
    "pad": (
        "resize, keeping the aspect ratio, until the longer side has {size} pixels and the other one "
        "max(1, (2 * shorter * {size} + longer) // (2 * longer)); put the result on {size}x{size} pixels of gray "
        "({gray}, {gray}, {gray}), from row ({size} - height) // 2 and column ({size} - width) // 2; to resize"
    ),
}


@dataclass(frozen=True)
class Metadata:
    """Everything that a program needs to use an exported file.

    Args:
        labels: The names of the classes, in the order of the probabilities.
        image_size: Height and width of the images that the model takes, in pixels.
        input: The input in words.
        resize: How a picture becomes such an image, in words.
        rule: The same as the recipe's setting: ``"squash"``, ``"crop"`` or ``"pad"``.
        output: The output in words.
        recipe: The name of the recipe of the training.
        model_sha256: SHA-256 of the run's ``model.keras``.
        version: The version of stridednet.
        date: When the file was written, ISO 8601, UTC.
    """

    labels: Sequence[str]
    image_size: int
    input: str
    resize: str
    rule: ResizeRule
    output: str
    recipe: str
    model_sha256: str
    version: str
    date: str

    @classmethod
    def of(cls, run: RunDirectory) -> "Metadata":
        """Return the metadata of a run."""
        size = run.recipe.image_size
        return cls(
            labels=list(run.labels),
            image_size=size,
            input=f"uint8, (batch, {size}, {size}, 3), RGB from 0 to 255; rescaling and normalization are in the model",
            resize=in_words(run.recipe.resize, size),
            rule=run.recipe.resize,
            output="float32, (batch, classes): probabilities that sum to 1",
            recipe=run.recipe.name,
            model_sha256=sha256(run.model_file),
            version=stridednet.__version__,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def as_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(asdict(self))

    def as_texts(self) -> dict[str, str]:
        """Return texts by the keys that Ultralytics' ONNX files have, and all of it as JSON under ``stridednet``.

        The license is left out: it depends on the pictures, and is not known.
        """
        return {
            "description": f"stridednet image classifier, recipe {self.recipe}, {len(self.labels)} classes",
            "author": "stridednet",
            "date": self.date,
            "version": self.version,
            "task": "classify",
            "stride": "1",
            "batch": "1",  # a number, since readers convert it to one; the batch is dynamic
            "channels": "3",
            "imgsz": str([self.image_size, self.image_size]),
            "names": str(dict(enumerate(self.labels))),
            KEY: self.as_json(),
        }

    def preprocessor_config(self) -> dict[str, Any]:
        """Return the content of a ``preprocessor_config.json``, as Hugging Face's image processors read it.

        These have no area averaging; Pillow's BOX is the nearest. None of them pads with gray on both sides, so that no
        class of theirs is named for a run that does. The exact rule is in ``resize_rule``.
        """
        side = {"height": self.image_size, "width": self.image_size}
        processors: dict[ResizeRule, dict[str, Any]] = {
            "squash": {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": side},
            "crop": {
                "image_processor_type": "CLIPImageProcessor",
                "do_resize": True,
                "size": {"shortest_edge": self.image_size},
                "do_center_crop": True,
                "crop_size": side,
            },
            "pad": {"do_resize": True, "size": {"longest_edge": self.image_size}, "do_pad": True, "pad_size": side},
        }
        return {
            **processors[self.rule],
            "do_convert_rgb": True,
            "resample": _BOX,
            "do_rescale": False,  # in the model
            "do_normalize": False,  # in the model
            "input_data_format": "channels_last",
            "resize_rule": self.resize,
            "id2label": {str(number): label for number, label in enumerate(self.labels)},
        }


def in_words(rule: ResizeRule, size: int) -> str:
    """Return how a picture file becomes the input of a model: the rule, and the size of the square in pixels."""
    return (
        "apply the EXIF orientation; put transparent pixels on white; convert to RGB; "
        + _SHAPES[rule].format(size=size, gray=PADDING)
        + ": each side that shrinks by area averaging (OpenCV's INTER_AREA), then each side that grows linearly "
        "(INTER_LINEAR)"
    )
