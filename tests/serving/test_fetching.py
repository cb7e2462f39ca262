"""Only what lies in an allowed folder is fetched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.serving.fetching import check_allowed, fetched, is_allowed
from gad_lightning.serving.messages import BadMessage
from tests.video.serving import folder_server

ALLOWED = ["https://a.org/v/", "http://b.org:8080/"]


@pytest.mark.parametrize("url", ["https://a.org/v/tea.mp4", "https://a.org/v/x/y.mp4?t=1", "http://b.org:8080/x"])
def test_what_lies_in_the_folder_is_allowed(url: str) -> None:
    assert is_allowed(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.org/w/tea.mp4",
        "http://a.org/v/tea.mp4",
        "https://a.org:444/v/tea.mp4",
        "https://a.org.evil/v/tea.mp4",
        "https://a.org@evil/v/tea.mp4",
        "https://evil/https://a.org/v/",
        "https://a.org/v/../secret",
        "https://a.org/v/%2e%2e/secret",
        "https://a.org/v/..%2fsecret",
        "https://a.org/v/%5c..",
        "https://a.org\\@evil/v/",
        "https://a.org/v/\r\nHost: evil",
        "file:///v/",
        "",
    ],
)
def test_all_else_is_not(url: str) -> None:
    assert not is_allowed(url, ALLOWED)


def test_a_folder_that_allows_more_than_it_seems_is_refused() -> None:
    check_allowed(ALLOWED)
    for url in ("https://a.org", "https://a.org/v", "ftp://a.org/", "https://a.org/../"):
        with pytest.raises(SettingError, match="no folder of a host"):
            check_allowed([url])


async def bytes_of(url: str, allowed: list[str]) -> bytes:
    """All that is fetched."""
    return b"".join([part async for part in fetched(url, allowed)])


def test_a_file_is_fetched_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"video" * 1000)
    with folder_server(tmp_path) as port:
        home = f"http://127.0.0.1:{port}/"
        assert asyncio.run(bytes_of(f"{home}x.mp4", [home])) == b"video" * 1000
        with pytest.raises(BadMessage, match="status 404"):
            asyncio.run(bytes_of(f"{home}y.mp4", [home]))
    with pytest.raises(BadMessage, match="no answer") as error:
        asyncio.run(bytes_of("http://127.0.0.1:9/x", ["http://127.0.0.1:9/"]))
    assert error.value.code == 502
    with pytest.raises(BadMessage, match="may not fetch"):
        asyncio.run(bytes_of("http://127.0.0.1:9/x", []))
