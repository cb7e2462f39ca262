"""Classes of the folder a command is started in: found while one that the user names is imported, and never else.

Python would look there for whatever any package imports, so that a data folder with a ``brotli.py`` runs as code.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

CLASS_PATH = re.compile(r"(?<![\w./\\])([^\W\d]\w*)(?:\.[^\W\d]\w*)+")
"""A dotted path in a text."""


class WorkingFolder(MetaPathFinder):
    """Finds modules in a folder, after all others: those that were named, and what these import as they are imported.

    Args:
        folder: where the command is started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.importing = 0
        self._named: set[str] = set()

    def name(self, text: str, bare: bool = False) -> None:
        """Take the first parts of all dotted paths in a text, or all words, for packages that the user names."""
        self._named.update(re.findall(r"[^\W\d]\w*", text) if bare else CLASS_PATH.findall(text))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module at the top of the folder."""
        if path is not None or not (self.importing or fullname in self._named):
            return None
        found = PathFinder.find_spec(fullname, [str(self.folder)])
        if found is None or not isinstance(found.loader, SourceFileLoader) or found.origin is None:
            return found if fullname in self._named else None
        loader = _Loader(fullname, found.origin, self)
        inside = found.submodule_search_locations
        return spec_from_file_location(fullname, found.origin, loader=loader, submodule_search_locations=inside)


class _Loader(SourceFileLoader):
    """Runs a module of the folder, and lets it import others from there.

    Args:
        fullname: of the module.
        path: of its file.
        finder: of the folder.
    """

    def __init__(self, fullname: str, path: str, finder: WorkingFolder) -> None:
        super().__init__(fullname, path)
        self.finder = finder

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        self.finder.importing += 1
        try:
            super().exec_module(module)
        finally:
            self.finder.importing -= 1
        folder = str(self.finder.folder)
        if multiprocessing.get_all_start_methods()[0] != "fork" and folder not in sys.path:
            sys.path.append(folder)  # workers that begin as new programs must find the class too


def leave_working_folder(words: Sequence[str]) -> WorkingFolder:
    """Take the working folder off the path of imports, unless PYTHONPATH has it, and look there for named classes only.

    Args:
        words: of the command line.

    Returns:
        The finder, at the end of all others.
    """
    folder = Path.cwd()
    given = [Path(place).resolve() for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    home = Path(__file__).resolve().parents[2]
    if folder.resolve() not in (*given, home):
        sys.path[:] = [place for place in sys.path if place and Path(place).resolve() != folder.resolve()]
    finder = WorkingFolder(folder)
    sys.meta_path.append(finder)
    for before, word in zip(("", *words), words, strict=False):
        finder.name(word, bare=word.startswith("--allowed") or before == "--allowed")
    return finder
