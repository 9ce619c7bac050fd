"""What a tuning has found and decided so far, so that the same call continues it with the same decisions."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stridednet.errors import InputError, RunError
from stridednet.lock import LOCK
from stridednet.storage import write_text

TUNINGS = Path("runs/tune")
BEGUN = "begun"  # decided once the budget is known to be enough; until then, another request may use the folder
_FILE = "progress.json"


class Record:
    """Decisions by name, in a file that is written after each of them.

    What is decided from measured times would be decided differently when an interrupted tuning continues.

    Args:
        folder: The tuning's folder.
        request: What was asked for, as JSON can contain it.
    """

    def __init__(self, folder: Path, request: Mapping[str, Any]) -> None:
        self._file = folder / _FILE
        found = _read(folder)
        self._content = found if found and found["request"] == request else {"request": dict(request)}

    def once(self, name: str, decide: Callable[[], Any]) -> Any:
        """Return an earlier decision, or decide now; it must be as JSON can contain it.

        Raises:
            StorageError: The file cannot be written.
        """
        if name not in self._content:
            self._content[name] = decide()
            self._write()
        return self._content[name]

    def known(self, name: str) -> bool:
        """Return whether this was decided."""
        return name in self._content

    def _write(self) -> None:
        write_text(self._file, json.dumps(self._content, indent=2) + "\n")


def chosen_folder(out: Path | None, name: str, request: Mapping[str, Any]) -> Path:
    """Return the folder of a tuning: that of an earlier call with the same request, or a new one.

    Args:
        out: The user's choice; None for one in ``runs/tune``.
        name: What a new folder in ``runs/tune`` is named after.
        request: What was asked for.

    Raises:
        InputError: The user's choice has another tuning or other files in it.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise InputError(f"out: {out} is a file; name a folder")
        found = _read(out)
        if found is not None and found["request"] != request and BEGUN in found:
            raise InputError(
                f"out: {out} has a tuning with another budget, data set or settings; name another folder, or repeat "
                "its command to continue it"
            )
        if found is None and not _free(out):
            raise InputError(f"out: {out} is not empty; name a new folder")
        return out
    number, folder = 1, TUNINGS / name
    while not _free(folder):
        found = _read(folder)
        if found is not None and (found["request"] == request or BEGUN not in found):
            break
        number += 1
        folder = TUNINGS / f"{name}-{number}"
    return folder


def _free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and all(entry.name == LOCK for entry in folder.iterdir()))


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / _FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        content["request"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"the tuning {folder} is damaged: {_FILE} cannot be read ({error})") from None
    return dict(content)
