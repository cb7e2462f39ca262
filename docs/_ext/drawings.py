"""The pictures of the pages, drawn here so that they cannot differ from the rule; their colors are the theme's."""

from __future__ import annotations

from html import escape

import torch

from gad_lightning.backbones.attention import sees
from gad_lightning.types import Kind, Places

HEIGHT = 26
Token = tuple[str, str]  # text, and class of the style sheet: prompt, frame, branch, text, gone


class Drawing:
    """Collects shapes.

    Args:
        width: in pixels.
        height: in pixels.
        title: what is seen, for those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size, self.title = (width, height), title
        self.shapes: list[str] = []

    def box(self, x: float, y: float, width: float, token: Token, height: float = HEIGHT) -> None:
        """A box with a text in it."""
        text, kind = token
        self.shapes.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>')
        self.text(x + width / 2, y + height / 2 + 4.5, text, "middle")

    def text(self, x: float, y: float, text: str, anchor: str = "start", small: bool = False) -> None:
        """A text on one line."""
        kind = ' class="small"' if small else ""
        self.shapes.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}"{kind}>{escape(text)}</text>')

    def line(self, *points: tuple[float, float]) -> None:
        """A line through points."""
        path = " ".join(f"{x},{y}" for x, y in points)
        self.shapes.append(f'<polyline class="line" points="{path}"/>')

    def row(self, x: float, y: float, tokens: list[tuple[float, Token]], gap: float = 3) -> list[float]:
        """Boxes side by side, each of its own width; where each begins."""
        begins = []
        for width, token in tokens:
            self.box(x, y, width, token)
            begins.append(x)
            x += width + gap
        return begins

    def svg(self) -> str:
        """The picture as a piece of HTML."""
        width, height = self.size
        shapes = "\n".join(self.shapes)
        return (
            f'<div class="drawn"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(self.title)}">\n'
            f"{shapes}\n</svg></div>\n"
        )


def frames(numbers: range, width: float = 40, kind: str = "frame") -> list[tuple[float, Token]]:
    """Boxes of frames."""
    return [(width, (f"f{number}", kind)) for number in numbers]


def trunk() -> str:
    """One trunk, and what each classifier hangs off its last frame."""
    drawn = Drawing(760, 236, "A trunk of prompt and frames, and the branch of each classifier")
    begins = drawn.row(10, 10, [(210, ("What is the action ... ?", "prompt")), *frames(range(1, 7))])
    drawn.text(496, 28, "the trunk: the same for all three")
    x = begins[-1] + 20
    branches: list[tuple[str, list[tuple[float, Token]]]] = [
        ("generative", [(92, ("Assistant:", "branch")), (44, ("add", "text")), (48, ("salt", "text"))]),
        ("discriminative", [(52, ("[CLS]", "branch"))]),
        (
            "GAD",
            [
                (52, ("[CLS]", "branch")),
                (92, ("Assistant:", "gone")),
                (72, ("add salt", "gone")),
                (40, (", stir", "gone")),
            ],
        ),
    ]
    for number, (name, tokens) in enumerate(branches):
        y = 66 + 58 * number
        drawn.line((x, 10 + HEIGHT), (x, y + HEIGHT / 2), (x + 16, y + HEIGHT / 2))
        drawn.text(x - 14, y + 18, name, "end")
        drawn.row(x + 18, y, tokens)
    drawn.text(x + 18, 66 + HEIGHT + 14, "writes the label: one forward pass a word or so", small=True)
    drawn.text(x + 18, 124 + HEIGHT + 14, "one state, one head", small=True)
    drawn.text(x + 18, 182 + HEIGHT + 14, "what is dashed is written in training only", small=True)
    return drawn.svg()


def many_branches() -> str:
    """A branch at every frame of one trunk."""
    drawn = Drawing(760, 118, "One trunk with a branch at every frame")
    begins = drawn.row(10, 10, [(120, ("prompt", "prompt")), *frames(range(1, 11), 50)])
    for x in begins[1:]:
        drawn.line((x + 10, 10 + HEIGHT), (x + 10, 74), (x + 14, 74))
        drawn.box(x + 14, 61, 34, ("CLS", "branch"))
    drawn.text(10, 80, "every frame is asked")
    drawn.text(10, 98, "in one forward pass")
    return drawn.svg()


def matrix() -> str:
    """Who sees whom, by the rule itself: window 3, five frames, branches of two tokens at frames 3 and 5."""
    tokens = [("P1", 0, -1), ("P2", 0, -1), *((f"f{n}", n, -1) for n in range(1, 6))]
    tokens[5:5] = [("a1", 3, 0), ("a2", 3, 0)]  # each branch right after its frame
    tokens += [("b1", 5, 1), ("b2", 5, 1)]
    kinds = [{"P": Kind.PROMPT, "f": Kind.FRAME}.get(name[0], Kind.BRANCH) for name, _, _ in tokens]
    frame = [number - 1 if number else -1 for _, number, _ in tokens]
    # a branch stands where the trunk goes on: its positions follow its anchor frame's
    trunk_place = {n: 1 + n for n in range(1, 6)}
    position = [
        (0, 1)[index]
        if kinds[index] == Kind.PROMPT
        else trunk_place[number] + (int(name[1]) if kinds[index] == Kind.BRANCH else 0)
        for index, (name, number, _) in enumerate(tokens)
    ]
    columns = [[int(kind) for kind in kinds], [0] * len(tokens), frame, [b for _, _, b in tokens], position]
    rows = Places(*(torch.tensor(column)[:, None] for column in columns))
    keys = Places(*(torch.tensor(column)[None, :] for column in columns))
    seen = sees(rows, keys, 3)
    drawn = Drawing(760, 306, "A matrix: which token sees which, with a window of three frames")
    styles = ["prompt" if k == Kind.PROMPT else "frame" if k == Kind.FRAME else "branch" for k in kinds]
    for index, (name, _, _) in enumerate(tokens):
        drawn.text(60 + 24 * index + 10, 24, name, "middle", small=True)
        drawn.text(50, 30 + 24 * index + 17, name, "end", small=True)
        for key in range(len(tokens)):
            kind = styles[key] if seen[index, key] else "box"
            drawn.shapes.append(
                f'<rect class="{kind}" x="{60 + 24 * key}" y="{30 + 24 * index}" width="21" height="21" rx="2"/>'
            )
    notes = [
        "A row is a token that looks, a column one that is looked at.",
        "Empty: hidden.",
        "",
        "P: the prompt, seen by all.",
        "f: frames, seen for three frames (the window here).",
        "a: the branch at f3; b: the branch at f5.",
        "",
        "No frame sees a branch, and a and b do not see one another.",
        "So a branch can be left out, and no state changes.",
    ]
    for number, text in enumerate(notes):
        drawn.text(346, 60 + 22 * number, text)
    return drawn.svg()


def chunks() -> str:
    """A video in windows, and the same video in chunks."""
    drawn = Drawing(760, 356, "Windows, one for each frame, and chunks with context frames")
    drawn.text(10, 20, "window mode: every query has a trunk of its own, here of 4 frames")
    for number, last in enumerate((6, 7, 8)):
        y = 32 + 32 * number
        drawn.row(10, y, [(60, ("prompt", "prompt"))])
        x = 80 + 44 * (last - 3)
        drawn.row(x, y, frames(range(last - 3, last + 1), 41))
        drawn.box(x + 4 * 44, y, 36, ("CLS", "branch"))
    drawn.text(620, 84, "4 frames read")
    drawn.text(620, 102, "for each label")
    drawn.text(10, 168, "one pass: chunks of 5 new frames after 3 context frames")
    for number, first in enumerate((1, 6)):
        y = 180 + 84 * number
        drawn.row(10, y, [(60, ("prompt", "prompt"))])
        context = [n for n in range(first - 3, first) if n > 0]
        for n in context:
            drawn.box(80 + 44 * n, y, 41, (f"f{n}", "gone"))
        for n in range(first, first + 5):
            drawn.box(80 + 44 * n, y, 41, (f"f{n}", "frame"))
            drawn.line((80 + 44 * n + 20, y + HEIGHT), (80 + 44 * n + 20, y + HEIGHT + 6))
            drawn.box(80 + 44 * n + 2, y + HEIGHT + 6, 36, ("CLS", "branch"), 22)
    drawn.text(620, 232, "1 frame read")
    drawn.text(620, 250, "for each label")
    drawn.text(10, 348, "dashed: read again as context, not asked about", small=True)
    return drawn.svg()


def live() -> str:
    """Two rows of keys and values: the chunk that is asked, and the next one that is warmed."""
    drawn = Drawing(760, 184, "The cache of a live stream: the current chunk and the next one")
    drawn.text(10, 24, "this chunk")
    begins = drawn.row(110, 8, [(60, ("prompt", "prompt")), *frames(range(4, 11), 50)])
    x = begins[-1]
    drawn.line((x + 25, 8 + HEIGHT), (x + 25, 54), (x + 40, 54))
    drawn.box(x + 40, 41, 40, ("CLS", "branch"))
    drawn.text(x + 88, 59, "the label, at once")
    drawn.text(10, 104, "next chunk")
    drawn.row(110, 88, [(60, ("prompt", "prompt"))])
    drawn.row(begins[5], 88, frames(range(8, 11), 50, "gone"))
    drawn.text(x + 60, 106, "warmed with the same frames")
    drawn.text(10, 144, "f10 has just come. It is read into both rows; the branch is forgotten when the label is out.")
    drawn.text(10, 166, "When this chunk is full the next one takes over, so no frame waits and nothing grows.")
    return drawn.svg()


def reach() -> str:
    """How far back two layers look: a window, and one pass."""
    drawn = Drawing(760, 190, "Window mode sees one window; in one pass deeper layers reach further back")
    for side, (title, x0) in enumerate((("window mode", 10), ("one pass", 390))):
        drawn.text(x0, 18, title)
        first = (7, 5, 5 if side == 0 else 3)  # the first frame that matters in each row
        for layer in range(3):
            for n in range(1, 8):
                kind = "gone" if n < first[layer] else "frame" if layer else "branch"
                drawn.box(x0 + 44 * (n - 1), 30 + 44 * layer, 40, (f"f{n}" if layer == 2 else "", kind))
        for number, name in enumerate(("layer 2", "layer 1", "frames")):
            drawn.text(x0 + 316, 48 + 44 * number, name, small=True)
    drawn.text(10, 178, "A window of 3 frames, two layers: what can change the label at f7.", small=True)
    return drawn.svg()


def pictures() -> dict[str, str]:
    """All pictures by file name."""
    drawn = {"trunk": trunk, "many_branches": many_branches, "matrix": matrix, "chunks": chunks, "live": live}
    return {f"{name}.html": draw() for name, draw in (drawn | {"reach": reach}).items()}
