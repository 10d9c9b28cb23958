// Beside htmx, which renews the queue: says when that fails, and keeps the focus where it was when a row changes.
(() => {
  "use strict";
  const queue = document.getElementById("queue");
  const away = document.getElementById("away");
  let row = null;

  document.getElementById("renews").hidden = false;

  const failed = () => { away.hidden = false; };
  document.addEventListener("htmx:error", failed);
  document.addEventListener("htmx:response:error", failed);

  document.addEventListener("htmx:before:swap", () => {
    row = queue.contains(document.activeElement) ? document.activeElement.closest("li[id]") : null;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.response?.status !== 200) return; // a refusal "swaps" nothing, and ends here as well
    away.hidden = true;
    if (row === null || queue.contains(document.activeElement)) return;
    // The button that had the focus is gone: its row, or else the queue, is the next best place.
    const next = document.getElementById(row.id)?.querySelector("a[href]") ?? document.getElementById("main");
    next.focus({ preventScroll: true });
  });
})();
