"use strict";

const WIDEST = 320; // pixels of a picture that is sent
const SHOWN_SECONDS = 600; // of a timeline
const BUFFERED = 1 << 20; // bytes that may wait to be sent
const FINAL = new Set([1000, 1009, 4400, 4401, 4409, 4413, 4503]); // a stream does not come back after these
const LOST = new Set([4404, 4410]); // the server does not have the stream any more
const $ = (name) => document.getElementById(name);
const streams = new Set();
let server = null;
let token = sessionStorage.getItem("token") || "";

function say(text) { $("state").textContent = text; }

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function asked(path) {
  return fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

async function enter() {
  let answer;
  try { answer = await asked("classes"); } catch { say("The server gives no answer."); return; }
  $("login").hidden = answer.status !== 401;
  $("controls").hidden = !answer.ok;
  if (!answer.ok) {
    say(answer.status === 401 ? "The server wants a token." : `The server answers ${answer.status}.`);
    if (answer.status === 401) $("token").focus();
    return;
  }
  server = await answer.json();
  say(`${server.classes.length} classes, ${server.fps} frames a second, room for ${server.streams} streams`);
  $("camera").disabled = $("open").disabled = !server.pictures;
  if (!server.pictures) complain("This server takes features only. For pictures start it with --encoder, the one that made the features.");
}

function colorOf(name, background) {
  if (name === background || !name) return "#8a93a0";
  const place = server.classes.indexOf(name) + 1; // 0 for unknown, and for several at once
  return place ? `hsl(${(place * 137.5) % 360} 65% ${45 + (place % 3) * 8}%)` : "#b08900";
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

class Stream {
  constructor(name, free) {
    this.name = name;
    this.free = free; // what gives the picture's source back
    this.card = $("card").content.firstElementChild.cloneNode(true);
    this.card.setAttribute("aria-label", name);
    this.part = (kind) => this.card.querySelector(kind);
    this.video = this.part("video");
    this.spans = []; // [first frame, last frame, label]
    this.after = -1;
    this.offset = this.sent = this.skipped = this.dropped = this.before = this.alarms = 0;
    this.pause = 250;
    this.canvas = document.createElement("canvas");
    this.part(".close").addEventListener("click", () => this.end());
    $("streams").append(this.card);
    streams.add(this);
    this.connect();
    this.timer = setInterval(() => this.capture(), 1000 / server.fps);
  }

  connect() {
    const address = new URL("stream", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address);
    this.ready = null;
    this.socket.onopen = () => {
      const auth = token ? { token } : {};
      const start = this.resume ? { resume: this.resume, after: this.after } : { kind: "jpeg", fps: server.fps };
      this.socket.send(JSON.stringify({ type: "start", ...auth, ...start }));
    };
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = (event) => this.lost(event.code);
  }

  lost(code) {
    this.ready = null;
    if (code === 1009) complain(`${this.name}: the pictures are larger than the server takes.`);
    if (this.over || FINAL.has(code)) { this.stop(); return; }
    if (LOST.has(code)) {
      this.resume = null;
      this.after = -1;
      this.before = this.dropped;
    }
    this.part(".counts").textContent = "The connection is lost; trying again …";
    setTimeout(() => { if (!this.over) this.connect(); }, this.pause);
    this.pause = Math.min(2 * this.pause, 5000);
  }

  take(message) {
    if (message.type === "ready") {
      if (!this.resume) this.offset = this.sent;
      this.sent = this.offset + message.next;
      this.resume = message.resume;
      this.ready = message;
      this.pause = 250;
      this.part(".alarms").hidden = !message.calibrated;
    } else if (message.type === "closed") {
      if (!LOST.has(message.code)) complain(`${this.name}: ${message.why} ${message.remedy || ""}`);
    } else if (message.type === "label") {
      this.after = message.id;
      this.show(message);
    } else if (message.type === "refused") {
      this.after = message.id;
      complain(`${this.name}: ${message.why}`);
    } else if (message.type === "end") {
      this.over = true;
    }
  }

  show(message) {
    const frame = message.frame + this.offset;
    const last = this.spans[this.spans.length - 1];
    if (last && last[2] === message.label) last[1] = frame;
    else {
      if (last) last[1] = frame - 1;
      this.spans.push([frame, frame, message.label]);
      this.part(".label").textContent = message.label || "nothing";
    }
    this.part(".score").value = message.score;
    this.part(".number").textContent = message.score.toFixed(2);
    this.dropped = this.before + message.dropped;
    const lost = this.dropped + this.skipped;
    this.part(".counts").textContent = `${clock(frame / server.fps)}, ${lost} frames dropped`;
    if (this.ready && this.ready.calibrated) this.alarm(message.started);
    this.draw(frame);
  }

  alarm(started) {
    for (const event of started) {
      this.alarms += 1;
      const item = document.createElement("li");
      item.textContent = `${clock(event.start_seconds + this.offset / server.fps)} ${event.label} (${event.score.toFixed(2)})`;
      this.part("ol").prepend(item);
      while (this.part("ol").children.length > 50) this.part("ol").lastChild.remove();
      this.part(".alarmed").textContent = this.alarms;
      this.card.classList.add("alarm");
      clearTimeout(this.quiet);
      this.quiet = setTimeout(() => this.card.classList.remove("alarm"), 1500);
    }
  }

  draw(frame) {
    const canvas = this.part(".timeline");
    const first = Math.max(this.spans[0][0], frame - SHOWN_SECONDS * server.fps);
    while (this.spans[0][1] < first) this.spans.shift();
    const width = canvas.clientWidth;
    if (canvas.width !== width) canvas.width = width;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, canvas.height);
    const scale = width / Math.max(frame + 1 - first, 10 * server.fps);
    for (const [start, end, label] of this.spans) {
      pen.fillStyle = colorOf(label, this.ready && this.ready.background);
      const left = (Math.max(start, first) - first) * scale;
      pen.fillRect(left, 0, (end + 1 - first) * scale - left, canvas.height);
    }
    const recent = this.spans.slice(-4).map(([start, , label]) => `${label} from ${clock(start / server.fps)}`);
    canvas.setAttribute("aria-label", `Timeline: ${recent.join(", ")}`);
  }

  capture() {
    if (!this.ready || this.video.readyState < 2 || this.video.paused) { this.last = null; return; }
    if (this.capturing || this.socket.bufferedAmount > BUFFERED) return;
    const now = performance.now(); // browsers are late where they have much to do, and in tabs that are hidden
    if (this.last) this.skipped += Math.max(0, Math.round((now - this.last) * server.fps / 1000) - 1);
    this.last = now;
    const scale = Math.min(1, WIDEST / Math.max(this.video.videoWidth, this.video.videoHeight));
    this.canvas.width = Math.max(1, Math.round(this.video.videoWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.video.videoHeight * scale));
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.capturing = true;
    this.canvas.toBlob((blob) => {
      this.capturing = false;
      if (!blob || !this.ready || this.ending) return;
      this.socket.send(blob);
      this.sent += 1;
    }, "image/jpeg", 0.85);
  }

  end() {
    this.ending = true;
    if (this.ready) this.socket.send(JSON.stringify({ type: "end" }));
    else this.stop();
  }

  /** Ends the stream of a file that is over; its timeline stays. */
  finish() {
    if (this.ready && !this.over) this.socket.send(JSON.stringify({ type: "end" }));
    clearInterval(this.timer);
  }

  stop() {
    this.over = true;
    clearInterval(this.timer);
    this.socket.close();
    this.free();
    streams.delete(this);
    const button = this.part(".close");
    if (this.ending || !this.spans.length) this.remove();
    else {
      button.textContent = "Remove";
      button.onclick = () => this.remove();
    }
  }

  remove() {
    const held = this.card.contains(document.activeElement);
    if (this.video.src) URL.revokeObjectURL(this.video.src);
    this.card.remove();
    if (held) $("camera").focus();
  }
}

async function addCamera() {
  complain("");
  if (!navigator.mediaDevices) {
    complain("The browser gives its camera to pages at localhost or by https only.");
    return;
  }
  let source;
  try {
    const wanted = $("which").value;
    source = await navigator.mediaDevices.getUserMedia({ video: wanted ? { deviceId: { exact: wanted } } : true });
  } catch (error) {
    complain(`The browser gives no camera: ${error.name}.`);
    return;
  }
  const name = source.getVideoTracks()[0].label || "camera";
  const stream = new Stream(name, () => source.getTracks().forEach((track) => track.stop()));
  stream.video.srcObject = source;
  await stream.video.play();
  listCameras();
}

async function listCameras() {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "videoinput");
  const chosen = $("which").value;
  $("which").replaceChildren(...found.map((each) => new Option(each.label || "camera", each.deviceId)));
  if (chosen) $("which").value = chosen;
  $("which").hidden = found.length < 2;
}

