"""Open files in a process of bounded memory, and print what became of each as one JSON object per line.

Usage: ``bounded_reader.py READER MIB FOLDER`` opens every entry of the folder, in the order of their names. More than
``MIB`` of memory cannot be allocated. `opened` runs this script.
"""

import json
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MIB = 2**20
_HANG = 30  # seconds after which the process is killed


@dataclass(frozen=True)
class Opened:
    """What became of a file.

    Args:
        name: Its name.
        error: The type of the exception; None if it was read.
        message: Its message.
        is_ours: Whether the exception is one of the package.
        grown: By how much the resident memory grew at most meanwhile, in MiB.
        seconds: The time that it took.
    """

    name: str
    error: str | None
    message: str
    is_ours: bool
    grown: float
    seconds: float


def opened(reader: str, folder: Path, mib: int = 1024) -> list[Opened]:
    """Open every file of a folder in a process of its own that can allocate ``mib`` MiB."""
    from warm import run_warm

    done = run_warm(Path(__file__), [reader, str(mib), folder], folder.parent)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{reader} ended with {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    return [Opened(**json.loads(line)) for line in lines if line.startswith('{"name"')]


def _run(folder: Path) -> None:
    import numpy as np

    from stridednet.deploy.run_model import RunModel
    from stridednet.run import Run

    run = Run.open(folder)
    _ = run.labels, run.split, run.history, run.report, run.sample_ranges
    size = run.recipe.image_size
    RunModel(run).predict(np.zeros((1, size, size, 3), np.uint8))


def _portable(folder: Path) -> None:
    """As `_run`; a ``predict.npz`` that is not used, since ``model.keras`` is there, counts as refused."""
    import numpy as np

    from stridednet.deploy.run_model import RunModel
    from stridednet.errors import RunError
    from stridednet.run import Run

    run = Run.open(folder)
    messages: list[str] = []
    model = RunModel(run, messages.append)
    model.predict(np.zeros((1, model.size, model.size, 3), np.uint8))
    if messages:
        raise RunError(messages[0])


def _checkpoint(folder: Path) -> None:
    from stridednet.run_directory import RunDirectory

    RunDirectory.unfinished(folder).load_checkpoint()


def _model(file: Path) -> None:
    from stridednet.models.keras_file import load_keras_file

    load_keras_file(file)


def _recipe(file: Path) -> None:
    from stridednet.recipe import load_recipe

    load_recipe(file)


def _plan(file: Path) -> None:
    from stridednet.sweeps.plan import SweepPlan

    SweepPlan.read(file)


def _archive(file: Path) -> None:
    from stridednet.data.archive import unpacked

    unpacked(file)


def _picture(file: Path) -> None:
    from stridednet.data.decode import decode

    decode(file, 32)


def _naive_keras(file: Path) -> None:
    import keras

    keras.saving.load_model(file, compile=False)


def _naive_prediction(file: Path) -> None:
    import keras
    import numpy as np

    model = keras.saving.load_model(file, compile=False)
    model(np.zeros((1, *model.input_shape[1:]), np.float32))


def _naive_h5(file: Path) -> None:
    import h5py
    import numpy as np

    with zipfile.ZipFile(file) as archive, archive.open("model.weights.h5") as weights, h5py.File(weights) as content:
        content.visititems(lambda _, entry: np.array(entry) if isinstance(entry, h5py.Dataset) else None)


def _naive_numpy(file: Path) -> None:
    import numpy as np

    path = file if file.is_file() else file / "checkpoint" / "state.npz"
    with np.load(path) as arrays:
        dict(arrays)


def _naive_zip(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            archive.read(name)


def _naive_text(file: Path) -> None:
    file.read_text()


def _naive_picture(file: Path) -> None:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file) as picture:
        picture.convert("RGB")


_READERS: dict[str, Callable[[Path], None]] = {
    "run": _run,
    "portable": _portable,
    "checkpoint": _checkpoint,
    "model": _model,
    "recipe": _recipe,
    "plan": _plan,
    "archive": _archive,
    "picture": _picture,
    "naive keras": _naive_keras,
    "naive prediction": _naive_prediction,
    "naive h5": _naive_h5,
    "naive numpy": _naive_numpy,
    "naive zip": _naive_zip,
    "naive text": _naive_text,
    "naive picture": _naive_picture,
}


def _memory(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024


def _open(reader: str, file: Path) -> Opened:
    from stridednet.data.decode import UnusablePictureError
    from stridednet.errors import StridedNetError

    Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the peak, begins at the present size
    before, start = _memory("VmRSS"), time.monotonic()
    signal.alarm(_HANG)
    error: Any = None
    try:
        _READERS[reader](file)
    except Exception as caught:  # noqa: BLE001 -- which one, is what is asked
        error = caught.with_traceback(None)  # whose frames would keep what they have allocated
    signal.alarm(0)
    kind = None if error is None else type(error).__name__
    is_ours = isinstance(error, (StridedNetError, UnusablePictureError))
    grown = _memory("VmHWM") - before
    return Opened(file.name, kind, str(error), is_ours, grown, time.monotonic() - start)


def _main() -> None:
    import warnings

    warnings.simplefilter("ignore")  # of decoders, about damaged pictures
    reader, mib, folder = sys.argv[1:]
    most = int((_memory("VmSize") + int(mib)) * MIB)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for file in sorted(Path(folder).iterdir()):
        print(json.dumps(asdict(_open(reader, file))), flush=True)


if __name__ == "__main__":
    _main()
