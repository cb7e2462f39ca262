"""Label Studio: timelines, video rectangles and stretches of sound, from its JSON and JSON-MIN exports.

Its frames begin at 1 and are counted at the frame rate of the labeling config, 24 unless that says otherwise, not at
the video's own: with another rate than the config's, times drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading, video_name
from gad_lightning.data.formats.source import Source, items, mapping, number, objects, text_of
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS

_RATE = 24.0
"""Frames a second of a labeling config that states none."""
_KINDS = ("timelinelabels", "labels", "videolabels")
"""Where a region has its labels."""
Json = Mapping[str, object]


class LabelStudio(AnnotationFormat):
    """JSON of Label Studio: what people labeled is read, never a model's predictions."""

    name = "label_studio"
    title = "Label Studio"
    ending = ".label_studio.json"
    sharpness = "frame"

    def recognizes(self, source: Source) -> bool:
        """Tasks with annotations, or the short form with regions beside the video."""
        return any(
            "annotations" in task or "predictions" in task or "completions" in task or "result" in task or _short(task)
            for task in _tasks(source)
        )

    def read(self, source: Source, reading: Reading) -> None:
        """Take the newest annotation of each task that was not canceled."""
        for number_, task in enumerate(_tasks(source), 1):
            data = mapping(task.get("data")) or mapping(mapping(task.get("task")).get("data")) or task
            media = _media(data)
            where = f"task {task.get('id', number_)}"
            if "result" in task:
                regions = objects(task["result"])
            elif short := _short(task):
                regions = [{"value": region} for name in short for region in objects(task[name])]
            else:
                regions = _newest(task, where, reading)
            for region in regions:
                _read_region(region, media, data, where, reading)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """Tasks with annotations, or with predictions to correct where a classifier made them."""
        return json.dumps([_task_of(video) for video in videos], indent=1, ensure_ascii=False) + "\n"


FORMAT = LabelStudio()


def _tasks(source: Source) -> list[Json]:
    """The tasks of a file, or its only one."""
    return objects(source.json if isinstance(source.json, list) else [source.json])


def _short(task: Json) -> list[str]:
    """Keys of the short form that hold regions."""
    kinds = {*_KINDS, "ranges", "sequence"}
    return [] if "data" in task else [key for key in task if any(kinds & set(one) for one in objects(task[key]))]


def _media(data: Json) -> str:
    """Where the video of a task is: the first value that ends as one does, or the one that is called so."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    ends = (value for value in texts.values() if value.split("&")[0].lower().endswith(tuple(VIDEO_ENDINGS)))
    return next(ends, "") or next((texts[key] for key in ("video", "video_url", "url", "audio") if key in texts), "")


def _newest(task: Json, where: str, reading: Reading) -> list[Json]:
    """Regions of the annotation that counts."""
    made = objects(task.get("annotations", task.get("completions")))
    valid = [one for one in made if not one.get("was_cancelled")]
    for kind, count in (
        ("an annotation that was canceled", len(made) - len(valid)),
        ("an older annotation of the same task", len(valid) - 1),
        ("a prediction, which nobody has corrected", len(objects(task.get("predictions"))) if not valid else 0),
    ):
        for _ in range(count):
            reading.leave_out(kind, where)
    if not valid:
        return []
    chosen = max(valid, key=lambda one: (bool(one.get("ground_truth")), text_of(one.get("updated_at"))))
    return objects(chosen.get("result"))


def _read_region(region: Json, media: str, data: Json, where: str, reading: Reading) -> None:
    """Take one region: ranges of frames, a sequence of rectangles, or seconds."""
    value = mapping(region.get("value"))
    control, tiers = text_of(region.get("from_name")), reading.rules.tiers
    labels = next((items(value[kind]) for kind in _KINDS if kind in value), [])
    if tiers and control not in tiers:
        reading.leave_out("a control that --tiers does not name", f"{where}, {control}")
    elif "ranges" in value or "sequence" in value:
        rate = _rate(value, data, media, reading)
        for first, last in _ranges(value):
            reading.say("frames begin at 1, and the last one of a range belongs to it")
            for label in labels or [""]:
                reading.add(media, (first - 1) / rate, last / rate, label, where)
    elif "start" in value and "end" in value:
        for label in labels or [""]:
            reading.add(media, number(value["start"]), number(value["end"]), label, where)
    else:
        reading.leave_out(f"a region without times ({text_of(region.get('type')) or 'of no type'})", where)


def _rate(value: Json, data: Json, media: str, reading: Reading) -> float:
    """Frames a second that a region counts: as given, of its own length, of the task's data, or 24."""
    duration = number(value.get("duration"))
    measured = number(value.get("framesCount")) / duration if duration > 0 else number(data.get("fps"))
    if measured > 0:
        return reading.rate(media, measured)
    why = (
        "as Label Studio does unless its config says frameRate, whatever the video has: give that as --fps, or times "
        "drift"
    )
    return reading.rate(media, _RATE, why)


def _ranges(value: Json) -> Iterator[tuple[float, float]]:
    """First and last frame of each stretch of a region, from 1."""
    for one in objects(value.get("ranges")):
        yield number(one.get("start")), number(one.get("end"))
    begun, frames = None, objects(value.get("sequence"))
    for key in sorted(frames, key=lambda one: number(one.get("frame"))):
        frame = number(key.get("frame"))
        begun = frame if begun is None else begun
        if not key.get("enabled", True):
            yield begun, frame
            begun = None
    if begun is not None:
        last = number(value.get("framesCount"))
        yield begun, last if last >= begun else number(frames[-1].get("frame"))


def _task_of(video: LabeledVideo) -> dict[str, object]:
    """A task to import, its frames counted at ``data.fps``."""
    regions = []
    for place, found in enumerate(video.annotations):
        first = round(found.start * video.fps) + 1
        span = {"start": first, "end": max(first, round(found.end * video.fps))}
        region: dict[str, object] = {
            "id": f"r{place}",
            "from_name": "videoLabels",
            "to_name": "video",
            "type": "timelinelabels",
            "value": {"ranges": [span], "timelinelabels": [found.label]},
        }
        regions.append(region if found.score is None else {**region, "score": round(found.score, 6)})
    data = {"video": video.media or video.name, "fps": video.fps, "name": video_name(video.media or video.name)}
    if video.scored:
        return {"data": data, "predictions": [{"model_version": "gad-lightning", "result": regions}]}
    return {"data": data, "annotations": [{"result": regions}]}