function addFile(file) {
  complain("");
  const stream = new Stream(file.name, () => {});
  stream.video.src = URL.createObjectURL(file);
  stream.video.controls = true;
  stream.video.addEventListener("ended", () => stream.finish());
  stream.video.addEventListener("error", () => {
    complain(`${file.name}: the browser cannot play it. Send it as a whole: POST /detect.`);
    stream.end();
  });
  stream.video.play().catch(() => {});
}

let counted = null;

function quantile(buckets, share) {
  const total = buckets.length ? buckets[buckets.length - 1][1] : 0;
  if (!total) return "–";
  const found = buckets.find(([, count]) => count >= share * total);
  return found[0] === Infinity ? "> 5 s" : `≤ ${found[0] * 1000} ms`;
}

async function look() {
  if (!server || !$("load").open) { counted = null; return; }
  let answer;
  try { answer = await asked("metrics"); } catch { say("The server gives no answer."); return; }
  if (!answer.ok) return;
  const now = { at: performance.now(), value: {}, buckets: [] };
  for (const line of (await answer.text()).split("\n")) {
    const found = line.match(/^(gad_\w+)(?:\{le="([^"]+)"\})? (\S+)$/);
    if (!found) continue;
    if (found[1] === "gad_latency_seconds_bucket") {
      now.buckets.push([found[2] === "+Inf" ? Infinity : Number(found[2]), Number(found[3])]);
    } else if (!found[2]) now.value[found[1]] = Number(found[3]);
  }
  const before = counted || now;
  const seconds = Math.max((now.at - before.at) / 1000, 0.001);
  const rate = (name) => (counted ? ((now.value[name] - before.value[name]) / seconds).toFixed(1) : "–");
  const recent = now.buckets.map(([edge, count], place) => [edge, count - (counted ? before.buckets[place][1] : 0)]);
  const rows = {
    "streams": `${now.value.gad_streams_open} of ${now.value.gad_places}`,
    "may be resumed": now.value.gad_streams_kept,
    "frames a second": rate("gad_frames_labeled_total"),
    "dropped a second": rate("gad_frames_dropped_total"),
    "dropped in all": now.value.gad_frames_dropped_total,
    "waiting": now.value.gad_frames_waiting,
    "latency, median": quantile(recent, 0.5),
    "latency, p99": quantile(recent, 0.99),
  };
  $("figures").replaceChildren(...Object.entries(rows).map(([name, value]) => {
    const row = document.createElement("div");
    const [head, body] = [document.createElement("dt"), document.createElement("dd")];
    head.textContent = name;
    body.textContent = value;
    row.append(head, body);
    return row;
  }));
  counted = now;
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  enter();
});
$("camera").addEventListener("click", addCamera);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => { [...$("file").files].forEach(addFile); $("file").value = ""; });
$("load").addEventListener("toggle", look);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "c" && !$("controls").hidden && !$("camera").disabled) addCamera();
  if (event.key === "o" && !$("controls").hidden && !$("open").disabled) $("file").click();
  if (event.key === "x") [...streams].find((stream) => stream.card.contains(document.activeElement))?.end();
});
setInterval(look, 2000);
enter();
