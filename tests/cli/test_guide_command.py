import json
import os
import pty
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import PROJECT, Command
from stridednet.conv2d.measured import read_measured
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.pages.claims import is_measured
from stridednet.pages.ranking import ranking

NAMES = [parameter.name for parameter in PARAMETERS]


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_ranks_all_parameters(command: Command, width: int) -> None:
    done = command("guide", env=os.environ | {"COLUMNS": str(width)})
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    ranked = [one.parameter.name for one in ranking()]
    assert [row[0] for row in rows if row and row[0] in NAMES] == ranked
    assert "zeros at the border or a smaller output" in done.stdout
    headings = re.findall(r"^(Another value changes|No certain effect|Not measured).*: ", done.stdout, re.MULTILINE)
    assert len(headings) == len({one.importance[0] for one in ranking()})
    assert _widest(done.stdout) <= max(80, width)
    assert "\x1b" not in done.stdout
    assert not re.search(r" $", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_page_has_every_word_and_fits(command: Command, width: int) -> None:
    for parameter in (PARAMETERS[1], PARAMETERS[5]):
        done = command("guide", parameter.name, env=os.environ | {"COLUMNS": str(width)})
        assert (done.returncode, done.stderr) == (0, "")
        words = done.stdout.split()
        texts = (parameter.does, parameter.allowed, parameter.tutorial, parameter.when, parameter.costs)
        for text in (*texts, *parameter.traps, *(title for title, _ in parameter.sources)):
            assert text in " ".join(words), text
        for line in (*parameter.measure, *(address for _, address in parameter.sources)):
            assert line in done.stdout, line
        wrapped = [
            line
            for line in done.stdout.splitlines()
            if not any(whole in line for whole in ("https://", "stridednet train", "stridednet sweep"))
        ]
        assert _widest("\n".join(wrapped[1:])) <= min(width, 88)
        assert "\x1b" not in done.stdout


def test_the_headings_of_a_page(command: Command) -> None:
    lines = command("guide", "STRIDES").stdout.splitlines()
    assert lines[0] == "strides   default: (1, 1)"
    headings = [line for before, line in pairwise(lines) if before == "" and not line.startswith("  ")]
    assert headings == [
        "Measured",
        "Choose for every layer: these four define the network",
        "What it does",
        "Allowed values",
        "The tutorial's advice",
        "When to change it",
        "Cost",
        "Pitfalls",
        "Measure its effect",
        *(["The measurements"] if is_measured("strides") else []),
        "References",
    ]


def test_a_parameter_without_commands_has_no_such_heading(command: Command) -> None:
    page = command("guide", "data-format").stdout
    assert "References" in page
    assert "Measure its effect" not in page


def test_a_terminal_gets_colors() -> None:
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(
        [Path(sys.executable).with_name("stridednet"), "guide", "padding"],
        stdout=theirs,
        stdin=theirs,
        env=environment | {"TERM": "xterm-256color"},
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # Linux raises this when the other side is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    assert b"\x1b[1mWhat it does\x1b[0m" in seen
    assert b"\x1b[36m`same`\x1b[0m" in seen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stride"], "error: Conv2D has no parameter 'stride'; did you mean strides?\n"),
        (["--json", "--markdown"], "error: --json and --markdown cannot be combined\n"),
        (["strides", "--claims"], "error: --claims covers all parameters; omit the name of one\n"),
    ],
)
def test_invalid_input_is_one_line_and_status_2(command: Command, arguments: list[str], message: str) -> None:
    done = command("guide", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_json(command: Command) -> None:
    table = json.loads(command("guide", "--json").stdout)
    assert [row["name"] for row in table] == NAMES
    assert [row["name"] for row in table if row["required"]] == ["filters", "kernel_size"]
    one = json.loads(command("guide", "strides", "--json").stdout)
    assert one == table[2]
    assert (one["default"], one["required"], one["group"]) == ([1, 1], False, "choose")
    assert sorted(row["rank"] for row in table) == list(range(1, len(NAMES) + 1))
    assert one["sources"][0]["address"] == "https://arxiv.org/abs/1412.6806"


def test_the_docs_page_is_the_output(command: Command) -> None:
    done = command("guide", "--markdown")
    assert done.returncode == 0
    assert done.stdout == (PROJECT / "docs" / "conv2d.md").read_text(), (
        "run: stridednet guide --markdown > docs/conv2d.md"
    )


def test_markdown_of_one_parameter_is_its_section_of_the_page(command: Command) -> None:
    section = command("guide", "groups", "--markdown").stdout
    assert section.startswith("## groups\n")
    assert section.count("\n## ") == 0
    assert f"\n{section}\n## " in (PROJECT / "docs" / "conv2d.md").read_text()


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['stridednet', 'guide', 'filters']\n"
        "from stridednet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'torch', 'keras', 'numpy', 'rich.progress'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "default: required" in done.stdout


def test_the_claims_as_json_have_verdicts_by_data_set(command: Command) -> None:
    done = command("guide", "--claims", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {one["name"]: one["verdicts"] for one in found} == {claim.name: claim.verdicts for claim in read_measured()}


@pytest.mark.parametrize("width", [60, 80])
def test_the_claims_fit_a_terminal(command: Command, width: int) -> None:
    text = command("guide", "--claims", env=os.environ | {"COLUMNS": str(width)}).stdout
    unbroken = "stridednet sweep|[a-z_]+=[^ ]{20}|`[a-z_.]+=[^`]+`"
    lines = [line for line in text.splitlines() if not re.search(unbroken, line)]
    assert _widest("\n".join(lines)) <= width
    assert "\x1b" not in text
    for claim in read_measured():
        assert claim.claim in " ".join(text.split())


def test_the_docs_page_of_the_claims_ends_with_the_output(command: Command) -> None:
    output = command("guide", "--claims", "--markdown").stdout
    introduction, marker, rest = (PROJECT / "docs" / "claims.md").read_text().partition("<!-- generated -->\n")
    assert (marker, rest) == ("<!-- generated -->\n", output), "see the first lines of benchmarks/measure_claims.py"
    assert introduction.startswith("# ")
