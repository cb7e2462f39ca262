"""What is hushed, checked and told plainly around every command."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from gad_lightning.errors import GadError, SettingError

Kind = TypeVar("Kind", bound=BaseException)

NOISE = (
    ".*isinstance\\(treespec, LeafSpec\\).*",  # Lightning's own use of torch
    ".*does not have many workers.*",  # features are read from memory or a mapped file: workers rarely help
    ".*callbacks used to create the checkpoint need.*",  # scoring a checkpoint needs none
    ".*smaller than the logging interval.*",  # a run of few steps has its epoch values
    ".*`is_gradient_checkpointing` is deprecated.*",  # peft's own use of transformers
)

HUSHED = ("💡", "`weights_only` was not set")
"""What Lightning says that nobody asked for: its advertisements, and how it reads files."""

REFUSALS = (
    (
        "Early stopping conditioned on metric|ModelCheckpoint\\(monitor=|conditioned on metric",
        "trainer.callbacks names a `monitor` that is not logged",
        "set `monitor` to one of the metrics that are named, such as val/segment_f1",
    ),
    (
        "learning rate finder|LearningRateFinder|batch size|BatchSizeFinder",
        "trainer.callbacks has a finder that does not fit this classifier",
        "leave it out, and set the learning rate under model.optimizer and data.batch_size",
    ),
    ("ckpt_path", "--ckpt_path", "give the path of a .ckpt file, or --ckpt_path=last"),
    ("barebones", "trainer.barebones", "leave trainer.barebones out: a run keeps logs and checkpoints"),
    ("strategy", "trainer.strategy", "leave trainer.strategy out, or set it to ddp"),
    ("precision", "trainer.precision", "set trainer.precision to 32-true or bf16-mixed"),
    ("devices|accelerator", "trainer.devices and trainer.accelerator", "set them to what the machine has"),
)
"""Texts of Lightning's refusals, the settings they are of, and what to do."""


def check_accelerator(accelerator: object) -> None:
    """Refuse a GPU that torch cannot use, with the reason.

    Args:
        accelerator: setting of the trainer.

    Raises:
        SettingError: if it asks for a GPU and there is none, or torch was built without it.
    """
    import torch  # the help of a tool does not wait for it

    wanted = accelerator if isinstance(accelerator, str) else ""
    if wanted not in ("gpu", "cuda", "mps") or torch.cuda.is_available():
        return
    if wanted in ("gpu", "mps") and torch.backends.mps.is_available():
        return
    if wanted == "mps":
        reason = "this torch or this machine has no Metal"
    elif torch.version.cuda is None and torch.version.hip is None:
        reason = f"the installed torch {torch.__version__} was built for CPUs only"
    else:
        reason = f"torch {torch.__version__} finds no GPU: the driver is missing or too old, or no device is visible"
    raise SettingError(
        f"trainer.accelerator is {wanted!r}, but {reason}.",
        "install a torch build for your GPU (see the README), or set trainer.accelerator=cpu",
    )


def _found_in(error: BaseException, kind: type[Kind]) -> Kind | None:
    """First exception of a kind among ``error`` and what caused it; parsers wrap what a constructor raised."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def refusal_of(error: BaseException) -> SettingError | None:
    """A refusal by Lightning, or by a class that a config names, as one of ours with the setting; None if it is none.

    Lightning refuses settings by errors of many kinds. What tells them from faults is that they are raised by its own
    code, and not by what that calls.
    """
    missing = _found_in(error, ModuleNotFoundError)
    if missing is not None and _raised_in_lightning(missing):
        return SettingError(
            f"A class under `trainer` needs a package that is not installed: {missing}.",
            "install it, or name another class, such as trainer.logger=CSVLogger",
        )
    refused: BaseException | None = error
    while refused is not None and not _raised_in_lightning(refused):
        refused = refused.__cause__  # a parser wraps what a constructor raised
    if refused is None:
        return None
    text = str(refused).strip()
    for pattern, setting, remedy in REFUSALS:
        if re.search(pattern, text):
            return SettingError(f"{setting}: {text}", remedy)
    return SettingError(text, "change the settings under `trainer`")


def _raised_in_lightning(error: BaseException) -> bool:
    """Whether the code that raised an error is Lightning's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith(
        ("lightning.", "pytorch_")
    )


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what a user can put right, and Ctrl-C, as it was: a parser wraps the one, Lightning the other."""
    try:
        yield
    except (Exception, SystemExit) as error:  # all of them are raised again
        for kind in (GadError, KeyboardInterrupt):
            cause = _found_in(error, kind)
            if cause is not None and cause is not error:
                raise cause from None
        raise


def quiet() -> None:
    """Hush warnings that no user of this library can act on, and Lightning's advertisements."""
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: not any(sign in record.getMessage() for sign in HUSHED)
    )
    for name in ("bitsandbytes.backends.cpu.ops", "torch.onnx._internal.exporter._registration"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they miss packages that we do not use
