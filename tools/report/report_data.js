"use strict";
/* The data of the page: unpacked once, then only read. Times are guest time in ns, positions are instructions; both are
 * exact up to 2^53.
 *
 * 1. `bins`: numbers of events by kind for equal pieces of the run, as running sums.
 * 2. `events`: single events, in order. A bin with at most `threshold` events has all of its events here, and so has
 *    a kind that is `rare` in the whole run. */
const element = (id) => document.getElementById(id);
const problems = [];
function problem(text) {
	problems.push(String(text));
	document.documentElement.dataset.errors = problems.join("\n");
}
window.addEventListener("error", (event) => problem(event.message));
window.addEventListener("unhandledrejection", (event) => problem(event.reason));

const data = JSON.parse(element("data").textContent);
const facts = data.facts;
const run = { n: facts.instructions, ns: Math.max(facts.instructions + facts.idle_ns, 1) };
const kinds = data.kinds.map(([name, words, klass, count, n], id) => ({ id, name, words, klass, count, n }));
const CONSOLE_SERIES = kinds.length;

/* [gap, value, …] as an array of all bins. */
function unpack(pairs, count) {
	const values = new Float64Array(count);
	for (let i = 0, bin = 0; i < pairs.length; i += 2) {
		bin += pairs[i];
		values[bin] = pairs[i + 1];
	}
	return values;
}

function sums(values) {
	const all = new Float64Array(values.length + 1);
	for (let i = 0; i < values.length; i++)
		all[i + 1] = all[i] + values[i];
	return all;
}

const bins = (() => {
	const { ns, count } = data.bins;
	const series = data.bins.series.map((pairs) => sums(unpack(pairs, count)));
	const total = new Float64Array(count);
	for (const kind of kinds)
		for (let i = 0; i < count; i++)
			total[i] += series[kind.id][i + 1] - series[kind.id][i];
	return { ns, count, series, total, idle: sums(unpack(data.bins.idle, count)),
		first_n: unpack(data.bins.first_n, count) };
})();
const clampBin = (bin) => Math.min(Math.max(Math.floor(bin), 0), bins.count);
const binOf = (ns) => Math.min(clampBin(ns / bins.ns), bins.count - 1);

const events = (() => {
	const { rows, threshold, rare, kept, jumps } = data.events;
	const meanings = data.events.meanings.map((text) => {
		const [, kind, prints, words] = /^(\d+),(\d),(.*)$/s.exec(text);
		return { kind: Number(kind), prints: prints === "1", words };
	});
	const index = new Float64Array(kept), n = new Float64Array(kept), time = new Float64Array(kept);
	const meaning = new Uint32Array(kept), pc = new Uint32Array(kept);
	let atIndex = 0, atN = 0, atIdle = 0;
	for (let i = 0; i < kept; i++) {
		index[i] = atIndex += rows[5 * i];
		n[i] = atN += rows[5 * i + 1];
		time[i] = atN + (atIdle += rows[5 * i + 2]);
		meaning[i] = rows[5 * i + 3];
		pc[i] = rows[5 * i + 4];
	}
	const idles = Object.keys(jumps).map((i) => ({ from: time[i], to: time[i] + jumps[i] }));
	return { count: kept, index, n, time, meaning, pc, meanings, pcs: data.events.pcs, threshold, rare, idles };
})();
const meaningOf = (i) => events.meanings[events.meaning[i]];
const IDLE_KIND = kinds.findIndex((kind) => kind.name === "IDLE");
const SWITCH_KIND = kinds.findIndex((kind) => kind.name === "SWITCH");
const idlesExact = events.rare[IDLE_KIND] || events.count === facts.event_count;

/* What each of several vCPUs does: 0 off, 1 waits, 2 ready, 3 runs. In all bins, and as spans of time where there are few
 * enough. */
