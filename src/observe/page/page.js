// The page of a daemon: asks /status every two seconds, and shows it. Whatever comes from there is foreign text, so it is set as text
// and never read as HTML; the policy that the daemon sends along allows no scripts but this one.
"use strict";

const EVERY = 2000; // ms between two questions
const PATIENCE = 5000; // ms that an answer may take
const KEPT = 60; // points of a sparkline: two minutes
const SCHEMA = 1; // the form of /status that this page knows
const PEERS_DRAWN = 12;
const NODES_DRAWN = 6;

const at = (id) => document.getElementById(id);

// Elements.

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(name, attributes = {}, text) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function draw(name, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Words.

function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 999.5) return (unit === "B" || bytes >= 9.95 ? bytes.toFixed(0) : bytes.toFixed(1)) + " " + unit;
    bytes /= 1000;
  }
  return bytes.toFixed(1) + " TB";
}

const rate = (value) => (value === null ? "–" : size(value) + "/s");

function time(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 0.0005) return "0 s";
  if (whole < 1) return (seconds * 1e3).toFixed(0) + " ms";
  if (whole < 60) return seconds.toFixed(1) + " s";
  if (whole < 3600) return Math.floor(whole / 60) + " min " + two(whole % 60) + " s";
  if (whole < 86400) return Math.floor(whole / 3600) + " h " + two(Math.floor(whole / 60) % 60) + " min";
  return Math.floor(whole / 86400) + " d " + two(Math.floor(whole / 3600) % 24) + " h";
}

const trip = (seconds) => (seconds === null ? "–" : (seconds * 1e3).toFixed(seconds < 0.01 ? 2 : 1) + " ms");

const short = (text, most) => (text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text);

const node = (one) => one.name + "@" + one.hosts.join("/");

// Rates: what a counter has grown by since the last answer, by the daemon's own clock. A counter that went back has begun anew.

const history = new Map(); // by peer: lists of numbers, null where nothing is known

function grown(now, before, key, seconds) {
  if (!before || seconds <= 0 || now[key] < before[key]) return null;
  return (now[key] - before[key]) / seconds;
}

function remember(status, before, seconds) {
  const names = new Set(status.peers.map((peer) => peer.name));
  for (const name of history.keys()) if (!names.has(name)) history.delete(name);
  const old = new Map(before ? before.peers.map((peer) => [peer.name, peer]) : []);
  for (const peer of status.peers) {
    if (!history.has(peer.name)) history.set(peer.name, { sent: [], received: [], trip: [] });
    const lists = history.get(peer.name);
    const was = old.get(peer.name);
    const hasSession = peer.packets_sent > 0;
    lists.sent.push(hasSession ? grown(peer, was, "bytes_sent", seconds) : null);
    lists.received.push(hasSession ? grown(peer, was, "bytes_received", seconds) : null);
    lists.trip.push(hasSession ? peer.round_trip_seconds : null);
    for (const list of Object.values(lists)) if (list.length > KEPT) list.shift();
  }
}

function points(list) {
  const most = Math.max(...list.map((value) => value ?? 0)) || 1;
  const x = (index) => ((KEPT - list.length + index) * (90 / (KEPT - 1))).toFixed(1);
  const place = (value, index) => x(index) + "," + (22 - (value / most) * 20).toFixed(1);
  return list.map((value, index) => (value === null ? null : place(value, index))).filter(Boolean).join(" ");
}

// Tables. Rows are kept by a key and changed in place, so that focus, selection and scrolling survive.

function rows(body, items, keyOf, create, update) {
  const kept = new Map([...body.children].map((row) => [row.dataset.key, row]));
  let next = body.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let row = kept.get(key);
    kept.delete(key);
    if (!row) {
      row = create(item);
      row.dataset.key = key;
    }
    update(row, item);
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
  for (const row of kept.values()) row.remove();
}

function row(kinds, labels) {
  const line = make("tr", { role: "row" });
  kinds.forEach((kind, index) => {
    const cell = make("td", { class: kind === "rate" ? "" : kind, role: "cell", "data-label": labels[index] });
    if (kind === "rate") {
      const box = make("span", { class: "rate" });
      const spark = draw("svg", { class: "spark", viewBox: "0 0 90 24", "aria-hidden": "true", preserveAspectRatio: "none" });
      spark.append(draw("line", { x1: 0, x2: 90, y1: 23, y2: 23 }), draw("polyline", { points: "" }));
      box.append(spark, make("b"));
      cell.append(box);
    }
    line.append(cell);
  });
  return line;
}

