// The page of `rekindle serve`. It asks only the server that it comes from.
"use strict";

const $ = (id) => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

let info = null;
let explanation = null;
let results = [];
// The last request; answers to earlier ones are not shown.
let asked = 0;

async function ask(path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  for (let attempt = 0; ; attempt++) {
    const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) })
      .catch(() => { throw new Error("The server does not answer. Is it still running?"); });
    if (response.status === 429 && attempt < 20) {
      await new Promise((done) => setTimeout(done, 1000 * (response.headers.get("Retry-After") || 1)));
      continue;
    }
    const answer = await response.json().catch(() => ({ error: `The server answers with status ${response.status}.` }));
    if (response.status === 401) $("token-form").hidden = false;
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }
}

function fail(error) {
  $("error").textContent = error.message;
  $("error").hidden = false;
}

// Runs what a form asks for, with its button disabled and errors shown.
async function run(form, work) {
  const button = form.querySelector("button");
  button.disabled = true;
  $("error").hidden = true;
  try { await work(); } catch (error) { fail(error); } finally { button.disabled = false; }
}

function fill(select, names) {
  select.replaceChildren(...names.map((name, index) => new Option(name, index)));
}

async function start() {
  info = await ask("info");
  $("token-form").hidden = true;
  $("error").hidden = true;
  fill($("model"), info.models.map((model) => model.name));
  $("model-row").hidden = info.models.length < 2;
  about();
}

const model = () => info.models[$("model").value];

