"""``stridednet conv2d``: the arithmetic of a layer or of a chain of layers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stridednet.cli.paths import path_option
from stridednet.cli.screen import wide_console
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, chain, check_groups, never_read, unread_share
from stridednet.conv2d.notation import parse_layer, parse_pair, parse_shape, positions
from stridednet.errors import InputError
from stridednet.pages.layer_table import size_text

if TYPE_CHECKING:
    from stridednet.drawing.layer_example import LayerExample


def conv2d_command(
    context: typer.Context,
    shape: Annotated[
        str | None, typer.Argument(metavar="HEIGHTxWIDTHxCHANNELS", help="Input shape, such as 96x96x3.")
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LAYER]...", help="Layers of a chain, each written like 16,7,strides=2,padding=same."),
    ] = None,
    filters: Annotated[int | None, typer.Option(help="Number of filters of a single layer.")] = None,
    kernel_size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help="Height and width of a single layer's kernel.")
    ] = None,
    strides: Annotated[str, typer.Option(metavar="N|HxW", help="Step between windows, in pixels.")] = "1",
    padding: Annotated[str, typer.Option(metavar="same|valid", help="Whether to pad the input with zeros.")] = "valid",
    dilation_rate: Annotated[str, typer.Option(metavar="N|HxW", help="Step between kernel elements, in pixels.")] = "1",
    groups: Annotated[int, typer.Option(help="Number of groups that channels and filters are split into.")] = 1,
    use_bias: Annotated[bool, typer.Option(help="Whether the layer has a bias.")] = True,
    kernel_initializer: Annotated[str, typer.Option(help="Initializer of the weights.")] = "glorot_uniform",
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    show: Annotated[
        Path | None,
        typer.Option(
            parser=path_option,
            metavar="FILE",
            help="Draw the layer applied to a picture: .png, or .gif to animate the kernel.",
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(parser=path_option, metavar="FILE", help="Picture for --show. [default: a digit]")
    ] = None,
    kernel: Annotated[
        str | None, typer.Option(metavar="edge|blur|sharpen", help="Kernel for --show. [default: all three]")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            parser=path_option, metavar="RUN", help="Draw the first Conv2D layer of a run, with its learned filters."
        ),
    ] = None,
    trust: TrustedFiles = None,
) -> None:
    """Compute the shapes, padding, parameters, cost and receptive field of a Conv2D layer without building it.

    Give a single layer by --filters and --kernel-size, or a chain of layers as arguments. The other options apply to
    every layer that does not set them itself; the defaults are those of Keras.

    --show FILE draws a single layer applied to a picture; with --run, the first Conv2D layer of a trained model.
    """
    if show is None and (image is not None or kernel is not None or run is not None or trust):
        raise InputError("--image, --kernel, --run and --trust are only used with --show: add --show FILE")
    facts: Sequence[Conv2DFacts]
    example: LayerExample | None = None
    if show is not None and run is not None:
        _reject_options_with_run(context)
        example = _learned(show, run, image, trust=any(trusted(trust, run)))
        facts = [example.facts]
    else:
        shared: dict[str, Any] = {
            "strides": parse_pair(strides, "--strides"),
            "padding": padding,
            "dilation_rate": parse_pair(dilation_rate, "--dilation-rate"),
            "groups": groups,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
        }
        facts = _facts(shape, layers or [], filters, kernel_size, shared)
        if show is not None:
            example = _named(show, facts, image, kernel)
    if as_json:
        print(json.dumps(_numbers(facts), indent=2))
    elif len(facts) == 1:
        _print_layer(facts[0])
    else:
        _print_chain(facts)
    if show is not None and example is not None:  # last, so that the results are printed even if this fails
        from stridednet.drawing.layer_figure import draw_layer

        draw_layer(example, show)
        if not as_json:
            print(f"\ndrawn: {show}")


def _facts(
    shape: str | None, layers: Sequence[str], filters: int | None, kernel_size: str | None, shared: dict[str, Any]
) -> Sequence[Conv2DFacts]:
    if shape is None:
        raise InputError("missing input shape: give HEIGHTxWIDTHxCHANNELS, such as 96x96x3, as the first argument")
    if layers and (filters is not None or kernel_size is not None):
        raise InputError(
            "give either a single layer by --filters and --kernel-size or a chain of layers as arguments, not both"
        )
    size = parse_shape(shape)
    if layers:
        chosen: list[Conv2DLayer] = []
        for text in layers:
            chosen.append(parse_layer(text, shared, chosen[-1].filters if chosen else size[2]))
    elif filters is None or kernel_size is None:
        raise InputError("a single layer needs --filters and --kernel-size, such as --filters 16 --kernel-size 7")
    else:
        if min(size[2], filters, shared["groups"]) > 0:
            check_groups(shared["groups"], filters, size[2])
        chosen = [Conv2DLayer(filters, parse_pair(kernel_size, "--kernel-size"), **shared)]
    return chain(size, chosen)


def _reject_options_with_run(context: typer.Context) -> None:
    for parameter in context.command.params:
        name = parameter.name
        if name in ("show", "image", "run", "trust", "as_json") or name is None:
            continue
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            written = name.upper() if name in ("shape", "layers") else f"--{name.replace('_', '-')}"
            raise InputError(f"--run takes the input shape, layer and filters from the run's model: omit {written}")


def _named(show: Path, facts: Sequence[Conv2DFacts], image: Path | None, kernel: str | None) -> "LayerExample":
    if len(facts) > 1:
        raise InputError(f"--show draws a single layer. Received: a chain of {len(facts)} layers")
    from stridednet.drawing.layer_example import named_example
    from stridednet.drawing.layer_figure import check_cells, check_target

    check_target(show, image)
    check_cells(facts[0])
    return named_example(facts[0], image, kernel)


def _learned(show: Path, run: Path, image: Path | None, *, trust: bool) -> "LayerExample":
    from stridednet.drawing.layer_figure import check_cells, check_target
    from stridednet.drawing.learned_filters import learned_example
    from stridednet.run import Run

    check_target(show, image)
    example = learned_example(Run.open(run, trust=trust).model(), run.resolve().name, image)
    check_cells(example.facts)
    return example


def _numbers(facts: Sequence[Conv2DFacts]) -> dict[str, Any]:
    rows, columns = never_read(facts)
    return {
        "input_shape": facts[0].input_shape,
        "output_shape": facts[-1].output_shape,
        "parameters": sum(fact.parameters for fact in facts),
        "multiply_adds": sum(fact.multiply_adds for fact in facts),
        "activation_bytes": sum(fact.activation_bytes for fact in facts),
        "receptive_field": facts[-1].receptive_field,
        "never_read": {"rows": rows, "columns": columns},
        "layers": [
            {
                "layer": str(fact.layer),
                "output_shape": fact.output_shape,
                "padding": dict(zip(("top", "bottom", "left", "right"), fact.padding, strict=True)),
                "parameters": fact.parameters,
                "multiply_adds": fact.multiply_adds,
                "activation_bytes": fact.activation_bytes,
                "receptive_field": fact.receptive_field,
                "jump": fact.jump,
                "shift": fact.shift,
                "unread": dict(zip(("rows", "columns"), fact.unread, strict=True)),
                "initial_standard_deviation": fact.standard_deviation,
                "gain_through_relu": fact.gain,
            }
            for fact in facts
        ],
    }


def _print_layer(fact: Conv2DFacts) -> None:
    layer = fact.layer
    height, width, channels = fact.output_shape
    per_group = fact.input_shape[2] // layer.groups
    top, bottom, left, right = fact.padding
    kernel = "x".join(map(str, (*layer.kernel_size, per_group, layer.filters)))
    lines = {
        "output": f"{height}x{width}x{channels}",
        "padding": f"{top} at the top, {bottom} at the bottom, {left} on the left, {right} on the right",
        "parameters": f"{fact.parameters:,} = {kernel} weights + {fact.biases} biases",
        "multiply-adds": f"{fact.multiply_adds:,} per image",
        "memory": f"{size_text(fact.activation_bytes)} per image for the output in float32",
        "receptive field": f"{fact.receptive_field[0]}x{fact.receptive_field[1]} pixels; "
        f"neighboring outputs are {_pair(fact.jump)} {'pixel' if fact.jump == (1, 1) else 'pixels'} apart",
        "unread input": _unread(fact.unread, fact.input_shape),
        "alignment": _position(fact.shift),
        "initial weights": _weights(fact),
    }
    print(f"Conv2D {layer} on {'x'.join(map(str, fact.input_shape))}\n")
    for name, text in lines.items():
        print(f"{name:17}{text}")


def _print_chain(facts: Sequence[Conv2DFacts]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer", overflow="fold")
    for title in ("output", "padding", "parameters", "multiply-adds", "memory", "field", "jump", "ReLU gain"):
        table.add_column(title, justify="right", no_wrap=True)
    for fact in facts:
        table.add_row(
            str(fact.layer),
            "x".join(map(str, fact.output_shape)),
            "none" if not any(fact.padding) else " ".join(map(str, fact.padding)),
            f"{fact.parameters:,}",
            f"{fact.multiply_adds:,}",
            size_text(fact.activation_bytes),
            _pair(fact.receptive_field),
            _pair(fact.jump),
            "-" if fact.gain is None else f"{fact.gain:.2f}",
        )
    total = [sum(getattr(fact, name) for fact in facts) for name in ("parameters", "multiply_adds", "activation_bytes")]
    table.add_section()
    table.add_row("total", "", "", f"{total[0]:,}", f"{total[1]:,}", size_text(total[2]), "", "", "", style="bold")
    wide_console().print(table)
    print(
        f"\nunread input: {_unread(never_read(facts), facts[0].input_shape)}\n"
        "padding: rows or columns of zeros at the top, bottom, left and right\n"
        "field: receptive field, in pixels of the input\n"
        "jump: distance between neighboring outputs, in pixels of the input\n"
        "ReLU gain: factor by which a layer followed by ReLU scales the signal's mean square at initialization"
    )


def _unread(unread: tuple[tuple[int, ...], tuple[int, ...]], shape: tuple[int, int, int]) -> str:
    rows, columns = unread
    if not rows and not columns:
        return "none"
    parts = [positions(name, numbers) for name, numbers in (("row", rows), ("column", columns)) if numbers]
    return f"{' and '.join(parts)} ({unread_share(rows, columns, shape):.1%} of the pixels)"


def _position(shift: tuple[float, float]) -> str:
    down, right = shift
    if not down and not right:
        return "centered"
    directions = [f"{abs(down):g} {'down' if down > 0 else 'up'}"] if down else []
    directions += [f"{abs(right):g} {'right' if right > 0 else 'left'}"] if right else []
    return f"windows are off center by {' and '.join(directions)}, in pixels of the layer's input"


def _weights(fact: Conv2DFacts) -> str:
    if fact.standard_deviation is None:
        return "unknown: the initializer has settings of its own"
    start = f"{fact.layer.kernel_initializer}, standard deviation {fact.standard_deviation:.4f} at initialization"
    if fact.gain is None:
        return start
    gain = f"followed by ReLU, the layer scales the signal's mean square by {fact.gain:.2f}"
    return f"{start};\n{'':17}{gain}"


def _pair(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
