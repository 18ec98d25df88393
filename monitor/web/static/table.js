// The start page: what is new comes as events; arrows move along the rows, A leads to Acknowledge.
"use strict";
(() => {
  const { keys, span, fill, tick, serverTime } = window.monitor;
  const lost = document.getElementById("stream");
  const news = document.getElementById("news");
  const main = document.querySelector("main");
  const GREY_AFTER = 30000;
  const AGAIN_AFTER = 5000;
  let told = Date.now();

  const openAlarms = () => [...document.querySelectorAll(".acard.open")];
  let known = new Set(openAlarms().map((card) => card.id));

  // A picture that is shown stays until the next one has come.
  function keepPicture(old, fresh) {
    const shown = old.querySelector("img");
    const next = fresh.querySelector("img");
    if (!shown || !next || !old.classList.contains("hole")) return;
    if (shown.getAttribute("src") !== next.getAttribute("src")) shown.src = next.getAttribute("src");
    next.replaceWith(shown);
  }

  function put(html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    for (const fresh of [...parsed.body.children]) {
      const old = document.getElementById(fresh.id);
      if (!old) continue;
      const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
      const scrolled = old.scrollTop;
      const unfolded = old.querySelector("details[open]") !== null;
      keepPicture(old, fresh);
      old.replaceWith(document.adoptNode(fresh));
      fresh.scrollTop = scrolled;
      if (unfolded) fresh.querySelector("details")?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    }
  }

  function announce() {
    const now = openAlarms();
    const opened = now.filter((card) => !known.has(card.id));
    known = new Set(now.map((card) => card.id));
    if (opened.length) news.textContent = opened.map((card) => card.dataset.said).join(". ");
  }

  function say(sentence) {
    lost.hidden = false;
    lost.querySelector("b").textContent = sentence;
  }

  function connect() {
    const source = new EventSource(lost.dataset.events);
    source.onopen = () => {
      told = Date.now();
      lost.hidden = true;
      main.classList.remove("stale");
    };
    source.onmessage = (event) => {
      const message = JSON.parse(event.data);
      serverTime(message.now);
      put(message.html);
      announce();
      tick();
      told = Date.now();
    };
    source.onerror = async () => {
      if (source.readyState !== EventSource.CLOSED) {
        // The browser tries again by itself. A stream that ended in its time is back at once.
        setTimeout(() => source.readyState === EventSource.OPEN || say(lost.dataset.lost), 3000);
        return;
      }
      let sentence = lost.dataset.lost;
      try {
        const answer = await fetch(lost.dataset.events, { signal: AbortSignal.timeout(3000) });
        // A login that has ended: the page itself leads to the next one.
        if (answer.redirected) location.reload();
        else if (answer.ok) answer.body.cancel();
        else if (answer.headers.get("content-type")?.startsWith("text/plain")) sentence = await answer.text();
      } catch {
        // The server cannot be reached at all.
      }
      say(sentence);
      setTimeout(connect, AGAIN_AFTER);
    };
    addEventListener("pagehide", () => source.close());
  }

  // A page that a browser kept aside is as old as that.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  // While the stream lives nothing may have changed, so only a lost one makes the view old.
  setInterval(() => {
    if (lost.hidden) {
      told = Date.now();
      return;
    }
    lost.querySelector("span").textContent = fill(lost.dataset.old, span(Date.now() - told));
    main.classList.toggle("stale", Date.now() - told > GREY_AFTER);
  }, 1000);

  const rows = () => [...document.querySelectorAll(".hrow")].map((row) => [...row.querySelectorAll(".hole")]);

  function move(down, right) {
    const all = rows();
    const here = document.activeElement;
    const row = all.findIndex((one) => one.includes(here));
    if (row < 0) {
      all[0]?.[0]?.focus();
      return all.length > 0;
    }
    if (right) {
      const flat = all.flat();
      flat[flat.indexOf(here) + right]?.focus();
      return true;
    }
    const middle = here.getBoundingClientRect().left;
    const next = all[row + down] ?? [];
    const distance = (one) => Math.abs(one.getBoundingClientRect().left - middle);
    [...next].sort((a, b) => distance(a) - distance(b))[0]?.focus();
    return true;
  }

  keys.set("ArrowLeft", () => move(0, -1));
  keys.set("ArrowRight", () => move(0, 1));
  keys.set("ArrowUp", () => move(-1, 0));
  keys.set("ArrowDown", () => move(1, 0));
  keys.set("KeyA", () => {
    const button = document.querySelector(".acard.open button");
    button?.focus();
    return Boolean(button);
  });

  connect();
})();
