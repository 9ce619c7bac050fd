"""``stridednet summary``: the layers of a model, their cost, and advice on them."""

import dataclasses
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.cli.screen import wide_console
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.errors import InputError

if TYPE_CHECKING:
    from stridednet.conv2d.finding import Finding
    from stridednet.conv2d.network import Network

# Of files that hold a model, in whatever format: `load_keras_file` says what can be done about it.
_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx", ".pb", ".pickle", ".pkl", ".pt", ".pth", ".tflite")
_STYLES = {"problem": "bold red", "advice": "bold yellow", "note": "bold cyan"}


@only_json_on_stdout
def summary_command(
    source: Annotated[
        str, typer.Argument(metavar="MODEL_OR_RUN", help="Model name, FILE.py:function, .keras file, or run directory.")
    ],
    image_size: Annotated[
        int | None,
        typer.Option(help="Image size in pixels, for a model given by name. [default: the recipe's]"),
    ] = None,
    classes: Annotated[int, typer.Option(help="Number of classes, for a model given by name.")] = 4,
    recipe: Annotated[
        str, typer.Option(help="Recipe with the settings of a model given by name: a recipe name or a TOML file.")
    ] = "tutorial",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a model setting, such as model.stem_kernel=3."),
    ] = None,
    diagram: Annotated[
        Path | None,
        typer.Option(parser=path_option, metavar="FILE", help="Draw the architecture to this .png or .svg file."),
    ] = None,
    trust: TrustedFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Show the layers of a model with shape, parameters, cost and receptive field, and advice on them."""
    from stridednet.conv2d.advice import advise

    if diagram is not None:
        from stridednet.drawing.diagram import check_diagram

        check_diagram(diagram)
    network = _network(source, image_size, classes, recipe, assignments or [], trust=any(trusted(trust, source)))
    findings = advise(network)
    if as_json:
        print_json(_numbers(network, findings))
    else:
        _print_layers(network)
        _print_findings(findings)
    if diagram is not None:  # last, so that everything is printed even if the diagram cannot be written
        from stridednet.drawing.diagram import draw_diagram

        draw_diagram(network, diagram)
        if not as_json:
            print(f"diagram: {diagram}")


def _network(
    source: str, image_size: int | None, classes: int, recipe: str, assignments: list[str], *, trust: bool
) -> "Network":
    from stridednet.model_settings import MODEL_SETTINGS, is_own_model
    from stridednet.recipe import load_recipe, parse_override

    path = path_option(source)
    if source in MODEL_SETTINGS:
        if path.exists():
            print(
                f"note: {source} is the built-in model; for the file or folder here, write ./{source}", file=sys.stderr
            )
    elif path.exists() or path.suffix.lower() in _MODEL_SUFFIXES:
        if image_size is not None or assignments:
            raise InputError(f"{path} is a saved model: --image-size and --set only apply to a model given by name")
        return _saved_network(path, trust=trust)
    settings: dict[str, Any] = dict(map(parse_override, assignments)) | {"model.name": source}
    if image_size is not None:
        settings["image_size"] = image_size
    chosen = load_recipe(recipe)[0].replace(settings)

    from stridednet.models.catalogue import build_model
    from stridednet.models.description import describe
    from stridednet.models.own_model import call_builder

    if is_own_model(chosen.model.name):
        return describe(call_builder(chosen.model.name, chosen.image_size, classes))
    return describe(build_model(chosen.model, chosen.image_size, classes))


def _saved_network(path: Path, *, trust: bool) -> "Network":
    if not path.exists():
        raise InputError(f"no such model: {path}; give a run directory, a .keras file, or a model name")
    if (path / "saved_model.pb").exists():
        raise InputError(
            f"{path} is a TensorFlow SavedModel, which is not loaded; save the model with model.save('model.keras')"
        )
    from stridednet.models.description import describe
    from stridednet.models.keras_file import load_keras_file
    from stridednet.run import Run

    if path.is_dir():
        return describe(Run.open(path, trust=trust).model())
    return describe(load_keras_file(path, trust=trust))


def _numbers(network: "Network", findings: Sequence["Finding"]) -> dict[str, Any]:
    return {
        "model": network.name,
        "input_shape": network.input_shape,
        "parameters": network.parameters,
        "multiply_adds": network.multiply_adds,
        "activation_bytes": network.activation_bytes,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "inputs": layer.inputs,
                "output_shape": layer.output_shape,
                "parameters": layer.parameters,
                "multiply_adds": layer.multiply_adds,
                "activation_bytes": layer.activation_bytes,
                "receptive_field": layer.receptive_field,
                "jump": layer.jump,
            }
            for layer in network.layers
        ],
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }


def _print_layers(network: "Network") -> None:
    from rich.table import Table

    from stridednet.pages.layer_table import LEGEND, TITLES, layer_rows, total_row, unknown_note

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in TITLES[:2]:
        table.add_column(title, overflow="fold")
    for title in TITLES[2:]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in layer_rows(network):
        table.add_row(*row)
    table.add_section()
    table.add_row(*total_row(network), style="bold")
    wide_console().print(table)
    print(f"\n{LEGEND}")
    note = unknown_note(network)
    if note:
        print(note)
    print()


def _print_findings(findings: Sequence["Finding"]) -> None:
    from rich.text import Text

    console = wide_console()
    for finding in findings:
        heading = Text.assemble((finding.severity, _STYLES[finding.severity]), f"  {finding.rule}: {finding.layer}")
        console.print(heading)
        for line in (finding.number, f"why: {finding.reason}", f"try: {finding.fix}", f"source: {finding.source}"):
            print(textwrap.fill(line, console.width, initial_indent="    ", subsequent_indent="        "))
        print()
    if not findings:
        console.print("no advice")
