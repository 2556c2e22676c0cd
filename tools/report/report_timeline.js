/* The timeline: one canvas with a row for each lane, one above it with the whole run. `view` is the part that is shown.
 * Columns are halvings or doublings of a bin, at multiples of their own width, so that they stay where they are when
 * the view moves. */
const SPAN_MIN_NS = 64;
const view = { from: facts.start_ns, to: run.ns };
const place = { time: -1, hover: -1 }; /* what is chosen, and where the pointer is; -1: nothing */
/* Places of the run that have a name, drawn above the rows. */
const marks = [
	{ time: facts.start_ns, n: facts.start_n, name: "start" },
	{ time: run.ns, n: run.n, name: facts.complete ? "end" : "last event" },
	...data.keyframes.map(([n, time]) => ({ time, n, name: "" })),
];
const lanesCanvas = element("lanes"), overviewCanvas = element("overview");
const AXIS_PX = 24, MARKS_PX = 16, COLUMN_PX = 2;
let geometry = null, drag = null, wanted = false;

function layout() {
	const width = lanesCanvas.clientWidth, narrow = width < 620;
	const rows = LANES.map((lane) => ({ lane, height: (lane.labels ? 78 : 42) + (narrow ? 18 : 0) }));
	let top = MARKS_PX;
	for (const row of rows) {
		row.top = top;
		row.bars = { top: top + (narrow ? 20 : 4) + (row.lane.labels ? 16 : 0), bottom: top + row.height - 2 };
		top += row.height + 6;
	}
	geometry = { left: narrow ? 6 : 118, width, narrow, rows, bottom: top, height: top + AXIS_PX };
	lanesCanvas.style.height = `${geometry.height}px`;
}

const plotWidth = () => geometry.width - geometry.left - 6;
const xOf = (time) => geometry.left + (time - view.from) / (view.to - view.from) * plotWidth();
const timeAt = (x) => view.from + (x - geometry.left) / plotWidth() * (view.to - view.from);

/* The width of a column in ns: a bin, doubled or halved until it is COLUMN_PX to 2 COLUMN_PX wide. */
function columnNs() {
	const wantedNs = (view.to - view.from) / plotWidth() * COLUMN_PX;
	return bins.ns * 2 ** Math.ceil(Math.log2(wantedNs / bins.ns));
}

function columnAt(time) {
	const ns = columnNs(), from = Math.floor(time / ns) * ns;
	return { from, to: from + ns };
}

function prepare(canvas, height) {
	const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(height * ratio);
	const context = canvas.getContext("2d");
	context.setTransform(ratio, 0, 0, ratio, 0, 0);
	context.clearRect(0, 0, width, height);
	return context;
}

function palette() {
	const style = getComputedStyle(document.documentElement), colors = {};
	for (const name of ["card", "line", "text", "quiet", "accent", "lane", "shade", "read", "write", "system",
		"exit", "interrupt", "idle", "output", "input", "run", "ready"])
		colors[name] = style.getPropertyValue(`--${name}`).trim();
	colors.font = `12px ${style.fontFamily}`;
	colors.small = `11px ${style.fontFamily}`;
	return colors;
}

/* The parts of a lane's columns that are in view: counts by series, and the largest sum of one column. */
function columnsOf(lane, ns) {
	const columns = [], end = Math.min(view.to, run.ns + 1);
	let most = 0;
	for (let from = Math.max(0, Math.floor(view.from / ns) * ns); from < end; from += ns) {
		const parts = lane.shares ? lane.shares(from, from + ns) : lane.bytes ? lane.bytes(from, from + ns) :
			lane.series.map((series) => countIn(series, from, from + ns));
		const sum = parts.reduce((all, part) => all + part, 0);
		most = Math.max(most, sum);
		if (sum > 0)
			columns.push({ from, parts, sum });
	}
	return { columns, most };
}

