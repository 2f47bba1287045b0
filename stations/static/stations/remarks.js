// Remarks of visitors, newest first.

import { localise } from "../site/local-time.js";
import { say } from "./texts.js";

const REMARKS_MAX = 20; // on a page
const list = document.getElementById("remarks");

/** The handlers of the frames about remarks. */
export const remarkFrames = {
  remarks(frame) {
    list.replaceChildren();
    frame.remarks.forEach(show);
    showWhetherNone();
  },
  remark(frame) {
    show(frame);
    showWhetherNone();
  },
  remark_deleted(frame) {
    shown(frame.id)?.remove();
    showWhetherNone();
  },
};

const shown = (id) => [...list.children].find((item) => item.dataset.id === id);

function show(remark) {
  if (shown(remark.id)) return;
  const item = document.getElementById("remark-template").content.firstElementChild.cloneNode(true);
  item.dataset.id = remark.id;
  item.querySelector(".remark__message").textContent = remark.message;
  item.querySelector(".remark__name").textContent = remark.name || say("anonymous");
  item.querySelector("time").dateTime = remark.at;
  list.prepend(item);
  while (list.children.length > REMARKS_MAX) list.lastElementChild.remove();
  localise(item);
}

function showWhetherNone() {
  document.getElementById("remarks-none").hidden = list.children.length > 0;
}
