/** The file view: choose, look, run, download. */

import { ask, Refusal } from "./api.js";
import { answersTo } from "./batch.js";
import { Bars } from "./bars.js";
import { csvLine, TableError } from "./csv.js";
import { element, make, speak, tell } from "./dom.js";
import { EncodingError, guessColumn, inspect, rowsOf, size, survey } from "./rows.js";
import { count, counted, duration, length, percent } from "./text.js";

const ADDED = ["label", "probability", "abstained", "error"];
const DRAW_SECONDS = 0.1; // between two looks at the progress

const mix = new Bars(element("mix"));
let model = null; // the promise of the model's card
let file = null;
let format = null; // {encoding, kind, delimiter, header, column}
let found = null; // what the survey told
let run = null; // the run that is under way or ended
let working = new AbortController();

/** Begin; `card` is the promise of the model's card. */
export function start(card) {
  model = card;
  element("chosen").addEventListener("change", () => {
    const files = [...element("chosen").files];
    element("chosen").value = ""; // so that the same file can be chosen again
    take(files);
  });
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(type, onDrag);
  }
  element("kind").addEventListener("change", () => look({ kind: element("kind").value }));
  element("column").addEventListener("change", () => look({ column: Number(element("column").value) }));
  element("start").addEventListener("click", () => begin());
  element("resume").addEventListener("click", () => work(run));
  element("cancel").addEventListener("click", () => working.abort());
  element("other").addEventListener("click", reset);
  element("again").addEventListener("click", reset);
  window.addEventListener("beforeunload", (event) => {
    if (run?.isGoing) {
      event.preventDefault();
    }
  });
}

function onDrag(event) {
  if (!event.dataTransfer?.types.includes("Files")) {
    return; // a text that is dragged goes where it is let go
  }
  event.preventDefault();
  element("drop").classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
  if (event.type === "drop") {
    location.hash = "#file";
    take([...event.dataTransfer.files]);
  }
}

function reset() {
  release(run);
  [file, run] = [null, null];
  show("drop");
  element("chosen").focus();
}

/** Show one stage: drop, plan or run. */
function show(stage) {
  for (const id of ["drop", "plan", "run"]) {
    element(id).hidden = id !== stage;
  }
  tell("file-problem", "");
}

async function take(files) {
  if (run?.isGoing) {
    tell("file-problem", "A file is under way. Stop it first, or wait for its end.");
    return;
  }
  reset();
  if (files.length !== 1) {
    tell("file-problem", files.length ? "Drop one file at a time." : "");
    return;
  }
  [file] = files;
  await attempt(async () => {
    format = await inspect(file);
    format.column = guessColumn(format.header);
    element("kind").value = format.kind;
    await look({});
  });
}

/** Do something with the file; say in one line why it can't be done. */
async function attempt(something) {
  try {
    await something();
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    if (!(error instanceof TableError || error instanceof Refusal)) {
      throw error;
    }
    show(format && file && error instanceof TableError && !element("plan").hidden ? "plan" : "drop");
    element("start").disabled = true;
    tell("file-problem", error.message);
  }
}

/** Read the file through with some settings changed, and show what is in it. */
async function look(changed) {
  working.abort();
  working = new AbortController();
  const { signal } = working;
  Object.assign(format, changed);
  await attempt(async () => {
    const { limits } = await model;
    const isTooLong = (text) => length(text) > limits.text_chars;
    found = await surveyed({ ofRow: textOf, isTooLong, signal });
    signal.throwIfAborted();
    showPlan(limits);
  });
}

async function surveyed(options) {
  try {
    return await survey(file, format, options);
  } catch (error) {
    if (!(error instanceof EncodingError) || format.encoding !== "utf-8") {
      throw error;
    }
    format.encoding = "windows-1252"; // what spreadsheets write that do not write UTF-8
    return survey(file, format, options);
  }
}

const textOf = (row) => row[format.kind === "table" ? format.column : 0] ?? "";

function texts() {
  return found.rows - (format.kind === "table" ? 1 : 0); // the first row of a table names columns
}

function showPlan(limits) {
  show("plan");
  element("file-name").replaceChildren(make("bdi", {}, file.name));
  const skipped = [
    found.empty && `${counted(found.empty, "row")} without text`,
    found.tooLong && `${count(found.tooLong)} over ${count(limits.text_chars)} characters`,
  ].filter(Boolean);
  const facts = [size(file.size), counted(Math.max(texts(), 0), "text")];
  if (skipped.length) {
    facts.push(`${skipped.join(" and ")}: these get no answer`);
  }
  if (format.encoding === "windows-1252") {
    facts.push("not UTF-8, read as Windows-1252");
  }
  element("file-facts").textContent = facts.join(" \u00b7 ");
  element("column-setting").hidden = format.kind !== "table";
  element("column").replaceChildren(
    ...format.header.map((name, at) =>
      make("option", { value: at, selected: at === format.column }, name || `column ${at + 1}`),
    ),
  );
  const rows = found.preview.slice(format.kind === "table" ? 1 : 0).slice(0, 3);
  element("preview").replaceChildren(
    ...rows.map((row) => make("li", { dir: "auto" }, textOf(row).slice(0, 300))),
  );
  element("start").disabled = texts() < 1;
  element("start").textContent = `Classify ${counted(Math.max(texts(), 0), "text")}`;
  if (texts() < 1) {
    tell("file-problem", `${file.name} holds no text.`);
  }
}

