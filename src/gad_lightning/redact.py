"""Hides what may be secret in texts that are shown or stored."""

from __future__ import annotations

import re

HIDDEN = "***"
SECRET = re.compile(
    r"(?i)((?:pass|pwd|pw|psw|token|key|secret|auth|sig|cred|access_?code|jsession)\w*=|passphrase:)\S*"
)

SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:pass(?:word|wd|phrase|code)?|pwd|pw|psw|secret|credentials?|auth|cookie"
    r"|authorization|bearer|signature|session(?:[_-]?id)?|connection[_-]?string|webhook(?:[_-]?url)?|pat|pin|sig"
    r"|sas(?:[_-]?(?:key|url))?"
    r"|(?:api|access|private|secret|ssh|signing|encryption|license|account)[_-]?key|token)s?$"
)
VARIABLE_KEY = re.compile(r"[A-Z][A-Z0-9_]*_KEY")
"""Variables of the environment that hold a key of a service, such as OPENAI_KEY."""
KEY = re.compile(r"(?i)(?:^|[_\-.])keys?$")
SETTING_KEY = re.compile(
    r"(?i)(?:^|_)(?:data|dataset|sort|monitor|metric|state|label|class|video|image|group|index|column|feature|frame|cache"
    r"|join|primary|foreign|public|input|output|target|batch|split|task|goal|field|dict|name)_keys?$"
)
"""Names of settings that say under which key something stands."""
SETTING_VALUE = re.compile(r"\S{,11}|.*\s.*|[A-Za-z]+\d{,3}(?:[_\-./:][A-Za-z]*\d{,4})+", re.DOTALL)
"""Texts that are no key of a service: short ones, several words, words with marks between them."""
FILE_PATH = re.compile(r"(?:~|\.{,2}[/\\]|[A-Za-z]:[/\\]).*|.*\.[A-Za-z]\w{,4}|.*://.*", re.DOTALL)
BY_LOOK = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?:hf_|gh[pousr]_|AKIA)(?:(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{10,}|[a-z]{16,})"
    r"|(?:sk-|github_pat_|xox[a-z]-|glpat-)(?=[a-z_-]{,60}[A-Z0-9])[\w-]{10,}|(?:sk-|github_pat_|xox[a-z]-|glpat-)[a-z]{16,})"
)
"""Keys that well-known services begin alike, whatever they stand under."""
WEBHOOK = re.compile(r"(?i)(https?://(?:hooks\.[^\s/]+|[^\s/]*webhook[^\s/]*|\S{,200}?/webhooks?)/)[^\s'\"]+")
"""Addresses that let everybody write who knows them."""
NAMED = re.compile(r"(?<![\w.-])([\w.-]+)=([^\s&;,'\"]+)")
HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|x-[\w-]*(?:key|token|secret|auth)):\s*[^\s'\"].*")
BEARER = re.compile(r"(?i)\b(bearer\s+)(?=[^\s\d]*\d)[\w.~+/=-]{10,}")
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
    words = _in_words(name)
    known = SECRET_NAME.search(words) is not None or VARIABLE_KEY.fullmatch(name) is not None
    return known and NO_SECRETS.search(words) is None


def holds_secret(name: str, text: str) -> bool:
    """Whether a text may be a secret by the name it stands under; under the name of some key, by its look too.

    Example:
        >>> holds_secret("openaiKey", "a1b2c3d4e5f6"), holds_secret("openaiKey", "/keys/openai.txt")
        (True, False)
        >>> holds_secret("dataset_key", "a1b2c3d4e5f6"), holds_secret("some_key", "validation_accuracy")
        (False, False)
    """
    if is_secret(name):
        return True
    words = _in_words(name)
    if KEY.search(words) is None or SETTING_KEY.search(words) is not None:
        return False
    return SETTING_VALUE.fullmatch(text) is None and FILE_PATH.fullmatch(text) is None


def hide_keys(text: str) -> str:
    """Hide what tells by its look that it is a secret: keys of well-known services, ``token=...``, webhooks, headers.

    Example:
        >>> hide_keys("token=abc"), hide_keys("glpat-a1b2c3d4e5f6"), hide_keys("monitor=val/f1")
        ('token=***', '***', 'monitor=val/f1')
        >>> hide_keys("https://hooks.slack.com/services/T0/B0/x")
        'https://hooks.slack.com/***'
    """
    shown = WEBHOOK.sub(rf"\g<1>{HIDDEN}", BY_LOOK.sub(HIDDEN, text))
    shown = BEARER.sub(rf"\g<1>{HIDDEN}", HEADER.sub(rf"\g<1>: {HIDDEN}", shown))
    return NAMED.sub(lambda pair: f"{pair[1]}={HIDDEN}" if holds_secret(pair[1], pair[2]) else pair[0], shown)


def _in_words(name: str) -> str:
    """A name with an underscore before each of its words: ``apiKey`` is ``api_Key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)


def redact(text: str) -> str:
    """Hide what may be secret in the URLs of a text: user and password, everything behind ``?``, keys in the path.

    Rather too much is hidden than too little: everything before the last ``@`` of a word with a colon goes.

    Example:
        >>> redact("no answer from rtsp://admin:p@ss/word@10.0.0.7:554/live?token=1 (timeout)")
        'no answer from rtsp://***@10.0.0.7:554/live?*** (timeout)'
        >>> redact("http://camera/user=admin_password=12345_channel=1")
        'http://camera/user=admin_password=***'
    """
    return hide_keys(re.sub(r"\S+", lambda word: _redact_word(word[0]) if ":" in word[0] else word[0], text))


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
