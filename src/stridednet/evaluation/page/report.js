// A cell of the confusion matrix opens the pictures behind it; printing opens everything but the recipe.
"use strict";
function syncButtons(panel) {
  for (const button of document.querySelectorAll(`button[aria-controls="${panel.id}"]`)) {
    button.setAttribute("aria-expanded", String(panel.open));
  }
}
for (const button of document.querySelectorAll("button[aria-controls]")) {
  button.addEventListener("click", () => {
    const panel = document.getElementById(button.getAttribute("aria-controls"));
    panel.open = !panel.open;
    if (panel.open) {
      panel.scrollIntoView({block: "nearest"});
      panel.querySelector("summary").focus({preventScroll: true});
    }
  });
}
for (const panel of document.querySelectorAll("details[id]")) {
  panel.addEventListener("toggle", () => syncButtons(panel));
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
