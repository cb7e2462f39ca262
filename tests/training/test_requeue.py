"""A SLURM job is put back into the queue under its own number, or its owner is told how."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.training.requeue import requeue, slurm_job


def test_a_job_has_the_number_that_scontrol_takes() -> None:
    assert slurm_job({}) is None
    assert slurm_job({"SLURM_JOB_ID": "71"}) == "71"
    assert slurm_job({"SLURM_JOB_ID": "71", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"}) == "70_3"


def test_a_job_that_is_not_queued_again_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(UserWarning, match=r"not requeued .*No such file.*By hand: scontrol requeue 7"):
        assert not requeue("7")
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho Requested operation is presently disabled >&2\nexit 1\n")
    (tmp_path / "scontrol").chmod(0o755)
    with pytest.warns(UserWarning, match="not requeued .Requested operation is presently disabled"):
        assert not requeue("7")
