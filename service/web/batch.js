/** Many texts to their answers: in batches, in order, patiently. Nothing here knows the page. */

import { pause, Refusal } from "./api.js";
import { count, length } from "./text.js";

const MOST_BYTES = 60_000; // of a batch; where the service takes less, batches are halved
const MOST_FAILURES = 8; // in a row, before giving up

/**
 * The answers to texts that come one by one: {label, probability, abstained} or {error} each.
 *
 * `post(texts)` asks the service; `limits` are {text_chars, batch_texts}; `waiting(message,
 * seconds)` is told of each pause. Refusal when the service does not answer for good.
 */
export async function* answersTo(texts, { post, limits, waiting, signal }) {
  const work = { post, waiting, signal };
  let batch = [];
  let bytes = 0;
  for await (const text of texts) {
    const size = text.length * 3 + 4; // at the most
    if (batch.length === limits.batch_texts || (batch.length && bytes + size > MOST_BYTES)) {
      yield* await answerBatch(batch, limits, work);
      [batch, bytes] = [[], 0];
    }
    batch.push(text);
    bytes += size;
  }
  if (batch.length) {
    yield* await answerBatch(batch, limits, work);
  }
}

async function answerBatch(batch, limits, work) {
  const errors = batch.map((text) => problemOf(text, limits));
  const sound = batch.filter((_, at) => !errors[at]);
  const answers = sound.length ? await answer(sound, work) : [];
  return errors.map((error) => (error ? { error } : answers.shift()));
}

/** Why the service would refuse a text; null where it would not. */
function problemOf(text, limits) {
  if (!text.trim()) {
    return "There is no text.";
  }
  const characters = length(text);
  return characters > limits.text_chars
    ? `The text has ${count(characters)} characters; ${count(limits.text_chars)} are the most.`
    : null;
}

/** The answers to a batch; a text that is refused costs the others nothing. */
async function answer(texts, work) {
  try {
    return await persist(texts, work);
  } catch (error) {
    if (!(error instanceof Refusal) || ![400, 413, 422].includes(error.status)) {
      throw error;
    }
    if (texts.length === 1) {
      return [{ error: error.message }];
    }
    const half = Math.ceil(texts.length / 2);
    const first = await answer(texts.slice(0, half), work);
    return [...first, ...(await answer(texts.slice(half), work))];
  }
}

async function persist(texts, { post, waiting, signal }) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await post(texts);
    } catch (error) {
      signal.throwIfAborted();
      if (!error.passes || failures === MOST_FAILURES) {
        throw error;
      }
      const seconds = error.wait(failures);
      waiting(error.message, seconds);
      await pause(seconds, signal);
    }
  }
}
