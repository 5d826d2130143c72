// The state of every model, redrawn every two seconds, and a box to try one.
// Talks to nobody but the proxy that served it.
"use strict";

const EVERY_MS = 2000;
const byId = (id) => document.getElementById(id);
const GOOD = ["healthy", "busy"];
const BAD = ["down", "unresponsive", "failed", "stopped", "backoff"];
const GIB = 2 ** 30;

// Drawing ---------------------------------------------------------------------

function element(tag, attributes = {}, ...children) {
  const node = tag === "svg" || tag === "path" || tag === "rect" || tag === "title"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function span(seconds) {
  for (const [length, word] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= length) return `${Math.round(seconds / length)} ${word}`;
  }
  return `${Math.max(0, Math.round(seconds))} s`;
}

function amount(value, unit) {
  if (value === null || value === undefined) return "none yet";
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit ? " " + unit : ""}`;
}

// A small chart: gaps where nothing was measured, the scale begins at 0.
function chart(title, values, unit) {
  const known = values.filter((value) => value !== null);
  const last = known.length ? known[known.length - 1] : null;
  const most = Math.max(1e-9, ...known);
  const step = 100 / Math.max(1, values.length - 1);
  let line = "", area = "", start = null;
  values.forEach((value, i) => {
    const x = (i * step).toFixed(2);
    if (value === null) {
      if (start !== null) area += `L${((i - 1) * step).toFixed(2)} 30L${start} 30Z`;
      start = null;
      return;
    }
    const y = (29 - 27 * value / most).toFixed(2);
    line += start === null ? `M${x} ${y}h.01` : `L${x} ${y}`; // h: a lone value is a dot
    area += start === null ? `M${x} 30L${x} ${y}` : `L${x} ${y}`;
    start = start === null ? x : start;
  });
  if (start !== null) area += `L100 30L${start} 30Z`;
  const label = `${title}: ${amount(last, unit)} now, ${amount(known.length ? most : null, unit)} at most in 15 minutes`;
  return element("figure", {},
    element("figcaption", {}, `${title} ${amount(last, unit)}`),
    element("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": label },
      element("path", { class: "area", d: area }), element("path", { class: "line", d: line })));
}

function stateClass(state) {
  return GOOD.includes(state) ? "good" : BAD.includes(state) ? "bad" : "wait";
}

function fact(list, name, value) {
  if (value === null || value === undefined || value === "") return;
  list.append(element("dt", {}, name), element("dd", {}, String(value)));
}

function progressOf(model) {
  const progress = model.progress;
  if (GOOD.includes(model.state) || !progress || !progress.weights_bytes) return null;
  const bar = element("progress", { max: progress.weights_bytes, "aria-label": `${model.id} loading` });
  bar.value = Math.min(progress.bytes_read || 0, progress.weights_bytes);
  return bar;
}

function card(model, history, now) {
  const facts = element("dl");
  const requests = model.in_flight + (model.queued ? `, ${model.queued} waiting` : "");
  fact(facts, "In flight", requests);
  fact(facts, "Since", model.since ? span(now - model.since) : null);
  fact(facts, "Load time", model.load_seconds ? `${amount(model.load_seconds)} s` : null);
  fact(facts, "Restarts", model.attempt > 1 ? model.attempt - 1 : null);
  if (model.exit && model.exit.code) fact(facts, "Last end", `${model.exit.reason} (${model.exit.code})`);
  const words = model.words && !GOOD.includes(model.state) ? model.words : null;
  return element("article", { class: "card", "data-model": model.name },
    element("h3", {}, model.id),
    element("p", { class: `state ${stateClass(model.state)}` }, model.draining ? "drained" : model.state),
    words === null ? null : element("p", { class: "soft" }, words),
    progressOf(model), facts,
    history ? element("div", { class: "charts" },
      chart("Requests", history.requests, "/s"),
      chart("Tokens", history.tokens, "/s"),
      chart("First token", history.first_token, "s")) : null);
}

function gpuBar(gpu) {
  const parts = [["in use", gpu.total - gpu.free, "used"], ["free", gpu.free, "free"]];
  const bar = element("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img" });
  const words = [];
  let x = 0;
  for (const [name, size, kind] of parts) {
    if (!size) continue;
    const width = 100 * size / gpu.total;
    bar.append(element("rect", { class: kind, x, y: 0, width: Math.max(0, width - .3), height: 10 }));
    words.push(`${name} ${amount(size / GIB)} GiB`);
    x += width;
  }
  const label = `GPU ${gpu.index}, ${gpu.name}: ${words.join(", ")} of ${amount(gpu.total / GIB)} GiB`;
  bar.setAttribute("aria-label", label);
  return element("div", {}, element("p", { class: "soft" }, label), bar);
}

function draw(overview) {
  const now = overview.time;
  const serving = overview.models.filter((model) => model.serving).length;
  const all = overview.models.length;
  const line = byId("overall");
  const text = serving === all ? `all ${all} serve` : `${serving} of ${all} serve`;
  if (line.textContent !== text) line.textContent = text;
  line.className = `state ${serving === all ? "good" : serving ? "wait" : "bad"}`;
  byId("host").textContent = overview.host;
  byId("models").replaceChildren(...overview.models.map((model) => card(model, overview.charts[model.id], now)));
  const gpus = (overview.gpus || []).filter((gpu) => gpu.total);
  byId("gpus-section").hidden = gpus.length === 0;
  byId("gpus").replaceChildren(...gpus.map(gpuBar));
  byId("footer").textContent = `generation ${overview.generation}`;
  offer(overview.models);
}

function offer(models) {
  const select = byId("model");
  const ids = models.map((model) => model.id).join("\n");
  if (select.dataset.ids === ids) return;
  const chosen = select.value;
  select.replaceChildren(...models.map((model) => element("option", {}, model.id)));
  if (models.some((model) => model.id === chosen)) select.value = chosen;
  select.dataset.ids = ids;
}

// Asking ----------------------------------------------------------------------

let key = sessionStorage.getItem("trtllm-key") || "";

function headers(more = {}) {
  return key ? { Authorization: `Bearer ${key}`, ...more } : more;
}

async function look() {
  try {
    const answer = await fetch("overview.json", { headers: headers(), cache: "no-store" });
    byId("login").hidden = answer.status !== 401;
    if (answer.status === 401) {
      byId("login-problem").textContent = key ? "this key is not known here" : "";
      silence("needs a key");
      return;
    }
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    draw(await answer.json());
  } catch (error) {
    silence(`no answer from the proxy (${error.message}); asking again`);
  }
}

function silence(text) {
  const line = byId("overall");
  if (line.textContent !== text) line.textContent = text;
  line.className = "state bad";
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

// Trying ----------------------------------------------------------------------

let running = null;

// What comes between <think> and </think> is thought; a tag may be cut anywhere.
function splitter(onThought, onText) {
  let rest = "", thinking = false;
  return (piece, end) => {
    rest += piece;
    for (;;) {
      const tag = thinking ? "</think>" : "<think>";
      const put = thinking ? onThought : onText;
      const at = rest.indexOf(tag);
      if (at < 0) {
        let keep = 0;
        for (let n = Math.min(tag.length - 1, rest.length); n > 0 && !end; n--) {
          if (tag.startsWith(rest.slice(-n))) { keep = n; break; }
        }
        put(rest.slice(0, rest.length - keep));
        rest = rest.slice(rest.length - keep);
        return;
      }
      put(rest.slice(0, at));
      rest = rest.slice(at + tag.length);
      thinking = !thinking;
    }
  };
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  }
}

function clearAnswer() {
  byId("answer").hidden = false;
  byId("thinking").hidden = true;
  for (const id of ["thoughts", "text", "problem", "speed", "thinking-size"]) byId(id).textContent = "";
}

async function send() {
  if (running) return;
  running = new AbortController();
  clearAnswer();
  byId("send").disabled = true;
  byId("stop").disabled = false;
  const began = performance.now();
  let first = null, pieces = 0, tokens = null, ended = false;
  const thought = (text) => {
    if (!text) return;
    byId("thinking").hidden = false;
    byId("thoughts").textContent += text;
    byId("thinking-size").textContent = `(${byId("thoughts").textContent.length} characters)`;
  };
  const put = splitter(thought, (text) => {
    byId("text").textContent += byId("text").textContent ? text : text.trimStart();
  });
  const tell = (done) => {
    if (first === null) return;
    const seconds = (performance.now() - first) / 1000;
    const count = tokens === null ? pieces : tokens;
    const rate = seconds > 0 && count > 1 ? `${((count - 1) / seconds).toFixed(1)} tokens/s, ` : "";
    const wait = ((first - began) / 1000).toFixed(2);
    if (done) byId("speed").textContent = `${rate}first token after ${wait} s, ${count} ${tokens === null ? "pieces" : "tokens"}`;
  };
  try {
    const answer = await fetch("v1/chat/completions", {
      method: "POST", signal: running.signal,
      headers: headers({ "Content-Type": "application/json" }),
      body: JSON.stringify({
        model: byId("model").value, stream: true, stream_options: { include_usage: true },
        max_tokens: Number(byId("limit").value) || 512,
        messages: [{ role: "user", content: byId("prompt").value }],
      }),
    });
    if (!answer.ok) throw new Error(await reason(answer));
    for await (const data of events(answer.body)) {
      if (data === "[DONE]") { ended = true; break; }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(chunk.error.message);
      if (chunk.usage) tokens = chunk.usage.completion_tokens;
      const delta = (chunk.choices && chunk.choices[0] && chunk.choices[0].delta) || {};
      const text = delta.content || "", reasoning = delta.reasoning_content || "";
      if (!text && !reasoning) continue;
      if (first === null) first = performance.now();
      pieces += 1;
      thought(reasoning);
      put(text, false);
    }
    if (!ended) throw new Error("the answer broke off");
  } catch (error) {
    byId("problem").textContent = error.name === "AbortError" ? "stopped" : error.message;
  } finally {
    put("", true);
    tell(true);
    running = null;
    byId("send").disabled = false;
    byId("stop").disabled = true;
  }
}

async function reason(answer) {
  const after = answer.headers.get("Retry-After");
  const wait = after ? ` (again in ${after} s)` : "";
  try {
    return (await answer.json()).error.message + wait;
  } catch {
    return `HTTP ${answer.status}${wait}`;
  }
}

byId("try").addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("stop").addEventListener("click", () => running && running.abort());
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("try").requestSubmit();
});
byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  sessionStorage.setItem("trtllm-key", key);
  look();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
watch();