function begin() {
  release(run);
  run = {
    total: texts(), done: 0, failed: 0, abstained: 0, labels: new Map(), parts: [], seconds: 0,
  };
  const header = format.kind === "table" ? format.header : ["text"];
  const taken = new Set(header.map((name) => name.trim().toLowerCase()));
  const added = ADDED.map((name) => (taken.has(name) ? `answer_${name}` : name));
  run.parts.push(csvLine([...header, ...added], delimiter()));
  work(run);
}

const delimiter = () => (format.kind === "table" ? format.delimiter : ",");

/** Classify what is left of the file. */
async function work(current) {
  working.abort();
  working = new AbortController();
  const { signal } = working;
  const began = performance.now() - current.seconds * 1000;
  current.isGoing = true;
  release(current);
  showRun(current, "Classifying");
  tell("run-problem", "");
  speak(`Classifying ${counted(current.total, "text")}`);
  let outcome = "Done";
  try {
    await answerRest(current, signal, began);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Refusal || error instanceof TableError)) {
      throw error;
    }
    outcome = "Stopped";
    tell("run-problem", error.name === "AbortError" ? "" : error.message);
  } finally {
    current.isGoing = false;
    current.seconds = (performance.now() - began) / 1000;
  }
  if (run === current) {
    finish(current, outcome);
  }
}

async function answerRest(current, signal, began) {
  const rows = [];
  async function* rest() {
    let at = format.kind === "table" ? -1 : 0;
    const start = current.done;
    for await (const row of rowsOf(file, format)) {
      if (at >= start) {
        rows.push(row);
        yield textOf(row);
      }
      at += 1;
    }
  }
  const post = async (batch) => {
    const body = { texts: batch, top: 1 };
    const { results } = await ask("/v1/classify", { body, signal });
    tell("run-problem", "");
    return results;
  };
  const waiting = (message, seconds) =>
    tell("run-problem", `${message} Next try in ${counted(seconds, "second")}.`);
  const { limits } = await model;
  let drawn = 0;
  for await (const answer of answersTo(rest(), { post, limits, waiting, signal })) {
    note(current, rows.shift(), answer);
    current.seconds = (performance.now() - began) / 1000;
    if (current.seconds - drawn > DRAW_SECONDS) {
      drawn = current.seconds;
      showRun(current, "Classifying");
      await new Promise(requestAnimationFrame);
      signal.throwIfAborted();
    }
  }
}

function note(current, row, { label, probability, abstained, error }) {
  const cells = error ? ["", "", "", error] : [label ?? "", probability, Boolean(abstained), ""];
  const columns = format.kind === "table" ? format.header.length : 1;
  const kept = Array.from({ length: Math.max(columns, row.length) }, (_, at) => row[at] ?? "");
  current.parts.push(csvLine([...kept, ...cells], delimiter()));
  current.done += 1;
  current.failed += error ? 1 : 0;
  current.abstained += abstained ? 1 : 0;
  if (label) {
    current.labels.set(label, (current.labels.get(label) ?? 0) + 1);
  }
}

function showRun(current, title) {
  show("run");
  element("run-title").replaceChildren(`${title}: `, make("bdi", {}, file.name));
  element("progress").max = current.total;
  element("progress").value = current.done;
  const pace = current.done / Math.max(current.seconds, 0.001);
  const facts = [`${count(current.done)} of ${counted(current.total, "text")}`];
  if (current.isGoing && current.done) {
    facts.push(`${count(Math.round(pace))} a second`);
    facts.push(`about ${duration((current.total - current.done) / pace)} left`);
  }
  if (current.abstained) {
    facts.push(`${count(current.abstained)} not sure`);
  }
  if (current.failed) {
    facts.push(`${count(current.failed)} without an answer, see the column error`);
  }
  element("run-facts").textContent = facts.join(" \u00b7 ");
  showMix(current);
  element("cancel").hidden = !current.isGoing;
  element("again").hidden = current.isGoing;
  element("download").hidden = current.isGoing || !current.done;
  element("resume").hidden = current.isGoing || current.done === current.total;
}

function showMix({ labels, isGoing }) {
  const most = [...labels].sort((one, other) => other[1] - one[1]);
  const sum = most.reduce((total, [, number]) => total + number, 0);
  element("mix-title").hidden = !sum;
  element("mix-title").textContent = isGoing ? "Labels so far" : "Labels";
  const told = (share) => `${count(Math.round(share * sum))} \u00b7 ${percent(share)}`;
  mix.show(most.map(([label, number]) => [label, number / sum]), { told });
}

function finish(current, outcome) {
  showRun(current, outcome);
  const link = element("download");
  current.address = URL.createObjectURL(new Blob(current.parts, { type: "text/csv;charset=utf-8" }));
  link.href = current.address;
  link.download = `${file.name.replace(/\.[^.]*$/, "")}.answers.csv`;
  speak(`${outcome}. ${counted(current.done, "text")} of ${count(current.total)} classified.`);
  (link.hidden ? element("again") : link).focus();
}

function release(ended) {
  if (ended?.address) {
    URL.revokeObjectURL(ended.address);
    ended.address = null;
    element("download").removeAttribute("href");
  }
}
