import json

import pytest

from conftest import Command

# `shared/tutorial.md`'s table: the arguments of StridedNet's seven convolutions, and their outputs at 96x96x3.
LAYERS = {
    "16,7,strides=2,padding=valid": (45, 45, 16),
    "32,3": (45, 45, 32),
    "32,3,strides=2": (23, 23, 32),
    "64,3": (23, 23, 64),
    "64,3,strides=2": (12, 12, 64),
    "128,3": (12, 12, 128),
    "128,3,strides=2": (6, 6, 128),
}


def test_the_chain_of_stridednet(command: Command) -> None:
    done = command("conv2d", "96x96x3", *LAYERS, "--padding", "same", "--kernel-initializer", "he_normal", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [tuple(layer["output_shape"]) for layer in result["layers"]] == list(LAYERS.values())
    assert result["parameters"] == 293_120  # of the seven layers; the whole model has 2,658,820
    assert result["never_read"] == {"rows": [95], "columns": [95]}
    assert result["layers"][1]["padding"] == {"top": 1, "bottom": 1, "left": 1, "right": 1}
    assert {layer["gain_through_relu"] for layer in result["layers"]} == {1.0}  # He et al. 2015
    assert result["receptive_field"] == [63, 63]


def test_the_screen_of_one_layer(command: Command) -> None:
    done = command("conv2d", "96x96x3", "--filters", "16", "--kernel-size", "7", "--strides", "2")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[2:] if not line.startswith(" "))
    assert lines["output"] == "45x45x16"
    assert lines["parameters"] == "2,368 = 7x7x3x16 weights + 16 biases"
    assert lines["multiply-adds"] == "4,762,800 per image"  # 45 * 45 * 7 * 7 * 3 * 16
    assert lines["memory"].startswith("129.6 kB")  # 45 * 45 * 16 * 4 bytes
    assert lines["unread"].endswith("row 95 and column 95 (2.1% of the pixels)")
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_the_screen_of_a_chain(command: Command) -> None:
    done = command("conv2d", "96x96x3", *LAYERS, "--padding", "same")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[0].split()[:3] == ["layer", "output", "padding"]
    assert [row.split()[1] for row in rows[1:8]] == ["x".join(map(str, shape)) for shape in LAYERS.values()]
    assert rows[8].split() == ["total", "293,120", "49,953,456", "721.0", "kB"]
    assert "unread input: row 95 and column 95 (2.1% of the pixels)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["96x96", "8,3"], "the input shape must be HEIGHTxWIDTHxCHANNELS, such as 96x96x3. Received: '96x96'"),
        (["96x96x3"], "a single layer needs --filters and --kernel-size, such as --filters 16 --kernel-size 7"),
        (
            ["96x96x3", "8,3", "--filters", "8"],
            "give either a single layer by --filters and --kernel-size or a chain of layers",
        ),
        (["96x96x3", "8"], "layer '8': missing kernel_size"),
        (
            ["96x96x3", "8,3,2"],
            "layer '8,3,2': only filters and kernel_size can be given without a name. Received: '2'",
        ),
        (["96x96x3", "8,3,stride=2"], "layer '8,3,stride=2': unknown argument 'stride'; did you mean strides?"),
        (["96x96x3", "8,3,strides=2,strides=1"], "strides is given twice"),
        (["96x96x3", "8,three"], "kernel_size must be an integer or HEIGHTxWIDTH, such as 3 or 3x5. Received: 'three'"),
        (["96x96x3", "8,3,use_bias=no"], "use_bias must be true or false. Received: 'no'"),
        (
            ["96x96x3", "8,3,strides=2,dilation_rate=2"],
            "Keras does not support strides > 1 together with dilation_rate > 1.",
        ),
        (["8x8x3", "8,5", "8,5"], "layer 2: the kernel covers 5x5 pixels and does not fit into an input of 4x4"),
        (["96x96x3", "8,3,groups=2"], "2 does not divide 3 input channels; use groups 1. Received: groups=2"),
        (
            ["32x32x3", "--filters", "16", "--kernel-size", "3", "--groups", "3"],
            "3 does not divide 16 filters; use groups 1, or 15 or 18 filters. Received: groups=3",
        ),
        (
            ["32x32x3", "12,3", "16,3,groups=3"],
            "3 does not divide 16 filters; use groups 1 or 2 or 4, or 15 or 18 filters. Received: groups=3",
        ),
        (["32x32x8", "12,3,groups=5"], "5 does not divide 8 input channels and 12 filters; use groups 1 or 2 or 4."),
        (["96x96x3", "8,3,padding=full"], "padding must be 'same' or 'valid'. Received: padding='full'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(command: Command, arguments: list[str], message: str) -> None:
    done = command("conv2d", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_groups_and_filters_that_are_proposed_work(command: Command) -> None:
    for arguments in (["--filters", "15"], ["--filters", "18"]):
        assert command("conv2d", "32x32x3", "--kernel-size", "3", "--groups", "3", *arguments).returncode == 0
    assert command("conv2d", "32x32x3", "12,3", "16,3,groups=4").returncode == 0


def test_what_keras_accepts_is_accepted(command: Command) -> None:
    usual = command("conv2d", "32x32x3", "8,3x5,padding=same,kernel_initializer=he_normal", "--json")
    assert usual.returncode == 0
    for arguments in (
        ["8,3x5,padding=SAME,kernel_initializer=HeNormal"],
        ["8,(3, 5),padding=Same,kernel_initializer=he_normal"],
        ["--filters", "8", "--kernel-size", "3,5", "--padding", "SAME", "--kernel-initializer", "HeNormal"],
        ["--filters", "8", "--kernel-size", "(3, 5)", "--padding", "Same", "--kernel-initializer", "HeNormal"],
    ):
        assert command("conv2d", "32X32X3", *arguments, "--json").stdout == usual.stdout
