"""``stridednet export``: a run as a file of another runtime's format."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.deploy.export.export import Exported


@only_json_on_stdout
def export_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Directory of a finished run.")],
    formats: Annotated[
        list[str],
        typer.Option("--format", metavar="onnx|openvino|litert|torch", help="Format of the file. Can be repeated."),
    ],
    quantize: Annotated[
        str | None, typer.Option(metavar="int8", help="Also write an ONNX file with weights of 8 bits.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="New path of the run's data set, on which files are verified."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_option, metavar="DIR", help="Folder for the files. [default: RUN/export]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON to standard output.")] = False,
) -> None:
    """Write a run as a file that other runtimes compute, and verify it in its runtime on the run's test subset."""
    from stridednet.cli.progress import console_observer
    from stridednet.run import Run
    from stridednet.storage import user_path
    from stridednet.threads import claim_process

    opened = Run.open(user_path(run, "RUN"))

    from stridednet.deploy.export.export import export
    from stridednet.environment import check_keras

    check_keras()
    claim_process()
    say = console_observer(quiet=as_json).on_message
    results = export(opened, formats, quantize=quantize, dataset=dataset, out=out, on_message=say)
    if as_json:
        print_json([result.as_dict() for result in results])
        return
    for result in results:
        _print_result(result)


def _print_result(result: "Exported") -> None:
    found = result.verification
    size = f"{result.size / 1e6:.2f} MB"
    print(f"\n{result.format}: {path_text(result.files[0])}, {size}, written in {result.seconds:.1f} s")
    print(
        f"  verified on {found.pictures:,} pictures in batches of {', '.join(map(str, found.batches))}: "
        f"{found.agreement:.2%} have the run's most probable class, largest difference of a probability "
        f"{found.difference:.1e}"
    )
    print(f"  accuracy {found.accuracy:.4f}, of the run {found.run_accuracy:.4f}")