function named(cell, text) {
  set(cell, text);
  if (cell.title !== text) cell.title = text;
}

function sparkled(cell, kind, list, text) {
  const spark = cell.querySelector("svg");
  spark.setAttribute("class", "spark " + kind);
  spark.querySelector("polyline").setAttribute("points", points(list));
  set(cell.querySelector("b"), text);
}

const last = (list) => (list.length ? list[list.length - 1] : null);

function showPeers(peers) {
  const labels = ["Peer", "State", "Address", "Sent", "Received", "Round trip", "Loss", "Waits", "Outages", "Software"];
  const kinds = ["name", "", "name", "rate", "rate", "rate", "number", "number", "number", "name"];
  rows(at("peers").tBodies[0], peers, (peer) => peer.name, () => row(kinds, labels), (line, peer) => {
    const [name, state, address, sent, received, around, loss, waits, outages, software] = line.children;
    const lists = history.get(peer.name);
    named(name, peer.name);
    set(state, peer.state);
    state.className = "state-" + peer.state;
    named(address, peer.address || "–");
    sparkled(sent, "sent", lists.sent, rate(last(lists.sent)));
    sparkled(received, "received", lists.received, rate(last(lists.received)));
    sparkled(around, "trip", lists.trip, trip(last(lists.trip)));
    set(loss, peer.packets_sent > 0 ? ((100 * peer.packets_lost) / peer.packets_sent).toFixed(1) + " %" : "–");
    set(waits, size(peer.waiting_bytes));
    set(outages, String(peer.outages.count));
    named(software, peer.software || "–");
  });
  at("no-peers").hidden = peers.length > 0;
  at("peers").hidden = peers.length === 0;
}

let sorting = { key: "sent", down: true };

function circuitsOf(status, before, seconds) {
  const key = (one) => JSON.stringify([one.peer, one.id]);
  const old = new Map(before ? before.circuits.map((one) => [key(one), one]) : []);
  return status.circuits.map((one) => ({
    key: key(one), local: one.local, remote: one.remote, peer: one.peer, state: one.state, waits: one.waiting_bytes, unread: one.parked_bytes,
    blocked: one.blocked_seconds, part: grown(one, old.get(key(one)), "blocked_seconds", seconds),
    sent: grown(one, old.get(key(one)), "bytes_sent", seconds), received: grown(one, old.get(key(one)), "bytes_received", seconds),
  }));
}

function sorted(circuits) {
  const { key, down } = sorting;
  const compare = (a, b) => (typeof a[key] === "string" ? a[key].localeCompare(b[key]) : (a[key] ?? -1) - (b[key] ?? -1));
  return circuits.sort((a, b) => (down ? -1 : 1) * compare(a, b) || a.local.localeCompare(b.local) || a.remote.localeCompare(b.remote));
}

function showCircuits(circuits, others) {
  const wanted = at("filter").value.trim().toLowerCase();
  const fits = (one) => [one.local, one.remote, one.peer, one.state].some((text) => text.toLowerCase().includes(wanted));
  const shown = sorted(circuits.filter(fits));
  const labels = ["Node here", "Node there", "Peer", "State", "Sent/s", "Received/s", "Waits", "Unread", "Blocked"];
  const kinds = ["name", "name", "name", "", "number", "number", "number", "number", "number"];
  rows(at("circuits").tBodies[0], shown, (one) => one.key, () => row(kinds, labels), (line, one) => {
    const [local, remote, peer, state, sent, received, waits, unread, blocked] = line.children;
    named(local, one.local || "–");
    named(remote, one.remote || "–");
    named(peer, one.peer);
    set(state, one.state);
    state.className = "state-" + one.state;
    set(sent, rate(one.sent));
    set(received, rate(one.received));
    set(waits, size(one.waits));
    set(unread, size(one.unread));
    set(blocked, time(one.blocked) + (one.part > 0.005 ? " (" + Math.min(100, one.part * 100).toFixed(0) + " % now)" : ""));
  });
  at("circuits-box").hidden = shown.length === 0;
  const words = [];
  if (circuits.length === 0) words.push("No circuits: no node here is connected to a node of a peer.");
  else if (shown.length === 0) words.push("None of " + circuits.length + " circuits matches “" + wanted + "”.");
  else if (shown.length < circuits.length) words.push(shown.length + " of " + circuits.length + " circuits match.");
  if (others.count > 0) words.push(others.count + " more circuits with less traffic are not listed.");
  set(at("circuits-note"), words.join(" "));
}

