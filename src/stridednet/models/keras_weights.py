"""The weights in a ``.keras`` file: what HDF5 may contain is checked before anything of it is read as an array."""

import io
import math

import h5py

from stridednet.limits import LimitError

_KINDS = frozenset("biuf")  # Boolean, integers, floating-point numbers
_BFLOAT16 = "V2"  # as Keras stores it
_MAX_ENTRIES = 200_000  # groups and datasets


def stored_bytes(content: bytes) -> int:
    """Return the size of all arrays in the weights of a model.

    Args:
        content: The file ``model.weights.h5`` of an archive.

    Raises:
        LimitError: It refers to other files, contains anything but numbers, or declares more than it contains.
        Exception: It is not an HDF5 file, or damaged; h5py raises many kinds.
    """
    total, seen = 0, 0
    with h5py.File(io.BytesIO(content), "r") as file:
        pending = [file]
        addresses = set()
        while pending:
            group = pending.pop()
            for name in group:
                seen += 1
                if seen > _MAX_ENTRIES:
                    raise LimitError(f"its weights have more than {_MAX_ENTRIES:,} entries")
                if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                    raise LimitError(f"its weights have a link to another place or file, {name!r}")
                entry = group[name]
                address = h5py.h5o.get_info(entry.id).addr
                if isinstance(entry, h5py.Group):
                    if address in addresses:
                        raise LimitError(f"its weights have a group in two places, {name!r}")
                    addresses.add(address)
                    pending.append(entry)
                else:
                    total += _checked(name, entry)
                    if total > len(content):
                        raise LimitError(
                            f"its weights declare more than {len(content):,} bytes of arrays, which is their size"
                        )
    return total


def _checked(name: str, entry: h5py.Dataset | h5py.Datatype) -> int:
    """Return the size of one array, in bytes."""
    if not isinstance(entry, h5py.Dataset):
        raise LimitError(f"its weights contain something that is not an array, {name!r}")
    if entry.external or entry.is_virtual:
        raise LimitError(f"its weights have an array in another file, {name!r}")
    if entry.dtype.kind not in _KINDS and entry.dtype.str[1:] != _BFLOAT16:
        raise LimitError(f"its weights have an array that does not contain numbers, {name!r}")
    if entry.shape is None:
        raise LimitError(f"its weights have an array without a shape, {name!r}")
    return int(math.prod(entry.shape) * entry.dtype.itemsize)
