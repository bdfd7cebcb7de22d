/** The page's elements, and new ones. */

/** The element with an id. */
export const element = (id) => document.getElementById(id);

/** A new element: make("p", {className: "quiet"}, "words", another). */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Set an element's words and show it; hide it when there are none. */
export function tell(id, words) {
  element(id).textContent = words;
  element(id).hidden = !words;
}

let speaking = 0;

/** Have a screen reader say something, once nothing newer comes for a while. */
export function speak(words, afterSeconds = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    element("spoken").textContent = words;
  }, afterSeconds * 1000);
}
