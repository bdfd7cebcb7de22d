"use strict";

const PAUSE_MS = 250; // after the last key stroke, before asking

const element = (id) => document.getElementById(id);
const input = element("text");
const rows = new Map(); // label -> its list item, kept so that bars move instead of jumping
let textLimit = null;
let timer = 0;
let asking = new AbortController();

/** Return the JSON answer; an error says in one line why there is none. */
async function fetchJson(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw new Error("The service cannot be reached. Try again in a moment.", { cause: error });
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) {
    return body;
  }
  throw new Error(body?.error?.message ?? `The service answered ${response.status}.`);
}

async function classify() {
  clearTimeout(timer);
  asking.abort(); // an older answer must not overwrite a newer one
  asking = new AbortController();
  const { signal } = asking;
  const text = input.value;
  if (!text.trim()) {
    showNothing();
    return;
  }
  try {
    const answer = await fetchJson("/v1/classify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text }),
      signal,
    });
    if (!signal.aborted) {
      showResult(answer.results[0]);
    }
  } catch (error) {
    if (!signal.aborted) {
      showNothing(); // an older answer would pass for the answer to this text
      showProblem(error.message);
    }
  }
}

function showNothing() {
  showProblem("");
  element("verdict").textContent = "Labels appear here as you type.";
  element("bars").replaceChildren();
  element("labels").hidden = false;
}

function showResult({ label, probability, probabilities }) {
  showProblem("");
  element("verdict").textContent = `Most likely ${label}, ${percent(probability)}.`;
  element("labels").hidden = true;
  const sorted = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  const items = sorted.map(([name, share]) => updatedRow(name, share));
  const bars = element("bars");
  if (items.length !== bars.children.length || items.some((item, at) => item !== bars.children[at])) {
    bars.replaceChildren(...items);
  }
}

function updatedRow(name, share) {
  if (!rows.has(name)) {
    const row = document.createElement("li");
    for (const part of ["name", "share", "track"]) {
      row.append(Object.assign(document.createElement("div"), { className: part }));
    }
    row.lastChild.append(Object.assign(document.createElement("div"), { className: "fill" }));
    row.lastChild.setAttribute("aria-hidden", "true");
    row.firstChild.textContent = name;
    rows.set(name, row);
  }
  const row = rows.get(name);
  row.children[1].textContent = percent(share);
  row.lastChild.firstChild.style.setProperty("--probability", share);
  return row;
}

function showProblem(message) {
  element("problem").textContent = message;
  element("problem").hidden = !message;
}

function percent(share) {
  return `${(share * 100).toFixed(1)}\u00a0%`;
}

function showCount() {
  const count = [...input.value].length; // characters as the service counts them
  const most = textLimit === null ? "" : ` of ${textLimit.toLocaleString("en")}`;
  element("count").textContent = `${count.toLocaleString("en")}${most} characters`;
}

async function showModel() {
  try {
    const model = await fetchJson("/v1/model");
    const accuracy = percent(model.metrics.accuracy);
    const texts = model.metrics.held_out_texts.toLocaleString("en");
    element("model").textContent =
      `Model ${model.model_id} · release ${model.release_id} · ` +
      `${accuracy} of ${texts} held-out texts right`;
    element("labels").textContent = `The labels are ${model.labels.join(", ")}.`;
    textLimit = model.limits.text_chars;
    showCount();
  } catch (error) {
    element("model").textContent = `No model: ${error.message}`;
  }
}

input.addEventListener("input", () => {
  showCount();
  clearTimeout(timer);
  timer = setTimeout(classify, PAUSE_MS);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    classify();
  }
});
element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});

showCount();
showModel();
if (input.value) {
  classify(); // the browser kept the text over a reload
}
