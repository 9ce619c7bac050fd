import ast
import subprocess
import sys
from pathlib import Path

import stridednet

SOURCE = Path(stridednet.__file__).parent

# Imports point to the left only.
ORDER = (
    "errors",
    "machine",
    "allocator",
    "threads",
    "environment",
    "storage",
    "limits",
    "lock",
    "conv2d",
    "settings",
    "model_settings",
    "recipe",
    "candidates",
    "data",
    "models",
    "pages",
    "executor",
    "drawing",
    "resolve",
    "training",
    "racing",
    "run_place",
    "run_links",
    "run_tables",
    "run_checkpoint",
    "run_directory",
    "evaluation",
    "deploy",
    "run",
    "pipeline",
    "classifier",
    "checking",
    "sweeps",
    "tuning",
    "cli",
)


def _rooms_imported_by(file: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            if node.module == "stridednet":
                modules |= {f"stridednet.{alias.name}" for alias in node.names}
            else:
                modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return {module.split(".")[1] for module in modules if module.startswith("stridednet.")}


def test_imports_point_to_the_left() -> None:
    files = [file for file in SOURCE.rglob("*.py") if file != SOURCE / "__init__.py"]
    assert len(files) > 20
    for file in files:
        room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        for imported in _rooms_imported_by(file):
            assert ORDER.index(imported) <= ORDER.index(room), f"{file} imports {imported}"


def test_every_room_is_in_the_order() -> None:
    rooms = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "recipes"} == set(ORDER)


def test_exported_names() -> None:
    assert stridednet.__all__ == [
        "Augmentation",
        "CheckResult",
        "Classifier",
        "Evaluation",
        "Observer",
        "Predictor",
        "Recipe",
        "Result",
        "Run",
        "StridedNet",
        "StridedNetError",
        "SweepObserver",
        "SweepResult",
        "TuneObserver",
        "TuneResult",
        "check",
        "load_recipe",
        "resume",
        "run_plan",
        "scan",
        "sweep",
        "train",
        "tune",
    ]
    for name in stridednet.__all__:
        found = getattr(stridednet, name)
        assert found.__name__ == name
        assert found.__doc__, name


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert stridednet.__version__ == version("stridednet")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['stridednet', 'train', '--help']\n"
        "from stridednet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'keras', 'numpy', 'cv2', 'sklearn', 'matplotlib', 'rich.progress'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "--resume" in done.stdout


def test_nothing_is_long_or_vague() -> None:
    for file in SOURCE.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 350, file
        assert not {"utils", "helpers", "common", "misc", "base"} & set(file.relative_to(SOURCE).with_suffix("").parts)
