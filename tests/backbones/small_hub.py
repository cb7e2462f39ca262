"""A hub on this machine that the real client talks to: a folder a model, one commit each."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
GATED = "meta-llama/gated"


class Hub(ThreadingHTTPServer):
    """Serves ``root/<owner>/<name>/*`` and counts the bytes asked for."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.root = root
        self.asked: Counter[str] = Counter()
        self.cut = False
        self.private: bool | None = None

    @property
    def address(self) -> str:
        """For ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """The few addresses that downloads use."""

    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send an answer; HEAD gets no body."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """Answer as to GET."""
        self.do_GET()

    def do_POST(self) -> None:
        """Make a repository, or take the files of a commit; only with a token."""
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))) or self.read_chunks()
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if "Authorization" not in self.headers:
            self.reply(b"{}", 401)
        elif parts == ["api", "repos", "create"]:
            wanted = json.loads(sent)
            self.server.private = wanted.get("private", wanted.get("visibility") == "private")
            name = f"{wanted['organization']}/{wanted['name']}"
            (self.server.root / name).mkdir(parents=True, exist_ok=True)
            self.send_json({"url": f"{self.server.address}/{name}"})
        elif parts[-2:-1] == ["preupload"]:
            names = [file["path"] for file in json.loads(sent)["files"]]
            self.send_json({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
        elif parts[-2:-1] == ["commit"]:
            for line in map(json.loads, sent.splitlines()):
                if line["key"] == "file":
                    target = self.server.root / parts[2] / parts[3] / line["value"]["path"]
                    target.write_bytes(base64.b64decode(line["value"]["content"]))
            address = f"{self.server.address}/{parts[2]}/{parts[3]}/commit/{COMMIT}"
            self.send_json({"commitUrl": address, "commitOid": COMMIT, "success": True})
        else:
            self.send_json({})

    def read_chunks(self) -> bytes:
        """Read a body that comes in pieces."""
        body = b""
        while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def send_json(self, answer: object) -> None:
        """Send an answer."""
        self.reply(json.dumps(answer).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        """Tell about a model, list its files, or send one."""
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if api else parts
        model, folder = f"{owner}/{name}", self.server.root / owner / name
        if model == GATED and (not api or "Authorization" not in self.headers):
            self.reply(b"{}", 403, X_Error_Code="GatedRepo")
        elif not folder.is_dir():
            self.reply(b"{}", 404, X_Error_Code="RepoNotFound")
        elif len(rest) > 1 and rest[1] not in ("main", COMMIT):
            self.reply(b"{}", 404, X_Error_Code="RevisionNotFound")
        elif api and rest[:1] == ["tree"]:
            files = [entry(path) for path in sorted(folder.iterdir())]
            self.send_json(files)
        elif api:
            self.send_json({"id": model, "sha": COMMIT, "siblings": []})
        elif (folder / rest[2]).is_file():
            if self.command == "GET":
                self.server.asked[rest[2]] += 1
            body = (folder / rest[2]).read_bytes()
            about = {"Content_Length": str(len(body)), "ETag": f'"{digest(body)}"', "X_Repo_Commit": COMMIT}
            self.reply(body[: len(body) // 2] if self.server.cut else body, **about)
        else:
            self.reply(b"{}", 404, X_Error_Code="EntryNotFound")


def digest(body: bytes) -> str:
    """The blob id that git would give."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def entry(path: Path) -> dict[str, object]:
    """One file of a listing."""
    body = path.read_bytes()
    return {"type": "file", "path": path.name, "size": len(body), "oid": digest(body)}


@contextmanager
def small_hub(root: Path) -> Iterator[Hub]:
    """Run a hub while the block lasts."""
    hub = Hub(root)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
