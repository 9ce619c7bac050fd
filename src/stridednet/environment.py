"""Errors whose cause is the environment: what is wrong, and the remedy, in one line."""

import os
import sys
from pathlib import Path

from stridednet.errors import InputError, StorageError, StridedNetError, one_line

_DEVICE = "KERAS_TORCH_DEVICE"


def check_keras() -> None:
    """Make sure that Keras is configured as training needs it.

    Raises:
        InputError: Keras uses another backend than PyTorch, channels first, another type than float32, or a device
            that does not exist.
    """
    import keras

    if keras.backend.backend() != "torch":
        raise InputError(
            f"training needs the PyTorch backend, but Keras uses {keras.backend.backend()}; "
            "unset KERAS_BACKEND, or import stridednet before keras"
        )
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            "training needs channels last, but Keras is configured for channels first; set "
            "image_data_format to channels_last in keras.json or with keras.config.set_image_data_format"
        )
    if keras.config.floatx() != "float32":
        raise InputError(
            f"training needs float32 variables, but Keras is configured for {keras.config.floatx()}; set floatx to "
            "float32 in keras.json or with keras.config.set_floatx"
        )
    check_device()


def check_device() -> None:
    """Check that PyTorch can compute on the device that ``KERAS_TORCH_DEVICE`` names.

    Raises:
        InputError: It cannot.
    """
    import torch

    name = os.environ.get(_DEVICE) or "cpu"
    try:
        torch.zeros(1, device=name).item()
    except Exception as error:  # noqa: BLE001 -- the type depends on the device
        reason = str(error).partition("\n")[0].rstrip(".")
        if "Expected one of" in reason:  # followed by twenty kinds of devices
            reason = "it is not a device, such as cpu, cuda or mps"
        raise InputError(
            f"{_DEVICE}: PyTorch cannot compute on this device: {reason}; unset it to use the CPU. Received: {name!r}"
        ) from None


def explained(error: Exception) -> StridedNetError | None:
    """Return an error that names the cause and the remedy, or None if the environment is not the cause."""
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in str(error):
        return StorageError(
            "there is no folder in which temporary files can be written; free some space, or set TMPDIR to another "
            "folder"
        )
    if "keras" not in sys.modules and _raised_in_keras(error):  # Python removes a module whose import failed
        return InputError(_why_no_keras(error))
    if isinstance(error, FileNotFoundError) and error.filename is None and _working_directory_is_gone():
        return InputError("the current folder does not exist anymore; change to another folder")
    if "torch" in sys.modules and isinstance(error, (AssertionError, RuntimeError)):
        try:
            check_device()
        except InputError as problem:
            return problem
    return None


def _raised_in_keras(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "keras":
            return True
        trace = trace.tb_next
    return False


def _why_no_keras(error: Exception) -> str:
    backend = os.environ.get("KERAS_BACKEND", "torch")
    if backend != "torch":
        reason = "Keras has no such backend, or cannot import it"
        if isinstance(error, ModuleNotFoundError):
            reason = f"{error.name} is not installed"
        return f"KERAS_BACKEND: {reason}; unset it, or set it to torch. Received: {backend!r}"
    reason = one_line(error)
    if (drawing := os.environ.get("MPLBACKEND")) and f"{drawing!r} is not a valid value for backend" in reason:
        return f"MPLBACKEND: Matplotlib has no such backend; unset it, or set it to agg. Received: {drawing!r}"
    file = _keras_json()
    remedy = f"correct or remove {file}" if file.exists() else "reinstall it with `pip install --force-reinstall keras`"
    return f"Keras cannot be imported ({reason}); {remedy}"


def _keras_json() -> Path:
    """Return the path of Keras' configuration file, which Keras determines in the same way."""
    home = os.path.expanduser("~")  # noqa: PTH111 -- Path.expanduser raises an exception where there is no home
    if not os.access(home, os.W_OK):
        home = "/tmp"  # noqa: S108
    return Path(os.environ.get("KERAS_HOME") or Path(home, ".keras"), "keras.json")


def _working_directory_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False