function drawBars(context, row, ns, colors) {
	const { lane, bars } = row, room = bars.bottom - bars.top;
	const { columns, most } = columnsOf(lane, ns);
	const width = Math.max(ns / (view.to - view.from) * plotWidth() - 0.5, 1.5);
	for (const { from, parts, sum } of columns) {
		const share = lane.shares ? Math.min(sum, 1) : Math.log1p(sum) / Math.log1p(most);
		const height = Math.max(share * room, lane.shares ? 1 : 3);
		const left = Math.max(xOf(from), geometry.left), right = xOf(from) + width;
		let bottom = bars.bottom;
		context.globalAlpha = isAverage(lane, from, from + ns) ? 0.45 : 1;
		parts.forEach((part, i) => {
			const part_px = height * part / sum;
			context.fillStyle = colors[lane.colors[i]];
			context.fillRect(left, bottom - part_px, Math.max(right - left, 1), part_px);
			bottom -= part_px;
		});
	}
	context.globalAlpha = 1;
	return most;
}

/* Console lines as text, where there is room. */
function drawLabels(context, row, colors) {
	const y = row.bars.top - 4;
	let free = geometry.left + 2;
	context.font = colors.small;
	const first = lowerBound(lineTimes, view.from);
	for (let i = first; i < consoleLines.length && consoleLines[i].time <= view.to; i++) {
		const x = xOf(consoleLines[i].time) + 2;
		const words = consoleLines[i].text.replace(/^\[ *\d+\.\d+\] /, "").slice(0, 60);
		if (x < free || words.trim() === "")
			continue;
		const next = i + 1 < consoleLines.length ? xOf(consoleLines[i + 1].time) : Infinity;
		const room = Math.min(Math.max(next - x - 10, 110), geometry.width - x);
		const text = fitted(context, words, room);
		if (text === "")
			continue;
		context.fillStyle = colors.quiet;
		context.fillRect(x - 2, y - 9, 1, row.bars.bottom - y + 9);
		context.fillStyle = colors.text;
		context.fillText(text, x + 2, y);
		free = x + context.measureText(text).width + 14;
	}
}

/* The text, cut to a width; empty if hardly anything would be left. */
function fitted(context, text, width) {
	if (context.measureText(text).width <= width)
		return text;
	while (text.length > 4 && context.measureText(`${text}…`).width > width)
		text = text.slice(0, -Math.max(1, text.length >> 3));
	return text.length > 4 ? `${text}…` : "";
}

/* The time between two ticks that are at least `room_px` apart: 1, 2 or 5 of a power of ten. */
function tickStep(room_px) {
	const rough = (view.to - view.from) * room_px / plotWidth();
	const power = 10 ** Math.floor(Math.log10(rough));
	return Math.max([1, 2, 5, 10].find((factor) => factor * power >= rough) * power, 1);
}

function drawAxis(context, colors) {
	context.font = colors.small;
	const widest = context.measureText(timeText(view.to, tickStep(70))).width;
	const step = tickStep(Math.max(widest + 24, 70));
	for (let i = Math.ceil(view.from / step); i * step <= view.to; i++) {
		const x = Math.round(xOf(i * step)) + 0.5, text = timeText(i * step, step);
		const half = context.measureText(text).width / 2;
		context.fillStyle = colors.line;
		context.fillRect(x - 0.5, MARKS_PX, 1, geometry.bottom - MARKS_PX);
		context.fillStyle = colors.quiet;
		const left = Math.min(Math.max(x - half, geometry.left), geometry.width - 2 * half);
		context.fillText(text, left, geometry.bottom + 15);
	}
}

function drawMarks(context, colors) {
	context.font = colors.small;
	for (const mark of marks) {
		if (mark.time < view.from || mark.time > view.to)
			continue;
		const x = xOf(mark.time), width = context.measureText(mark.name).width;
		const before = x + width + 10 > geometry.width;
		context.fillStyle = mark.name ? colors.accent : colors.quiet;
		context.beginPath();
		context.moveTo(x, MARKS_PX - 1);
		context.lineTo(x - 4, MARKS_PX - 9);
		context.lineTo(x + 4, MARKS_PX - 9);
		context.fill();
		context.fillText(mark.name, before ? x - width - 7 : x + 7, MARKS_PX - 4);
	}
}

function drawPlace(context, time, color, dashed) {
	if (time < view.from || time > view.to)
		return;
	context.strokeStyle = color;
	context.setLineDash(dashed ? [3, 3] : []);
	context.beginPath();
	context.moveTo(Math.round(xOf(time)) + 0.5, MARKS_PX);
	context.lineTo(Math.round(xOf(time)) + 0.5, geometry.bottom);
	context.stroke();
	context.setLineDash([]);
}

