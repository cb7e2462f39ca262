"""Hides what may be secret in texts that are shown or stored."""

from __future__ import annotations

import re

HIDDEN = "***"
SECRET = re.compile(
    r"(?i)((?:pass|pwd|pw|psw|token|key|secret|auth|sig|cred|access_?code|jsession)\w*=|passphrase:)\S*"
)

SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:pass(?:word|wd|phrase|code)?|pwd|pw|psw|secret|credentials?|auth|cookie"
    r"|authorization|bearer|signature|session(?:[_-]?id)?|connection[_-]?string|webhook(?:[_-]?url)?|pat|pin"
    r"|(?:api|access|private|secret|ssh|signing|encryption|license|account)[_-]?key|token)s?$"
)
NO_SECRETS = re.compile(
    r"(?i)(?:^|_)tokens$|(?:^|_)(?:cls|pad|eos|bos|unk|mask|sep|image|video|audio|start|stop|begin|end|special|new|label"
    r"|single|first|last|next|vision|decoder_start)_token$"
)


def is_secret(name: str) -> bool:
    """Whether what stands under a name may be a secret: a password, a key of a service, a token to log in with.

    Example:
        >>> [name for name in ("hf_token", "WANDB_API_KEY", "eos_token", "tokens", "db.password") if is_secret(name)]
        ['hf_token', 'WANDB_API_KEY', 'db.password']
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return SECRET_NAME.search(words) is not None and NO_SECRETS.search(words) is None


def redact(text: str) -> str:
    """Hide what may be secret in the URLs of a text: user and password, everything behind ``?``, keys in the path.

    Rather too much is hidden than too little: everything before the last ``@`` of a word with a colon goes.

    Example:
        >>> redact("no answer from rtsp://admin:p@ss/word@10.0.0.7:554/live?token=1 (timeout)")
        'no answer from rtsp://***@10.0.0.7:554/live?*** (timeout)'
        >>> redact("http://camera/user=admin_password=12345_channel=1")
        'http://camera/user=admin_password=***'
    """
    return re.sub(r"\S+", lambda word: _redact_word(word[0]) if ":" in word[0] else word[0], text)


def _redact_word(word: str) -> str:
    """Hide what may be secret in one word of a text."""
    head, at, rest = word.rpartition("@")
    if at:
        scheme = re.match(r"\W*[A-Za-z][\w+.-]*:/+", head)
        place, mark, _ = _cut_at(rest, "?#&;")
        word = f"{scheme[0] if scheme else ''}{HIDDEN}@{place}{'?' + HIDDEN if mark else ''}"
    elif "://" in word:
        place, mark, _ = _cut_at(word, "?#")
        word = f"{place}?{HIDDEN}" if mark else place
    return SECRET.sub(rf"\g<1>{HIDDEN}", word)


def _cut_at(text: str, marks: str) -> tuple[str, str, str]:
    """Cut a text at the first of some characters, as ``str.partition`` does at one."""
    found = re.search(f"[{re.escape(marks)}]", text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])
