"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const timeline = document.getElementById("timeline");
  const scroller = timeline.querySelector(".scroller");
  const plot = timeline.querySelector(".plot");
  const axis = timeline.querySelector(".axis .track");
  const chart = timeline.querySelector(".chart");
  const cursor = timeline.querySelector(".cursor");
  const panel = timeline.querySelector(".panel");
  const said = panel.querySelector(".said");
  const MOST = Math.max(1, data.end * 2); // 50 px a second on the narrowest screens
  let zoom = 1;
  // What was in view when it was drawn last, in seconds of the run.
  let seen = [0, data.end];

  // How wide the names beside the tracks are, and how wide a track is in view.
  const names = () => axis.getBoundingClientRect().left - plot.getBoundingClientRect().left;
  const view = () => scroller.clientWidth - names();
  const shown = () => {
    const from = (scroller.scrollLeft / (view() * zoom)) * data.end;
    return [from, from + data.end / zoom];
  };

  function look(from, to) {
    zoom = Math.min(MOST, Math.max(1, data.end / Math.max(to - from, 1e-3)));
    plot.style.setProperty("--zoom", zoom);
    scroller.scrollLeft = (from / data.end) * view() * zoom;
    draw();
  }

  function closer(factor, at) {
    const [from, to] = shown();
    const middle = at ?? (from + to) / 2;
    look(middle - (middle - from) / factor, middle + (to - middle) / factor);
  }

  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  function draw() {
    const [from, to] = (seen = shown());
    drawAxis(from, to);
    drawRequests(from, to);
  }
  function drawAxis(from, to) {
    const fits = (view() * zoom) / data.end;
    const step = STEPS.find((step) => step * fits >= 80) ?? 14400;
    const ticks = [];
    // From the first that is in view as a whole on.
    for (let n = Math.ceil(from / step - 1e-3); n * step <= Math.min(to + step, data.end); n++) {
      const tick = document.createElement("span");
      tick.style.left = `${((100 * n * step) / data.end).toFixed(4)}%`;
      // One that has no room to its right stands to the left of its line.
      if ((data.end - n * step) * fits < 40) tick.className = "last";
      tick.textContent = step < 1 ? (n * step).toFixed(1) : String(n * step);
      ticks.push(tick);
    }
    axis.replaceChildren(...ticks);
  }
  let drawing = false;
  const drawSoon = () => {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      draw();
    });
  };

  function mark(at) {
    cursor.style.left = `${(100 * at) / data.end}%`;
    cursor.hidden = false;
  }

  function say(text, machine, at) {
    said.replaceChildren(text);
    const journal = machine && document.querySelector(`#work a[data-journal="${CSS.escape(machine)}"]`);
    if (journal) {
      const link = document.createElement("a");
      const packed = "packed" in journal.dataset;
      // As the links of the page: its second and those after it, then its minute.
      const text = (later, length) => new Date(data.start + at * 1000 + later * 1000).toISOString().slice(0, length);
      const moments = [text(0, 19), text(1, 19), text(2, 19), text(0, 16), text(60, 16), text(120, 16)];
      const fragment = moments.map((minute) => "text=" + minute.replaceAll("-", "%2D").replaceAll(":", "%3A")).join("&");
      link.href = journal.getAttribute("href") + (packed ? "" : `#:~:${fragment}`);
      link.textContent = packed ? `journal of ${machine}, compressed` : `journal of ${machine} at this moment`;
      said.append(" ", link);
      if (packed) said.append(`: quorate logs ${data.run} ${machine} --around ${at.toFixed(1)}s`);
    }
    panel.hidden = false;
    mark(at);
  }
  // What has the focus is not under the panel that tells of it.
  function uncover(piece) {
    const over = piece.getBoundingClientRect().bottom + 8 - panel.getBoundingClientRect().top;
    if (over > 0) scrollBy(0, over);
  }
  function close() {
    // Who was in the panel goes on where it was about.
    if (panel.contains(document.activeElement)) scroller.focus({ preventScroll: true });
    panel.hidden = cursor.hidden = true;
  }
  panel.querySelector(".close").addEventListener("click", close);

  // One sign of what is under the pointer is enough: the panel, not the browser's tooltip too.
  function told(piece) {
    if (piece.title) {
      piece.setAttribute("aria-label", piece.title);
      piece.removeAttribute("title");
    }
    return piece.getAttribute("aria-label");
  }
  const tell = (piece) => say(told(piece), piece.dataset.machine, Number(piece.dataset.from));

  // The requests: when each was done, and what it met.
  const samples = data.samples ?? { at: [], took: [], bad: [], errors: [] };
  const errors = new Map(samples.bad);
  let sum = 0;
  const requests = samples.at
    .map((later, n) => ({ done: (sum += later), took: samples.took[n] / 10, error: errors.has(n) ? samples.errors[errors.get(n)] : null }))
    .map((request) => ({ ...request, made: request.done - request.took }))
    .sort((one, other) => one.made - other.made);
  let chosen = 0;
  function nearest(ms) {
    let low = 0;
    let high = requests.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (requests[middle].made < ms) low = middle + 1;
      else high = middle;
    }
    return low > 0 && ms - requests[low - 1].made < requests[low].made - ms ? low - 1 : low;
  }
  // What is drawn of the requests is what is in view, and as much again on both sides: of each pixel the extremes.
  let drawn = [0, 0, 0];
  function drawRequests(from, to) {
    if (!requests.length || (drawn[0] <= from && drawn[1] >= to && drawn[2] === zoom)) return;
    const start = Math.max(0, 2 * from - to);
    const end = Math.min(data.end, 2 * to - from);
    const width = Math.max(1, Math.round(((end - start) / data.end) * view() * zoom));
    const svg = chart.querySelector("svg");
    svg.setAttribute("viewBox", `0 0 ${width} 100`);
    svg.style.left = `${(100 * start) / data.end}%`;
    svg.style.width = `${(100 * (end - start)) / data.end}%`;
    const y = (ms) => (100 * (1 - Math.min(1, Math.log10(Math.max(1, ms)) / data.top))).toFixed(1);
    let [good, bad, pen] = ["", "", "M"];
    let column = null;
    const flush = () => {
      if (!column) return;
      const { x, low, high } = column;
      good += `${pen}${x} ${y(low)}${high > low ? `L${x} ${y(high)}` : ""}`;
      [column, pen] = [null, "L"];
    };
    const last = nearest(end * 1000);
    for (let n = Math.max(0, nearest(start * 1000) - 1); n <= last; n++) {
      const { made, took, error } = requests[n];
      const exact = ((made / 1000 - start) / (end - start)) * width;
      const x = Math.round(exact);
      if (error !== null) {
        flush();
        pen = "M";
        const until = exact + (took / 1000 / (end - start)) * width;
        bad += `M${exact.toFixed(1)} 100V${y(Math.max(10, took))}H${until.toFixed(1)}`;
      } else if (column?.x === x) {
        column.low = Math.min(column.low, took);
        column.high = Math.max(column.high, took);
      } else {
        flush();
        column = { x, low: took, high: took };
      }
    }
    flush();
    chart.querySelector(".good").setAttribute("d", good);
    chart.querySelector(".bad").setAttribute("d", bad);
    drawn = [start, end, zoom];
  }
  const clock = (ms) => new Date(data.start + ms).toISOString().slice(11, 23);
  function request(n) {
    if (!requests[n]) return "";
    chosen = n;
    const { made, done, took, error } = requests[n];
    const outcome = error === null ? `answered after ${took} ms` : `failed after ${took} ms: ${error}`;
    const text = `request made at ${(made / 1000).toFixed(3)} s (${clock(made)} UTC), done at ${(done / 1000).toFixed(3)} s: ${outcome}`;
    say(text, null, made / 1000);
    return text;
  }

  timeline.addEventListener("pointermove", (event) => {
    const piece = event.target.closest(".piece");
    if (chart?.contains(event.target)) {
      const box = chart.getBoundingClientRect();
      request(nearest(((event.clientX - box.left) / box.width) * data.end * 1000));
      if (piece) said.prepend(`${told(piece)}; `);
    } else if (piece) tell(piece);
  });
  timeline.addEventListener("click", (event) => {
    const piece = event.target.closest(".piece");
    if (piece && !chart?.contains(piece)) tell(piece);
    const box = chart?.getBoundingClientRect();
    if (chart?.contains(event.target)) request(nearest(((event.clientX - box.left) / box.width) * data.end * 1000));
  });
  timeline.addEventListener("focusin", ({ target }) => {
    if (!target.matches(".piece")) return;
    tell(target);
    uncover(target);
  });

  // By keyboard: one stop a row, arrows within it and between rows.
  const rows = [...timeline.querySelectorAll(".track")].filter((row) => row.querySelector(".piece") && row !== chart);
  for (const row of rows) row.querySelector(".piece").tabIndex = 0;
  function go(piece) {
    for (const other of piece.parentNode.querySelectorAll('.piece[tabindex="0"]')) other.tabIndex = -1;
    piece.tabIndex = 0;
    told(piece);
    const [from, to] = shown();
    const at = Number(piece.dataset.from);
    if (at < from || at > to) look(at - (to - from) / 4, at + (3 * (to - from)) / 4);
    piece.focus({ preventScroll: true });
    piece.scrollIntoView({ block: "nearest", inline: "nearest" });
    uncover(piece);
  }
  timeline.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key;
    if (event.target === chart && requests.length) {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[key];
      if (step === undefined) return;
      event.preventDefault();
      let n = Math.min(requests.length - 1, Math.max(0, chosen + step));
      // With Shift, to the next one that failed.
      while (event.shiftKey && requests[n]?.error === null && requests[n + Math.sign(step)]) n += Math.sign(step);
      chart.setAttribute("aria-description", request(n));
      return;
    }
    // The arrows of the timeline itself lead into its rows.
    if (event.target === scroller && (key === "ArrowDown" || key === "ArrowRight") && rows.length) {
      event.preventDefault();
      go(rows[0].querySelector(".piece"));
      return;
    }
    if (event.target.matches(".piece")) {
      const row = event.target.parentNode;
      const pieces = [...row.querySelectorAll(".piece")];
      const here = pieces.indexOf(event.target);
      const at = Number(event.target.dataset.from);
      const below = { ArrowUp: -1, ArrowDown: 1 }[key];
      const next = {
        ArrowLeft: pieces[here - 1],
        ArrowRight: pieces[here + 1],
        Home: pieces[0],
        End: pieces.at(-1),
      }[key] ?? (below && rows[rows.indexOf(row) + below]?.querySelectorAll(".piece"));
      if (next) {
        event.preventDefault();
        go(next.length === undefined ? next : [...next].findLast((piece) => Number(piece.dataset.from) <= at) ?? next[0]);
      }
    }
    if (key === "Escape") close();
    else if (key === "+" || key === "=") closer(2);
    else if (key === "-") closer(0.5);
    else if (key === "0") look(0, data.end);
  });

  timeline.querySelector(".tools").hidden = false;
  timeline.querySelector(".tools").addEventListener("click", ({ target }) => {
    const from = Number(target.dataset.from);
    if (target.dataset.zoom === "in") closer(2);
    if (target.dataset.zoom === "out") closer(0.5);
    if (target.dataset.zoom === "all") look(0, data.end);
    if (target.dataset.zoom === "to") look(from, Number(target.dataset.to));
    if (target.dataset.zoom === "at") {
      look(from - 20, from + 10);
      mark(from);
    }
  });
  let turned = 0;
  scroller.addEventListener("scroll", drawSoon, { passive: true });
  scroller.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      // However fast the wheel turns, once a frame.
      if (!turned) {
        requestAnimationFrame(() => {
          const box = axis.getBoundingClientRect();
          closer(Math.exp(-turned / 200), ((event.clientX - box.left) / box.width) * data.end);
          turned = 0;
        });
      }
      turned += event.deltaY;
    },
    { passive: false },
  );
  // A phone that is turned shows the same moments, not the same pixels.
  addEventListener("resize", () => {
    drawn = [0, 0, 0];
    look(...seen);
  });

  // A time leads to its moment on the timeline, and to what begins or ends nearest to it there.
  const CLOSE = 60; // seconds of the run in view
  const bars = [...timeline.querySelectorAll(".piece:not(.deadline)")];
  const far = (at, piece) => Math.min(Math.abs(piece.dataset.from - at), Math.abs(piece.dataset.to - at) + 1e-3);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.at");
    if (!link) return;
    event.preventDefault();
    const at = Number(link.dataset.at);
    const [from, to] = shown();
    const span = Math.min(to - from, CLOSE);
    if (span < to - from || at < from || at > to) look(at - span / 2, at + span / 2);
    // The browser's way back leads to the link.
    location.hash = "timeline";
    if (bars.length) {
      const piece = bars.reduce((best, one) => (far(at, one) < far(at, best) ? one : best));
      tell(piece);
      piece.focus({ preventScroll: true });
      piece.scrollIntoView({ block: "center" });
      uncover(piece);
      said.prepend(`${link.textContent}, nearest to it: `);
    }
    mark(at);
  });

  const filter = document.querySelector(".filter");
  const lines = [...document.querySelectorAll(".moments tbody tr")];
  filter.hidden = lines.length === 0;
  filter.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const line of lines) line.hidden = !words.every((word) => line.textContent.toLowerCase().includes(word));
  });

  addEventListener("beforeprint", () => {
    look(0, data.end);
    close();
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  // On a narrow screen the scenario comes first; what came before it is to the left.
  const scenario = timeline.querySelector('[data-zoom="to"]');
  if (scenario && view() < 640) look(Number(scenario.dataset.from), Number(scenario.dataset.to));
  else draw();
})();
