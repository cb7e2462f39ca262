"""Live sources give frames in time, survive outages and keep passwords to themselves."""

from __future__ import annotations

import threading
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError
from gad_lightning.video.address import Address
from gad_lightning.video.base import Frame, Picture, Resize
from gad_lightning.video.live import LiveSource, Notice
from tests.video.clips import read_frames
from tests.video.rtsp import rtsp_server
from tests.video.serving import COLORS, LiveServer, folder_server, live_server, write_scenes

SCENES = [("red", 1.0), ("blue", 1.0)]
QUICK: dict[str, Any] = {"wait_seconds": (0.1, 0.2), "timeout_seconds": 2.0}


def name_of(picture: Picture) -> str:
    """Which color a decoded picture is nearest to."""
    mean = picture.reshape(-1, 3).mean(0)
    return min(COLORS, key=lambda name: float(np.abs(mean - COLORS[name]).sum()))


def told(source: LiveSource) -> list[Notice]:
    """List that fills with what happens to a source."""
    notices: list[Notice] = []
    source.tell = notices.append
    return notices


def ticks(frames: list[Frame], fps: float) -> list[int]:
    """Numbers of the frames on the grid; a time off the grid fails."""
    numbers = [round(frame.seconds * fps) for frame in frames]
    assert [number / fps for number in numbers] == [frame.seconds for frame in frames]
    return numbers


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one clip in several formats."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("clip.mp4", "clip.ts"):
        write_scenes(folder / name, SCENES)
    return folder


@pytest.mark.parametrize("fps", [4.0, 10.0, 15.0])
def test_a_file_gives_the_frames_that_offline_reading_gives(clips: Path, fps: float) -> None:
    live = list(LiveSource(str(clips / "clip.mp4"), fps, Resize(16), pace="arrival"))
    offline = list(read_frames(clips / "clip.mp4", fps, Resize(16)))
    assert [frame.seconds for frame in live] == [frame.seconds for frame in offline]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(live, offline, strict=True))


def test_a_file_whose_clock_starts_again_runs_on_and_says_so(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "joined.ts").write_bytes(2 * (clips / "clip.ts").read_bytes())
    source = LiveSource(str(tmp_path / "joined.ts"), fps=10, pace="arrival")
    notices = told(source)
    frames = list(source)
    assert ticks(frames, 10) == list(range(40))
    assert [name_of(frame.picture) for frame in frames] == 2 * (["red"] * 10 + ["blue"] * 10)
    assert notices[-1].why.startswith("the source has ended; it has a clock that jumps from 1.900 s")


def test_a_file_is_played_at_its_own_pace(clips: Path) -> None:
    begin, late = None, []
    for frame in LiveSource(str(clips / "clip.mp4"), fps=5):
        begin = time.monotonic() if begin is None else begin
        late.append(time.monotonic() - begin - frame.seconds)
    assert len(late) == 10
    assert min(late) > -0.02  # never before it is due
    assert sorted(late)[5] < 0.1


