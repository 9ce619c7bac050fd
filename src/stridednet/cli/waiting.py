"""How OpenMP threads wait for each other, in the command's own processes."""

import os

_OWN_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_SPIN_COUNT = "20000"


def spin_less() -> None:
    """Let OpenMP threads sleep sooner while they wait; has to be called before PyTorch is imported.

    By default, libgomp's threads spin 300,000 times before they sleep (GOMP_SPINCOUNT in the manual of GNU libgomp).
    If another process needs the cores as well, they take time from the very thread that they wait for. The number was
    chosen with ``benchmarks/beside_other_work.py``. A user's own setting is kept.
    """
    if not any(name in os.environ for name in _OWN_SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT
