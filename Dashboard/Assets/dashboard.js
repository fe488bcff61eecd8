// The server renders; this only puts its fragments in place as they come.
"use strict";

const link = document.getElementById("link");
const lost = document.getElementById("lost");
const spoken = document.getElementById("spoken");
const spokenIntervalMs = 15000;
let spokenAtMs = 0;

// A screen reader would never stop if it read every second's numbers: it gets a sentence now and then.
function speak() {
  const now = Date.now();
  if (now - spokenAtMs < spokenIntervalMs) {
    return;
  }
  spokenAtMs = now;
  const value = (key) => document.querySelector(`[data-value="${key}"]`)?.textContent ?? "–";
  spoken.textContent = `${value("generated")} generated tokens per second, ${value("running")} requests running, ${value("queued")} queued.`;
}

const events = new EventSource("/events");
events.onopen = () => {
  lost.hidden = true;
  lost.textContent = "";
  link.dataset.state = "live";
  link.textContent = "live";
};
events.onmessage = (message) => {
  for (const [id, markup] of Object.entries(JSON.parse(message.data))) {
    const element = document.getElementById(id);
    if (element !== null) {
      element.innerHTML = markup;
    }
  }
  speak();
};
events.onerror = () => {
  lost.hidden = false;
  lost.textContent = "The dashboard itself does not answer; what stands here is old. Trying again.";
  link.dataset.state = "lost";
  link.textContent = "as of";
  // A browser gives up for good after an answer that is no stream; a proxy gives such ones while the dashboard restarts.
  if (events.readyState === EventSource.CLOSED) {
    setTimeout(() => location.reload(), 3000);
  }
};