const vcpus = (() => {
	if (!data.vcpus)
		return { rows: [], switches: [], exact: false };
	const { rows, switches, series, changes } = data.vcpus, spans = rows.map(() => []);
	const last = rows.map(() => ({ from: 0, doing: 0 }));
	for (let i = 0, ns = 0; changes && i < changes.length; i += 3) {
		const vcpu = changes[i + 1];
		ns += changes[i];
		if (last[vcpu].doing > 0 && ns > last[vcpu].from)
			spans[vcpu].push({ ...last[vcpu], to: ns });
		last[vcpu] = { from: ns, doing: changes[i + 2] };
	}
	return { rows, switches, spans, exact: changes !== null,
		series: series.map((all) => all.map((pairs) => sums(unpack(pairs, data.bins.count)))) };
})();

/* What disks and network cards moved, to the guest and from it: bytes in all bins. */
const devices = data.devices.map(({ name, disk, into, out }) => ({ name,
	words: disk ? ["bytes read", "bytes written"] : ["bytes in", "bytes out"],
	moved: [into, out].map((pairs) => sums(unpack(pairs, data.bins.count))),
	kept: { at: [], which: [], moved: [] } }));
const DEVICE_KINDS = kinds.filter((kind) => /^(DISK|PACKET)_/.test(kind.name)).map((kind) => kind.id);

const consoleLines = (() => {
	const { places, text, cut } = data.console;
	let n = 0, idle = 0;
	return text.map((words, i) => {
		n += places[2 * i];
		idle += places[2 * i + 1];
		return { n, time: n + idle, text: plain(words) + (cut[i] ? ` … (${count(cut[i])} more bytes)` : "") };
	});
})();

/* Text without terminal sequences, other control characters made visible. */
function plain(text) {
	return text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "")
		.replace(/[\0-\x08\n-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
		.replace(/\x7f/g, "␡");
}

/* The first index in a sorted array whose value is not below `value`. */
function lowerBound(sorted, value) {
	let low = 0, high = sorted.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (sorted[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

function count(value) {
	return Math.round(value).toLocaleString("en-US");
}

function plural(value, word) {
	return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

/* A number of bytes in a unit of its own. */
function sizeText(bytes) {
	for (const [size, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
		if (bytes >= size)
			return `${Number((bytes / size).toPrecision(3))} ${name}`;
	return `${Math.ceil(bytes)} bytes`;
}

/* Guest time in the unit that suits the run's length; `step_ns` says how fine. */
const UNIT = run.ns >= 1e8 ? { name: "s", exponent: 9 } : run.ns >= 1e5 ? { name: "ms", exponent: 6 } :
	{ name: "µs", exponent: 3 };
function timeText(ns, step_ns) {
	const digits = Math.min(Math.max(UNIT.exponent - Math.floor(Math.log10(step_ns) + 1e-9), 0), UNIT.exponent);
	return `${(ns / 10 ** UNIT.exponent).toFixed(digits)} ${UNIT.name}`;
}

/* A length of time in a unit of its own. */
function spanText(ns) {
	for (const [size, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])
		if (ns >= size)
			return `${Number((ns / size).toPrecision(4))} ${name}`;
	return `${Math.round(ns)} ns`;
}

const seekN = (n) => `monitor seek ${n}`;
const seekTime = (ns) => `monitor seek time ${(Math.min(Math.max(Math.floor(ns), 0), run.ns) / 1e9).toFixed(9)}`;

/* An element with attributes and children; text is text. */
function make(tag, attributes, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes))
		made.setAttribute(name, value);
	made.append(...children);
	return made;
}

let toastTimer = 0;
function toast(...children) {
	const box = element("toast");
	box.replaceChildren(...children);
	box.hidden = false;
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => { box.hidden = true; }, 2500);
}

/* Older browsers have no clipboard for files, only the copying of a selection. */
function copySelection(text) {
	const box = make("textarea", { readonly: "", class: "floating" });
	box.value = text;
	document.body.append(box);
	box.select();
	const copied = document.execCommand("copy");
	box.remove();
	return copied;
}

async function copy(text) {
	let copied = true;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		copied = copySelection(text);
	}
	toast(copied ? "Copied: " : "Cannot copy: ", make("span", { class: "mono" }, text));
}
