"""`watch` with a server gives the log that it gives with the checkpoint."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.serving.app import Server
from gad_lightning.serving.told import ServerError
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.watch import main
from gad_lightning.video.encoders import SmallEncoder
from tests.serving.making import serving
from tests.streaming.colors import save_colors, train_colors
from tests.video.serving import write_scenes


def labels_of(log: Path) -> list[tuple[float, str, float]]:
    """Times, labels and scores of a log."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [(line["stream"], line["label"], round(line["score"], 2)) for line in lines if line["event"] == "label"]


@pytest.mark.slow  # trains twice
def test_a_server_labels_a_source_as_its_checkpoint_does(tmp_path: Path) -> None:
    video = write_scenes(tmp_path / "x.mp4", [("background", 0.5), ("red", 1.0), ("blue", 0.5)])
    main(str(video), checkpoint=save_colors(tmp_path / "x.ckpt"), log=tmp_path / "own", every_frame=True, device="cpu")
    server = Server(OnlineDetector(train_colors(), 2, encoder=SmallEncoder()))
    with serving(server) as address:
        main(str(video), checkpoint=f"ws://{address}", log=tmp_path / "far", every_frame=True)
        with pytest.raises(SettingError, match="server decides"):
            main(str(video), checkpoint=f"ws://{address}/stream", min_seconds=1.0)
        until = time.monotonic() + 10
        while server.places.taken and time.monotonic() < until:
            time.sleep(0.05)
        assert not server.places.taken, "the stream was not ended"
    own, far = labels_of(tmp_path / "own"), labels_of(tmp_path / "far")
    assert [row[0] for row in far] == [row[0] for row in own]
    sure = [number for number, row in enumerate(own) if row[2] > 0.7]  # pictures are sent as JPEG, which moves scores
    assert [far[number][1] for number in sure] == [own[number][1] for number in sure]
    assert {own[number][1] for number in sure} == {"background", "red", "blue"}
    with pytest.raises(ServerError, match="gives no answer"):
        main(str(video), checkpoint="ws://127.0.0.1:9")
