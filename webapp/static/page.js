// Additions to pages that also work without script: copying, keys in lists, the height of a message's frame, a lost connection.
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
        // The browser forbids writing to the clipboard: select the text instead, for Ctrl-C.
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
        frame.style.blockSize = "4rem"; // scrollHeight is never less than the frame's height, so make it small first
        frame.style.blockSize = Math.min(page.documentElement.scrollHeight + 16, 20000) + "px";
      }
    };
    frame.addEventListener("load", fit);
    fit();
  }
}

function moveByKeys() {
  const rows = [...document.querySelectorAll("[data-row]")];
  let at = -1;
  const go = (to) => {
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at].querySelector("a, button").focus();
  };
  // A key's action loads the page again: focus the same row as before.
  const before = takeNote("row");
  if (before && rows.length) go(Number(before));
  for (const hint of document.querySelectorAll("[data-keys]")) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    if (focused >= 0) at = focused;
    const step = { j: 1, k: -1 }[event.key];
    if (step && rows.length) return go(at + step);
    if (!["e", "u"].includes(event.key)) return;
    const within = event.key === "u" || !rows.length ? document : rows[at];
    const button = within && within.querySelector(`[data-key='${event.key}']`);
    if (!button) return;
    if (rows.length) leaveNote("row", at);
    button.click();
  });
}

// Keeps a value for the next page of this window. If the browser forbids that, nothing is kept.
function leaveNote(name, value) {
  try { sessionStorage.setItem(name, value); } catch { /* nothing */ }
}

function takeNote(name) {
  try {
    const value = sessionStorage.getItem(name);
    sessionStorage.removeItem(name);
    return value;
  } catch { return null; }
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
