"""The walls of the house: who may import whom, how long things are, what is typed and documented. No exceptions."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import gad_lightning

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "gad_lightning"
FILES = sorted(SRC.rglob("*.py"))
ALL_FILES = sorted(path for folder in ("src", "tests", "experiments") for path in (ROOT / folder).rglob("*.py"))

FLOORS = [
    {
        "types",
        "schema",
        "segments",
        "errors",
        "optional",
        "parts",
        "rebuilding",
        "atomic",
        "csv_rows",
        "exact_buffers",
        "redact",
        "environment",
        "escape",
        "turns",
        "public_names",
        "losses",
        "jobs",
    },
    {"video"},
    {"prompts", "backbones", "heads", "kernels", "metrics", "data", "pictures", "rejection"},
    {"readouts", "objectives", "training", "results", "retrieval", "decisions"},
    {"classifiers"},
    {"streaming", "report", "compare", "forgetting", "scale"},
    {"search", "serving", "exporting"},
    {"cli", "tools"},
    {"__init__", "__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ROOMS_THAT_MAY_IMPORT = {
    "transformers": {"backbones", "video"},
    "tokenizers": {"backbones"},
    "peft": {"backbones"},
    "bitsandbytes": {"backbones"},
    "av": {"video"},
    "jsonargparse": {"cli", "tools"},
    "omegaconf": {"cli", "tools"},
    "matplotlib": {"pictures"},
    "faiss": {"retrieval"},
}
MAX_LINES, MAX_FUNCTION_LINES = 300, 50
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Readable test id."""
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """Room of a file of the package."""
    return path.relative_to(SRC).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, at the top, in functions, for type checkers, or through ``need``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("need", "import_module")
        ):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def functions_of(path: Path) -> Iterator[tuple[Function, bool]]:
    """Functions of a file, and whether each is public: a documented name that is no function's inside."""

    def walk(node: ast.AST, public: bool) -> Iterator[tuple[Function, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, public and not child.name.startswith("_")
                yield from walk(child, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, public and not child.name.startswith("_"))
            else:
                yield from walk(child, public)

    return walk(tree_of(path), True)


def is_decorated(function: Function, *names: str) -> bool:
    """Whether one of the decorators has one of these names."""
    return any(ast.unparse(decorator).split(".")[-1] in names for decorator in function.decorator_list)


def test_every_file_of_the_package_stands_on_a_floor() -> None:
    assert {room_of(path) for path in FILES} <= set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_only_look_down(path: Path) -> None:
    here = room_of(path)
    ours = [dotted.split(".") for dotted in imports_of(path) if dotted.split(".")[0] == "gad_lightning"]
    for there in {parts[1] for parts in ours if parts[1:] != ["__version__"]} - {here}:
        below = FLOOR_OF.get(there, len(FLOORS)) < FLOOR_OF[here]
        ground = FLOOR_OF[here] == FLOOR_OF.get(there) == 0
        assert below or ground, f"{here} must not import {there}: it is not on a floor below"


def modules_imported(path: Path, modules: dict[str, Path]) -> set[str]:
    """Other modules of the package that a file imports, wherever in it."""
    # "from a.b import c" means the module a.b.c if there is one, or else something in a.b
    found = {dotted if dotted in modules else dotted.rpartition(".")[0] for dotted in imports_of(path)}
    return {module for module in found & set(modules) if modules[module] != path}


def test_no_modules_import_one_another_in_a_circle() -> None:
    places = {path.relative_to(SRC.parent).with_suffix(""): path for path in FILES if not path.name.startswith("__")}
    modules = {".".join(place.parts): path for place, path in places.items()}
    try:
        TopologicalSorter({name: modules_imported(path, modules) for name, path in modules.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_packages_are_imported_in_their_rooms_only(path: Path) -> None:
    for package in {dotted.split(".")[0] for dotted in imports_of(path)} & set(ROOMS_THAT_MAY_IMPORT):
        allowed = ROOMS_THAT_MAY_IMPORT[package]
        assert room_of(path) in allowed, f"{package} may be imported in {sorted(allowed)} only"


@pytest.mark.parametrize("path", ALL_FILES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    for function, _ in functions_of(path):
        assert function.end_lineno is not None
        length = function.end_lineno - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", ALL_FILES, ids=name_of)
def test_every_function_is_typed(path: Path) -> None:
    for function, _ in functions_of(path):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        arguments += [extra for extra in (function.args.vararg, function.args.kwarg) if extra]
        bare = [
            argument.arg
            for argument in arguments
            if argument.annotation is None and argument.arg not in ("self", "cls")
        ]
        assert not bare, f"{function.name} has arguments without a type: {bare}"
        assert function.returns is not None, f"{function.name} does not say what it returns"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_public_is_documented(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "say in one line what the file is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"class {node.name} has no docstring"
    for function, public in functions_of(path):
        if public and not is_decorated(function, "override", "overload", "setter"):
            assert ast.get_docstring(function), f"{function.name} has no docstring"


@pytest.mark.parametrize("path", ALL_FILES, ids=name_of)
def test_names_say_something_and_silenced_warnings_give_a_reason(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.search(r"#\s*(noqa|type:\s*ignore)", line) and "re.search" not in line:
            reason = r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|type: ignore\[[\w, -]+\])\s+(#|-)\s+\S+"
            assert re.search(reason, line), f"name the rule and the reason: {line.strip()}"


def test_every_package_imported_is_a_declared_requirement() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = [value for name, value in config["options.extras_require"].items() if name not in ("test", "docs")]
    lines = [line for text in (config["options"]["install_requires"], *extras) for line in text.splitlines() if line]
    declared = {re.split(r"[\[<>=;~! ]", line)[0].lower() for line in lines} | {"gad_lightning"}
    module_of = {"pillow": "pil", "pyyaml": "yaml", "faiss-cpu": "faiss", "prometheus-client": "prometheus_client"}
    declared |= {module_of[name] for name in declared & set(module_of)}
    used = {dotted.split(".")[0] for path in FILES for dotted in imports_of(path)} - set(sys.stdlib_module_names)
    assert {name.lower() for name in used} <= declared


def test_type_checkers_and_users_are_given_the_same_public_names() -> None:
    block = next(node for node in tree_of(SRC / "__init__.py").body if isinstance(node, ast.If))
    imported = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    for_checkers = {(node.module, alias.name) for node in imported for alias in node.names}
    homes = gad_lightning.NAMES_OF.items()
    assert for_checkers == {(f"gad_lightning.{module}", name) for module, names in homes for name in names}


@pytest.mark.parametrize("name", gad_lightning.__all__)
def test_public_names_exist(name: str) -> None:
    value = getattr(gad_lightning, name)
    assert getattr(value, "__name__", name) == name  # IGNORED is a number
    assert name in dir(gad_lightning)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'GanClassifier'"):
        _ = gad_lightning.GanClassifier


def run_python(code: str) -> None:
    """Run code in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "src", check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ["torch", "numpy", "lightning", "transformers", "av", "matplotlib"]
    run_python(f"import sys, gad_lightning; assert not set(sys.modules) & set({heavy!r})")


def test_importing_any_module_imports_nothing_that_only_some_users_need() -> None:
    """So all but the command line runs without jsonargparse and omegaconf, and features need no video packages."""
    optional = [
        "faiss",
        "jsonargparse",
        "omegaconf",
        "av",
        "peft",
        "bitsandbytes",
    ]  # torchmetrics imports transformers itself
    stems = [path.relative_to(SRC.parent).with_suffix("") for path in FILES if room_of(path) not in ("cli", "tools")]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in stems if path.name != "__main__"]
    imports = f"import sys\nfrom importlib import import_module\nfor name in {modules!r}: import_module(name)\n"
    run_python(imports + f"found = set(sys.modules) & set({optional!r})\nassert not found, found")


def test_the_numbers_of_the_house_are_kept() -> None:
    spec = spec_from_file_location("numbers_of_the_house", ROOT / ".ci" / "numbers.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.count()
    assert found.circles == []
    assert found.crowded == []
    assert found.any_per_1000_lines < 8
    assert found.private_share > 0.5, found.used_at_home
    assert found.mirrored_share > 0.65, found.unmirrored
