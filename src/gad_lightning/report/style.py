"""How the page looks and what little program it has; both are written into the page."""

from __future__ import annotations

import base64
import hashlib
from xml.etree.ElementTree import Element

from gad_lightning.report.markup import tag

STYLE = """
:root{color-scheme:light dark;--page:#fcfcfb;--ink:#1d1f21;--soft:#666b70;--edge:#dcdedf;--box:#fff;--rest:#e4e5e6;
--grid:#e9eaeb;--right:#2f7d4f;--wrong:#c2452d;--none:#f1f2f2;
--c0:#2563a8;--c1:#c2502e;--c2:#2f7d4f;--c3:#8a4fa3;--c4:#a87412;--c5:#157f8c;--c6:#b03a72;--c7:#5c5f66}
@media (prefers-color-scheme:dark){:root{--page:#16181a;--ink:#e6e7e8;--soft:#9aa0a6;--edge:#34383c;--box:#1d2023;
--rest:#33373b;--grid:#2b2f33;--right:#57b37e;--wrong:#e0765d;--none:#24282b;
--c0:#6ea8e8;--c1:#ea8a68;--c2:#62bd88;--c3:#c18fdb;--c4:#d9ab4c;--c5:#55bcc9;--c6:#e57fae;--c7:#a5a9b0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
main,header{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:32px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.6rem 0 .4rem;padding-top:1rem;border-top:1px solid var(--edge)}
h3{font-size:1rem;margin:1.4rem 0 .3rem}
p{margin:.3rem 0 .8rem;max-width:75ch}
.note,.said,.zoom span,figcaption,summary span{color:var(--soft);font-size:.9rem}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.92rem;margin:.8rem 0}
a{color:var(--c0);text-decoration:none}a:hover{text-decoration:underline}
.scroll{overflow-x:auto;max-width:100%}
.scroll:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;margin:.3rem 0 .8rem}
th,td{padding:.28rem .7rem;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap}
thead th{font-weight:600;color:var(--soft);vertical-align:bottom}
tbody th{text-align:left;font-weight:500}
thead th:first-child{text-align:left}
td b{font-weight:700}
.bar{display:inline-block;height:.62em;margin-left:.5em;border-radius:2px;background:currentColor;opacity:.75}
.bars td,.bars th,.pairs td:nth-child(2),.pairs th:nth-child(2){text-align:left}
.figures{display:flex;flex-wrap:wrap;gap:18px 28px;align-items:flex-start}
figure{margin:.4rem 0;max-width:100%;min-width:0}
svg.chart{display:block;max-width:100%;height:auto}
svg text{fill:var(--ink);font-size:11px}svg text.name{fill:var(--soft)}
.grid{stroke:var(--grid)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:4 4;stroke-width:1.3}
.line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}
.line.c4{stroke:var(--c4)}.line.c5{stroke:var(--c5)}.line.c6{stroke:var(--c6)}.line.c7{stroke:var(--c7)}
.dot.c0{fill:var(--c0)}.dot.c1{fill:var(--c1)}.dot.c2{fill:var(--c2)}.dot.c3{fill:var(--c3)}
.dot.c4{fill:var(--c4)}.dot.c5{fill:var(--c5)}.dot.c6{fill:var(--c6)}.dot.c7{fill:var(--c7)}
.ink.c0{color:var(--c0)}.ink.c1{color:var(--c1)}.ink.c2{color:var(--c2)}.ink.c3{color:var(--c3)}
.ink.c4{color:var(--c4)}.ink.c5{color:var(--c5)}.ink.c6{color:var(--c6)}.ink.c7{color:var(--c7)}
.key{display:inline-flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.9rem;margin:.2rem 0 .6rem;padding:0;list-style:none}
.key li::before{content:"";display:inline-block;width:1.1em;height:3px;margin-right:.4em;vertical-align:.25em;
background:currentColor}.key span{color:var(--ink)}
.matrix rect.right{fill:var(--right)}.matrix rect.wrong{fill:var(--wrong)}.matrix rect.none{fill:var(--none)}
.matrix text{font-size:10.5px}
.legend{display:flex;flex-wrap:wrap;gap:.15rem .9rem;margin:.4rem 0 .9rem;padding:0;list-style:none;font-size:.87rem}
.legend i{display:inline-block;width:.85em;height:.85em;border-radius:2px;margin-right:.35em;vertical-align:-.05em}
.zoom{display:flex;flex-wrap:wrap;gap:.4rem;align-items:center;margin:.4rem 0;font-size:.9rem}
button{font:inherit;color:inherit;background:var(--box);border:1px solid var(--edge);border-radius:6px;
padding:.1rem .7rem;
cursor:pointer}
button[aria-pressed=true]{border-color:var(--c0);color:var(--c0);font-weight:600}
.operating label{display:flex;gap:.7rem;align-items:center;margin:.5rem 0}
.operating input{flex:1;max-width:420px;accent-color:var(--c0)}
.operating output{min-width:4ch;font-variant-numeric:tabular-nums}
details.video{margin:.5rem 0;border:1px solid var(--edge);border-radius:8px;background:var(--box);padding:.35rem .8rem;
content-visibility:auto;contain-intrinsic-size:auto 150px}
summary{cursor:pointer;padding:.15rem 0;overflow-wrap:anywhere}
.strip{display:flex;gap:10px;margin:.35rem 0}
.strip .scroll{flex:1;min-width:0}
.names{flex:none;max-width:32%;font-size:.82rem}
.names span{display:block;height:24px;line-height:24px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.names span:last-child{color:var(--soft);height:20px;line-height:20px}
.lane{position:relative;min-width:900px;width:calc(100%*var(--zoom,1))}
.lane svg{display:block;width:100%}
.lane>span{position:absolute;height:24px;line-height:24px;font-size:11px;text-align:center;overflow:hidden;
white-space:nowrap;pointer-events:none}
.lane .cursor{position:absolute;top:0;bottom:20px;width:1px;background:var(--ink);display:none;pointer-events:none}
.lane .head{position:absolute;top:0;bottom:20px;left:0;width:3px;margin-left:-1px;background:var(--ink);
box-shadow:0 0 0 1px var(--page);pointer-events:none}
video{display:block;width:min(100%,640px);max-height:66vh;margin:.4rem 0;border-radius:6px;background:#000}
video~.strip .lane{cursor:pointer}
.axis{position:relative;height:20px;overflow:hidden}
.axis span{position:absolute;font-size:11px;line-height:20px;color:var(--soft);border-left:1px solid var(--edge);
padding-left:3px;font-variant-numeric:tabular-nums}
.z2,.z4,.z8,.z16{display:none}
.zoom2 .z2,.zoom4 .z2,.zoom4 .z4,.zoom8 .z2,.zoom8 .z4,.zoom8 .z8,.zoom16 .z2,.zoom16 .z4,.zoom16 .z8,.zoom16 .z16
{display:block}
.said{margin:.1rem 0 .3rem;max-width:none;min-height:1.2em;overflow-wrap:anywhere}
pre{overflow-x:auto;background:var(--box);border:1px solid var(--edge);border-radius:8px;padding:.8rem;font-size:.82rem;
line-height:1.45}
footer{color:var(--soft);font-size:.85rem;margin:3rem 0 2rem}
@media (max-width:600px){main,header{padding:0 14px}header{padding-top:20px}body{font-size:15px}}
@media print{details.video{break-inside:avoid}.zoom,nav{display:none}}
"""

