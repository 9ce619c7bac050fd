// A cell of the confusion matrix opens the pictures behind it; printing opens the most frequent confusions and the advice.
"use strict";
for (const panels of document.querySelectorAll(".of-matrix")) {
  panels.classList.add("by-button");  // without scripts, the closed panels stay visible
}
for (const button of document.querySelectorAll("button[aria-controls]")) {
  const panel = document.getElementById(button.getAttribute("aria-controls"));
  const summary = panel.querySelector("summary");
  button.addEventListener("click", () => {
    panel.open = !panel.open;
    if (panel.open) {
      panel.scrollIntoView({block: "nearest"});
      summary.focus({preventScroll: true});
    }
  });
  summary.addEventListener("click", () => {
    if (panel.open) button.focus();  // it is about to close
  });
  panel.addEventListener("toggle", () => button.setAttribute("aria-expanded", String(panel.open)));
}
let openedForPrint = [];
addEventListener("beforeprint", () => {
  openedForPrint = [...document.querySelectorAll("details[data-print]:not([open])")];
  for (const panel of openedForPrint) panel.open = true;
});
addEventListener("afterprint", () => {
  for (const panel of openedForPrint) panel.open = false;
  openedForPrint = [];
});
