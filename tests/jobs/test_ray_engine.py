"""Units on a cluster of Ray, which is too large for the environment of the tests: `pip install ray[data]` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.cli import main
from gad_lightning.errors import SettingError
from gad_lightning.jobs.ray_engine import map_units
from tests.cli.runs import CONFIG
from tests.jobs.looking import files_of
from tests.video.clips import write_clip


def test_no_actors_are_refused() -> None:
    with pytest.raises(SettingError, match=r"actors must be at least 1, got 0.*\n.*--actors"):
        map_units(lambda: lambda number: None, [0], actors=0, cpus=1, gpus=0)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[None]:
    """A cluster of two nodes of one CPU each, on this machine; its workers may take minutes to start."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_worker_register_timeout_seconds", "600")
    patch.setenv("RAY_worker_niceness", "0")  # 15 by default: on a busy machine they would hardly run
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    cluster = pytest.importorskip("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, logging_level="error")
    yield
    ray.shutdown()
    cluster.shutdown()
    patch.undo()


@pytest.mark.slow  # a cluster starts, and each actor loads torch
@pytest.mark.usefixtures("two_nodes")
def test_two_nodes_predict_the_bytes_that_this_process_does(tmp_path: Path) -> None:
    (tmp_path / "gad.yaml").write_text(CONFIG)
    main(["fit", f"--config={tmp_path}/gad.yaml", f"--trainer.default_root_dir={tmp_path}/runs"])
    run = tmp_path / "runs" / "ToyActions" / "GADClassifier" / "version_0"
    (tmp_path / "features").mkdir()
    for number in range(12):
        array = np.random.default_rng(number).normal(size=(6, 1, 12))
        np.save(tmp_path / "features" / f"v{number:02d}.npy", array.astype(np.float32))
    (tmp_path / "features" / "v07.npy").write_bytes(b"no array")
    given = [f"--config={run}/config.yaml", f"--ckpt_path={run}/checkpoints/best.ckpt", "--unit=2"]
    given += [f"--videos={tmp_path}/features"]
    main(["predict", *given, f"--output={tmp_path}/here"])
    main(["predict", *given, f"--output={tmp_path}/cluster", "--engine=ray", "--actors=2"])
    assert len(list((tmp_path / "cluster" / "units").iterdir())) == 6
    assert files_of(tmp_path / "cluster") == files_of(tmp_path / "here")
    with pytest.raises(SettingError, match=r"3 actors of 1 CPU are asked for; the cluster has 2.*\n.*--actors"):
        main(["predict", *given, f"--output={tmp_path}/more", "--engine=ray", "--actors=3"])
    # what is done is not given out again
    before = {path: os.stat(path).st_mtime_ns for path in (tmp_path / "cluster" / "units").iterdir()}
    main(["predict", *given, f"--output={tmp_path}/cluster", "--engine=ray", "--actors=2"])
    assert all(os.stat(path).st_mtime_ns == noted for path, noted in before.items())


@pytest.mark.slow  # each actor loads torch
@pytest.mark.usefixtures("two_nodes")
@pytest.mark.parametrize("pack", [False, True])
def test_two_nodes_encode_the_bytes_that_this_process_does(pack: bool, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(5):
        write_clip(tmp_path / "videos" / f"v{number}.mp4", [index / 5 for index in range(3 + number)])
    (tmp_path / "videos" / "v5.mp4").write_bytes(b"no video")
    given = ["--fps=5", "--workers=0", "--progress=false", "--unit=2", f"--pack={pack}"]
    main(["encode", f"{tmp_path}/videos", f"{tmp_path}/here", "--accelerator=cpu", *given])
    main(["encode", f"{tmp_path}/videos", f"{tmp_path}/cluster", "--engine=ray", "--actors=2", *given])
    assert len(list((tmp_path / "cluster").glob("*.safetensors" if pack else "*.npy"))) == (3 if pack else 5)
    assert files_of(tmp_path / "cluster") == files_of(tmp_path / "here")
