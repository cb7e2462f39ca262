"""The description of what a server answers by HTTP, as OpenAPI 3.1."""

from __future__ import annotations

from gad_lightning.serving.messages import Value

Described = dict[str, Value]
NUMBER: Described = {"type": "number"}
COUNT: Described = {"type": "integer", "minimum": 0}
TEXT: Described = {"type": "string"}
STATE: Described = {"type": "string", "enum": ["waiting", "labeling", "done", "failed"]}
JOB: Described = {
    "name": "job",
    "in": "path",
    "required": True,
    "schema": TEXT,
    "description": "name that POST /detect gave",
}
FORMAT: Described = {"name": "format", "in": "query", "schema": {"type": "string", "enum": ["json", "csv", "vtt"]}}
MEANINGS = {
    "400": "it cannot be understood",
    "401": "the token is missing or wrong",
    "403": "another site or name, or a URL that is not allowed",
    "404": "there is no such job",
    "405": "another method",
    "408": "it came too slowly",
    "409": "there is no result yet, or none will come",
    "413": "too large",
    "415": "another type of content",
    "502": "the URL gave no video",
    "503": "no room, try again later",
}


def _thing(**parts: Described) -> Described:
    return {"type": "object", "properties": parts, "required": list(parts)}


ERROR = _thing(error=_thing(why=TEXT, remedy=TEXT))
A_JOB: Described = {**_thing(job=TEXT, state=STATE, labeled=COUNT, frames=COUNT)}
CLASSES = _thing(classes={"type": "array", "items": TEXT}, fps=NUMBER, streams=COUNT, pictures={"type": "boolean"})
RESULT = _thing(
    classes={"type": "array", "items": TEXT},
    labels={"type": "array", "items": TEXT},
    seconds={"type": "array", "items": NUMBER},
    probabilities={"type": "array", "items": {"type": "array", "items": NUMBER}},
    segments={
        "type": "array",
        "items": _thing(label=TEXT, start_seconds=NUMBER, end_seconds=NUMBER, score=NUMBER),
    },
)


def _asked(what: str, gives: dict[str, Described], refusals: str, status: str = "200", **more: Value) -> Described:
    """One operation: what it does, the types of content it gives, and the statuses of its refusals."""
    content = {kind: {"schema": schema} for kind, schema in gives.items()}
    answers: dict[str, Value] = {status: {"description": what, **({"content": content} if content else {})}}
    for code in refusals.split():
        answers[code] = {"description": MEANINGS[code], "content": {"application/json": {"schema": ERROR}}}
    return {"summary": what, "responses": answers, **more}


def _paths() -> Described:
    binary: Described = {"schema": {"type": "string", "format": "binary"}}
    url: Described = {"schema": {**_thing(url={"type": "string", "format": "uri"}), "additionalProperties": False}}
    body: Described = {"video/*": binary, "application/x-npy": binary, "application/json": url}
    free: list[Value] = []
    state: dict[str, Described] = {"application/json": _thing(state=TEXT)}
    return {
        "/detect": {
            "post": _asked(
                "label a video, a .npy file of features, or what a URL shows",
                {"application/json": A_JOB},
                "400 401 403 408 413 415 502 503",
                "202",
                requestBody={"required": True, "content": body},
            )
        },
        "/jobs/{job}": {
            "parameters": [JOB],
            "get": _asked("how far a video is", {"application/json": A_JOB}, "401 404"),
            "delete": _asked("forget a video", {}, "401 404", "204"),
        },
        "/jobs/{job}/events": {
            "parameters": [JOB],
            "get": _asked("the same as server-sent events, until it is over", {"text/event-stream": TEXT}, "401 404"),
        },
        "/jobs/{job}/result": {
            "parameters": [JOB, FORMAT],
            "get": _asked(
                "labels and segments",
                {"application/json": RESULT, "text/csv": TEXT, "text/vtt": TEXT},
                "400 401 404 409",
            ),
        },
        "/classes": {"get": _asked("what is labeled", {"application/json": CLASSES}, "401")},
        "/metrics": {"get": _asked("figures for Prometheus", {"text/plain": TEXT}, "401")},
        "/health": {"get": _asked("whether the server labels", state, "503", security=free)},
        "/ready": {"get": _asked("whether a new stream would find a place", state, "503", security=free)},
    }


def description(version: str, guarded: bool) -> Described:
    """The whole description.

    Args:
        version: of this library.
        guarded: whether a token has to be sent.
    """
    scheme: Described = {"token": {"type": "http", "scheme": "bearer"}}
    needed: list[Value] = [{"token": []}] if guarded else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gad-lightning serve",
            "version": version,
            "description": "Live streams have a WebSocket at /stream, which OpenAPI does not describe.",
        },
        "paths": _paths(),
        "components": {"securitySchemes": scheme},
        "security": needed,
    }
