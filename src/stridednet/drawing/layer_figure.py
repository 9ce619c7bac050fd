"""What a layer does, as a file: a figure or an animation."""

from pathlib import Path

from matplotlib.figure import Figure

from stridednet.conv2d.arithmetic import Conv2DFacts, Shape
from stridednet.drawing import kernel_path
from stridednet.drawing.layer_example import LayerExample
from stridednet.drawing.output_maps import draw_maps, draw_picture, maps_height
from stridednet.drawing.path_animation import write_animation
from stridednet.drawing.path_panels import draw_input, draw_output
from stridednet.errors import InputError
from stridednet.storage import written_whole

MAX_CELLS = 48  # along an axis; smaller ones cannot be told apart
_WIDTH, _TOP = 13.0, 5.2  # inches


def check_target(path: Path, image: Path | None) -> None:
    """Make sure before the work that the file can be written in the end, and is not the picture itself.

    Raises:
        InputError: It cannot, or it is.
    """
    if path.suffix.lower() not in (".png", ".gif"):
        raise InputError(f"--show {path}: the name must end in .png or .gif")
    if path.is_dir():
        raise InputError(f"--show {path} is a folder; name a file")
    if not path.parent.is_dir():
        raise InputError(f"--show {path}: there is no folder {path.parent}; make it first")
    if image is not None and path.exists() and image.exists() and path.samefile(image):
        raise InputError(f"--show {path} would overwrite the picture that --image names; name another file")


def draw_layer(example: LayerExample, path: Path) -> None:
    """Write the figure (``.png``), or the animation of the path with the first filter (``.gif``).

    Raises:
        InputError: Two windows of the kernel take more cells than one can see.
        StorageError: The file cannot be written; what was there before is untouched.
    """
    rows, columns = kernel_path.padded_size(kernel_path.small_grid(example.facts))
    if max(rows, columns) > MAX_CELLS:
        raise InputError(
            f"the kernel's path takes {rows}x{columns} cells, and --show draws up to {MAX_CELLS}x{MAX_CELLS}; "
            "take a smaller kernel, dilation or strides"
        )
    with written_whole(path) as beside:
        if path.suffix.lower() == ".gif":
            write_animation(example, beside)
        else:
            layer_figure(example).savefig(beside, format="png", dpi=100)


def layer_figure(example: LayerExample) -> Figure:
    """Draw the kernel's path, the picture with its padding, and the filters' outputs."""
    small = kernel_path.small_grid(example.facts)
    maps = maps_height(example, _WIDTH)
    figure = Figure(figsize=(_WIDTH, _TOP + maps), layout="constrained")
    figure.suptitle(f"{example.title}\non {example.origin}", fontsize=13, fontweight="bold", parse_math=False)
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
    """Say how to read the upper row, and what the lower one is of."""
    facts = example.facts
    lines = [
        "Filled cells: what the first window reads, its neighbours on the right and below, and the last one; the "
        "outputs have the same colours."
    ]
    signs = ["hatched: padding, which is zeros"] if any(small.padding) else []
    signs += ["crossed: pixels that no window reads"] if kernel_path.unread_cells(small) else []
    if signs:
        lines[0] += f" {'; '.join(signs).capitalize()}."
    if small.input_shape != facts.input_shape:
        lines.append(
            f"Drawn on {_size(small.input_shape)} pixels, so that each cell can be seen. On {_size(facts.input_shape)} "
            f"the kernel goes on in the same way, to {_size(facts.output_shape)} outputs."
        )
    lines.append(f"Below: {example.about_filters}")
    return "\n".join(lines)


def _size(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
