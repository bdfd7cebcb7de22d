/** The rows of a file that a person chose, read in pieces: the whole is never held. */

import { CsvReader, guessDelimiter, LineReader, TableError } from "./csv.js";
import { count } from "./text.js";

const HEAD_BYTES = 65_536;
const TEXT_COLUMNS = ["text", "message", "body", "content", "comment", "description", "review"];

/**
 * What a file seems to be: {encoding, kind: "table" or "lines", delimiter, header}.
 *
 * TableError where it is no text at all.
 */
export async function inspect(file) {
  const bytes = new Uint8Array(await readBytes(file.slice(0, HEAD_BYTES)));
  const encoding = encodingOf(bytes);
  const head = new TextDecoder(encoding).decode(bytes);
  if (head.includes("\0")) {
    throw new TableError(`${file.name} is not a text file. Save its texts as CSV, and drop that.`);
  }
  const kind = /\.(csv|tsv|tab)$/i.test(file.name) ? "table" : "lines";
  const delimiter = guessDelimiter(head);
  return { encoding, kind, delimiter, header: new CsvReader(delimiter).push(`${head}\n`)[0] };
}

async function readBytes(blob) {
  try {
    return await blob.arrayBuffer();
  } catch (error) {
    throw new TableError("The file can't be read. Was it moved, or is it a folder?", {
      cause: error,
    });
  }
}

function encodingOf(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) {
    return "utf-16le";
  }
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
}

/** The rows of a file as lists of cells, blank ones left out; read as `format` says. */
export async function* rowsOf(file, { encoding, kind, delimiter }) {
  const reader = kind === "table" ? new CsvReader(delimiter) : new LineReader();
  const decoder = new TextDecoder(encoding, { fatal: true });
  const stream = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await readPiece(stream);
      const piece = decode(decoder, value, !done, file.name);
      yield* reader.push(piece).filter(isFilled);
      if (done) {
        yield* reader.end().filter(isFilled);
        return;
      }
    }
  } finally {
    stream.cancel().catch(() => {}); // a file that vanished can't be closed either
  }
}

async function readPiece(stream) {
  try {
    return await stream.read();
  } catch (error) {
    throw new TableError("The file can't be read to its end. Was it changed or moved?", {
      cause: error,
    });
  }
}

function decode(decoder, bytes, stream, name) {
  try {
    return decoder.decode(bytes, { stream });
  } catch (error) {
    throw new EncodingError(`${name} is not in ${decoder.encoding.toUpperCase()}.`, {
      cause: error,
    });
  }
}

/** Bytes that are not of the encoding. */
export class EncodingError extends TableError {}

const isFilled = (row) => row.length > 1 || row[0].trim() !== "";

/** The place of the column that most likely holds the texts. */
export function guessColumn(header) {
  const names = header.map((name) => name.trim().toLowerCase());
  const known = TEXT_COLUMNS.map((name) => names.indexOf(name)).find((at) => at >= 0);
  return known ?? 0;
}

/**
 * Read a file once from end to end: {rows, empty, tooLong, preview: first rows}.
 *
 * `ofRow` gives the text of a row, `isTooLong` says whether the service would refuse it.
 */
export async function survey(file, format, { ofRow, isTooLong, signal }) {
  const found = { rows: 0, empty: 0, tooLong: 0, preview: [] };
  for await (const row of rowsOf(file, format)) {
    signal.throwIfAborted();
    const text = ofRow(row);
    found.rows += 1;
    found.empty += text.trim() === "" ? 1 : 0;
    found.tooLong += isTooLong(text) ? 1 : 0;
    if (found.preview.length < 4) {
      found.preview.push(row);
    }
  }
  return found;
}

/** A file's size as people say it. */
export function size(bytes) {
  if (bytes < 1000) {
    return `${bytes} bytes`;
  }
  return bytes < 1e6 ? `${count(Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
