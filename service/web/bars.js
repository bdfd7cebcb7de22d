/** Labels with their shares as bars: likeliest first, few until all are asked for. */

import { make } from "./dom.js";
import { count, percent } from "./text.js";

const FEW = 8;

/** A list of bars in `list`; `more` shows the rest; `choose(label)` is called where bars can be. */
export class Bars {
  #rows = new Map(); // label -> its item, kept so that bars move instead of jumping
  #all = false;
  #shares = [];

  constructor(list, { more = null, choose = null } = {}) {
    this.list = list;
    this.more = more;
    this.choose = choose;
    more?.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#draw();
    });
  }

  /** Show [label, share] pairs in their order; `told` gives the words at the end of a row. */
  show(shares, { told = percent, chosen = null } = {}) {
    this.#shares = shares;
    this.#draw();
    for (const [label, share] of shares) {
      const row = this.#rows.get(label);
      row.querySelector(".share").textContent = told(share);
      row.querySelector(".fill").style.setProperty("--share", share);
    }
    this.mark(chosen);
  }

  /** Say which label is chosen. */
  mark(chosen) {
    for (const [label, row] of this.#rows) {
      row.firstChild.setAttribute("aria-pressed", String(label === chosen));
      if (!this.choose) {
        row.firstChild.removeAttribute("aria-pressed");
      }
    }
  }

  #draw() {
    // One more than few is no reason for a button
    const most = this.#all || this.#shares.length <= FEW + 1 ? this.#shares.length : FEW;
    const items = this.#shares.map(([label]) => this.#row(label)).slice(0, most);
    const shown = [...this.list.children];
    if (items.length !== shown.length || items.some((item, at) => item !== shown[at])) {
      this.#replace(items);
    }
    if (this.more) {
      this.more.hidden = this.#shares.length <= FEW + 1;
      this.more.setAttribute("aria-expanded", String(this.#all));
      this.more.textContent = this.#all
        ? `Show the first ${FEW} only`
        : `Show all ${count(this.#shares.length)} labels`;
    }
  }

  #replace(items) {
    const focused = document.activeElement?.closest("li");
    this.list.replaceChildren(...items);
    if (items.includes(focused)) {
      focused.firstChild.focus(); // an item that moves loses the focus
    }
  }

  #row(label) {
    if (!this.#rows.has(label)) {
      const parts = [
        make("bdi", { className: "name" }, label),
        make("span", { className: "share" }),
        make("span", { className: "track" }, make("span", { className: "fill" })),
      ];
      const tag = this.choose ? "button" : "div";
      const row = make("li", {}, make(tag, { className: "row" }, ...parts));
      if (this.choose) {
        row.firstChild.type = "button";
        row.firstChild.addEventListener("click", () => this.choose(label));
      }
      this.#rows.set(label, row);
    }
    return this.#rows.get(label);
  }
}
