"""detect() labels one video as prediction over a data set does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.encode import encode_video
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.kitchen.synthetic import render_kitchen
from tests.classifiers.making import NAMES, make, random_frames, schema


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_detect_equals_prediction_over_the_data_set(mode: Any) -> None:
    data = ToyActions(mode=mode, short_memory=6, chunk=8, eval_batch_size=5)
    gad = make(GADClassifier, schema=data.schema).eval()
    data.setup("test")
    with torch.inference_mode():
        scored = [gad.scores(batch) for batch in data.test_dataloader()]
    first = data.first_video("test")
    for number, record in enumerate(data.videos("test")):
        mine = torch.cat([part.scores[part.video == first + number] for part in scored])
        order = torch.cat([part.query_index[part.video == first + number] for part in scored]).argsort()
        found = gad.detect(record.frames.rows(np.arange(record.frames.num_frames)))
        assert torch.allclose(found.scores, mine[order], atol=1e-5)
        assert found.seconds == [frame / 4.0 for frame in range(record.frames.num_frames)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [GADClassifier, GenerativeClassifier])
def test_window_mode_equals_one_chunk_per_query(kind: type[Classifier], dtype: torch.dtype) -> None:
    window = make(kind, schema=schema(mode="window", short=7)).to(dtype).eval()
    chunks = make(kind, schema=schema(mode="one_pass", short=7, chunk=1)).to(dtype).eval()
    chunks.load_state_dict(window.state_dict())
    video = random_frames(1, 30)[0].to(dtype)
    expected, found = window.detect(video).scores, chunks.detect(video).scores
    atol = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)
    longer = make(kind, schema=schema(mode="one_pass", short=7, chunk=30)).to(dtype).eval()
    longer.load_state_dict(window.state_dict())
    assert not torch.allclose(longer.detect(video).scores, expected, rtol=0, atol=1e-3), "one pass reaches further back"


def test_segments_are_the_runs_of_labels_without_background() -> None:
    gad = make(GADClassifier)
    found = gad.detect(random_frames(1, 40)[0])
    spelled = ["background"] * 40
    for label, start, end, score, shown in found.segments:
        assert shown == (label,)
        assert label != "background"
        frames = found.probabilities[round(start * 4) : round(end * 4), NAMES.index(label)]
        assert score == pytest.approx(float(frames.mean()))
        assert 0 <= score <= 1
        spelled[round(start * 4) : round(end * 4)] = [label] * round((end - start) * 4)
    assert spelled == found.labels


def test_a_video_file_gives_what_its_features_give(tmp_path: Path) -> None:
    render_kitchen(tmp_path, num_videos=4, seed=0)
    video = sorted((tmp_path / "videos").glob("*.mp4"))[0]
    gad = GADClassifier(class_names=list(NAMES), backbone=TinyBackbone())
    features = encode_video(video, SmallEncoder(), 4.0)
    np.save(tmp_path / "features.npy", features)
    from_file, from_array = gad.detect(video), gad.detect(features, fps=4.0)
    assert torch.equal(from_file.scores, from_array.scores)
    assert torch.equal(from_file.scores, gad.detect(tmp_path / "features.npy").scores)


@pytest.mark.parametrize(
    ("video", "how", "error", "message"),
    [
        (np.zeros((5, 6), np.float32), {"fps": 8.0}, SettingError, "at 8.0 frames a second; .* trained at 4.0"),
        (np.zeros((0, 6), np.float32), {}, DataError, r"at least one frame, got \(0, 6\)"),
        (np.array([[0.0] * 6, [np.nan] * 6], np.float32), {}, DataError, "Frame 1 of the features holds NaN"),
        (np.zeros((5, 7), np.float32), {}, SettingError, r"\(N, D\) = \(1, 7\)"),
        (__file__, {"encoder": SmallEncoder()}, SettingError, "encoder 'test', not 'small'"),
    ],
)
def test_what_cannot_be_used_is_named(video: Any, how: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(GADClassifier).detect(video, **how)


def test_a_missing_video_is_named() -> None:
    for features in (FeatureSpec(fps=2.0), FeatureSpec("another encoder")):
        with pytest.raises(MissingDataError, match=r"There is no video nowhere\.mp4"):
            make(GADClassifier, schema=schema()._replace(features=features)).detect("nowhere.mp4")
