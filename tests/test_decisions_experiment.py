"""The experiment on stated rates: splits of whole groups, what is counted, and the page that is written of it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.csv_rows import write_rows
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.toy import ToyActions
from gad_lightning.decisions.counting import cost_of, track_of
from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.video.features.sidecar import write_sidecar
from tests.decisions.worlds import observed_of, stirring

HERE = Path(__file__).resolve().parent.parent / "experiments" / "decisions"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbors; those of other experiments are let go."""
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("run", "rates", "page"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import page
    import rates
    import run

    class Modules:
        pass

    made: Any = Modules()
    made.run, made.rates, made.page = run, rates, page
    return made


def world(seed: int, videos: int) -> Observed:
    """Videos of which nothing but the truth of stirring depends on the frame."""
    return stirring(np.random.default_rng(seed), videos)


def logged(seen: Observed) -> Observed:
    """The same with log-probabilities."""
    return seen._replace(scores=np.log(np.maximum(seen.scores, 1e-12)))


def test_nobody_is_tested_twice_in_folds_and_groups_stay_whole(modules: Any) -> None:
    people = [f"person {number:02d}" for number in range(26)]
    plan = modules.run.read_plans()["ikea_asm"]
    splits = [modules.run.split_groups(people, plan, split) for split in range(5)]
    for split in splits:
        assert sorted(split) == people
        assert [list(split.values()).count(kind) for kind in ("test", "val", "train")] == [5, 8, 13]
    tested = [{name for name, kind in split.items() if kind == "test"} for split in splits]
    assert len(set.union(*tested)) == 25


def test_false_alarms_are_those_of_the_library_and_rates_are_of_a_class(modules: Any) -> None:
    seen = world(1, videos=12)
    made = Decisions(seen.labels, seen.fps, None, Thresholds([0.5, 0.5]))
    found = modules.rates.outcome(made, logged(seen))
    cost = cost_of(track_of(seen, 1), 0.5, 0.5, 1)
    assert found["alarms"] == [cost.alarms.sum()]
    assert found["recall"] == pytest.approx(cost.recall)
    assert modules.page.rate_of(found) == pytest.approx(cost.alarms.sum() / seen.hours.sum())


def test_one_threshold_is_the_smallest_that_keeps_the_rate_on_validation(modules: Any) -> None:
    seen = world(2, videos=30)
    alarms = modules.rates.alarms_of_all(seen, 1e9)
    found = modules.rates.one_threshold(seen, 20.0, alarms)
    place = modules.rates.GRID.index(found.enter[1])
    assert alarms[: place + 1].max() <= 20.0 * seen.hours.sum() < alarms[place + 1]
    assert modules.rates.one_threshold(seen, 20.0, alarms + 1000).enter[1] > 1, "none is small enough"


def test_frame_level_sets_cover_too_little_where_short_videos_are_hard_and_those_by_video_enough(
    modules: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules.rates, "DRAWS", 40)
    draw, lengths = np.random.default_rng(3), np.where(np.arange(40) % 3 == 0, 10, 100)
    video = np.repeat(np.arange(40), lengths)
    likely = draw.uniform(np.where(lengths[video] == 10, 0.0, 0.5), 1.0)
    seen = observed_of(np.stack([1 - likely, likely], 1), np.ones(len(video), dtype=np.int64), video)
    part = modules.rates.Part(seen, [f"person {number // 2}" for number in range(40)])
    halves = [modules.rates.of_videos(seen, np.arange(40) // 20 == half) for half in (0, 1)]
    parts = [modules.rates.Part(*pair) for pair in zip(halves, (part.groups[:20], part.groups[20:]), strict=True)]
    ours, new = modules.rates.drawn_anew(parts, np.random.default_rng(1))
    assert len(set(ours.groups) | set(new.groups)) == 20
    assert not set(ours.groups) & set(new.groups)
    assert sorted(np.concatenate([ours.seen.scores[:, 1], new.seen.scores[:, 1]])) == sorted(likely)
    found = modules.rates.sets_at(0.1, parts)["redrawn"]
    assert found["by frame"]["mean"] < 0.85
    assert found["by video"]["mean"] > 0.9


def test_frame_level_quantile_is_that_of_split_conformal_prediction(modules: Any) -> None:
    seen = world(4, videos=2)
    misfit = np.sort(np.where(seen.truth[:, 1] == 1, seen.scores[:, 0], seen.scores[:, 1]))
    assert modules.rates.frame_quantile(seen, 0.1) == pytest.approx(misfit[int(np.ceil(481 * 0.9)) - 1])


def stored(modules: Any, target: Path) -> None:
    """Write two measured splits of a toy data set."""
    modules.rates.DRAWS = 3
    rows = []
    for split in range(2):
        seen, new = (logged(world(seed, videos=30)) for seed in (split, 10 + split))
        one = {"videos": 30, "groups": 30, "hours": 0.5}
        worlds = (world(split, 30), world(10 + split, 30))
        each = [modules.rates.Part(part, [f"{number} {k}" for k in range(30)]) for number, part in enumerate(worlds)]
        sets = modules.rates.sets_at(0.1, each)
        facts = {"commit": "abc", "version": "0", "torch": "2", "hardware": "toy", "accuracy": 0.5, "temperature": 1.0}
        alarms = modules.rates.alarms_at(seen, new, [20.0])
        rows.append({"split": split, **facts, "val": one, "test": one, "alarms": alarms, **sets})
    about = {"name": "toy", "title": "toy", "order": 0, "rates": [20.0], "stated": 20.0, "error": 0.1, "rows": rows}
    (target / "results").mkdir()
    (target / "results" / "toy.json").write_text(json.dumps(about))


def test_the_page_says_what_is_stored_and_keeps_its_other_text(modules: Any, tmp_path: Path) -> None:
    stored(modules, tmp_path)
    before = shutil.copy(HERE / "README.md", tmp_path / "README.md").read_text()
    modules.page.write_page(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert (tmp_path / "rates.png").stat().st_size > 1000
    assert text.count("| toy, 20 |") == 4
    assert before.splitlines()[0] == text.splitlines()[0]
    modules.page.write_page(tmp_path)
    assert (tmp_path / "README.md").read_text() == text


def test_the_stored_results_are_those_of_the_page(modules: Any, tmp_path: Path) -> None:
    shutil.copytree(HERE, tmp_path / "decisions")
    modules.page.write_page(tmp_path / "decisions")
    assert (tmp_path / "decisions" / "README.md").read_text() == (HERE / "README.md").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--data=hapt", "--source=nowhere"], "hapt: nowhere/videos.csv is not there"),
        (["--source=runs/hapt"], "name that by --data"),
    ],
)
def test_a_slip_is_told_without_a_traceback(
    modules: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    given: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *given, f"--home={tmp_path}", f"--target={tmp_path}"])
    with pytest.raises(SystemExit) as error:
        modules.run.main()
    assert said in f"{error.value}{capsys.readouterr().err}"


@pytest.mark.slow
def test_a_toy_data_set_is_trained_calibrated_and_measured(
    modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys = ToyActions(num_videos=24)
    features = tmp_path / "toys" / "features"
    features.mkdir(parents=True)
    write_sidecar(features, toys.all_records[0].frames.spec)
    rows = []
    for record in toys.all_records:
        np.save(features / f"{record.name}.npy", record.frames.rows(np.arange(record.frames.num_frames)))
        rows += [(record.name, s.start / 4, s.end / 4, toys.class_names[s.label]) for s in record.segments]
    write_rows(tmp_path / "toys" / "segments.csv", ("video", "start", "end", "label"), rows)
    write_rows(tmp_path / "toys" / "videos.csv", ("video",), [(record.name,) for record in toys.all_records])
    plan = modules.run.read_plans()["kitchen"]._replace(
        **{"name": "toy", "source": tmp_path / "toys", "config": "experiments/toy/discriminative.yaml"},
        **{"test": 6, "val": 10, "rates": (1000.0,), "stated": 1000.0, "error": 0.1},
        overrides=(
            *("data=gad_lightning.OwnVideos", "data.mode=one_pass"),
            *("trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"),
        ),
    )
    monkeypatch.setattr(modules.run, "read_plans", lambda: {"toy": plan})
    shutil.copy(HERE / "README.md", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "--splits=1", f"--home={tmp_path / 'runs'}", f"--target={tmp_path}"])
    with pytest.raises(SystemExit, match="0"):
        modules.run.main()
    (row,) = json.loads((tmp_path / "results" / "toy.json").read_text())["rows"]
    assert row["commit"]
    assert row["val"]["videos"] == 10
    assert [cells["way"] for cells in row["alarms"]] == list(modules.page.COLORS)
    assert OwnVideos(tmp_path / "runs" / "splits" / "toy-0").records("test")
