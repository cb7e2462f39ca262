"""Sound that is taken over: copied where mp4 holds it, encoded anew where not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gad_lightning.video.writing import write_video
from tests.video.clips import TICKS, gray, write_clip

RATE = 48_000


def write_beep(path: Path, codec: str, layout: str, at: float = 0.5, delay: float = 0.0) -> Path:
    """Write 1.5 s of gray frames, and sound that is silent until ``at`` seconds; all of it begins at ``delay``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        sound = container.add_stream(codec, rate=RATE, layout=layout)
        for index in range(15):
            frame = av.VideoFrame.from_ndarray(gray(index), format="rgb24")
            frame.pts, frame.time_base = round((delay + index / 10) * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        times = np.arange(round(1.5 * RATE)) / RATE
        wave = (16_000 * np.sin(2 * np.pi * 440 * times) * (times >= at)).astype(np.int16)
        channels = 1 if layout == "mono" else 2
        for start in range(0, len(wave), 1024):
            part = np.repeat(wave[start : start + 1024], channels)[None]
            piece = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            piece.sample_rate, piece.pts, piece.time_base = RATE, round(delay * RATE) + start, Fraction(1, RATE)
            container.mux(sound.encode(piece))
        container.mux(sound.encode())
    return path


def beep_of(path: Path) -> tuple[str, float, float]:
    """Codec of a file's sound, when it is first loud, in seconds of the file's own clock, and when it ends."""
    with av.open(str(path)) as container:
        first, end = float("nan"), 0.0
        for frame in container.decode(audio=0):
            assert frame.pts is not None
            loud = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            begin = float(frame.pts * frame.time_base)
            if np.isnan(first) and loud.max() > 0.2:
                first = begin
            end = begin + frame.samples / frame.sample_rate
        return container.streams.audio[0].codec_context.name, first, end


@pytest.mark.parametrize(
    ("name", "codec", "layout", "written"),
    [
        ("a.mp4", "aac", "stereo", "aac"),
        ("a.mkv", "libopus", "mono", "opus"),
        ("b.mkv", "pcm_s16le", "mono", "aac"),
        ("c.avi", "libmp3lame", "stereo", "aac"),
    ],
)
def test_sound_is_heard_at_its_time(name: str, codec: str, layout: str, written: str, tmp_path: Path) -> None:
    told = write_video(write_beep(tmp_path / name, codec, layout), tmp_path / "out.mp4")
    found, first, end = beep_of(tmp_path / "out.mp4")
    assert told.silent == ""
    assert found == written
    assert first == pytest.approx(0.5, abs=0.05)
    assert end == pytest.approx(1.5, abs=0.05)


@pytest.mark.slow  # encodes videos
def test_copied_sound_is_the_same_to_the_byte(tmp_path: Path) -> None:
    source = write_beep(tmp_path / "a.mp4", "aac", "stereo")
    write_video(source, tmp_path / "out.mp4")
    packets = []
    for path in (source, tmp_path / "out.mp4"):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert packets[0] == packets[1]


@pytest.mark.slow  # encodes videos
def test_a_file_that_begins_late_begins_at_0(tmp_path: Path) -> None:
    write_video(write_beep(tmp_path / "a.ts", "aac", "stereo", delay=20.0), tmp_path / "out.mp4")
    _, first, _ = beep_of(tmp_path / "out.mp4")
    assert first == pytest.approx(0.5, abs=0.07)


def test_a_video_without_sound_stays_silent(tmp_path: Path) -> None:
    told = write_video(write_clip(tmp_path / "a.mp4", [0.0, 0.1]), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    assert told.silent == ""


@pytest.mark.slow  # encodes videos
def test_an_odd_rate_of_sound_becomes_one_that_aac_has(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=10_000, layout="mono")
        for index in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index), format="rgb24")))
        container.mux(stream.encode())
        piece = av.AudioFrame.from_ndarray(np.zeros((1, 10_000), np.int16), format="s16", layout="mono")
        piece.sample_rate, piece.pts = 10_000, 0
        container.mux(sound.encode(piece))
    assert write_video(tmp_path / "a.mkv", tmp_path / "out.mp4").silent == ""
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].rate == 48_000
    assert beep_of(tmp_path / "out.mp4")[2] == pytest.approx(1.0, abs=0.05)
