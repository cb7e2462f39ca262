"""What may be secret is hidden in texts and told by its name."""

from __future__ import annotations

import time

import pytest

from gad_lightning.redact import hide_keys, holds_secret, is_secret, redact

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


@pytest.mark.parametrize("name", ["sas", "sas_token", "sig", "OPENAI_KEY", "HFToken", "X-Api-Key", "slack_webhook"])
def test_names_of_keys_of_services_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("openai_key", "a1b2c3d4e5f6"),
        ("openaiKey", "Zm9vYmFyYmF6cXV4"),
        ("storage.key", "Zm9v/YmFy+YmF6cXV4=="),
        ("OPENAI_KEY", "short"),
    ],
)
def test_what_stands_under_a_key_and_looks_like_a_secret_is_one(name: str, text: str) -> None:
    assert holds_secret(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("monitor_key", "val/segment_f1@50"),
        ("dataset_key", "epickitchens100verbs"),
        ("some_key", "validation_accuracy"),
        ("some_key", "val/top1.action_name"),
        ("openai_key", "/etc/keys/openai2"),
        ("openai_key", "keys1a2b3c.pem"),
        ("some_key", "several words of a question"),
        ("keyframe", "a1b2c3d4e5f6"),
        ("hotkey", "a1b2c3d4e5f6"),
    ],
)
def test_keys_of_settings_and_paths_of_keys_are_shown(name: str, text: str) -> None:
    assert not holds_secret(name, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf_AbCdEfGhIjKlMnOp", "***"),
        ("sk-proj-a1b2_c3d4-e5f6", "***"),
        ("ghp_0123456789abcdef", "***"),
        ("github_pat_11ABCDEFG0abcdefghij", "***"),
        ("xoxb-1234-5678-abcdef", "***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("the key glpat-a1b2c3d4e5f6g7 is given", "the key *** is given"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/123/abc", "https://discord.com/api/webhooks/***"),
        ("https://me.webhook.office.com/webhookb2/abc", "https://me.webhook.office.com/***"),
        ("https://a.blob.core/c?sv=2022&sig=a%2Bb&se=1", "https://a.blob.core/c?sv=2022&sig=***&se=1"),
        ("AccountName=me;AccountKey=abc==;Suffix=net", "AccountName=me;AccountKey=***;Suffix=net"),
        ("--token=abc", "--token=***"),
        ("Authorization: Basic bWU6cGFzcw==", "Authorization: ***"),
        ("x-api-key: 12", "x-api-key: ***"),
        ("Bearer a1b2c3d4e5", "Bearer ***"),
    ],
)
def test_secrets_are_known_by_their_look(text: str, shown: str) -> None:
    assert hide_keys(text) == shown
    assert hide_keys(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "hf_transformers",
        "hf_internal_model_v2",
        "sk-learn-1.5",
        "risk-assessment2024",
        "cookie: bake",
        "pallbearer participating 1234567890",
        "monitor=val/f1",
        "cls_token=<s>",
        "https://host/webhook.html",
        "What is the next action?",
    ],
)
def test_usual_texts_are_shown(text: str) -> None:
    assert hide_keys(text) == text


@pytest.mark.parametrize("text", ["http://", "sk-", "hf_", "key=", "bearer ", "x-key", "https://webhook", "a1b2."])
def test_long_texts_take_no_time(text: str) -> None:
    begin = time.perf_counter()
    hide_keys(text * 10_000)
    holds_secret("some_key", text * 10_000)
    assert time.perf_counter() - begin < 2