def test_a_growing_file_is_followed_until_it_stops_growing(clips: Path, tmp_path: Path) -> None:
    content, growing = (clips / "clip.ts").read_bytes(), tmp_path / "growing.ts"
    parts = [content[start : start + len(content) // 10] for start in range(0, len(content), len(content) // 10)]
    growing.write_bytes(parts[0])

    def grow() -> None:
        for part in parts[1:]:
            time.sleep(0.05)
            with growing.open("ab") as file:
                file.write(part)

    writer = threading.Thread(target=grow)
    writer.start()
    source = LiveSource(str(growing), fps=10, pace="arrival", follow=True, timeout_seconds=0.7)
    notices = told(source)
    names = [name_of(picture) for _, picture in source]
    writer.join()
    assert names == ["red"] * 10 + ["blue"] * 10
    assert notices[-1] == Notice("ended", "nothing has come for 0.7 s")


def test_a_recording_behind_a_url_is_read_once(clips: Path) -> None:
    with folder_server(clips) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/clip.mp4", fps=10, pace="arrival")
        notices = told(source)
        frames = list(source)
    assert [name_of(picture) for _, picture in frames] == ["red"] * 10 + ["blue"] * 10
    assert [notice.event for notice in notices] == ["connected", "ended"]
    assert notices[0].why == "recording, h264 64x64"


def test_a_stream_that_is_cut_is_found_again_and_leaves_a_gap(clips: Path) -> None:
    with live_server((clips / "clip.ts").read_bytes(), seconds=2.0, goes_on=True) as server:
        source = LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, **QUICK)
        notices, frames, resumed = told(source), [], 0
        for frame in source:
            frames.append(frame)
            if len(frames) == 15:
                server.kill()
                killed = len(frames)
                threading.Timer(0.8, server.start).start()
            resumed += server.connections == 2
            if resumed == 8:
                source.stop()
    numbers = ticks(frames, 10)
    jumps = [after - before for before, after in pairwise(numbers)]
    assert numbers[0] == 0
    assert min(jumps) == 1  # never back
    assert max(jumps) >= 5  # the outage
    assert jumps.index(max(jumps)) >= killed - 1
    assert jumps.count(1) == len(jumps) - 1  # and no other gap
    events = [notice.event for notice in notices]
    assert events[0] == "connected"
    assert events.count("connected") == 2
    assert set(events[1 : events.index("connected", 1)]) == {"lost"}
    assert notices[-1] == Notice("ended", "stopped")


def test_attempts_grow_rarer_and_end(clips: Path) -> None:
    with live_server((clips / "clip.ts").read_bytes(), seconds=0.3) as server:
        source = LiveSource(f"http://u:hunter2@127.0.0.1:{server.port}/live", fps=10, retries=3, **QUICK)
        notices = told(source)
        frames = iter(source)
        next(frames)
        server.kill()
        with pytest.raises(DataError, match=r"\*\*\*@127.0.0.1.* did not come back in 3 attempts: .*refused") as caught:
            list(frames)
    waits = [notice.why.split("next attempt in ")[1] for notice in notices if notice.event == "lost"]
    assert waits == ["0.1 s", "0.2 s", "0.2 s"]
    assert "hunter2" not in everything_about(caught.value) + repr(notices)


def test_a_live_stream_that_ends_is_enough_if_no_retries_are_wanted(clips: Path) -> None:
    with live_server((clips / "clip.ts").read_bytes(), seconds=0.3) as server:
        frames = list(LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, retries=0))
    assert ticks(frames, 10) == list(range(20))


def test_a_silent_stream_is_lost(clips: Path) -> None:
    with live_server((clips / "clip.ts").read_bytes(), seconds=0.3, goes_on=True) as server:
        source = LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, timeout_seconds=0.6, wait_seconds=(9, 9))
        notices: list[Notice] = []

        def tell(notice: Notice) -> None:
            notices.append(notice)
            if notice.event == "lost":
                source.stop()

        source.tell = tell
        assert len(list(source)) == 20
    assert notices[1] == Notice("lost", "nothing has come for 0.6 s; next attempt in 9 s")


def test_a_clock_that_starts_again_is_a_new_connection(clips: Path) -> None:
    content = (clips / "clip.ts").read_bytes()
    with live_server(content + content, seconds=0.5) as server:
        source = LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, retries=1, **QUICK)
        notices = told(source)
        frames = iter(source)
        numbers = ticks([next(frames) for _ in range(25)], 10)
        source.stop()
    assert numbers == sorted(set(numbers))
    assert notices[1].why.startswith("its clock jumps by -1.9")


def test_a_format_without_times_is_timed_by_arrival(tmp_path: Path) -> None:
    content = write_scenes(tmp_path / "clip", [("red", 3.0)], form="mpjpeg", codec="mjpeg").read_bytes()
    mime = "multipart/x-mixed-replace;boundary=ffmpeg"  # 20 pictures a second, while the format counts 25
    with live_server(content, seconds=1.5, mime=mime) as server:
        source = LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, retries=0)
        notices = told(source)
        frames = list(source)
    assert notices[0].why == "live, mjpeg 64x64, timed by arrival"
    assert 1 < frames[-1].seconds < 30  # a busy machine hands pictures over late, and drops the last


def test_a_login_in_the_url_is_used_and_never_shown(clips: Path) -> None:
    content, wrong = (clips / "clip.ts").read_bytes(), "hunter3"
    with live_server(content, seconds=0.3, login="admin:hunter2") as server:
        there = f"127.0.0.1:{server.port}/live"
        source = LiveSource(f"http://admin:hunter2@{there}", fps=10, retries=0)
        notices = told(source)
        assert len(list(source)) == 20
        assert "hunter2" not in repr(notices)
        with pytest.raises(DataError, match=r"http://\*\*\*@127.*cannot be opened: .*401") as caught:
            list(LiveSource(f"http://admin:{wrong}@{there}", fps=10))
    assert "hunter3" not in everything_about(caught.value)