function about() {
  const labels = model().labels;
  const shown = labels.slice(0, 8).join(", ") + (labels.length > 8 ? ` and ${labels.length - 8} more` : "");
  $("about").textContent = `${model().name}: ${labels.length} classes (${shown})`;
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
const isProbability = () => model().function_to_apply !== "none";
const shown = (score) => (isProbability() ? `${(100 * score).toFixed(1)} %` : score.toFixed(3));

// The classes that an answer of /predict with all classes predicts: one, those of several labels that reach their thresholds, or none.
function predicted(scores) {
  const several = scores[0].predicted !== undefined;
  return scores.filter((score, rank) => (several ? score.predicted : rank === 0 && score.label !== null));
}

const NONE = "No prediction";

async function classify(text) {
  const request = ++asked;
  const body = { inputs: text, model: model().name };
  const [answer, scores] = await Promise.all([
    ask("explain", body), ask("predict", { ...body, parameters: { top_k: null } }),
  ]);
  if (request !== asked) return;
  explanation = { ...answer, text };
  const labels = predicted(scores).map((score) => score.label);
  const order = answer.scores.map((_, index) => index).sort((a, b) => answer.scores[b] - answer.scores[a]);
  const named = (index) => `${answer.labels[index]}, ${shown(answer.scores[index])}`;
  $("answer").textContent = labels.map((label) => named(answer.labels.indexOf(label))).join("; ") || NONE;
  const largest = isProbability() ? 1 : Math.max(...answer.scores.map(Math.abs), 1e-9);
  $("scores").tBodies[0].replaceChildren(...order.map((index) => {
    const row = element("tr");
    const name = element("th", answer.labels[index]);
    name.scope = "row";
    if (labels.includes(answer.labels[index])) name.className = "predicted";
    const cell = element("td"), track = element("div", undefined, "track"), bar = element("div", undefined, "bar");
    bar.style.width = `${(100 * Math.abs(answer.scores[index])) / largest}%`;
    track.append(bar);
    cell.append(track);
    row.append(name, cell, element("td", shown(answer.scores[index])));
    return row;
  }));
  $("class").replaceChildren(...order.map((index) => new Option(answer.labels[index], index)));
  $("result").hidden = false;
  explain();
  remember({ text, answer: $("answer").textContent, model: model().name });
}

// Shows the words of the text, marked by how much they speak for and against a class.
function explain() {
  const { text, words, labels } = explanation;
  const index = Number($("class").value);
  const characters = Array.from(text);
  const largest = Math.max(...words.map((word) => Math.abs(word.attributions[index])), 1e-9);
  const parts = [];
  let end = 0;
  for (const word of words) {
    parts.push(document.createTextNode(characters.slice(end, word.start).join("")));
    const value = word.attributions[index], side = value < 0 ? "against" : "for";
    const mark = element("span", word.text, `word ${side}`);
    mark.style.backgroundColor = `rgba(var(--${side}), ${((0.45 * Math.abs(value)) / largest).toFixed(3)})`;
    mark.title = `${signed(value)} ${side} ${labels[index]}`;
    parts.push(mark);
    end = word.end;
  }
  $("words").replaceChildren(...parts);
  const sorted = [...words].sort((a, b) => b.attributions[index] - a.attributions[index]);
  const list = (some) => some.map((word) => `${word.text} (${signed(word.attributions[index])})`).join(", ") || "none";
  const positive = sorted.filter((word) => word.attributions[index] > 0).slice(0, 5);
  const negative = sorted.filter((word) => word.attributions[index] < 0).reverse().slice(0, 5);
  $("summary").textContent = `For ${labels[index]}: ${list(positive)}. Against: ${list(negative)}. `
    + "The numbers say by how much the logit of the class falls without the word.";
}

const history = () => JSON.parse(sessionStorage.getItem("history") || "[]");

function remember(entry) {
  const entries = [entry, ...history().filter((old) => old.text !== entry.text || old.model !== entry.model)];
  try { sessionStorage.setItem("history", JSON.stringify(entries.slice(0, 50))); } catch { /* the storage is full */ }
  showHistory();
}

function showHistory() {
  const entries = history();
  $("history").replaceChildren(...entries.map((entry) => {
    const item = element("li"), button = element("button", `${entry.answer}: ${entry.text}`);
    button.type = "button";
    button.addEventListener("click", () => {
      const index = info.models.findIndex((one) => one.name === entry.model);
      if (index >= 0) $("model").value = index;
      about();
      $("text").value = entry.text;
      $("text").focus();
      run($("text-form"), () => classify(entry.text));
    });
    item.append(button);
    return item;
  }));
  $("no-history").hidden = entries.length > 0;
  $("clear").hidden = entries.length === 0;
}

// Reads CSV or TSV with quotes, as RFC 4180 has them.
function rowsOf(text) {
  const separator = text.split("\n")[0].includes("\t") ? "\t" : text.split("\n")[0].includes(";") ? ";" : ",";
  const rows = [[""]];
  let quoted = false;
  for (let place = 0; place < text.length; place++) {
    const row = rows[rows.length - 1], c = text[place];
    if (quoted) {
      if (c !== '"') row[row.length - 1] += c;
      else if (text[place + 1] === '"') row[row.length - 1] += text[++place];
      else quoted = false;
    } else if (c === '"' && row[row.length - 1] === "") quoted = true;
    else if (c === separator) row.push("");
    else if (c === "\n") rows.push([""]);
    else if (c !== "\r") row[row.length - 1] += c;
  }
  return rows.filter((row) => row.some((cell) => cell.trim()));
}

function chooseColumn() {
  const [names = []] = rowsOf($("table").value);
  const before = $("column").selectedOptions[0]?.text;
  fill($("column"), names);
  const usual = names.findIndex((name) => /^(text|sentence|review|comment|body)$/i.test(name.trim()));
  const same = names.indexOf(before);
  $("column").value = Math.max(same >= 0 ? same : usual, 0);
}

async function classifyTable() {
  const [names, ...rows] = rowsOf($("table").value);
  const column = Number($("column").value);
  if (!rows.length) throw new Error("The table has no rows below the names of its columns.");
  const size = Math.min(32, info.max_client_batch_size), name = model().name;
  results = [[...names, "label", "score"]];
  $("table-result").hidden = false;
  for (let first = 0; first < rows.length; first += size) {
    const some = rows.slice(first, first + size);
    const texts = some.map((row) => row[column] ?? "");
    const answers = await ask("predict", { inputs: texts, model: name, parameters: { top_k: null } });
    some.forEach((row, index) => {
      const cells = names.map((_, place) => row[place] ?? "");
      const labels = predicted(answers[index]).map((score) => score.label);
      results.push([...cells, labels.join("; "), answers[index][0].score.toFixed(4)]);
    });
    $("table-status").textContent = `${results.length - 1} of ${rows.length} rows`;
    const [head, ...body] = results.map((cells, line) => {
      const row = element("tr");
      row.append(...cells.map((cell) => element(line ? "td" : "th", cell)));
      return row;
    });
    $("rows").replaceChildren(element("thead"), element("tbody"));
    $("rows").tHead.append(head);
    $("rows").tBodies[0].append(...body.slice(0, 1000));
  }
  if (rows.length > 1000) $("table-status").textContent += "; the first 1000 are shown, all are copied and downloaded";
}

const quote = (cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

$("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.target, () => classify($("text").value));
});
$("table-form").addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.target, classifyTable);
});
for (const [area, form] of [["text", "text-form"], ["table", "table-form"]]) {
  $(area).addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $(form).requestSubmit();
  });
}
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value);
  run(event.target, start);
});
$("table").addEventListener("input", chooseColumn);
$("model").addEventListener("change", about);
$("class").addEventListener("change", explain);
$("clear").addEventListener("click", () => { sessionStorage.removeItem("history"); showHistory(); $("text").focus(); });
$("copy").addEventListener("click", async () => {
  const text = results.map((row) => row.map((cell) => cell.replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    $("table-status").textContent = "Copied";
  } catch {
    fail(new Error("The browser does not permit copying here; download the CSV file instead."));
  }
});
$("download").addEventListener("click", () => {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([results.map((row) => row.map(quote).join(",") + "\r\n").join("")], { type: "text/csv" }));
  link.download = "predictions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
showHistory();
start().catch(fail);