function showCertificates(certificates) {
  const words = { own: "this daemon", authority: "authority (the first to expire)", peer: "peer" };
  const called = (one) => (words[one.whose] ?? one.whose) + (one.whose === "peer" ? " " + one.name : "");
  const body = at("certificates").tBodies[0];
  const create = () => row(["name", "", "number"], ["Whose", "Expires", "Days left"]);
  rows(body, certificates, (one) => one.whose + " " + one.name, create, (line, one) => {
    const [whose, expires, left] = line.children;
    const days = (one.expires_timestamp_seconds - Date.now() / 1000) / 86400;
    const date = new Date(one.expires_timestamp_seconds * 1000);
    named(whose, called(one));
    set(expires, Number.isFinite(date.getTime()) ? date.toISOString().slice(0, 10) : "–");
    set(left, days < 0 ? "expired" : days < 10 ? days.toFixed(1) : days.toFixed(0));
    left.className = "number" + (days < 7 ? " days-none" : days < 30 ? " days-few" : "");
  });
  at("no-certificates").hidden = certificates.length > 0;
  at("certificates").hidden = certificates.length === 0;
}

// The drawing: nodes here, this daemon, peers, their nodes. What does not fit is counted in words; the tables have everything.

function some(list, most, word) {
  return list.length > most ? [...list.slice(0, most - 1), "… and " + (list.length - most + 1) + " more " + word] : list;
}

function plan(status) {
  const urgent = { down: 0, stalled: 1, up: 2 };
  const peers = [...status.peers].sort((a, b) => (urgent[a.state] ?? 3) - (urgent[b.state] ?? 3) || a.name.localeCompare(b.name));
  const nodesDrawn = peers.length > 6 ? NODES_DRAWN / 2 : NODES_DRAWN;
  const drawn = peers.slice(0, PEERS_DRAWN).map((peer) => ({
    name: peer.name, state: peer.state, nodes: some(peer.nodes, nodesDrawn, "nodes"),
    word: peer.state + (peer.packets_sent > 0 ? ", " + trip(peer.round_trip_seconds) : ""),
  }));
  return {
    name: status.name, nodes: some(status.nodes.map(node), 2 * NODES_DRAWN, "nodes"), peers: drawn,
    more: peers.length > drawn.length ? "… and " + (peers.length - drawn.length) + " more peers" : "",
  };
}

function box(svg, { x, y, width, height, kind, text, word, state }) {
  const letters = Math.floor((width - 16) / 7.6);
  const group = draw("g");
  group.append(draw("title", {}, word ? text + ": " + word : text));
  group.append(draw("rect", { x: x + 1, y: y + 1, width: width - 2, height: height - 2, rx: 5, class: kind }));
  group.append(draw("text", { x: x + 8, y: y + 18 }, short(text, letters)));
  if (word) group.append(draw("text", { x: x + 8, y: y + 35, class: state ? "word-" + state : "small" }, short(word, letters)));
  svg.append(group);
}

