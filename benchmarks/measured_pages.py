"""Write the figures and the generated parts of the documentation that show what was measured."""

import runpy
from collections.abc import Iterator
from pathlib import Path

from stridednet.pages import claims, guide

DOCS = Path(__file__).parents[1] / "docs"
MARKER = "<!-- generated -->\n"


def write_pages() -> Iterator[Path]:
    """Write the forest plots, ``docs/conv2d.md``, and ``docs/claims.md`` below its introduction; yield each file."""
    yield from runpy.run_path(str(DOCS / "forest_plot.py"))["write"]()
    parameters = DOCS / "conv2d.md"
    parameters.write_text("\n".join(guide.markdown(None)) + "\n", encoding="utf-8")
    yield parameters
    page = DOCS / "claims.md"
    introduction, marker, _ = page.read_text(encoding="utf-8").partition(MARKER)
    page.write_text(introduction + marker + "\n".join(claims.markdown()) + "\n", encoding="utf-8")
    yield page
