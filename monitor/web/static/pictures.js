// A picture that cannot be shown leaves a dashed frame of its size, with what the server says of it.
(function () {
  "use strict";

  async function why(address) {
    const answer = await fetch(address, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const sentence = page.querySelector("main p");
    return sentence ? sentence.textContent : answer.statusText;
  }

  function leaveFrame(picture) {
    if (picture.dataset.own !== undefined || !picture.getAttribute("src")) return;
    const frame = document.createElement("span");
    frame.className = "lost";
    frame.setAttribute("role", "img");
    frame.setAttribute("aria-label", picture.alt);
    frame.textContent = "×";
    why(picture.src).then((sentence) => { frame.title = sentence; frame.setAttribute("aria-label", `${picture.alt}: ${sentence}`); });
    picture.replaceWith(frame);
  }

  document.addEventListener("error", (event) => {
    if (event.target instanceof HTMLImageElement) leaveFrame(event.target);
  }, true);
  // Those that failed before this ran.
  for (const picture of document.images) {
    if (picture.complete && picture.naturalWidth === 0) leaveFrame(picture);
  }
  window.monitorPictures = { why };
})();