const curve = (x1, y1, x2, y2) => `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;

// Side by side, for a wide window.
function drawWide(svg, { name, nodes, peers, more }, width) {
  const gap = 44, column = (width - 3 * gap) / 4, step = 34, tall = 46, low = 28;
  const left = (index) => index * (column + gap);
  const heights = peers.map((peer) => Math.max(tall + 8, peer.nodes.length * step));
  const right = Math.max(tall, heights.reduce((sum, height) => sum + height, 0) + (more ? step : 0));
  const height = Math.max(right, nodes.length * step, tall + 8);
  const middle = height / 2;
  const lines = draw("g");
  svg.append(lines);
  const line = (points, kind) => lines.append(draw("path", { d: curve(...points), class: kind }));
  if (nodes.length === 0) svg.append(draw("text", { x: 4, y: middle + 5, class: "small" }, "no nodes here"));
  nodes.forEach((one, index) => {
    const y = middle + (index - nodes.length / 2) * step + (step - low) / 2;
    line([column, y + low / 2, left(1), middle], "");
    box(svg, { x: 0, y, width: column, height: low, kind: "node", text: one });
  });
  box(svg, { x: left(1), y: middle - tall / 2, width: column, height: tall, kind: "daemon", text: name, word: "this daemon" });
  if (peers.length === 0) svg.append(draw("text", { x: left(2), y: middle + 5, class: "small" }, "no peers"));
  let top = (height - right) / 2;
  peers.forEach((peer, index) => {
    const center = top + heights[index] / 2;
    line([left(1) + column, middle, left(2), center], peer.state);
    peer.nodes.forEach((one, place) => {
      const y = center + (place - peer.nodes.length / 2) * step + (step - low) / 2;
      line([left(2) + column, center, left(3), y + low / 2], "");
      box(svg, { x: left(3), y, width: column, height: low, kind: "node", text: one });
    });
    if (peer.nodes.length === 0) svg.append(draw("text", { x: left(3), y: center + 4, class: "small" }, "no nodes known"));
    const what = { kind: peer.state, text: peer.name, word: peer.word, state: peer.state };
    box(svg, { x: left(2), y: center - tall / 2, width: column, height: tall, ...what });
    top += heights[index];
  });
  if (more) svg.append(draw("text", { x: left(2) + 8, y: top + 20, class: "small" }, more));
  return height;
}

// One below the other, for a phone.
function drawNarrow(svg, { name, nodes, peers, more }, width) {
  let y = 0;
  const place = (level, height, from, kind, what) => {
    const x = level * 22;
    if (from !== null) svg.append(draw("path", { d: `M${x - 11} ${from}V${y + height / 2}` }));
    if (from !== null) svg.append(draw("path", { d: `M${x - 11} ${y + height / 2}H${x}`, class: what.state ?? "" }));
    box(svg, { x, y, width: width - x, height, kind, ...what });
    y += height + 6;
    return y - 6;
  };
  const words = (level, text) => {
    svg.append(draw("text", { x: level * 22 + 4, y: y + 15, class: "small" }, text));
    y += 24;
  };
  const root = place(0, 46, null, "daemon", { text: name, word: "this daemon" });
  if (nodes.length === 0) words(1, "no nodes here");
  for (const one of nodes) place(1, 28, root, "node", { text: one });
  if (peers.length === 0) words(1, "no peers");
  for (const peer of peers) {
    const from = place(1, 46, root, peer.state, { text: peer.name, word: peer.word, state: peer.state });
    if (peer.nodes.length === 0) words(2, "no nodes known");
    for (const one of peer.nodes) place(2, 28, from, "node", { text: one });
  }
  if (more) words(1, more);
  return y;
}

let drawing = "";

function showTopology(status) {
  const place = at("topology");
  const width = Math.max(240, Math.floor(place.clientWidth));
  const what = plan(status);
  const wanted = JSON.stringify([width, what]);
  if (wanted === drawing) return;
  drawing = wanted;
  const states = status.peers.map((peer) => peer.name + " " + peer.state).join(", ") || "no peers";
  const svg = draw("svg", { role: "img", "aria-label": status.name + ", " + status.nodes.length + " nodes here; " + states });
  const height = (width < 620 ? drawNarrow : drawWide)(svg, what, width);
  svg.setAttribute("viewBox", `0 0 ${width} ${Math.ceil(height)}`);
  place.replaceChildren(svg);
}

// The rest.

function showProblems(problems) {
  const items = problems.map((text, index) => ({ text, index }));
  rows(at("problems"), items, (one) => String(one.index), () => make("li"), (line, one) => set(line, one.text));
  set(at("no-problems"), problems.length === 0 ? "No problems." : "");
  at("no-problems").hidden = problems.length > 0;
}

const often = (count) => (count === 0 ? "as at the start" : count === 1 ? "reloaded once" : "reloaded " + count + " times");

function showDaemon(status) {
  const used = (one) => size(one.used) + " of " + size(one.limit);
  const { reloads, log } = status;
  const facts = [
    ["Kept for peers", used(status.memory)],
    ["Open files", status.open_files.used + " of " + status.open_files.limit],
    ["Lanes", status.lanes + " each way, congestion control " + status.congestion],
    ["Found", (status.discover ?? []).map((one) => one.source + ": " + one.connected + " of " + one.found + " connected").join(", ") || "nobody looks for peers"],
    ["Sessions ended", String(status.sessions_ended)],
    ["Configuration", often(reloads.applied) + (reloads.is_last_applied ? "" : "; the files on disk have mistakes")],
    ["Log", log.dropped + log.suppressed === 0 ? "every line was written" : log.dropped + " lines lost, " + log.suppressed + " suppressed"],
    ["Handshakes", status.handshakes.map((one) => one.direction + " " + one.outcome + " " + one.count).join(", ") || "none yet"],
  ];
  const list = at("daemon");
  if (list.children.length === 0) for (const [word] of facts) list.append(make("dt", {}, word), make("dd"));
  facts.forEach(([, text], index) => set(list.children[2 * index + 1], text));
}

let shown = null; // the last answer, the one before, and the seconds in between

function show() {
  const { status, before, seconds } = shown;
  const count = status.problems.length;
  document.title = (count ? "(" + count + ") " : "") + status.name + " – beamway";
  set(at("name"), status.name);
  const stopping = status.is_leaving ? ", stopping" : "";
  set(at("facts"), "beamway " + status.version + ", up " + time(status.uptime_seconds) + ", QUIC " + status.listen + stopping);
  showProblems(status.problems);
  showTopology(status);
  showPeers(status.peers);
  showCircuits(circuitsOf(status, before, seconds), status.other_circuits);
  showCertificates(status.certificates);
  showDaemon(status);
}

// Asking.

let timer = null;
let asking = false;
let heard = null; // when the last answer came
let failed = 0; // questions in a row without an answer

async function ask() {
  const answer = await fetch("/status", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error("it answers with status " + answer.status);
  const status = await answer.json();
  if (status.schema !== SCHEMA) throw new Error("it has another version than this page: reload the page");
  return status;
}

function tellLife(error) {
  const live = at("live");
  const silence = at("silence");
  if (!error) {
    live.className = "live up";
    set(live, "live");
    silence.hidden = true;
    return;
  }
  // A connection that ends between two questions is no news.
  if (failed < 2) return;
  live.className = "live down";
  set(live, "no answer");
  const since = heard ? "has not answered since " + heard.toLocaleTimeString() + ". What is shown is from then" : "does not answer";
  const why = error.message && error.name === "Error" ? " (" + error.message + ")" : "";
  set(silence, "The daemon " + since + why + ". Asking again every two seconds.");
  silence.hidden = false;
}

async function poll() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    take(await ask());
    heard = new Date();
    failed = 0;
    tellLife(null);
  } catch (error) {
    failed += 1;
    tellLife(error);
  }
  asking = false;
  if (!document.hidden) timer = setTimeout(poll, failed === 1 ? 300 : EVERY);
  // After the next question is planned: a mistake in here is told on the console, and is not silence of the daemon.
  if (failed === 0) show();
}

function take(status) {
  const last = shown?.status;
  // A daemon that was started again counts anew.
  const before = last && status.uptime_seconds > last.uptime_seconds && status.name === last.name ? last : null;
  if (!before) history.clear();
  const seconds = before ? status.uptime_seconds - before.uptime_seconds : 0;
  remember(status, before, seconds);
  shown = { status, before, seconds };
}

function sortBy(button) {
  const key = button.dataset.key;
  const isText = ["local", "remote", "peer", "state"].includes(key);
  sorting = { key, down: sorting.key === key ? !sorting.down : !isText };
  tellSorting();
  if (shown) show();
}

function tellSorting() {
  for (const button of document.querySelectorAll("#circuits th button")) {
    const head = button.parentElement;
    if (button.dataset.key === sorting.key) head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

for (const button of document.querySelectorAll("#circuits th button")) button.addEventListener("click", () => sortBy(button));
at("filter").addEventListener("input", () => shown && show());
new ResizeObserver(() => shown && showTopology(shown.status)).observe(at("topology"));
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) poll();
});
tellSorting();
poll();
