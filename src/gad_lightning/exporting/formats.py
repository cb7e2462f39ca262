"""Writes programs as files: of torch.export, ONNX, or compiled by AOTInductor."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from gad_lightning.atomic import make_folder
from gad_lightning.errors import SettingError
from gad_lightning.optional import need

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Format = Literal["torch", "onnx", "aoti"]
"""``torch``: :func:`torch.export.save`; ``onnx``: ONNX; ``aoti``: compiled by AOTInductor for this machine."""
Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""A program as it was written: inputs in their order, to outputs in theirs."""
ABOUT = "gad_lightning.json"
"""Name of the description inside the file: classes, features, what streams keep, fitted decisions."""
LARGEST = 1_900_000_000
"""Bytes of weights from which those of an ONNX file stand in a file of their own: 2 GiB are the format's limit."""


class Program(NamedTuple):
    """A function of tensors with names."""

    module: nn.Module
    inputs: dict[str, Tensor]  # by the names of its arguments, in their order; no free size of these examples is 1
    free: tuple[int, ...]  # dimensions of the inputs whose size is free, where an input has them
    outputs: tuple[str, ...]


def format_of(output: Path, chosen: Format | None) -> Format:
    """The format asked for, or else the one that the file's name means: ``.onnx``, or torch.

    Raises:
        SettingError: if there is no such format, or its files have another suffix.
    """
    usual: Format = "onnx" if output.suffix == ".onnx" else "torch"
    kind = usual if chosen is None else chosen
    if kind not in get_args(Format):
        raise SettingError(f"format is {kind!r}; there are {', '.join(get_args(Format))}.", "choose one")
    suffix = ".onnx" if kind == "onnx" else ".pt2"
    if output.suffix != suffix:
        raise SettingError(
            f"{output} does not end with {suffix}, as files of the format {kind} do.", f"name it {output.stem}{suffix}"
        )
    return kind


def write(
    program: Program, about: Mapping[str, object], output: Path, kind: Format, check: Callable[[Run], None]
) -> None:
    """Write a program, whole or not at all.

    Args:
        program: traced here.
        about: description that goes into the file.
        output: the file; an ONNX file of more than 2 GB has its weights beside it, in ``<name>.data``.
        kind: format.
        check: is given the program as it was written, and raises if that must not be kept.

    Raises:
        SettingError: if a package or the compiler is missing, or the folder cannot be written.
    """
    dims = {
        name: {dim: torch.export.Dim.AUTO for dim in program.free if dim < part.dim()}
        for name, part in program.inputs.items()
    }
    with torch.no_grad():
        traced = torch.export.export(program.module, tuple(program.inputs.values()), dynamic_shapes=dims, strict=False)
    writers = {"torch": _write_torch, "onnx": _write_onnx, "aoti": _write_aoti}
    try:
        with tempfile.TemporaryDirectory(dir=make_folder(output.parent), prefix=".part-") as folder:
            part = Path(folder) / output.name
            check(writers[kind](program, traced, json.dumps(about), part))
            for path in sorted(part.parent.iterdir(), key=lambda path: path == part):  # the file itself last
                os.replace(path, output.parent / path.name)
    except OSError as error:
        raise SettingError(
            f"{output} cannot be written: {error.strerror or error}.", "choose another folder, or free space there"
        ) from error


def _write_torch(program: Program, traced: ExportedProgram, about: str, path: Path) -> Run:
    """Write with torch.export."""
    torch.export.save(traced, path, extra_files={ABOUT: about})
    module = traced.module()
    return lambda inputs: _listed(module(*inputs))


def _write_onnx(program: Program, traced: ExportedProgram, about: str, path: Path) -> Run:
    """Write as ONNX, and run by ONNX Runtime."""
    for package in ("onnxscript", "onnxruntime"):
        need(package, extra="export", why="to write and check ONNX files")
    import onnxruntime

    given, made = list(program.inputs), list(program.outputs)
    try:
        written = torch.onnx.export(traced, (), input_names=given, output_names=made, dynamo=True, verbose=False)
    except torch.onnx.errors.OnnxExporterError as error:
        raise SettingError(
            f"ONNX has no words for a part of this program: {str(error).splitlines()[0]}", "write it with format=torch"
        ) from error
    assert written is not None, "the exporter of dynamo gives the program"
    written.model.metadata_props[ABOUT] = about
    weights = sum(part.nbytes for part in program.module.state_dict().values())
    written.save(path, external_data=weights > LARGEST)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run the file."""
        arrays = {name: part.numpy() for name, part in zip(given, inputs, strict=True)}
        return [torch.from_numpy(part) for part in session.run(None, arrays)]

    return run


def _write_aoti(program: Program, traced: ExportedProgram, about: str, path: Path) -> Run:
    """Compile with AOTInductor."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise SettingError("AOTInductor needs a C++ compiler, and there is none.", "install g++, or name one in CXX")
    settings = {"aot_inductor.metadata": {ABOUT: about}}
    torch._inductor.aoti_compile_and_package(traced, package_path=str(path), inductor_configs=settings)
    compiled = torch._inductor.aoti_load_package(str(path))
    return lambda inputs: _listed(compiled(*inputs))


def _listed(outputs: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """What a program gave: several tensors, or one by itself."""
    return [outputs] if isinstance(outputs, Tensor) else outputs
