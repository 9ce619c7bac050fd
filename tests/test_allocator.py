import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys
import numpy as np
from stridednet.allocator import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
for _ in range(30):
    np.ones(20 * 2**20, np.uint8)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told to keep memory")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    def faults(*arguments: str) -> tuple[str, int]:
        command = [sys.executable, "-c", CODE, *arguments]
        kept, count = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return kept, int(count)

    before, after = faults("return"), faults("keep")
    assert (before[0], after[0]) == ("None", "True")
    pages = 20 * 2**20 // 4096
    assert after[1] < before[1] - pages * 20 or before[1] < pages * 5  # or the system has large pages
