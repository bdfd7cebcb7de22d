/** Texts and numbers as people read them; nothing here knows the page. */

const NO_BREAK = "\u00a0";
const numbers = new Intl.NumberFormat("en");

/** A share of 1 as a percentage; never 0 or 100 where it is not quite that. */
export function percent(share) {
  if (share > 0 && share < 0.001) {
    return `<${NO_BREAK}0.1${NO_BREAK}%`;
  }
  if (share < 1 && share > 0.999) {
    return `>${NO_BREAK}99.9${NO_BREAK}%`;
  }
  return `${(share * 100).toFixed(1)}${NO_BREAK}%`;
}

/** A model's probability as a percentage: never certain, however it was rounded. */
export function chance(probability) {
  return percent(Math.min(Math.max(probability, 1e-6), 1 - 1e-6));
}

/** A whole number with its thousands apart. */
export function count(number) {
  return numbers.format(number);
}

/** A number with its noun: counted(1, "text") is "1 text". */
export function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A weight with its sign. */
export function signed(weight) {
  return `${weight < 0 ? "\u2212" : "+"}${Math.abs(weight).toFixed(2)}`;
}

/** A duration in whole seconds, minutes or hours. */
export function duration(seconds) {
  if (seconds < 90) {
    return counted(Math.max(1, Math.round(seconds)), "second");
  }
  return seconds < 5400
    ? counted(Math.round(seconds / 60), "minute")
    : counted(Math.round(seconds / 3600), "hour");
}

/** How many characters a text has, counted as the service counts: by code points. */
export function length(text) {
  let surrogatePairs = 0;
  for (let at = 0; at < text.length - 1; at += 1) {
    if (isPair(text, at)) {
      surrogatePairs += 1;
      at += 1;
    }
  }
  return text.length - surrogatePairs;
}

function isPair(text, at) {
  const [high, low] = [text.charCodeAt(at), text.charCodeAt(at + 1)];
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/**
 * Cut a text at its words: [{text, weight}] that join to the text, weight null between words.
 *
 * `words` give start and end in code points, as the service counts.
 */
export function pieces(text, words) {
  const found = [];
  const ordered = [...words].sort((one, other) => one.start - other.start);
  let [codePoint, unit, done] = [0, 0, 0];
  const unitAt = (target) => {
    while (codePoint < target && unit < text.length) {
      unit += isPair(text, unit) ? 2 : 1;
      codePoint += 1;
    }
    return unit;
  };
  for (const { start, end, weight } of ordered) {
    if (start < codePoint || end <= start) {
      continue; // overlaps what is cut already
    }
    const from = unitAt(start);
    if (from > done) {
      found.push({ text: text.slice(done, from), weight: null });
    }
    done = unitAt(end);
    found.push({ text: text.slice(from, done), weight });
  }
  if (done < text.length) {
    found.push({ text: text.slice(done), weight: null });
  }
  return found;
}

/** The strongest words of one direction (1 for, -1 against), equal words added up. */
export function strongest(words, direction, most) {
  const sums = new Map();
  for (const { word, weight } of words) {
    const name = word.toLowerCase();
    sums.set(name, (sums.get(name) ?? 0) + weight);
  }
  return [...sums]
    .map(([word, weight]) => ({ word, weight }))
    .filter(({ weight }) => weight * direction >= 0.005)
    .sort((one, other) => (other.weight - one.weight) * direction)
    .slice(0, most);
}
