"""What may be secret is hidden in texts and told by its name."""

from __future__ import annotations

import pytest

from gad_lightning.redact import is_secret, redact

SECRETS = """password db_password passwd hf_token HF_TOKEN token auth_token api_key WANDB_API_KEY aws_secret_access_key
client_secret secrets credentials api-key logger.api_key private_key apiKey accessToken"""
NO_SECRETS = """tokens new_tokens max_tokens tokens_per_frame eos_token cls_token key keyframe monkey tokenizer author
passes num_heads sort_key"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", NO_SECRETS.split())
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:p@ss@10.0.0.7/live?a=1", "rtsp://***@10.0.0.7/live?***"),
        ("https://host/x?token=1#top", "https://host/x?***"),
        ("clips/a.mp4 at 3:20", "clips/a.mp4 at 3:20"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "name", ["Authorization", "bearer", "session_id", "connection_string", "webhook_url", "github_pat", "pin"]
)
def test_names_of_further_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["pattern", "pinned", "authors", "session_videos", "spin"])
def test_names_that_only_begin_so_are_none(name: str) -> None:
    assert not is_secret(name)
