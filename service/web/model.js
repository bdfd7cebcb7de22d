/** The model's card: what it knows, how good it is, how it was made. */

import { ask, pause, Refusal } from "./api.js";
import { element, make, tell } from "./dom.js";
import { count, duration, percent } from "./text.js";

/** The model's card, asked for until it comes; shown in its view and, in short, below the page. */
export async function loadModel() {
  for (let failures = 1; ; failures += 1) {
    try {
      const card = await ask("/v1/model");
      tell("model-problem", "");
      element("card").replaceChildren(...cardParts(card));
      element("identity").textContent = `Model ${card.model_id} \u00b7 release ${card.release_id}`;
      return card;
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      tell("model-problem", `${error.message} This page asks again.`);
      await pause(error.wait(failures));
    }
  }
}

function cardParts(card) {
  const { metrics, calibration, limits, training } = card;
  return [
    tiles([
      ["Right on new texts", percent(metrics.accuracy), `${count(metrics.held_out_texts)} held-out texts`],
      ["Macro F1", metrics.macro_f1.toFixed(3), "mean over the labels"],
      ["Calibration error", percent(calibration.ece_after), "gap between probability and truth"],
      ["Learned from", count(metrics.training_texts), `texts, in ${duration(training.duration_seconds)}`],
    ]),
    make("div", { className: "desk" },
      section("Labels", "their share among the held-out texts", labelTable(card)),
      section("How sure it is", "held-out texts by the probability of their answer", histogram(card))),
    section("Facts", "", facts([
      ["Model", card.model_id],
      ["Release", card.release_id],
      ["Trained", new Date(card.created).toLocaleString("en", { dateStyle: "long", timeStyle: "short" })],
      ["Vocabulary", `${count(card.tokenizer.max_tokens)} words and runs of up to ${card.tokenizer.ngrams}`],
      ["Unknown words", `${percent(card.statistics.unknown_words.share)} of the held-out texts' words`],
      ["A text may have", `${count(limits.text_chars)} characters; the first ${count(card.tokenizer.max_length)} words and runs count`],
      ["A request may have", `${count(limits.batch_texts)} texts`],
      ["Data", training.source],
      ["Made with", Object.entries(training.versions).map((pair) => pair.join(" ")).join(", ")],
    ])),
  ];
}

function section(title, note, ...content) {
  const head = [make("h3", {}, title), ...(note ? [make("p", { className: "quiet" }, note)] : [])];
  return make("section", { className: "card" }, ...head, ...content);
}

function tiles(items) {
  return make("dl", { className: "tiles" }, ...items.map(([name, value, note]) =>
    make("div", { className: "card" }, make("dt", {}, name),
      make("dd", { className: "value" }, value), make("dd", { className: "quiet" }, note))));
}

function facts(items) {
  return make("dl", { className: "facts" }, ...items.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, make("bdi", {}, value)))));
}

function labelTable({ labels, statistics: { label_mix: shares } }) {
  const most = Math.max(...Object.values(shares), 0.001);
  const rows = [...labels].sort((one, other) => shares[other] - shares[one]).map((label) => {
    const bar = make("span", { className: "fill" });
    bar.style.setProperty("--share", shares[label] / most);
    return make("li", {}, make("div", { className: "row" },
      make("bdi", { className: "name" }, label),
      make("span", { className: "share" }, percent(shares[label])),
      make("span", { className: "track" }, bar)));
  });
  const list = make("ol", { className: "bars" }, ...rows);
  return scrolling("Labels and their shares", list);
}

function scrolling(name, content) {
  const box = make("div", { className: "scroll", tabIndex: 0 }, content);
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", name);
  return box;
}

function histogram({ statistics: { confidence } }) {
  const most = Math.max(...confidence.histogram, 1);
  const width = 100 / confidence.histogram.length;
  const columns = confidence.histogram.map((number, at) => {
    const column = make("li", { title: `${(at * width).toFixed(0)} to ${((at + 1) * width).toFixed(0)}\u00a0%: ${count(number)}` });
    column.style.setProperty("--share", number / most);
    return column;
  });
  const { p5, p50, p95 } = confidence.quantiles;
  const chart = make("ol", { className: "columns" }, ...columns);
  chart.setAttribute("aria-hidden", "true");
  return make("div", {}, chart,
    make("p", { className: "line quiet axis" }, ...["0\u00a0%", "50\u00a0%", "100\u00a0%"].map((mark) => make("span", {}, mark))),
    make("p", { className: "quiet" }, `Half of the answers are at ${percent(p50)} or more; 9 of 10 lie between ${percent(p5)} and ${percent(p95)}.`));
}
