/** The text view: asks as a person types; what is shown is always about the newest text. */

import { ask, pause, Refusal } from "./api.js";
import { Bars } from "./bars.js";
import { element, make, speak, tell } from "./dom.js";
import { chance, count, counted, length } from "./text.js";
import { fadeWhy, hideWhy, showNoWhy, showWhy } from "./why.js";

const PAUSE_SECONDS = 0.25; // after the last key stroke, before asking
const LONG_LABEL = 20; // characters; longer ones are set smaller
const SPEAK_SECONDS = 1; // after the last answer, before a screen reader says it

const input = element("text");
const bars = new Bars(element("bars"), { more: element("more"), choose });
let limit = Infinity;
let labels = [];
let asking = new AbortController();
let chosen = null; // the label to explain; null: the likeliest

/** Begin; `model` is the promise of the model's card. */
export async function start(model) {
  input.addEventListener("input", () => renew(PAUSE_SECONDS));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      renew(0);
    }
  });
  element("form").addEventListener("submit", (event) => event.preventDefault());
  element("text-retry").addEventListener("click", () => renew(0));
  element("clear").addEventListener("click", () => {
    input.value = "";
    input.focus();
    renew(0);
  });
  renew(0); // the browser may have kept the text over a reload
  const card = await model;
  ({ labels } = card);
  limit = card.limits.text_chars;
  renew(0);
}

/** Forget what is under way, and ask about the text as it is now. */
async function renew(seconds) {
  asking.abort(); // an older answer must not overwrite a newer one
  asking = new AbortController();
  const { signal } = asking;
  showLength();
  element("answer").classList.toggle("stale", Boolean(input.value.trim()));
  fadeWhy();
  try {
    await pause(seconds, signal);
    await answer(input.value, signal);
  } catch (error) {
    if (error.name !== "AbortError") {
      throw error;
    }
  }
}

async function answer(text, signal) {
  if (!text.trim() || length(text) > limit) {
    showNothing();
    return;
  }
  const { results } = await persist(() => ask("/v1/classify", { body: { text }, signal }), signal);
  signal.throwIfAborted();
  showAnswer(results[0]);
  await explain(text, signal);
}

async function explain(text, signal) {
  try {
    const label = chosen ?? undefined;
    const found = await ask("/v1/explain", { body: { text, label }, signal });
    signal.throwIfAborted();
    bars.mark(found.label);
    showWhy(text, found);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Refusal)) {
      throw error;
    }
    showNoWhy(error.message); // the answer stands without it
    if (error.status === 429) {
      await pause(error.wait(1), signal);
      await explain(text, signal);
    }
  }
}

/** Ask until there is an answer, as long as asking again makes sense. */
async function persist(request, signal) {
  for (let failures = 1; ; failures += 1) {
    try {
      const found = await request();
      showProblem("");
      return found;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Refusal)) {
        throw error;
      }
      showRefusal(error);
      await (error.passes ? countDown(error.wait(failures), signal) : never(signal));
    }
  }
}

const never = (signal) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

async function countDown(seconds, signal) {
  for (let left = seconds; left > 0; left -= 1) {
    element("text-retry-in").textContent = `Next try in ${counted(left, "second")}.`;
    await pause(1, signal);
  }
  element("text-retry-in").textContent = "Trying again\u2026";
}

function choose(label) {
  chosen = label;
  bars.mark(label);
  renew(0);
}

function showAnswer({ label, abstained, probability, probabilities }) {
  const shares = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  const [likeliest] = shares[0];
  element("answer").classList.remove("stale");
  element("answer").classList.toggle("abstained", Boolean(abstained));
  element("verdict").classList.toggle("long", !abstained && label.length > LONG_LABEL);
  if (abstained) {
    element("verdict").textContent = "Not sure";
    tell("verdict-note", `No label is likely enough. Closest: ${likeliest}, ${chance(probability)}.`);
    speak(`Not sure. Closest is ${likeliest}, ${chance(probability)}`, SPEAK_SECONDS);
  } else {
    element("verdict").replaceChildren(
      make("bdi", {}, label),
      make("span", { className: "share" }, chance(probability)),
    );
    tell("verdict-note", "Choose a label to see which words speak for it.");
    speak(`${label}, ${chance(probability)}`, SPEAK_SECONDS);
  }
  bars.show(shares, { told: chance, chosen: chosen ?? likeliest });
}

function showNothing() {
  chosen = null;
  showProblem("");
  hideWhy();
  speak("");
  element("answer").classList.remove("stale", "abstained");
  element("verdict").textContent = "";
  const named = labels.slice(0, 12).join(", ");
  const rest = labels.length > 12 ? ` and ${count(labels.length - 12)} more` : "";
  tell("verdict-note", labels.length
    ? `Labels with their probabilities appear here as you type: ${named}${rest}.`
    : "Labels with their probabilities appear here as you type.");
  bars.show([]);
}

function showRefusal(error) {
  showNothingOfEarlier();
  showProblem(error.message);
  element("text-retry-in").textContent = "";
}

function showNothingOfEarlier() {
  // An older answer would pass for the answer to this text
  hideWhy();
  speak("");
  element("answer").classList.remove("stale", "abstained");
  element("verdict").textContent = "";
  tell("verdict-note", "No answer yet.");
  bars.show([]);
}

function showProblem(message) {
  const words = element("text-problem-words");
  if (words.textContent !== message) {
    words.textContent = message; // the same again would be read out again
  }
  element("text-problem").hidden = !message;
}

function showLength() {
  const characters = length(input.value);
  const over = characters - limit;
  const most = Number.isFinite(limit) ? ` of ${count(limit)}` : "";
  element("length").textContent =
    over > 0
      ? `${counted(over, "character")} too many: ${count(characters)}${most}`
      : `${count(characters)}${most || ""} characters`;
  element("length").classList.toggle("over", over > 0);
  input.setAttribute("aria-invalid", String(over > 0));
  element("clear").hidden = !input.value;
}
