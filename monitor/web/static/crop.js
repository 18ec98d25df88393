// The page of a crop: heat maps over the picture, and the keys. Arrows: in time; H: next heat map; O: overlay.
(function () {
  "use strict";

  const over = document.querySelector(".over");
  const maps = [...document.querySelectorAll(".seg a[data-model]")];
  const button = document.getElementById("overlay");
  const slider = document.getElementById("opacity");
  const said = document.getElementById("opacity-said");
  const caption = document.getElementById("caption");
  const problem = document.getElementById("no-map");
  let asked = 0;

  function loaded(address) {
    return new Promise((resolve, reject) => {
      const picture = new Image();
      picture.onload = () => resolve(picture);
      picture.onerror = () => reject(new Error(address));
      picture.src = address;
    });
  }

  function show(id, address) {
    const picture = document.getElementById(id);
    return loaded(address).then(() => { picture.src = address; picture.closest("figure").hidden = false; });
  }

  function fade() {
    said.textContent = `${slider.value} %`;
    slider.setAttribute("aria-valuetext", said.textContent);
    const heat = over.querySelector(".heat");
    if (heat) heat.style.opacity = String(slider.value / 100);
  }

  function clear() {
    for (const picture of over.querySelectorAll(".heat, .base")) picture.remove();
    caption.textContent = caption.dataset.crop;
  }

  function layer(picture, name) {
    picture.className = `px ${name}`;
    picture.alt = "";
    over.append(picture);
  }

  // The map covers what the model sees, which may be the middle of the crop alone: so its own view is put below it.
  async function choose(link) {
    const mine = ++asked;
    for (const one of maps) one.toggleAttribute("aria-current", false);
    link.setAttribute("aria-current", "true");
    problem.hidden = true;
    const base = link.dataset.base;
    const address = (kind) => `${base}${kind}/${link.dataset.model}?scale=8`;
    for (const kind of ["view", "reconstruction", "map"]) {
      const figure = document.getElementById(kind).closest("figure");
      show(kind, address(kind)).catch(() => { if (mine === asked) figure.hidden = true; });
    }
    try {
      const [view, heat] = await Promise.all([loaded(address("view")), loaded(address("map"))]);
      if (mine !== asked) return;
      clear();
      if (button.getAttribute("aria-pressed") !== "true") return;
      layer(view, "base");
      layer(heat, "heat");
      caption.textContent = link.dataset.caption;
      fade();
    } catch (failure) {
      const sentence = await window.monitorPictures.why(failure.message);
      if (mine !== asked) return;
      clear();
      problem.querySelector("span").textContent = sentence;
      problem.hidden = false;
    }
  }

  function current() {
    return maps.find((one) => one.hasAttribute("aria-current")) || maps[0];
  }

  function toggle() {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    if (on) choose(current()); else clear();
  }

  function next() {
    choose(maps[(maps.indexOf(current()) + 1) % maps.length]);
  }

  if (maps.length && over) {
    for (const link of maps) link.addEventListener("click", (event) => { event.preventDefault(); choose(link); });
    button.addEventListener("click", toggle);
    slider.addEventListener("input", fade);
    choose(current());
  }

  const keys = window.monitor.keys;
  for (const [code, id] of [["ArrowLeft", "previous"], ["ArrowRight", "following"]]) {
    keys.set(code, (event) => {
      // On the slider the arrows move that.
      const link = event.target.matches("input") ? null : document.getElementById(id);
      link?.click();
      return Boolean(link);
    });
  }
  if (maps.length) {
    keys.set("KeyH", () => { next(); return true; });
    keys.set("KeyO", () => { toggle(); return true; });
  }
})();
