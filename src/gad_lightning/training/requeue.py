"""Puts a SLURM job back into the queue."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Mapping

PATIENCE_SECONDS = 30.0
"""How long ``scontrol`` may take."""


def slurm_job(environment: Mapping[str, str] = os.environ) -> str | None:
    """Number of the SLURM job this process belongs to, as ``scontrol`` takes it; None outside SLURM.

    Example:
        >>> slurm_job({"SLURM_JOB_ID": "71", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"})
        '70_3'
    """
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID")


def requeue(job: str) -> bool:
    """Ask SLURM to run a job again, with a warning where it does not.

    Returns:
        Whether it will.
    """
    command = ["scontrol", "requeue", job]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        said = "" if answer.returncode == 0 else answer.stderr.strip() or f"exit status {answer.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        warnings.warn(f"The job was not requeued ({said}). By hand: {' '.join(command)}", stacklevel=2)
    return not said
