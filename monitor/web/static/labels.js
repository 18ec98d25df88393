// Keys that press the button, or follow the link, which names them by their places on the keyboard.
"use strict";
(() => {
  let pressed = false;
  for (const button of document.querySelectorAll("[data-key]")) {
    window.monitor.keys.set(button.dataset.key, (event) => {
      // A key that is held down labels once.
      if (event.repeat || pressed) return true;
      pressed = true;
      button.click();
      return true;
    });
  }
  // A page that a browser kept aside is as old as that.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
