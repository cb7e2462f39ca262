"""A web address leads to its own protocol, host and port, if that is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.video.live import LiveSource
from gad_lightning.video.same_host import opener_for
from tests.video.serving import folder_server, live_server, write_scenes


def playlist(folder: Path, segment: str) -> None:
    """Write a playlist of one segment."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", segment, "#EXT-X-ENDLIST"]
    (folder / "list.m3u8").write_text("\n".join(lines) + "\n")


def test_a_playlist_is_followed_to_its_own_host_and_port_only_if_asked(tmp_path: Path) -> None:
    write_scenes(tmp_path / "clip.ts", [("red", 1.0)])
    with folder_server(tmp_path) as port, folder_server(tmp_path) as other:
        for segment, same in (("clip.ts", True), (f"http://127.0.0.1:{port}/clip.ts", True)):
            playlist(tmp_path, segment)
            url = f"http://127.0.0.1:{port}/list.m3u8"
            assert len(list(LiveSource(url, fps=10, pace="arrival", retries=0, same_host=same))) == 10
        playlist(tmp_path, f"http://127.0.0.1:{other}/clip.ts")
        assert len(list(LiveSource(url, fps=10, pace="arrival", retries=0))) == 10
        with pytest.raises(DataError, match=rf"(?s):{other}/clip.ts is not on http://127.0.0.1:{port}.*same_host"):
            list(LiveSource(url, fps=10, retries=0, same_host=True))


def test_same_host_reads_live_streams_with_their_password(tmp_path: Path) -> None:
    content = write_scenes(tmp_path / "clip.ts", [("red", 1.0)]).read_bytes()
    with live_server(content, seconds=0.3, login="admin:hun ter2") as server:
        url = f"http://admin:hun%20ter2@127.0.0.1:{server.port}/live"
        assert len(list(LiveSource(url, fps=10, retries=0, same_host=True))) == 10
        with pytest.raises(DataError, match=r"\*\*\*@127.*cannot be opened: the server answers 401"):
            list(LiveSource(f"http://admin:no@127.0.0.1:{server.port}/live", fps=10, same_host=True))


def test_same_host_is_for_web_addresses() -> None:
    with pytest.raises(SettingError, match="same_host is true and rtsp://camera/x is no http"):
        LiveSource("rtsp://camera/x", fps=4, same_host=True)


@pytest.mark.parametrize(
    "url",
    ["https://camera/x", "http://camera:81/x", "http://other/x", "file:///etc/passwd", "http://camera@other/x"],
)
def test_another_protocol_host_or_port_is_refused_before_it_is_asked(url: str) -> None:
    with pytest.raises(DataError, match=r"is not on http://camera:80, where the source is"):
        opener_for("http://camera/list.m3u8", 1.0)(url, 1, {})
