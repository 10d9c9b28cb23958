// Escape puts an explanation away that hangs over the page (WCAG 2.2, 1.4.13); all else works without scripts.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const each of document.querySelectorAll(".define:hover, .define:focus-within")) {
    each.classList.add("away");
    for (const over of ["mouseleave", "focusout"]) {
      each.addEventListener(over, () => each.classList.remove("away"), { once: true });
    }
  }
});
