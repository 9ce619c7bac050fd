"""export(): a run -> files of other runtimes' formats, each verified in its runtime before it is put in place."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.deploy.export.formats import FORMATS, Format
from stridednet.deploy.export.metadata import Metadata
from stridednet.deploy.export.verification import BOUND, Verification, compare, computed_elsewhere
from stridednet.errors import ExportError, InputError
from stridednet.evaluation.evaluate import probabilities_of
from stridednet.evaluation.labeled_pictures import LabeledPictures, labeled_pictures, training_pictures
from stridednet.run_directory import RunDirectory
from stridednet.storage import check_writable, path_text, storage_errors, user_path, write_text

PREPROCESSOR = "preprocessor_config.json"
INT8 = "int8"
_FOLDER = "export"  # of a run


@dataclass(frozen=True)
class Exported:
    """An exported run.

    Args:
        format: The name of the format.
        files: The files; the first one is the model.
        size: Their size in bytes.
        seconds: How long writing them took, without the verification.
        verification: How the file and the run compare.
    """

    format: str
    files: tuple[Path, ...]
    size: int
    seconds: float
    verification: Verification

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it is printed with ``--json``."""
        return {
            "format": self.format,
            "files": [path_text(file) for file in self.files],
            "bytes": self.size,
            "seconds": round(self.seconds, 3),
            "verification": self.verification.as_dict(),
        }


def export(
    run: RunDirectory,
    formats: Sequence[str],
    *,
    quantize: str | None = None,
    dataset: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    on_message: Callable[[str], None] = lambda _: None,
) -> list[Exported]:
    """Write a run as files that other runtimes compute without Keras.

    Every file takes uint8 RGB images ``(batch, height, width, 3)`` at the size of the run and returns probabilities;
    rescaling and softmax are inside. It is computed in its own runtime, in a process of its own, on the run's test
    subset. Only if each most probable class agrees with the run's, and no probability differs by more than 1e-4, is it
    put in place.

    Args:
        run: A finished run.
        formats: Names of formats: keys of `FORMATS`.
        quantize: ``"int8"`` to also write a quantized ONNX file, calibrated on training pictures.
        dataset: The new path of the run's data set; None if it was not moved.
        out: The folder; None for ``export`` in the run.
        on_message: Called with one-line messages.

    Raises:
        InputError: A format is unknown or its packages are not installed, or the data set is not there.
        ExportError: The model cannot be written, or a file computes something else; it is not left behind.
        StorageError: A file cannot be written.
    """
    chosen = _chosen(formats, quantize)
    folder = run.folder / _FOLDER if out is None else user_path(out, "out")
    check_writable(folder, "choose another folder with `out`")
    pictures = labeled_pictures(run, dataset, on_message)
    model = run.model()
    expected = probabilities_of(model, pictures.pictures)
    metadata = Metadata.of(run)
    done = []
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # On the same disk, so that the files can be renamed into their places.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as temporary:
        for one in chosen:
            place = Path(temporary, one.name)
            place.mkdir()
            started = time.perf_counter()
            with storage_errors(folder):
                one.writer()(model, metadata, place / one.file)
            seconds = time.perf_counter() - started
            found = _verified(one, place / one.file, pictures, expected)
            done.append(_put_in_place(one, place, folder, seconds, found))
            if one.name == "onnx" and quantize:
                calibration = training_pictures(run, dataset, on_message)
                done.append(_quantized(folder / one.file, calibration, pictures, expected, Path(temporary)))
    write_text(folder / PREPROCESSOR, json.dumps(metadata.preprocessor_config(), indent=2) + "\n")
    return done


def _chosen(formats: Sequence[str], quantize: str | None) -> list[Format]:
    if not formats:
        raise InputError(f"formats: name at least one of {', '.join(FORMATS)}")
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"formats: expected some of {', '.join(FORMATS)}. Received: {name!r}")
    chosen = [FORMATS[name] for name in dict.fromkeys(formats)]
    if quantize not in (None, INT8):
        raise InputError(f"quantize: expected {INT8!r}. Received: {quantize!r}")
    if quantize and "onnx" not in formats:
        raise InputError("quantize: only the format onnx can be quantized")
    for one in chosen:
        one.check_installed()
    return chosen


def _verified(one: Format, path: Path, pictures: LabeledPictures, expected: NDArray[np.float32]) -> Verification:
    """Return how a file and the run compare.

    Raises:
        ExportError: They differ.
    """
    results = computed_elsewhere(one.name, path, pictures.images, one.batches, pytorch=one.name == "torch")
    found = compare(results, expected, pictures.truth, one.batches)
    if found.agreement < 1 or not found.difference <= BOUND:
        raise ExportError(
            f"{one.name}: the file computes something else than the run, so it was not kept: of {found.pictures:,} "
            f"pictures, {found.agreement:.2%} have the same most probable class, and probabilities differ by up to "
            f"{found.difference:.2g} ({BOUND:.0e} is allowed)"
        )
    return found


def _quantized(
    source: Path,
    calibration: LabeledPictures,
    pictures: LabeledPictures,
    expected: NDArray[np.float32],
    temporary: Path,
) -> Exported:
    """Write and measure the quantized file; there is no bound for what quantization changes."""
    from stridednet.deploy.export.quantization import quantize_int8, spread

    one = replace(FORMATS["onnx"], name=f"onnx {INT8}", file=f"{source.stem}-{INT8}{source.suffix}")
    place = temporary / INT8
    place.mkdir()
    started = time.perf_counter()
    chosen = calibration.pictures.stored[spread(len(calibration.truth))]
    with storage_errors(source.parent):
        quantize_int8(source, np.asarray(calibration.pictures.images[chosen]), place / one.file)
    seconds = time.perf_counter() - started
    results = computed_elsewhere("onnx", place / one.file, pictures.images, one.batches)
    found = compare(results, expected, pictures.truth, one.batches)
    return _put_in_place(one, place, source.parent, seconds, found)


def _put_in_place(one: Format, place: Path, folder: Path, seconds: float, found: Verification) -> Exported:
    # The model last: whoever sees it finds its weights beside it.
    written = sorted(place.iterdir(), key=lambda file: file.name == one.file)
    with storage_errors(folder):
        for file in written:
            file.replace(folder / file.name)
    files = tuple(folder / file.name for file in reversed(written))
    return Exported(one.name, files, sum(file.stat().st_size for file in files), seconds, found)
