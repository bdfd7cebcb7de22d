/** The page: three views, and the model that all of them are about. */

import { element } from "./dom.js";
import { loadModel } from "./model.js";
import { start as startTyping } from "./typing.js";
import { start as startUpload } from "./upload.js";

const VIEWS = ["text", "file", "model"];

function showView(isFirst) {
  const named = location.hash.slice(1);
  if (!isFirst && !VIEWS.includes(named)) {
    return; // a place within the view, such as the target of the skip link
  }
  const wanted = VIEWS.includes(named) ? named : "text";
  for (const view of VIEWS) {
    element(`view-${view}`).hidden = view !== wanted;
    const link = document.querySelector(`nav a[href="#${view}"]`);
    if (view === wanted) {
      link.setAttribute("aria-current", "page");
    } else {
      link.removeAttribute("aria-current");
    }
  }
  if (!isFirst) {
    scrollTo(0, 0);
  }
}

window.addEventListener("hashchange", () => showView(false));
showView(true);
const model = loadModel();
startTyping(model);
startUpload(model);