PROGRAM = """
"use strict";
const videos = document.querySelector("#videos");
document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
  videos.className = "zoom" + button.dataset.zoom;
  videos.style.setProperty("--zoom", button.dataset.zoom);
  document.querySelectorAll("[data-zoom]").forEach((other) => other.setAttribute("aria-pressed", other === button));
}));
document.querySelectorAll(".lane").forEach((lane) => {
  const box = lane.closest("details"), cursor = lane.querySelector(".cursor"), said = box.querySelector(".said");
  const video = box.querySelector("video"), head = lane.querySelector(".head"), scroll = lane.parentElement;
  const total = +lane.dataset.seconds;
  const tracks = [...lane.querySelectorAll("g")].map((group) => [group.dataset.track, [...group.children].map(
    (rect) => [+rect.getAttribute("x"), +rect.getAttribute("x") + +rect.getAttribute("width"), rect.dataset.label])]);
  const told = (now) => now.toFixed(1) + " s   " + tracks.map(([name, segments]) => {
    const here = segments.filter(([start, end]) => start <= now && now < end);
    return name + ": " + (here.map((segment) => segment[2]).join("; ") || "no label");
  }).join("   |   ");
  const share = (event) => {
    const area = lane.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - area.left) / area.width, 0), 1);
  };
  lane.addEventListener("pointermove", (event) => {
    cursor.style.left = 100 * share(event) + "%";
    cursor.style.display = "block";
    said.textContent = told(share(event) * total);
  });
  lane.addEventListener("pointerleave", () => {
    cursor.style.display = "none";
    if (video) show();
  });
  if (!video) return;
  const show = () => {
    const now = video.currentTime, at = Math.min(now / total, 1) * lane.clientWidth, wide = scroll.clientWidth;
    head.style.left = at + "px";
    if (at < scroll.scrollLeft || at > scroll.scrollLeft + wide) scroll.scrollLeft = at - wide / 4;
    if (cursor.style.display !== "block") said.textContent = told(now);
    scroll.setAttribute("aria-valuenow", now.toFixed(1));
    scroll.setAttribute("aria-valuetext", told(now));
  };
  const seek = (to) => { video.currentTime = Math.min(Math.max(to, 0), video.duration || total); };
  const edges = [...new Set(tracks.flatMap(([, segments]) => segments.flatMap(([start, end]) => [start, end])))];
  edges.sort((one, other) => one - other);
  const run = () => { show(); if (!video.paused) requestAnimationFrame(run); };
  video.addEventListener("play", run);
  ["seeked", "loadedmetadata", "timeupdate"].forEach((name) => video.addEventListener(name, show));
  video.addEventListener("error", () => { said.textContent = "The video cannot be played here."; });
  lane.addEventListener("click", (event) => seek(share(event) * total));
  scroll.addEventListener("keydown", (event) => {
    const now = video.currentTime, step = event.shiftKey ? 5 : 1;
    const keys = {
      ArrowLeft: () => seek(now - step), ArrowRight: () => seek(now + step),
      ArrowUp: () => seek(edges.findLast((edge) => edge < now - 0.05) ?? 0),
      ArrowDown: () => seek(edges.find((edge) => edge > now + 0.001) ?? total),
      Home: () => seek(0), End: () => seek(total), " ": () => video.paused ? video.play() : video.pause(),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
});
document.querySelectorAll(".operating").forEach((part) => {
  const slider = part.querySelector("input"), said = part.querySelector("output");
  const thresholds = slider.dataset.thresholds.split(" ");
  const known = (name) => [...part.querySelectorAll("[data-" + name + "]")].map(
    (one) => [one, JSON.parse(one.dataset[name])]);
  const rows = known("steps"), dots = known("places");
  const show = () => {
    const step = +slider.value;
    said.textContent = thresholds[step];
    rows.forEach(([row, steps]) => steps[step].forEach((text, place) => { row.cells[place + 1].textContent = text; }));
    dots.forEach(([dot, places]) => {
      dot.style.visibility = places[step] ? "visible" : "hidden";
      (places[step] || []).forEach((value, axis) => dot.setAttribute(axis ? "cy" : "cx", value));
    });
  };
  slider.addEventListener("input", show);
  show();
});
"""


def policy(plays: bool = False) -> str:
    """What a browser may do on a page: this style and this program, and play videos that lie beside it if so said."""
    digest = base64.b64encode(hashlib.sha256(PROGRAM.encode()).digest()).decode()
    media = " media-src 'self' file:;" if plays else ""
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}';{media} base-uri 'none'"


def head_of(title: str, made_by: str, more_style: str, plays: bool) -> Element:
    """The head of a page.

    Args:
        title: of its window.
        made_by: name of the command, which the page is known by.
        more_style: added to :data:`STYLE`.
        plays: see :func:`policy`.
    """
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=f"gad-lightning {made_by}"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(plays)),
        tag("title", title),
        tag("style", STYLE + more_style),
    )
