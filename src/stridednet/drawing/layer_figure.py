"""Draw the effect of a layer on a picture, as a figure or an animation."""

from pathlib import Path

from matplotlib.figure import Figure

from stridednet.conv2d.arithmetic import Conv2DFacts, Shape
from stridednet.drawing import kernel_path
from stridednet.drawing.layer_example import LayerExample
from stridednet.drawing.output_maps import draw_maps, draw_picture, maps_height, zero_color
from stridednet.drawing.path_animation import write_animation
from stridednet.drawing.path_panels import draw_input, draw_output
from stridednet.errors import InputError
from stridednet.storage import written_whole

MAX_CELLS = 48  # along an axis; more would be too small to see
_WIDTH, _TOP = 13.0, 5.2  # inches


def check_target(out: Path, image: Path | None) -> None:
    """Check that the output file can be written and is not the picture itself.

    Args:
        out: Output file of `draw_layer`.
        image: File of the picture, or None.

    Raises:
        InputError: The suffix is not ``.png`` or ``.gif``, ``out`` is a folder or in a folder that does not exist, or
            it is the same file as ``image``.
    """
    if out.suffix.lower() not in (".png", ".gif"):
        raise InputError(f"output file {out}: the name must end in .png or .gif")
    if out.is_dir():
        raise InputError(f"output file {out} is a folder; choose another name")
    if not out.parent.is_dir():
        raise InputError(f"output file {out}: there is no folder {out.parent}; create it first")
    if image is not None and out.exists() and image.exists() and out.samefile(image):
        raise InputError(f"output file {out} would overwrite the image; choose another name")


def check_cells(facts: Conv2DFacts) -> None:
    """Check that the windows of a layer are small enough to be drawn.

    Raises:
        InputError: Two windows of the kernel need more cells than can be drawn.
    """
    rows, columns = kernel_path.padded_size(kernel_path.small_grid(facts))
    if max(rows, columns) > MAX_CELLS:
        raise InputError(
            f"two windows of the kernel need {rows}x{columns} cells, but at most {MAX_CELLS}x{MAX_CELLS} can be drawn; "
            "use a smaller kernel, dilation rate or stride"
        )


def draw_layer(example: LayerExample, out: Path) -> None:
    """Write a figure (``.png``), or an animation of the sliding kernel with the first filter (``.gif``).

    Args:
        example: The layer, its input and its filters.
        out: Output file. Its suffix determines the format.

    Raises:
        InputError: Two windows of the kernel need more cells than can be drawn.
        StorageError: The file cannot be written; a previous file is left unchanged.
    """
    check_cells(example.facts)
    with written_whole(out) as temporary:
        if out.suffix.lower() == ".gif":
            write_animation(example, temporary)
        else:
            layer_figure(example).savefig(temporary, format="png", dpi=100)


def layer_figure(example: LayerExample) -> Figure:
    """Draw the sliding kernel, the picture with its padding, and the outputs of the filters."""
    small = kernel_path.small_grid(example.facts)
    maps = maps_height(example, _WIDTH)
    figure = Figure(figsize=(_WIDTH, _TOP + maps), layout="constrained")
    figure.suptitle(f"{example.title}\napplied to {example.origin}", fontsize=13, fontweight="bold", parse_math=False)
    parts = figure.add_gridspec(2, 1, height_ratios=[_TOP, maps])
    top, bottom = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    path, output, picture = top.subplots(1, 3, width_ratios=[1.25, 0.75, 1])
    draw_input(path, small)
    draw_output(output, small)
    draw_picture(picture, example)
    top.supxlabel(_caption(example, small), fontsize=9, x=0.01, ha="left")
    draw_maps(bottom, example)
    return figure


def _caption(example: LayerExample, small: Conv2DFacts) -> str:
    """Return the explanation of the upper row, and one line on the panels below."""
    facts = example.facts
    lines = [
        "Filled cells: inputs of the first window, of the next ones to the right and below, and of the last one; their "
        "outputs have the same colors."
    ]
    signs = ["hatched: zero padding"] if any(small.padding) else []
    signs += ["crossed out: pixels that no window reads"] if kernel_path.unread_cells(small) else []
    if signs:
        lines[0] += f" {'; '.join(signs).capitalize()}."
    if small.input_shape != facts.input_shape:
        lines.append(
            f"Shown for {_size(small.input_shape)} pixels so that each cell is visible; for {_size(facts.input_shape)} "
            f"pixels, the kernel continues in the same way, with {_size(facts.output_shape)} outputs."
        )
    lines.append(f"Below: {example.about_filters} A weight of 0 is {zero_color(example)}.")
    return "\n".join(lines)


def _size(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
