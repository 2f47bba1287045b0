// Remarks of visitors, newest first.

import { localise } from "../site/local-time.js";
import { say } from "./texts.js";

const REMARKS_MAX = 20; // on a page

/** Put a remark frame on the page, unless it is there. */
export function showRemark(remark) {
  const list = document.getElementById("remarks");
  if ([...list.children].some((item) => item.dataset.id === remark.id)) return;
  const item = document.getElementById("remark-template").content.firstElementChild.cloneNode(true);
  item.dataset.id = remark.id;
  item.querySelector(".remark__message").textContent = remark.message;
  item.querySelector(".remark__name").textContent = remark.name || say("anonymous");
  item.querySelector("time").dateTime = remark.at;
  list.prepend(item);
  while (list.children.length > REMARKS_MAX) list.lastElementChild.remove();
  document.getElementById("remarks-none").hidden = true;
  localise(item);
}
