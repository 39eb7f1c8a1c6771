// Keeps the live parts of a page up to date: by the stream of events, by the clock where it is away.
"use strict";

(() => {
  const address = document.querySelector("meta[name=events]")?.content;
  const TYPES = ["created", "in_progress", "progress", "completed", "failed", "cancelled", "expired", "deleted"];
  // Beside an open stream the clock tells what no event does, such as that a worker is gone.
  const CALM_MS = 3000, LEAST_MS = 1000, AGAIN_MS = 30000;

  let stream = null, isTold = false, refusedAt = -Infinity;
  // When each job was last told to have moved, `*` any; and when each part was last asked for.
  const movedAt = new Map(), askedAt = new Map();

  const parts = () => [...document.querySelectorAll("[data-every]")];

  function note(job) {
    movedAt.set(job, performance.now());
    movedAt.set("*", performance.now());
  }

  function open() {
    stream = new EventSource(address);
    stream.addEventListener("open", () => { isTold = true; });
    stream.addEventListener("error", () => {
      isTold = false;
      // A browser comes again by itself after a cut, but not after a refusal.
      if (stream?.readyState === EventSource.CLOSED) { refusedAt = performance.now(); close(); }
    });
    for (const type of TYPES)
      stream.addEventListener(`job.${type}`, (event) => note(JSON.parse(event.data).data.id));
    stream.addEventListener("reset", () => note("*"));
  }

  function close() {
    stream?.close();
    stream = null;
    isTold = false;
  }

  function isDue(part, now) {
    const asked = askedAt.get(part.id);
    if (asked === undefined) { askedAt.set(part.id, now); return false; }
    const gone = now - asked;
    if (part.classList.contains("htmx-request") || gone < LEAST_MS) return false;
    const every = Number(part.dataset.every) * 1000;
    const hasMoved = part.dataset.jobs.split(" ").some((job) => movedAt.get(job) > asked);
    return hasMoved || gone >= (isTold && part.dataset.jobs ? Math.max(every, CALM_MS) : every);
  }

  // A tab that nobody sees asks nothing and holds no stream: a browser has six connections to a host.
  function tick() {
    const found = document.hidden ? [] : parts();
    const now = performance.now();
    if (!found.some((part) => part.dataset.jobs)) close();
    else if (address && !stream && now - refusedAt > AGAIN_MS) open();
    for (const part of found) {
      if (!isDue(part, now)) continue;
      askedAt.set(part.id, now);
      htmx.trigger(part, "live");
    }
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) note("*"); tick(); });
  setInterval(tick, LEAST_MS / 2);
  tick();
})();
