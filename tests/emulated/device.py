"""A device that is no CPU, emulated in its memory, for what must hold on a GPU too: where tensors are, who waits.

It registers itself with torch for the whole process: use it in one of its own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import torch
from torch._dynamo.device_interface import CpuInterface, register_interface_for_device
from torch.utils.cpp_extension import include_paths, library_paths

NAME = "emulated"


def build(compiler: str, folder: Path) -> Path:
    """Compile the device: the library, in ``folder``."""
    library = folder / "device.so"
    paths = [f"-isystem{path}" for path in include_paths()] + [f"-L{path}" for path in library_paths()]
    source = str(Path(__file__).with_name("device.cpp"))
    flags = ["-std=c++20", "-O0", "-w", "-shared", "-fPIC"]
    done = subprocess.run(
        [compiler, *flags, *paths, source, "-ltorch_cpu", "-lc10", "-o", str(library)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return library


def register(library: str) -> None:
    """Make the device known to torch by its name."""
    torch.ops.load_library(library)
    torch.utils.rename_privateuse1_backend(NAME)
    module = ModuleType(NAME)
    module.__dict__.update(is_available=lambda: True, current_device=lambda: 0, device_count=lambda: 1)
    module.__dict__.update(_is_in_bad_fork=lambda: False, manual_seed_all=lambda seed: None)
    torch._register_device_module(NAME, module)
    torch.utils.generate_methods_for_privateuse1_backend()
    for name in (NAME, f"{NAME}:0"):
        register_interface_for_device(name, CpuInterface)  # for torch.compile


def waits() -> int:
    """How often the host has waited for the device since it was last asked."""
    return int(torch.ops.emulated.take_waits())
