// The chart of a hole's scores over time.
(function () {
  "use strict";

  const plot = document.getElementById("plot");
  if (!plot) return;
  const words = plot.dataset;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function onPlant(seconds) {
    return uPlot.tzDate(new Date(seconds * 1000), words.zone);
  }

  // The plant's clock, in steps of so many seconds.
  function clock(seconds, step) {
    const form = step >= 86400 ? "{YYYY}-{MM}-{DD}" : step >= 60 ? "{HH}:{mm}" : "{HH}:{mm}:{ss}";
    return uPlot.fmtDate(form)(onPlant(seconds));
  }

  function dots(label, name, size, fill) {
    const stroke = colour(name);
    return { label, stroke, paths: () => null, points: { show: true, size, stroke, fill: fill ?? stroke, width: 2 } };
  }

  function draw(data) {
    const where = (test) => data.share.map((share, row) => (test(row) ? share : null));
    const values = (_, value) => (value === null || value === undefined ? "–" : value.toFixed(2));
    const top = Math.max(1.5, ...data.share, ...data.hours.highest) * 1.05;
    // Hours, of which the single crops are not shown, come before the crops.
    const hours = data.hours;
    const byHour = [
      { label: words.middle, stroke: colour("--muted"), width: 1, points: { show: false }, value: values },
      { label: words.highest, stroke: colour("--fill"), width: 1.5, points: { show: false }, value: values },
    ];
    const options = {
      width: plot.clientWidth,
      height: 280,
      tzDate: onPlant,
      scales: { y: { range: [Math.min(0, ...data.share, ...data.hours.middle), top] } },
      axes: [
        { stroke: colour("--muted"), grid: { show: false }, ticks: { show: false }, values: (_, ticks, axis, space, step) => ticks.map((tick) => clock(tick, step)) },
        { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, values: (_, ticks) => ticks.map((tick) => tick.toFixed(1)) },
      ],
      series: [
        { label: words.time, value: (_, seconds) => (seconds === null ? "–" : clock(seconds, 1)) },
        { label: words.share, stroke: colour("--text"), width: 1.5, points: { show: data.at.length < 200, size: 4 }, value: values },
        ...(hours.at.length ? byHour : []),
        { label: words.threshold, stroke: colour("--text"), width: 2, points: { show: false }, value: values },
        { ...dots(words.proliv, "--mark", 7), value: values },
        { ...dots(words.labelled, "--unusual-ink", 14, "transparent"), value: values },
        { ...dots(words.normal, "--info", 14, "transparent"), value: values },
      ],
    };
    const noHours = hours.at.map(() => null);
    const noCrops = data.at.map(() => null);
    const columns = [
      [...hours.at, ...data.at], [...noHours, ...data.share],
      ...(hours.at.length ? [[...hours.middle, ...noCrops], [...hours.highest, ...noCrops]] : []), [...noHours, ...noCrops].map(() => 1),
      [...hours.highest.map((share, row) => (hours.proliv[row] ? share : null)), ...where((row) => data.proliv[row])],
      [...noHours, ...where((row) => data.label[row] === "proliv")],
      [...noHours, ...where((row) => data.label[row] === "ne_proliv")],
    ];
    const chart = new uPlot(options, columns, plot);
    // A click opens the crop under the pointer; the table has the same links for the keyboard.
    chart.over.addEventListener("click", () => {
      const id = data.crop[chart.cursor.idx - hours.at.length];
      if (chart.cursor.idx !== null && id !== undefined && chart.select.width < 2) location.href = `/crops/${id}`;
    });
    new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: 280 })).observe(plot);
  }

  fetch(words.scores)
    .then((answer) => { if (!answer.ok) throw new Error(answer.statusText); return answer.json(); })
    .then(draw)
    .catch(() => { plot.textContent = words.failed; });
})();
