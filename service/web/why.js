/** Which words of the text speak for a label and which against it. */

import { element, make, tell } from "./dom.js";
import { pieces, signed, strongest } from "./text.js";

const MOST_WORDS = 5;
const LEAST_SCALE = 0.5; // below it, the strongest word of a text is no strong word
const LEAST_STRENGTH = 0.1; // weaker words stay plain
// How the score comes about, by the method that the service names
const SUMS = {
  additive: ({ score, bias }) =>
    `The score ${signed(score)} is the sum of all words, ${signed(score - bias)}, ` +
    `and what the label has without any, ${signed(bias)}.`,
  occlusion: ({ score, bias }) =>
    `The score is ${signed(score)}. A word's weight is what the score loses without that word; ` +
    `${signed(bias)} are due to no single one.`,
};

/** Show an explanation of `text`, as the service gives it. */
export function showWhy(text, { label, score, bias, words, method }) {
  element("why-title").replaceChildren("What speaks for ", make("bdi", {}, label));
  const scale = Math.max(LEAST_SCALE, ...words.map(({ weight }) => Math.abs(weight)));
  const shown = pieces(text, words).map((piece) => shownPiece(piece, scale));
  element("words").replaceChildren(...shown);
  showSide("words-for", words, 1);
  showSide("words-against", words, -1);
  element("sum").textContent = SUMS[method]?.({ score, bias }) ?? "";
  open("");
}

/** Say why there is no explanation. */
export function showNoWhy(problem) {
  element("why-title").textContent = "Why";
  open(`The words can't be weighed. ${problem}`);
}

function open(problem) {
  element("why").classList.remove("stale");
  element("why").hidden = false;
  element("why-found").hidden = Boolean(problem);
  tell("why-problem", problem);
}

/** Show that what stands there is about an earlier text. */
export function fadeWhy() {
  element("why").classList.add("stale");
}

export function hideWhy() {
  element("why").hidden = true;
}

function shownPiece({ text, weight }, scale) {
  const strength = Math.abs(weight ?? 0) / scale;
  if (strength < LEAST_STRENGTH) {
    return text;
  }
  const word = make("span", { className: weight > 0 ? "word for" : "word against" }, text);
  word.style.setProperty("--strength", strength.toFixed(3));
  word.title = signed(weight);
  return word;
}

function showSide(id, words, direction) {
  const found = strongest(words, direction, MOST_WORDS);
  const items = found.map(({ word, weight }) =>
    make("li", {}, make("bdi", {}, word), make("span", { className: "share" }, signed(weight))),
  );
  element(id).replaceChildren(...(items.length ? items : [make("li", { className: "quiet" }, "none")]));
}
