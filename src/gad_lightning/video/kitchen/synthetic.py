"""Renders the kitchen to real video files: H.264 in mp4, the same pixels for the same seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.csv_rows import write_rows
from gad_lightning.errors import SettingError
from gad_lightning.optional import need
from gad_lightning.video.base import Picture
from gad_lightning.video.kitchen.actions import VERBS, Pose
from gad_lightning.video.kitchen.backdrop import Setting, set_up
from gad_lightning.video.kitchen.kitchen import KITCHEN_CLASSES, KITCHEN_GOALS, Script, Step, look_of, write_scripts
from gad_lightning.video.kitchen.sketch import COLORS, Color, Sketch, blend

__all__ = ["KITCHEN_CLASSES", "KITCHEN_GOALS", "Kitchen", "render_kitchen"]

DRAWING = 1
"""Number of the drawing rules; a change of what is drawn raises it, so that older folders are not reused."""


class Kitchen(NamedTuple):
    """A folder of rendered videos."""

    videos: Path  # folder of <video>.mp4
    segments: Path  # CSV video,start,end,label; seconds
    splits: Path  # CSV video,split,goal,group


class Interval(NamedTuple):
    """A step or a pause of a script, as it will be drawn."""

    start: int
    end: int
    verb: str
    material: str
    contents: Color | None
    pieces: tuple[Color, ...]


def render_kitchen(
    folder: Path | str, num_videos: int = 60, seed: int = 0, fps: int = 8, size: int = 96, progress: bool = False
) -> Kitchen:
    """Render short kitchen videos with their true segments; files of an earlier, cut-off run are kept.

    Args:
        folder: gets ``videos/``, ``segments.csv``, ``videos.csv`` and ``kitchen.json`` (the settings).
        num_videos: at least 4, of about 40 s each.
        seed: everything drawn is a pure function of it.
        fps: frames a second of the videos.
        size: height and width in pixels, even, at least 32.
        progress: show a bar.

    Raises:
        SettingError: if a number is out of range or ``folder`` holds a kitchen of other settings.
    """
    if num_videos < 4 or fps < 1 or size < 32 or size % 2:
        raise SettingError(
            f"A kitchen needs num_videos >= 4, fps >= 1 and an even size >= 32, got {num_videos}, {fps} and {size}.",
            "give larger numbers",
        )
    home = Path(folder)
    kitchen = Kitchen(home / "videos", home / "segments.csv", home / "videos.csv")
    _claim(home, {"drawing": DRAWING, "num_videos": num_videos, "seed": seed, "fps": fps, "size": size})
    scripts = write_scripts(num_videos, seed, fps)
    for script in _track(scripts, progress):
        target = kitchen.videos / f"{script.video}.mp4"
        if not target.is_file():
            write_video(target, _draw_video(script, seed, fps, size), fps)
    rows = [(s.video, step.start / fps, step.end / fps, step.name) for s in scripts for step in s.steps]
    write_rows(kitchen.segments, ("video", "start", "end", "label"), rows)
    about = [(s.video, s.split, s.goal, f"cook_{s.cook:02d}") for s in scripts]
    write_rows(kitchen.splits, ("video", "split", "goal", "group"), about)
    return kitchen


def _track(scripts: Sequence[Script], progress: bool) -> Iterable[Script]:
    """Show a bar over ``scripts`` if asked to."""
    if not progress:
        return scripts
    from rich.progress import track as bar

    return bar(scripts, description="rendering videos")


def _claim(home: Path, settings: dict[str, int]) -> None:
    """Make ``home`` the folder of one kitchen, or accept that it already is."""
    note = home / "kitchen.json"
    if note.is_file():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found != settings:
            raise SettingError(
                f"{home} holds a kitchen of other settings: {found}, not {settings}.", "use another folder"
            )
    make_folder(home / "videos")
    with atomic_write(note) as part:
        part.write_text(json.dumps(settings), encoding="utf-8")


def write_video(target: Path, frames: Iterator[Picture], fps: int) -> None:
    """Encode pictures of one size to H.264 in mp4 with one thread, so that the bytes do not depend on chance.

    Args:
        target: the file, which appears only once it is whole.
        frames: (H, W, 3) each, at least one.
        fps: frames a second.
    """
    av = need("av", why="to write video files")
    options = {"crf": "21", "preset": "veryfast", "threads": "1"}
    with atomic_write(target) as part, av.open(str(part), "w", format="mp4") as container:
        first = next(frames)
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in itertools.chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _plan(script: Script) -> list[Interval]:
    """Work out, step by step, what the vessel holds: steps and the pauses between them, in time order."""
    intervals: list[Interval] = []
    contents: Color | None = None
    pieces: tuple[Color, ...] = ()
    now = 0
    for step in [*script.steps, Step("end", script.num_frames, script.num_frames)]:
        if step.start > now:
            intervals.append(Interval(now, step.start, "rest", "contents", contents, pieces))
        if step.name != "end":
            verb, material = look_of(step.name)
            intervals.append(Interval(step.start, step.end, verb, material, contents, pieces))
            contents, pieces = _after(verb, material, contents, pieces)
        now = step.end
    return intervals


def _after(
    verb: str, material: str, contents: Color | None, pieces: tuple[Color, ...]
) -> tuple[Color | None, tuple[Color, ...]]:
    """Say what the vessel holds once a step is done."""
    if verb in ("cut", "wash"):
        return contents, pieces
    if verb == "stir":
        return (blend(contents, (150, 120, 90), 0.12) if contents else contents), pieces
    color = COLORS[material]
    if material.endswith("food"):
        return contents, (*pieces, *[color] * 7)
    if contents is None:
        return (color, pieces) if material != "white powder" or not pieces else (contents, pieces)
    share = {"white powder": 0.1, "brown powder": 0.85}.get(material, 0.4)
    return blend(contents, color, share), pieces


def _draw_video(script: Script, seed: int, fps: int, size: int) -> Iterator[Picture]:
    """Draw the frames of one script, (size, size, 3) each: trembling camera, flickering light, noise."""
    rng = np.random.default_rng([seed, 1, int(script.video.rsplit("_", 1)[1])])
    setting = set_up(script, seed, rng, size)
    grain = rng.normal(0.0, 3.0, (2 * size, 2 * size, 1)).astype(np.float32)
    shake, flicker = np.zeros(2), 0.0
    card_until = script.steps[0].end
    for interval in _plan(script):
        sway, speed, idle = rng.normal(0.0, 0.022, 2), rng.uniform(0.75, 1.35), rng.random()
        for frame in range(interval.start, interval.end):
            shake = 0.8 * shake + rng.normal(0.0, 0.0025, 2)
            flicker = 0.9 * flicker + rng.normal(0.0, 0.012)
            length = interval.end - interval.start
            done = idle if interval.verb == "rest" else (frame - interval.start) / length
            now = Pose(
                setting.vessel,
                setting.center,
                interval.contents,
                interval.pieces,
                setting.cook,
                interval.material,
                (frame - interval.start) / fps,
                done,
                (sway[0], sway[1]),
                speed,
            )
            picture = _draw_pose(setting, interval.verb, now, (shake[0], shake[1]), frame < card_until)
            row, column = rng.integers(0, size, 2)
            noise = grain[row : row + size, column : column + size]
            gain = np.asarray(setting.tint, np.float32) * (setting.light + flicker)
            yield np.clip(picture * gain + noise, 0, 255).astype(np.uint8)


def _draw_pose(setting: Setting, verb: str, now: Pose, shake: tuple[float, float], card: bool) -> Picture:
    """Draw one frame: (size, size, 3)."""
    picture = (setting.with_card if card else setting.backdrop).copy()
    VERBS[verb](Sketch(picture, shake), now)
    return np.asarray(picture.reduce(2))
