"""Small pictures inside of an HTML page."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from stridednet.data.decode import UnusablePictureError, read_content, read_picture

_SIDE = 128  # pixels, the longer side; shown at half of that on a dense screen
_QUALITY = 60


def thumbnail(path: Path) -> str | None:
    """Return a picture as a ``data:`` address of a small WebP, or None if it cannot be read.

    The aspect ratio is kept. Metadata, such as the place where a photograph was taken, is not.
    """
    try:
        pixels = read_picture(read_content(path), _SIDE)
    except UnusablePictureError:
        return None
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
