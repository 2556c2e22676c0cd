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
	...devices.map((device) => ({ name: device.name, series: [], colors: ["read", "write"], words: device.words,
		kinds: DEVICE_KINDS, device, bytes: (from, to) => [0, 1].map((way) => bytesIn(device, way, from, to)) })),
	{ name: "Idle", series: [], colors: ["idle"], words: ["idle"], kind: IDLE_KIND, exact: idlesExact,
		shares: (from, to) => [idleIn(from, to)] },
	...vcpus.rows.map((_, vcpu) => ({ name: `vCPU ${vcpu}`, series: [], colors: ["run", "ready", "idle"],
		words: ["runs", "is ready, another one runs", "waits for an interrupt"], kind: SWITCH_KIND, exact: vcpus.exact,
		shares: (from, to) => vcpuIn(vcpu, from, to) })),
].filter((lane) => !lane.optional || lane.series.some((kind) => kinds[kind].count > 0));
const LEGEND = [["output", "console bytes"], ["read", "device reads, bytes to the guest"],
	["write", "device writes, bytes from the guest"],
	["system", "system registers, calls, aborts"], ["interrupt", "interrupts injected"],
	["exit", "asynchronous exits"], ["input", "console input"], ["idle", "share of idle time"],
	["run", "share of time that a vCPU runs"], ["ready", "that it is ready and another one runs"]];

/* Kept events by series: their times and numbers. */
const kept = Array.from({ length: CONSOLE_SERIES + 1 }, () => ({ at: [], which: [] }));
for (let i = 0; i < events.count; i++) {
	const { kind, prints } = meaningOf(i);
	for (const series of prints ? [kind, CONSOLE_SERIES] : [kind]) {
		kept[series].at.push(events.time[i]);
		kept[series].which.push(i);
	}
}

/* Kept events by device, with the bytes that each moved to the guest and from it: their words say which, and how many. */
for (let i = 0; i < events.count && devices.length > 0; i++) {
	const words = /^(DISK|PACKET)_(\w+) ([^,]+)(?:.*?, (\d+) bytes)?/.exec(meaningOf(i).words);
	const device = words && devices.find((one) => one.name === words[3]);
	if (!device)
		continue;
	device.kept.at.push(events.time[i]);
	device.kept.which.push(i);
	device.kept.moved.push([["READ", "IN"], ["WRITE", "OUT"]].map((ops) =>
		ops.includes(words[2]) ? Number(words[4] || 0) : 0));
}

/* Whether every event of a series in this bin is here by itself. */
function isWhole(series, bin) {
	return bins.total[bin] <= events.threshold || (series < kinds.length && events.rare[series] === 1);
}

const hasAny = (series, bin) => bins.series[series][bin + 1] > bins.series[series][bin];

/* Whether what a lane shows of [from, to) is averages, for want of single events. */
function isAverage(lane, from, to) {
	const bin = binOf((from + to) / 2), series = lane.series.filter((one) => hasAny(one, bin));
	if (lane.bytes)
		return to - from < bins.ns && !areDevicesWhole(bin);
	return to - from < bins.ns && (lane.shares ? !lane.exact : series.some((one) => !isWhole(one, bin)));
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

/* Whether all that devices did in this bin is here by itself. */
function areDevicesWhole(bin) {
	return DEVICE_KINDS.every((kind) => !hasAny(kind, bin) || isWhole(kind, bin));
}

/* How many bytes a device moved one way in [from, to), which is either whole bins or inside one bin. */
function bytesIn(device, way, from, to) {
	const all = device.moved[way];
	if (to - from >= bins.ns)
		return all[clampBin(Math.round(to / bins.ns))] - all[clampBin(Math.round(from / bins.ns))];
	const bin = binOf((from + to) / 2), { at, moved } = device.kept;
	if (!areDevicesWhole(bin))
		return (all[bin + 1] - all[bin]) * (to - from) / bins.ns;
	return moved.slice(lowerBound(at, from), lowerBound(at, to)).reduce((sum, one) => sum + one[way], 0);
}

/* The share of idle time in [from, to). */
function idleIn(from, to) {
	if (to - from >= bins.ns || !idlesExact) {
		const first = clampBin(Math.round(from / bins.ns));
		const last = Math.max(clampBin(Math.round(to / bins.ns)), first + 1);
		return (bins.idle[Math.min(last, bins.count)] - bins.idle[first]) / ((last - first) * bins.ns);
	}
	let idle = 0;
	for (let i = firstAfter(events.idles, from); i < events.idles.length && events.idles[i].from < to; i++)
		idle += Math.max(0, Math.min(events.idles[i].to, to) - Math.max(events.idles[i].from, from));
	return idle / (to - from);
}

/* The shares of [from, to) that a vCPU runs, is ready, and waits. */
function vcpuIn(vcpu, from, to) {
	const first = clampBin(Math.round(from / bins.ns));
	const last = Math.max(clampBin(Math.round(to / bins.ns)), first + 1);
	if (to - from >= bins.ns || !vcpus.exact)
		return [2, 1, 0].map((one) => (vcpus.series[vcpu][one][Math.min(last, bins.count)] -
			vcpus.series[vcpu][one][first]) / ((last - first) * bins.ns));
	const spans = vcpus.spans[vcpu], ns = [0, 0, 0];
	for (let i = firstAfter(spans, from); i < spans.length && spans[i].from < to; i++)
		ns[3 - spans[i].doing] += Math.max(0, Math.min(spans[i].to, to) - Math.max(spans[i].from, from));
	return ns.map((one) => one / (to - from));
}

/* The first of some spans of time, one after the other, that ends after `time`. */
function firstAfter(spans, time) {
	let low = 0, high = spans.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (spans[middle].to <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The lists of kept events that a lane is made of; without a lane all. */
function keptOf(lane) {
	if (lane && lane.device)
		return [lane.device.kept];
	return (!lane ? kinds.map((kind) => kind.id) : lane.shares ? [lane.kind] : lane.series).map((series) => kept[series]);
}

/* The kept events of a lane (of all, without one) in [from, to), at most `max`, and how many there are in all. */
function eventsIn(lane, from, to, max) {
	const found = [];
	let total = 0;
	for (const { at, which } of keptOf(lane)) {
		const first = lowerBound(at, from), last = lowerBound(at, to);
		total += last - first;
		for (let i = first; i < Math.min(last, first + max); i++)
			found.push(which[i]);
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
		if (bins.total[bin] > 0 && (!lane || lane.shares ||
			(lane.kinds || lane.series).some((series) => hasAny(series, bin))))
			return seekN(bins.first_n[bin]);
	return seekTime(time);
}
