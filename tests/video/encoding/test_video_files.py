"""Lists and folders of videos: whatever system wrote them, nothing is left out without a word."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.encoding.run import Settings
from gad_lightning.video.encoding.video_files import claim, find_videos, left_out
from gad_lightning.video.features.sidecar import FIRST_PICTURE, time_zero, write_sidecar
from gad_lightning.video.timing import TIME_ZERO


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one video, as far as its name tells."""
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"v/a.mp4\n", id="plain"),
        pytest.param(b"\xef\xbb\xbfv/a.mp4\r\n", id="UTF-8 with a mark"),
        pytest.param("v/a.mp4\r\n".encode("utf-16"), id="UTF-16 with a mark"),
        pytest.param(b"\xfe\xff" + "v/a.mp4\r\n".encode("utf-16-be"), id="UTF-16, the other way round"),
        pytest.param("v/a.mp4\r\n".encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param("v/a.mp4\r\n".encode("utf-16-be"), id="UTF-16 without a mark, the other way round"),
        pytest.param(b"# mine\r\n\r\n  v\\a.mp4\r\n", id="backslashes"),
        pytest.param(b'"v/a.mp4"\r\n', id="quoted as the Explorer copies it"),
        pytest.param(b"# mine\n\xef\xbb\xbfv/a.mp4\n", id="joined of two, the second with a mark"),
    ],
)
@pytest.mark.parametrize("name", ["list.txt", "LIST.TXT"])
def test_lists_are_read_as_their_system_writes_them(folder: Path, text: bytes, name: str) -> None:
    (folder / name).write_bytes(text)
    assert find_videos(folder / name) == {"a": folder / "v/a.mp4"}


def test_a_list_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "list.txt").write_bytes("v/für.mp4\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"(?s)list.txt is not in UTF-8: byte 3 is 0xfc.*save it as UTF-8"):
        find_videos(folder / "list.txt")
    (folder / "list.txt").write_bytes("v/a.mp4\n".encode("utf-32"))
    with pytest.raises(DataError, match=r"(?s)list.txt is not in UTF-8: a zero stands in it.*save it as UTF-8"):
        find_videos(folder / "list.txt")


def test_a_list_in_utf_16_may_begin_with_a_letter_of_any_script(folder: Path) -> None:
    (folder / "あ.mp4").touch()
    (folder / "list.txt").write_bytes("あ.mp4\r\n".encode("utf-16-le"))
    assert find_videos(folder / "list.txt") == {"あ": folder / "あ.mp4"}


@pytest.mark.parametrize(("stored", "listed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_may_be_written_either_way(
    folder: Path, stored: Literal["NFC", "NFD"], listed: Literal["NFC", "NFD"]
) -> None:
    name = unicodedata.normalize(stored, "rühren.mp4")
    (folder / "v" / name).touch()
    line = unicodedata.normalize(listed, "v/rühren.mp4")
    (folder / "list.txt").write_text(line, encoding="utf-8")
    assert list(find_videos(folder / "list.txt").values()) == [folder / "v" / name]


def test_what_a_folder_holds_beside_videos_is_named_with_a_reason(folder: Path) -> None:
    for name in ("anim.gif", "clip.h264", "noending", ".hidden", ".a.mp4", "._a.MP4"):
        (folder / "v" / name).touch()
    (folder / "v/more").mkdir()
    (folder / "v/moved.mp4").symlink_to("gone.mp4")
    os.mkfifo(folder / "v/pipe.mp4")
    assert list(find_videos(folder / "v")) == ["a"]
    found = left_out(folder / "v")
    assert list(found) == ["._a.MP4", ".a.mp4", "anim.gif", "clip.h264", "more", "moved.mp4", "noending", "pipe.mp4"]
    assert found[".a.mp4"] == found["._a.MP4"] == "a hidden file; a list or the path alone takes it"
    assert list(find_videos(folder / "v/.a.mp4")) == [".a"]
    assert found["pipe.mp4"] == "a pipe, socket or device"
    assert (found["more"], found["moved.mp4"]) == ("a folder", "a link to nothing")
    assert found["anim.gif"].startswith("its ending is not one of a video")
    assert left_out(folder / "v/a.mp4") == left_out([folder / "v/a.mp4"]) == {}


def test_a_folder_without_videos_says_what_it_holds(folder: Path) -> None:
    (folder / "v/a.mp4").rename(folder / "v/a.gif")
    with pytest.raises(MissingDataError, match=r"There is no video in .*v, but a.gif"):
        find_videos(folder / "v")


def test_two_videos_of_one_name_are_refused(folder: Path) -> None:
    (folder / "v/a.mkv").touch()
    with pytest.raises(DataError, match=r"a.mkv and .*a.mp4 would both become a.npy"):
        find_videos(folder / "v")


@pytest.mark.parametrize(("one", "other"), [("v0", "v0 "), ("r\u00fchren", "ru\u0308hren")])
def test_two_videos_whose_names_are_read_as_one_are_refused(folder: Path, one: str, other: str) -> None:
    for name in (one, other):
        (folder / "v" / f"{name}.mp4").touch()
    with pytest.raises(DataError) as caught:
        find_videos(folder / "v")
    assert "are read as one (" in str(caught.value)
    assert ascii(f"{one}.mp4") in str(caught.value)
    assert ascii(f"{other}.mp4") in str(caught.value)


def test_features_state_from_when_their_times_count(tmp_path: Path) -> None:
    claim(tmp_path, SmallEncoder(), Settings())
    assert time_zero(tmp_path) == TIME_ZERO
    claim(tmp_path, SmallEncoder(), Settings())


def test_features_of_an_older_version_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    spec, recipe = SmallEncoder().feature_spec(4.0), SmallEncoder().recipe
    write_sidecar(tmp_path, spec, dtype="float16", recipe=recipe)
    assert time_zero(tmp_path) == FIRST_PICTURE
    with pytest.raises(DataError, match=r"(?s)times_from 'first picture'; these would have 'container start'.*delete"):
        claim(tmp_path, SmallEncoder(), Settings())


def test_a_folder_of_deinterlaced_features_takes_no_others(tmp_path: Path) -> None:
    claim(tmp_path, SmallEncoder(), Settings(deinterlace=True))
    with pytest.raises(DataError, match="recipe"):
        claim(tmp_path, SmallEncoder(), Settings())