def test_a_camera_is_read_over_rtsp_with_its_password(clips: Path) -> None:
    with rtsp_server((clips / "clip.ts").read_bytes(), 1.0, "admin:hunter2") as port:
        source = LiveSource(f"rtsp://admin:hunter2@127.0.0.1:{port}/live", fps=10, retries=0)
        notices = told(source)
        names = [name_of(picture) for _, picture in source]
        with pytest.raises(DataError, match=r"rtsp://\*\*\*@127.*cannot be opened: .*401") as caught:
            list(LiveSource(f"rtsp://admin@127.0.0.1:{port}/live", fps=10))
    assert names[:10] == ["red"] * 10
    assert set(names[10:]) == {"blue"}
    assert notices[0].why == "live, h264 64x64"
    assert "hunter2" not in repr(notices) + everything_about(caught.value)


def everything_about(error: BaseException | None) -> str:
    """All that any handler could print of an error, the errors behind it included."""
    text = ""
    while error is not None:
        text += "".join(traceback.format_exception(error)) + repr(error)
        error = error.__cause__ or error.__context__
    return text


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("no such clip.mp4", MissingDataError, "There is no video no such clip.mp4"),
        ("rtsp:/u:hunter2@host/x", MissingDataError, r"no video rtsp:/\*\*\*@host/x.*\n.*a URL begins like rtsp://"),
        (__file__, DataError, "test_live.py cannot be opened: Invalid data"),
        ("http://u:hunter2@127.0.0.1:9/x", DataError, r"http://\*\*\*@127.0.0.1:9/x cannot be opened: Connection ref"),
        ("rtsp://u:hunter2@127.0.0.1:9/x", DataError, r"rtsp://\*\*\*@127.0.0.1:9/x cannot be opened: Connection ref"),
        (Address("camera 0", "camera", "0", "no such device"), DataError, "camera 0 cannot .* no input device no such"),
        (Address("camera 97", "camera", "no camera", "lavfi"), DataError, "camera 97 cannot .*\n.*connected and free"),
    ],
)
def test_a_source_that_cannot_be_opened_is_an_error_at_once(
    source: str | Address, kind: type[GadError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        list(LiveSource(source, fps=4))
    assert "hunter2" not in everything_about(caught.value)


def test_a_playlist_leads_to_no_file_of_this_machine(clips: Path, tmp_path: Path) -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", f"file://{clips}/clip.ts", "#EXT-X-ENDLIST"]
    (tmp_path / "list.m3u8").write_text("\n".join(lines) + "\n")
    with folder_server(tmp_path) as port, pytest.raises(DataError, match=r"list.m3u8 "):
        list(LiveSource(f"http://127.0.0.1:{port}/list.m3u8", fps=4, timeout_seconds=3))
    with pytest.raises(DataError, match=r"list.m3u8 cannot be opened"):
        list(LiveSource(str(tmp_path / "list.m3u8"), fps=4))


def test_a_device_is_read_until_it_is_stopped() -> None:
    device = Address("camera test", "camera", "testsrc=rate=10:size=64x48", "lavfi")
    source = LiveSource(device, fps=5)
    notices = told(source)
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 30:
            source.stop()
    assert ticks(frames[:30], 5) == list(range(30))
    assert notices == [Notice("connected", "live, wrapped_avframe 64x48"), Notice("ended", "stopped")]


@pytest.mark.parametrize("settings", [{"fps": 0}, {"fps": 4, "timeout_seconds": 0}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="must be above 0"):
        LiveSource("camera", **settings)


def test_a_dead_server_never_blocks_a_stop(clips: Path) -> None:
    server = LiveServer((clips / "clip.ts").read_bytes(), seconds=0.2)
    server.start()
    source = LiveSource(f"http://127.0.0.1:{server.port}/live", fps=10, wait_seconds=(60, 60))
    frames = iter(source)
    next(frames)
    server.kill()
    threading.Timer(0.3, source.stop).start()
    begin = time.monotonic()
    list(frames)
    assert time.monotonic() - begin < 5
