/** CSV as it comes in pieces and as it goes out: RFC 4180, with any of three delimiters. */

const DELIMITERS = [",", ";", "\t"];

/** A file that can't be read as what it is said to be: one line. */
export class TableError extends Error {}

/** The delimiter that a table's first line speaks for. */
export function guessDelimiter(head) {
  const line = head.replace(/"(?:[^"]|"")*"?/g, "").split(/[\r\n]/, 1)[0];
  const counts = DELIMITERS.map((each) => line.split(each).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))];
}

/** Reads rows of cells out of text that comes in pieces; quoted cells may hold line breaks. */
export class CsvReader {
  #delimiter;
  #cells = [];
  #cell = "";
  #quoted = false; // inside quotes
  #closed = false; // behind a closing quote, which may turn out to be the first of two
  #skipFeed = false; // the last piece ended with a carriage return
  #line = 1;
  #quoteLine = 0;

  constructor(delimiter) {
    this.#delimiter = delimiter;
  }

  /** The rows that `piece` completes. */
  push(piece) {
    const rows = [];
    for (const character of piece) {
      if (this.#quoted) {
        this.#readQuoted(character);
      } else {
        this.#readPlain(character, rows);
      }
      this.#line += character === "\n" ? 1 : 0;
    }
    return rows;
  }

  /** The row that is left at the end of the file; TableError inside quotes. */
  end() {
    if (this.#quoted) {
      throw new TableError(
        `The quotation mark in line ${this.#quoteLine} is never closed. ` +
          "Mend the file, or read it as one text a line.",
      );
    }
    return this.#cell || this.#cells.length || this.#closed ? [this.#finishRow()] : [];
  }

  #readQuoted(character) {
    if (character === '"') {
      [this.#quoted, this.#closed] = [false, true];
    } else {
      this.#cell += character;
    }
  }

  #readPlain(character, rows) {
    const afterReturn = this.#skipFeed;
    this.#skipFeed = false;
    if (character === '"' && this.#closed) {
      this.#cell += '"';
      [this.#quoted, this.#closed] = [true, false];
    } else if (character === '"' && !this.#cell) {
      [this.#quoted, this.#quoteLine] = [true, this.#line];
    } else if (character === this.#delimiter) {
      this.#finishCell();
    } else if (character === "\n" && afterReturn) {
      return; // the row ended with the carriage return
    } else if (character === "\n" || character === "\r") {
      this.#skipFeed = character === "\r";
      rows.push(this.#finishRow());
    } else {
      this.#cell += character;
      this.#closed = false;
    }
  }

  #finishCell() {
    this.#cells.push(this.#cell);
    [this.#cell, this.#closed] = ["", false];
  }

  #finishRow() {
    this.#finishCell();
    const row = this.#cells;
    this.#cells = [];
    return row;
  }
}

/** Reads lines as rows of one cell. */
export class LineReader {
  #rest = "";

  push(piece) {
    // A carriage return at the very end may be half of a line break: it waits for the next piece
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.map((line) => [line]);
  }

  end() {
    const rest = this.#rest.replace(/\r$/, "");
    return rest ? [[rest]] : [];
  }
}

/** One row as a line of CSV; no cell can be taken for a formula by a spreadsheet. */
export function csvLine(cells, delimiter = ",") {
  return `${cells.map((cell) => csvCell(String(cell))).join(delimiter)}\r\n`;
}

function csvCell(cell) {
  const isNumber = /^[+-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?$/i.test(cell);
  const safe = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/.test(cell) && !isNumber ? `'${cell}` : cell;
  const mustQuote = /[",;\t\r\n]/.test(safe) || safe !== safe.trim();
  return mustQuote ? `"${safe.replaceAll('"', '""')}"` : safe;
}
