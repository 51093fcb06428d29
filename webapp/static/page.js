// What only adds to pages that work without it: copying, keys in lists, the height of a message's frame, a lost connection.
"use strict";

function addCopyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const target = document.getElementById(button.dataset.copy);
      const text = "value" in target ? target.value : target.textContent.trim();
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = button.dataset.done;
      } catch {
        // No leave to write: the text is selected instead, for Ctrl-C.
        const range = document.createRange();
        range.selectNodeContents(target);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
      }
    });
  }
}

function fitFrames() {
  for (const frame of document.querySelectorAll("iframe[data-fit]")) {
    const fit = () => {
      const page = frame.contentDocument;
      if (page && page.documentElement) {
        frame.style.blockSize = "4rem"; // a document is never lower than its frame
        frame.style.blockSize = Math.min(page.documentElement.scrollHeight + 16, 20000) + "px";
      }
    };
    frame.addEventListener("load", fit);
    fit();
  }
}

function moveByKeys() {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  let at = -1;
  for (const hint of document.querySelectorAll("[data-keys]")) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    if (focused >= 0) at = focused;
    const step = { j: 1, k: -1 }[event.key];
    if (step) {
      at = Math.max(0, Math.min(rows.length - 1, at + step));
      rows[at].querySelector("a, button").focus();
    } else if (event.key === "e" && at >= 0) {
      const done = rows[at].querySelector("[data-key='e']");
      if (done) done.click();
    }
  });
}

function tellLostConnection() {
  const banner = document.getElementById("lost");
  if (!banner) return;
  const show = () => { banner.hidden = navigator.onLine; };
  addEventListener("online", show);
  addEventListener("offline", show);
  show();
}

addCopyButtons();
fitFrames();
moveByKeys();
tellLostConnection();