function drawLanes(colors) {
	const context = prepare(lanesCanvas, geometry.height), ns = columnNs();
	for (const row of geometry.rows) {
		context.fillStyle = colors.lane;
		context.fillRect(geometry.left, row.top, plotWidth() + 1, row.height);
	}
	drawAxis(context, colors);
	for (const row of geometry.rows) {
		const most = drawBars(context, row, ns, colors);
		if (row.lane.labels)
			drawLabels(context, row, colors);
		context.fillStyle = colors.text;
		context.font = colors.font;
		context.fillText(row.lane.name, geometry.narrow ? 6 : 0, row.top + (geometry.narrow ? 13 : 16));
		context.fillStyle = colors.quiet;
		context.font = colors.small;
		const scale = row.lane.shares ? "0 to 100 %" : most <= 0 ? "none here" :
			`up to ${row.lane.bytes ? sizeText(most) : count(Math.ceil(most))}`;
		const inset = geometry.narrow ? geometry.width - context.measureText(scale).width - 6 : 0;
		context.fillText(scale, inset, row.top + (geometry.narrow ? 13 : 31));
	}
	drawMarks(context, colors);
	drawPlace(context, place.hover, colors.quiet, true);
	drawPlace(context, place.time, colors.accent, false);
	if (drag && drag.choosing) {
		context.fillStyle = colors.shade;
		const left = Math.min(drag.x, drag.at), width = Math.abs(drag.at - drag.x);
		context.fillRect(left, MARKS_PX, width, geometry.bottom - MARKS_PX);
	}
}

function drawOverview(colors) {
	const width = overviewCanvas.clientWidth, height = overviewCanvas.clientHeight;
	const context = prepare(overviewCanvas, height), scale = width / run.ns;
	const heights = new Float64Array(Math.ceil(width / 2));
	heights.forEach((_, i) => {
		const first = clampBin(2 * i / scale / bins.ns);
		const last = Math.max(clampBin((2 * i + 2) / scale / bins.ns), first + 1);
		for (let bin = first; bin < Math.min(last, bins.count); bin++)
			heights[i] += bins.total[bin];
	});
	const most = Math.max(heights.reduce((a, b) => Math.max(a, b), 0), 1);
	context.fillStyle = colors.lane;
	context.fillRect(0, 0, width, height);
	context.fillStyle = colors.quiet;
	heights.forEach((sum, i) => {
		const bar = Math.log1p(sum) / Math.log1p(most) * (height - 6);
		context.fillRect(2 * i, height - bar, 1.5, bar);
	});
	const left = view.from * scale, right = Math.max(view.to * scale, left + 3);
	context.fillStyle = colors.shade;
	context.fillRect(left, 0, right - left, height);
	context.strokeStyle = colors.accent;
	context.strokeRect(left + 0.5, 0.5, Math.max(right - left - 1, 2), height - 1);
}

function draw() {
	wanted = false;
	const colors = palette();
	layout();
	drawLanes(colors);
	drawOverview(colors);
	const span = view.to - view.from;
	element("range").textContent = span >= run.ns ? `whole run, ${spanText(run.ns)}` :
		`${timeText(view.from, span / 1000)} to ${timeText(view.to, span / 1000)}, ${spanText(span)}`;
	if (LANES.some((lane) => isAverage(lane, view.from, Math.min(view.to, view.from + columnNs()))))
		element("range").textContent += "; pale columns are averages";
}

function redraw() {
	if (!wanted)
		requestAnimationFrame(draw);
	wanted = true;
}

function show(from, to) {
	const span = Math.min(Math.max(to - from, SPAN_MIN_NS), run.ns), middle = (from + to) / 2;
	view.from = Math.min(Math.max(middle - span / 2, 0), run.ns - span);
	view.to = view.from + span;
	redraw();
	consoleShow(view.from, view.to);
}

function zoom(factor, at) {
	show(at - (at - view.from) / factor, at + (view.to - at) / factor);
}

const middle = () => place.time >= view.from && place.time <= view.to ? place.time : (view.from + view.to) / 2;
const move = (share) => show(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from));
