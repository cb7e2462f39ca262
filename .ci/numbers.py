"""Prints the numbers that the house is held to: source lines, `Any`, private functions, mirrored tests, rooms, circles.

python .ci/numbers.py          # the numbers
python .ci/numbers.py --list   # and what each of them could still lose
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "gad_lightning"
MOST_FILES = 20
"""In one folder, ``__init__.py`` counted."""


class Numbers(NamedTuple):
    """What is counted; shares are in [0, 1]."""

    lines: int
    any_per_1000_lines: float
    private_share: float  # of the functions of modules
    mirrored_share: float  # of the modules, those with a test file of their own
    crowded: list[str]  # folders with more than MOST_FILES files
    circles: list[list[str]]  # modules that import each other
    unmirrored: list[str]  # modules without a test file
    used_at_home: list[str]  # functions without an underscore that no other file names


def modules_of(package: Path = PACKAGE) -> list[Path]:
    """The files of the package, but for ``__init__`` and ``__main__``."""
    return [path for path in sorted(package.rglob("*.py")) if path.stem not in ("__init__", "__main__")]


def mirror_of(path: Path) -> list[Path]:
    """Where the test file of a module may stand: by its folders, or by its room."""
    folders = path.relative_to(PACKAGE).parts[:-1]
    name = f"test_{path.stem}.py"
    return [ROOT.joinpath("tests", *folders, name), ROOT.joinpath("tests", *folders[:1], name)]


def circles_in(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Sets of modules that reach each other by imports, each sorted.

    Example:
        >>> circles_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
        [['a', 'b', 'c']]
    """
    reach = {name: _reached(name, imports) for name in imports}
    found = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in imports}
    return [list(circle) for circle in sorted(found) if circle]


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    """All modules that a module imports, directly or not; itself only by a circle."""
    seen: set[str] = set()
    left = [start]
    while left:
        for name in imports.get(left.pop(), set()) - seen:
            seen.add(name)
            left.append(name)
    return seen


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Modules of this package that a file imports, in functions too, but not those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and (inner.module or "").startswith(PACKAGE.name):
                yield str(inner.module)
                yield from (f"{inner.module}.{alias.name}" for alias in inner.names)


def count() -> Numbers:
    """Count everything."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    lines = sum(len(text.splitlines()) for text in texts.values())
    modules = modules_of()
    functions = [
        (path, node.name)
        for path in texts
        for node in trees[path].body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    private = [name for _, name in functions if name.startswith("_")]
    dotted = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in modules}
    known = set(dotted.values())
    imports = {dotted[path]: set(imports_of(trees[path])) & known - {dotted[path]} for path in modules}
    unmirrored = [path for path in modules if not any(mirror.is_file() for mirror in mirror_of(path))]
    sizes: dict[Path, int] = {}
    for path in texts:
        sizes[path.parent] = sizes.get(path.parent, 0) + 1
    return Numbers(
        lines,
        1000 * sum(len(re.findall(r"\bAny\b", text)) for text in texts.values()) / lines,
        len(private) / len(functions),
        1 - len(unmirrored) / len(modules),
        [f"{folder.relative_to(PACKAGE)}: {size}" for folder, size in sizes.items() if size > MOST_FILES],
        circles_in(imports),
        [str(path.relative_to(PACKAGE)) for path in unmirrored],
        list(_used_at_home(functions, texts)),
    )


def _used_at_home(functions: list[tuple[Path, str]], texts: Mapping[Path, str]) -> Iterator[str]:
    """Functions without an underscore that no other file of the repository names."""
    others = [path for room in ("tests", "experiments", "docs", "notebooks") for path in (ROOT / room).rglob("*.*")]
    kinds = (".py", ".md", ".yaml", ".ipynb", ".rst")
    words = {path: set(re.findall(r"\w+", text)) for path, text in texts.items()}
    words |= {
        path: set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in others if path.suffix in kinds
    }
    for home, name in functions:
        elsewhere = any(name in found for path, found in words.items() if path != home)
        if not name.startswith("_") and name != "main" and not elsewhere:
            yield f"{home.relative_to(PACKAGE)}: {name}"


def main() -> None:
    """Print."""
    found = count()
    lines = [
        f"source lines: {found.lines:,}",
        f"Any per 1,000 lines: {found.any_per_1000_lines:.1f}",
        f"private share of the functions of modules: {found.private_share:.0%}",
        f"modules with a test file of their own: {found.mirrored_share:.0%}",
        f"folders with more than {MOST_FILES} files: {', '.join(found.crowded) or 'none'}",
        f"circles of imports: {'; '.join(' <-> '.join(circle) for circle in found.circles) or 'none'}",
    ]
    if "--list" in sys.argv[1:]:
        lines += ["without a test file:", *(f"  {name}" for name in found.unmirrored)]
        lines += ["public, but used in their own file only:", *(f"  {name}" for name in found.used_at_home)]
        counts = {path: len(re.findall(r"\bAny\b", path.read_text(encoding="utf-8"))) for path in modules_of()}
        lines += ["more than 5 Any:"]
        lines += [f"  {path.relative_to(PACKAGE)}: {number}" for path, number in counts.items() if number > 5]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
