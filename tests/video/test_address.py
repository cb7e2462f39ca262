"""Sources are named as a user would, and no name gives a password away."""

from __future__ import annotations

import sys

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.redact import redact
from gad_lightning.video.address import address_of


@pytest.mark.parametrize(
    ("source", "platform", "kind", "url", "form"),
    [
        ("camera", "linux", "camera", "/dev/video0", "v4l2"),
        ("2", "linux", "camera", "/dev/video2", "v4l2"),
        ("camera:/dev/v4l/by-id/door", "linux", "camera", "/dev/v4l/by-id/door", "v4l2"),
        ("/dev/video1", "linux", "camera", "/dev/video1", "v4l2"),
        ("camera:1", "darwin", "camera", "1", "avfoundation"),
        ("camera:FaceTime HD", "darwin", "camera", "FaceTime HD", "avfoundation"),
        ("camera:Front: door", "win32", "camera", "video=Front: door", "dshow"),
        ("rtsp://10.0.0.7/live", "linux", "url", "rtsp://10.0.0.7/live", None),
        ("HTTP://camera/x.ts", "linux", "url", "http://camera/x.ts", None),
        ("clips/tea.mp4", "linux", "file", "clips/tea.mp4", None),
        (r"C:\clips\tea.mp4", "win32", "file", r"C:\clips\tea.mp4", None),
    ],
)
def test_a_source_is_a_camera_a_url_or_a_file(
    source: str, platform: str, kind: str, url: str, form: str | None
) -> None:
    address = address_of(source, platform)
    assert (address.kind, address.url, address.format) == (kind, url, form)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gopher://u:hunter2@host/x", "no way to read gopher:// sources"),
        ("rtsp://u:hunter2 x@host/x", "holds a blank"),
    ],
)
def test_a_url_that_cannot_work_is_refused_without_its_password(source: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        address_of(source)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there may be cameras that Windows knows")
def test_windows_knows_cameras_by_name() -> None:
    with pytest.raises(SettingError, match=r"no camera number 3; found are: none.*\n.*camera:NAME"):
        address_of("camera:3", "win32")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("rtsp://u:hunter2@h:554/x", "rtsp://***@h:554/x", id="password"),
        pytest.param("rtsp://hunter2@h/x", "rtsp://***@h/x", id="a key in place of the user"),
        pytest.param("rtsp://u:hun/ter@2?#@h/x", "rtsp://***@h/x", id="a password with marks of its own"),
        pytest.param("https://h/x?a=hunter2&b=3#hunter2", "https://h/x?***", id="query and fragment"),
        pytest.param("https://u:p@h/x?mail=me@b&code=hunter2", "https://***@b?***", id="an at sign in the query"),
        pytest.param("http://h/user=a_password=hunter2_c=1.sdp", "http://h/user=a_password=***", id="in the path"),
        pytest.param("lost 'tcp://u:hunter2@h', again", "lost 'tcp://***@h', again", id="in a sentence"),
        pytest.param("u:hunter2@h/x and rtsp:/u:hunter2@h", "***@h/x and rtsp:/***@h", id="mistyped"),
        pytest.param("12:30: stir at me@home, a=b", "12:30: stir at me@home, a=b", id="no URL"),
    ],
)
def test_secrets_are_hidden(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(redact(text)) == expected
    assert "hunter2" not in redact(text)


def test_an_address_prints_without_its_password() -> None:
    address = address_of("rtsp://admin:hunter2@10.0.0.7/live")
    assert "hunter2" in address.url
    assert "hunter2" not in f"{address} {address!r} {[address]}"


def test_a_url_after_camera_is_refused_without_its_password() -> None:
    with pytest.raises(SettingError, match="is a URL, not a camera") as refused:
        address_of("camera:rtsp://admin:secret@10.0.0.7/live")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["psw", "pw", "sig", "signature", "credentials", "access_code", ";jsessionid"])
def test_keys_of_cheap_cameras_are_hidden(key: str) -> None:
    assert redact(f"rtsp://h/user=admin&{key}=abc123") == f"rtsp://h/user=admin&{key}=***"
