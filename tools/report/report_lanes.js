/* The rows of the timeline, and how many events of each are in a piece of time. A piece of one bin or more is answered
 * from the bins; a smaller one from single events where the page has them, else from the bin's average. */
/* What the guest itself caused but its device accesses, and what is of no known kind. */
const SYSTEM = [...kinds.keys()].filter((kind) => kinds[kind].klass === "TRAP" && kind > 2).concat(0);
const LANES = [
	{ name: "Console", series: [CONSOLE_SERIES], colors: ["output"], labels: true },
	{ name: "Device accesses", series: [1, 2], colors: ["read", "write"] },
	{ name: "System, calls", series: SYSTEM, colors: SYSTEM.map(() => "system") },
	{ name: "Interrupts", series: [12], colors: ["interrupt"] },
	{ name: "Async. exits", series: [9], colors: ["exit"] },
	{ name: "Input", series: [11], colors: ["input"], optional: true },
	{ name: "Idle", series: [], colors: ["idle"], idle: true },
].filter((lane) => !lane.optional || lane.series.some((kind) => kinds[kind].count > 0));
const LEGEND = [["output", "console bytes"], ["read", "device reads"], ["write", "device writes"],
	["system", "system registers, calls, aborts"], ["interrupt", "interrupts injected"],
	["exit", "asynchronous exits"], ["input", "console input"], ["idle", "share of idle time"]];

/* Kept events by series: their times and numbers. */
const kept = Array.from({ length: CONSOLE_SERIES + 1 }, () => ({ at: [], which: [] }));
for (let i = 0; i < events.count; i++) {
	const { kind, prints } = meaningOf(i);
	for (const series of prints ? [kind, CONSOLE_SERIES] : [kind]) {
		kept[series].at.push(events.time[i]);
		kept[series].which.push(i);
	}
}

/* Whether every event of a series in this bin is here by itself. */
function isWhole(series, bin) {
	return bins.total[bin] <= events.threshold || (series < kinds.length && events.rare[series] === 1);
}

const hasAny = (series, bin) => bins.series[series][bin + 1] > bins.series[series][bin];

/* Whether what a lane shows of [from, to) is averages, for want of single events. */
function isAverage(lane, from, to) {
	const bin = binOf((from + to) / 2), series = lane.series.filter((one) => hasAny(one, bin));
	return to - from < bins.ns && (lane.idle ? !idlesExact : series.some((one) => !isWhole(one, bin)));
}

/* How many of a series are in [from, to), which is either whole bins or inside one bin. */
function countIn(series, from, to) {
	if (to - from >= bins.ns)
		return bins.series[series][clampBin(Math.round(to / bins.ns))] -
			bins.series[series][clampBin(Math.round(from / bins.ns))];
	const bin = binOf((from + to) / 2);
	if (isWhole(series, bin))
		return lowerBound(kept[series].at, to) - lowerBound(kept[series].at, from);
	return (bins.series[series][bin + 1] - bins.series[series][bin]) * (to - from) / bins.ns;
}

/* The share of idle time in [from, to). */
function idleIn(from, to) {
	if (to - from >= bins.ns || !idlesExact) {
		const first = clampBin(Math.round(from / bins.ns));
		const last = Math.max(clampBin(Math.round(to / bins.ns)), first + 1);
		return (bins.idle[Math.min(last, bins.count)] - bins.idle[first]) / ((last - first) * bins.ns);
	}
	let idle = 0;
	for (let i = Math.max(firstIdle(from), 0); i < events.idles.length && events.idles[i].from < to; i++)
		idle += Math.max(0, Math.min(events.idles[i].to, to) - Math.max(events.idles[i].from, from));
	return idle / (to - from);
}

function firstIdle(time) {
	let low = 0, high = events.idles.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (events.idles[middle].to <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The kept events of a lane (of all, without one) in [from, to), at most `max`, and how many there are in all. */
function eventsIn(lane, from, to, max) {
	const found = [];
	let total = 0;
	for (const series of lane && !lane.idle ? lane.series : kinds.map((kind) => kind.id)) {
		if (lane && lane.idle && series !== IDLE_KIND)
			continue;
		const first = lowerBound(kept[series].at, from), last = lowerBound(kept[series].at, to);
		total += last - first;
		for (let i = first; i < Math.min(last, first + max); i++)
			found.push(kept[series].which[i]);
	}
	found.sort((a, b) => a - b);
	return { list: found.slice(0, max), total };
}

/* The line that goes to what a column shows: its first event, else the first one of its bins, else `time` in it. */
function seekOf(lane, { from, to }, time) {
	const { list } = eventsIn(lane, from, to, 1);
	if (list.length > 0)
		return seekN(events.n[list[0]]);
	const end = to - from >= bins.ns ? clampBin(to / bins.ns) : 0;
	for (let bin = clampBin(from / bins.ns); bin < end; bin++)
		if (bins.total[bin] > 0 && (!lane || lane.idle || lane.series.some((series) => hasAny(series, bin))))
			return seekN(bins.first_n[bin]);
	return seekTime(time);
}
