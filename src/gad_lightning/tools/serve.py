"""Serve a classifier over the network: live streams, whole videos, and a page to watch."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from threading import Thread

from gad_lightning.backbones.weights.light import Weights
from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.optional import need
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.schema import FeatureSpec
from gad_lightning.serving.limits import TOKEN, Limits
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gates.base import Gate
from gad_lightning.tools.chosen import chosen_device, task_index
from gad_lightning.video.encoders import Encoder, SmallEncoder

SHORTEST = 16
"""Characters of a token, at least."""


def main(
    *,
    ckpt_path: str | Path,
    streams: int = 64,
    host: str = "127.0.0.1",
    port: int = 8000,
    hosts: list[str] | None = None,
    urls: list[str] | None = None,
    state: Path | None = None,
    limits: Limits | None = None,
    task: str | None = None,
    encoder: Encoder | None = None,
    device: str = "auto",
    compiled: bool = False,
    weights: Weights | None = None,
    gate: Gate | None = None,
    open: bool = False,
    allowed: list[str] | None = None,
) -> None:
    """Serve a trained classifier until Ctrl-C or SIGTERM; its page is at the address that is printed.

    Args:
        ckpt_path: of the classifier: .ckpt file or its URL, folder of save_pretrained, or name on the hub.
        streams: that may be open at once; memory is taken for all of them at the start.
        host: address to listen at. Others than this machine's own need a token in GAD_LIGHTNING_TOKEN.
        port: to listen at; 0 for any that is free.
        hosts: names by which browsers and clients call the server, where not by a loopback address.
        urls: folders that videos may be fetched from, such as https://videos.example.org/public/; none by default.
        state: file that holds the streams from a stop until the next start.
        limits: of what clients send, such as --limits.body_mb=100.
        task: name of what is asked, for classifiers with several; the first by default.
        encoder: that the features were made with; there are pictures only with it, or where it is the built-in one.
        device: cpu, cuda, mps, or auto for what is there.
        compiled: compile the language model first; needs a C++ compiler on a CPU.
        weights: int8 or int4 holds frozen layers so, on a CPU: more frames a second.
        gate: which frames need all layers, such as gad_lightning.EventGate of ``fit-gate``; all do if None.
        open: show the page in this machine's browser.
        allowed: further packages whose classes the checkpoint may name.
    """
    token = _checked(host, urls or [])
    from gad_lightning.serving.app import Server
    from gad_lightning.serving.running import run_server

    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    classifier = Classifier.from_pretrained(ckpt_path, None, chosen_device(device), packages, weights)
    encoder = encoder or _built_in(classifier.schema.features)
    detector = _detector(classifier, streams, task_index(classifier.schema, task), compiled, encoder, gate)
    names = None if token and not hosts else frozenset([*(hosts or []), host])
    server = Server(detector, limits, token, names, tuple(urls or []), state)
    run_server(server, host, port, _shown if open else print_safely)


def _detector(
    classifier: Classifier, streams: int, task: int, compiled: bool, encoder: Encoder | None, gate: Gate | None
) -> OnlineDetector:
    """The detector that all streams share.

    Raises:
        SettingError: if there is no memory for so many.
    """
    try:
        merge = classifier.backbone.mergeable
        return OnlineDetector(classifier, streams, merge, task, compiled, encoder, gate=gate)
    except RuntimeError as error:  # of torch, on a CPU without a name of its own
        if "memory" not in str(error):
            raise
        raise SettingError(f"There is no memory for {streams} streams.", "serve fewer --streams") from error


def _built_in(spec: FeatureSpec) -> Encoder | None:
    """The built-in encoder, where a classifier's features are its; None where they are not, which is told."""
    if spec.encoder == SmallEncoder().label:
        return SmallEncoder()
    print_safely(f"Features only: for pictures give --encoder, the one that made those of {spec.encoder!r}.")
    return None


def _shown(text: str) -> None:
    """Print where the server is, and open its page."""
    print_safely(text)
    Thread(target=webbrowser.open, args=(text.split()[2].rstrip(","),), daemon=True).start()


def _checked(host: str, urls: list[str]) -> str:
    """Check what would make the server unsafe, and give its token.

    Raises:
        SettingError: if something does.
    """
    need("starlette", extra="serve", why="to serve")
    need("uvicorn", extra="serve", why="to serve")
    from gad_lightning.serving.fetching import check_allowed
    from gad_lightning.serving.guard import is_loopback

    token = _token()
    if not is_loopback(host) and not token:
        raise SettingError(
            f"host is {host}, which others can reach, and there is no token.",
            f"set {TOKEN} to a secret of at least {SHORTEST} characters, or leave --host out",
        )
    check_allowed(urls)
    return token


def _token() -> str:
    """The token of the environment, empty for none.

    Raises:
        SettingError: if it is too short to be a secret, or no plain text.
    """
    token = os.environ.get(TOKEN, "")
    if token and (len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token):
        raise SettingError(
            f"{TOKEN} is no secret of at least {SHORTEST} plain characters.",
            "make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
        )
    return token
