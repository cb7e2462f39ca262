"""A file is opened as that file only."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from gad_lightning.errors import DataError
from gad_lightning.video.container import open_video
from gad_lightning.video.decode import VideoFile
from tests.video.clips import gray, read_frames, write_clip

PLAYLISTS = {
    "concat.mp4": "ffconcat version 1.0\nfile {other}.mp4\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{other}.ts\n#EXT-X-ENDLIST\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{other}.ts\n#EXT-X-ENDLIST\n",
    "url.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
    "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{other}.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.fixture
def playlists(tmp_path: Path) -> Path:
    """A folder with a video and files that point to it."""
    for suffix in (".mp4", ".ts"):
        write_clip(tmp_path / f"secret{suffix}", [0, 0.1, 0.2])
    for name, text in PLAYLISTS.items():
        (tmp_path / name).write_text(text.replace("{other}", "secret"))
    return tmp_path


@pytest.mark.parametrize("name", ["concat.mp4", "hls.m3u8"])
def test_the_danger_is_real(playlists: Path, name: str) -> None:
    with av.open(str(playlists / name)) as container:
        assert len(list(container.decode(video=0))) == 3


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_refused(playlists: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"(?s){name} cannot be opened as a video.*playlists"):
        open_video(playlists / name)


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "pipe:0", "subfile,,start,0,end,9,,:a.mp4", "a%03d.mp4"])
def test_a_name_is_a_name_and_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", [0, 0.1]).rename(tmp_path / name)
    assert len(list(read_frames(name))) == 2


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(DataError, match=r"sound.mkv has no video stream"):
        next(read_frames(path))


@pytest.mark.parametrize("ending", ["flv", "mkv", "mp4", "ts"])
def test_recordings_that_are_joined_and_not_read_are_told(tmp_path: Path, ending: str) -> None:
    part = write_clip(tmp_path / f"part.{ending}", [index / 10 for index in range(29)], bf="0")
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(3 * part.read_bytes())
    for path, is_joined in ((part, False), (joined, ending != "ts")):
        file = VideoFile(path, fps=10)
        assert len(list(file)) >= 29
        assert file.report is not None
        assert ("holds another recording behind" in (file.report.problem or "")) == is_joined


def _with_options(path: Path, **options: str) -> bytes:
    """Write 29 gray frames, 10 a second, with options of the container; gives the file's bytes."""
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for index in range(29):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index), format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def _read(path: Path) -> tuple[int, str | None]:
    """Frames of a file, and the problem that its report names."""
    file = VideoFile(path, fps=10)
    count = len(list(file))
    assert file.report is not None
    return count, file.report.problem


def test_a_fragmented_recording_joined_to_another_is_told(tmp_path: Path) -> None:
    part, joined = tmp_path / "part.mp4", tmp_path / "joined.mp4"
    joined.write_bytes(2 * _with_options(part, movflags="dash"))
    assert _read(part) == (29, None)
    assert _read(joined)[1] == "holds several recordings joined byte by byte, of which parts are not read"


@pytest.mark.parametrize("tables", [4096, 4200])
def test_a_transport_stream_that_goes_on_in_another_stream_is_told(tmp_path: Path, tables: int) -> None:
    first = _with_options(tmp_path / "a.ts", mpegts_start_pid="256", mpegts_pmt_start_pid="4096")
    second = _with_options(tmp_path / "b.ts", mpegts_start_pid="300", mpegts_pmt_start_pid=str(tables))
    path = tmp_path / "joined.ts"
    path.write_bytes(first + second)
    assert _read(tmp_path / "b.ts") == (29, None)
    assert _read(path) == (29, "goes on behind 2.900 s in another stream of pictures, which is not read")
