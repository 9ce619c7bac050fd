"""Verify an exported file: in its own runtime, in a process of its own, against the run's predictor."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.errors import ExportError

BATCHES = (1, 7, 64)
BOUND = 1e-4  # largest difference of a probability in float32
_SECONDS = 600.0


@dataclass(frozen=True)
class Verification:
    """How the probabilities of a file and of the run compare.

    Args:
        pictures: Number of pictures.
        batches: The batch sizes in which they were computed.
        agreement: Fraction of the pictures with the same most probable class, in the worst batch size.
        difference: Largest absolute difference of a probability.
        accuracy: Fraction of the pictures that the file classifies correctly, in the first batch size.
        run_accuracy: The same for the run.
    """

    pictures: int
    batches: tuple[int, ...]
    agreement: float
    difference: float
    accuracy: float
    run_accuracy: float

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


def compare(
    results: Sequence[NDArray[np.float32]],
    expected: NDArray[np.float32],
    truth: NDArray[np.intp],
    batches: Sequence[int],
) -> Verification:
    """Compare probabilities.

    Args:
        results: Those of the file, ``(n, classes)``, one for each batch size.
        expected: Those of the run.
        truth: The classes of the pictures, ``(n,)``.
        batches: The batch sizes.
    """
    guess = expected.argmax(axis=1)
    return Verification(
        len(expected),
        tuple(batches),
        min(float((result.argmax(axis=1) == guess).mean()) for result in results),
        max(float(np.abs(result - expected).max()) for result in results),
        float((results[0].argmax(axis=1) == truth).mean()),
        float((guess == truth).mean()),
    )


def computed_elsewhere(
    name: str, path: Path, images: NDArray[np.uint8], batches: Sequence[int], *, pytorch: bool = False
) -> list[NDArray[np.float32]]:
    """Compute the probabilities of a file in a process of its own, which must not import Keras.

    Args:
        name: The format, a key of `runtimes.RUNTIMES`.
        path: The file.
        images: ``(n, height, width, 3)``.
        batches: The batch sizes.
        pytorch: Whether the process may import PyTorch.

    Raises:
        ExportError: The runtime cannot compute the file.
    """
    with tempfile.TemporaryDirectory() as temporary:
        given, results = Path(temporary, "images.npy"), Path(temporary, "results.npz")
        np.save(given, images)
        module = "stridednet.deploy.export.runtimes"
        sizes = ",".join(map(str, batches))
        command = [sys.executable, "-m", module, name, str(path), str(given), str(results), sizes]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ExportError(f"{name}: the runtime took more than {_SECONDS:.0f} s for the pictures") from None
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise ExportError(f"{name}: the runtime cannot compute the file: {reason}")
        with np.load(results) as arrays:
            imported = set(arrays["imported"].tolist()) - ({"torch"} if pytorch else set())
            if imported:
                raise ExportError(f"{name}: the process that verifies has imported {', '.join(sorted(imported))}")
            return [arrays[f"arr_{number}"] for number in range(len(batches))]
