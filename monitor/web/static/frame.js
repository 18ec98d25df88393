// What every page does: clocks that tick, ages that count, keys, the help about keys.
"use strict";
(() => {
  const body = document.body;
  const units = JSON.parse(body.dataset.units);
  const offset = Number(body.dataset.offset) * 1000;
  // The server's clock counts: a tablet's own may be wrong.
  let ahead = Number(body.dataset.now) - Date.now();

  const fill = (text, ...values) => text.replace(/\{\}/g, () => values.shift());
  const two = (number) => String(number).padStart(2, "0");

  function span(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    if (seconds < 60) return fill(units[0], seconds);
    if (seconds < 3600) return fill(units[1], Math.floor(seconds / 60));
    if (seconds < 86400) return fill(units[2], Math.floor(seconds / 3600), two(Math.floor((seconds % 3600) / 60)));
    return fill(units[3], Math.floor(seconds / 86400));
  }

  function age(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const minutes = Math.floor(seconds / 60);
    if (seconds < 3600) return `${minutes}:${two(seconds % 60)}`;
    return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
  }

  const written = {
    ago: (at, now) => fill(body.dataset.ago, span(now - at)),
    left: (at, now) => fill(body.dataset.left, span(at - now)),
    span: (at, now) => span(now - at),
    age: (at, now) => age(now - at),
  };

  function tick() {
    const now = Date.now() + ahead;
    for (const [name, write] of Object.entries(written)) {
      for (const element of document.querySelectorAll(`[data-${name}]`)) {
        if (element === body) continue;
        const text = write(Number(element.dataset[name]), now);
        if (element.textContent !== text) element.textContent = text;
      }
    }
    const clock = document.getElementById("plant-time");
    if (clock) clock.textContent = new Date(now + offset).toISOString().slice(11, 19);
  }

  // For the scripts of single pages.
  window.monitor = {
    span,
    fill,
    tick,
    serverTime(milliseconds) {
      ahead = milliseconds - Date.now();
    },
    // Calls back for a key by its place on the keyboard, so that it is the same one in a Russian layout.
    keys: new Map(),
  };

  const SWITCH = "monitor-keys";
  const help = document.getElementById("help");
  const on = document.getElementById("keys-on");
  if (on) {
    on.checked = localStorage.getItem(SWITCH) !== "off";
    on.addEventListener("change", () => localStorage.setItem(SWITCH, on.checked ? "on" : "off"));
  }

  const isField = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button])");

  let goes = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isField(event.target)) return;
    if (event.key === "?" || (event.code === "Slash" && event.shiftKey)) {
      event.preventDefault();
      if (help.open) help.close();
      else help.showModal();
      return;
    }
    if ((on && !on.checked) || (help && help.open)) return;
    if (Date.now() - goes < 1500) {
      goes = 0;
      const link = document.querySelector(`.nav a[data-letter="${event.code.replace("Key", "").toLowerCase()}"]`);
      if (link) {
        event.preventDefault();
        location.href = link.href;
        return;
      }
    }
    if (event.code === "KeyG" && !event.shiftKey) {
      goes = Date.now();
      return;
    }
    const act = window.monitor.keys.get(event.code);
    if (act && act(event)) event.preventDefault();
  });

  tick();
  setInterval(tick, 1000);
})();
