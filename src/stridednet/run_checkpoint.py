"""The checkpoint of a run: everything that is needed to resume after an epoch."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stridednet.errors import RunError
from stridednet.limits import read_arrays
from stridednet.storage import written_whole
from stridednet.training.history import History, from_csv, to_csv

_HISTORY_KEY = "history.csv"
_DATA_HASH_KEY = "data_hash"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that is needed to resume after an epoch: arrays by name, which are stored without pickle."""

    state: dict[str, NDArray[np.generic]]
    history: History
    data_hash: str

    def write(self, path: Path) -> None:
        """Write the file. The one that it replaces stays intact if the process is killed.

        Raises:
            StorageError: There is no space left.
        """
        texts = {_HISTORY_KEY: np.array(to_csv(self.history)), _DATA_HASH_KEY: np.array(self.data_hash)}
        with written_whole(path) as beside, beside.open("wb") as file:
            np.savez(file, **self.state, **texts)  # type: ignore[arg-type]  # numpy's stub mistakes ** for a flag

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            RunError: It is damaged.
        """
        try:
            state = read_arrays(path)
            history, data_hash = from_csv(str(state.pop(_HISTORY_KEY))), str(state.pop(_DATA_HASH_KEY))
        except (OSError, ValueError, KeyError, csv.Error) as error:
            raise RunError(f"{path} is damaged ({error}); start a new run") from None
        return cls(state, history, data_hash)
