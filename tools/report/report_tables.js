/* Everything that is not the timeline or the console: the facts, the chosen place, the tables, and what the page does
 * not hold. */
const PLACE_ROWS_MAX = 60, TABLE_ROWS = 10;

/* Copies where a row leads, wherever in the page it is. */
document.addEventListener("click", (event) => {
	const row = event.target.closest("tr[data-n]");
	if (row)
		copy(seekN(row.dataset.n));
});

function placeShow(time, lane, column, seek) {
	place.time = time;
	consoleAt(time, true);
	const { list, total } = eventsIn(lane, column.from, column.to, PLACE_ROWS_MAX);
	element("place-title").textContent = `Place ${timeText(time, 1)}`;
	const button = element("place-seek");
	button.textContent = seek;
	button.hidden = false;
	const box = element("place-events");
	box.replaceChildren(list.length > 0 ? eventTable(list) : placeWords(lane, column));
	if (total > list.length)
		box.append(make("p", { class: "quiet" },
			`The first ${list.length} of ${plural(total, "event")} here; zoom in to see the others.`));
	copy(seek);
	redraw();
}
element("place-seek").addEventListener("click", (event) => copy(event.target.textContent));

function placeWords(lane, column) {
	const sums = kinds.map((kind) => ({ kind, sum: countIn(kind.id, column.from, column.to) }))
		.filter(({ kind, sum }) => sum >= 0.5 && (!lane || lane.shares || (lane.kinds || lane.series).includes(kind.id)));
	const words = sums.map(({ kind, sum }) => `${count(sum)} ${kind.name}`).join(", ");
	const idle = idleIn(column.from, column.to);
	const about = LANES.some((one) => isAverage(one, column.from, column.to)) ? "About " : "";
	return make("p", {}, words ? `${about}${words}, in ${spanText(column.to - column.from)}; too many to list.` :
		idle > 0.5 ? "The guest is idle here." : "The guest runs here without any event.");
}

const number = (text, tag = "td") => make(tag, { class: "number" }, text);

function eventTable(list) {
	const table = make("table", {}, make("tr", {}, number("event", "th"), number("instruction", "th"),
		make("th", {}, "pc"), make("th", {}, "what")));
	for (const i of list)
		table.append(make("tr", { "data-n": events.n[i], title: seekN(events.n[i]) },
			number(count(events.index[i])), number(count(events.n[i])),
			make("td", { class: "mono" }, events.pcs[events.pc[i]]), make("td", {}, meaningOf(i).words)));
	return table;
}

/* ---- the facts ---- */

function fact(name, value, more, options = {}) {
	const box = make("dd", { "data-fact": name, ...(options.mono ? { class: "mono" } : {}) }, value);
	if (more)
		box.append(make("small", {}, more));
	element("facts").append(make("div", options.wide ? { class: "wide" } : {}, make("dt", {}, name), box));
}

/* So many each, with a digit behind the point if it matters. */
function rate(value, each) {
	const per = each > 0 ? value / each : 0;
	return per < 10 ? per.toFixed(1) : count(per);
}

function showFacts() {
	const known = (text) => text === null || text === "" ? "unknown" : plain(text);
	document.title = `${plain(facts.trace)} – hvrec report`;
	element("title").textContent = plain(facts.trace);
	const state = element("state");
	state.textContent = facts.complete ? "complete" : "incomplete: up to its last commit";
	state.classList.toggle("warn", !facts.complete);
	element("command").textContent = facts.bootargs ? plain(facts.bootargs) : "(no command line)";
	fact("Kernel", known(facts.kernel_name), facts.kernel_kind);
	const passed = run.n - facts.start_n;
	fact("Instructions", count(passed), facts.start_n > 0 ? `from ${count(facts.start_n)} on` : "at EL0 and EL1");
	fact("Guest time", `${(run.ns / 1e9).toFixed(9)} s`, `${(100 * facts.idle_ns / run.ns).toFixed(1)} % idle`);
	fact("Events", count(facts.event_count), `${rate(facts.event_count, passed / 1e6)} per M instructions`);
	fact("Console", plural(data.console.lines, "line"), plural(data.console.bytes, "byte"));
	fact("Memory", `${count(facts.ram_bytes / 2 ** 20)} MiB`, plural(facts.vcpu_count, "vCPU"));
	fact("End", known(facts.end_reason), facts.complete ? "" : "not finished");
	fact("Final state hash", known(facts.final_state_hash), "registers and memory", { mono: true, wide: true });
	fact("Recorded on", known(facts.machine), "", { wide: true });
}

/* ---- the tables ---- */

function meter(parts, most) {
	return make("td", { class: "meter" }, make("div", {}, ...parts.map(([value, color]) => {
		const percent = Math.max(100 * value / most, value > 0 ? 0.8 : 0);
		return make("i", { style: `width: ${percent}%; background: var(--${color})` });
	})));
}

function moreButton(table, row_count) {
	const more = make("button", {}, `All ${row_count}`);
	more.addEventListener("click", () => {
		table.querySelectorAll("tr").forEach((row) => { row.hidden = false; });
		more.remove();
	});
	return more;
}

/* rows: [name, words, [[value, color], …], n]. */
function tableCard(title, heads, rows, options = {}) {
	if (rows.length === 0)
		return;
	const most = Math.max(...rows.map((row) => row[2].reduce((sum, part) => sum + part[0], 0)));
	const table = make("table", {}, make("tr", {}, make("th", {}, heads[0]),
		...heads.slice(1).map((head) => number(head, "th")), make("th", {}, "")));
	rows.forEach(([name, words, parts, n], i) => {
		const row = make("tr", { "data-n": n, title: `first: ${seekN(n)}` },
			make("td", options.mono ? { class: "mono" } : {}, name, words ? make("small", {}, words) : ""),
			...parts.map(([value]) => number(value > 0 ? count(value) : "")), meter(parts, most));
		row.hidden = i >= TABLE_ROWS;
		table.append(row);
	});
	const card = make("section", { class: "card" }, make("div", { class: "bar" }, make("h2", {}, title)), table);
	if (rows.length > TABLE_ROWS)
		card.firstChild.append(make("span", { class: "buttons" }, moreButton(table, rows.length)));
	if (options.note)
		card.append(make("p", { class: "quiet" }, options.note));
	element("tables").append(card);
}

const KIND_COLORS = Object.fromEntries(LANES.flatMap(({ series, colors }) => series.map((one, i) => [one, colors[i]])));

/* The rows of one of the tables that hvrec counted, with one colour, or one for each of two columns. */
function hotRows(table, colors) {
	return data.hot[table].rows.map(([name, first, second, n]) => [name, "",
		colors.length > 1 ? [[first, colors[0]], [second, colors[1]]] : [[first + second, colors[0]]], n]);
}

/* What a table does not show, in words. */
function hotNote(table) {
	const { keys, others, rows } = data.hot[table];
	const beyond = others > 0 ? ` ${plural(others, "event")} more at further ones were not told apart.` : "";
	return keys > rows.length ? `The ${rows.length} most frequent of ${count(keys)}.${beyond}` : "";
}

function showTables() {
	const used = kinds.filter((kind) => kind.count > 0).sort((a, b) => b.count - a.count);
	tableCard("Events by kind", ["kind", "events"], used.map((kind) =>
		[kind.name, kind.words, [[kind.count, KIND_COLORS[kind.id] || "idle"]], kind.n]),
	{ note: "A click on a row copies the line that goes to its first event." });
	for (const [title, table, heads, colors, mono] of [
		["Device registers", "registers", ["register", "reads", "writes"], ["read", "write"], false],
		["Where the guest trapped", "traps", ["where", "traps"], ["read"], true],
		["Where asynchronous exits found it", "samples", ["where", "exits"], ["exit"], true],
		["Interrupts", "interrupts", ["interrupt", "injected"], ["interrupt"], false],
		["Asynchronous exits", "exits", ["reason", "exits"], ["exit"], false],
		["System registers and calls", "calls", ["name", "events"], ["system"], false],
	])
		tableCard(title, heads, hotRows(table, colors), { mono, note: hotNote(table) });
}

/* Of several vCPUs: what each did with the guest time, and why their turns ended. */
function showVcpus() {
	const start = facts.start_n;
	tableCard("vCPUs", ["", "ran", "ready", "waited", "off"], vcpus.rows.map((row, i) =>
		[`${i}`, "", [[row.runs, "run"], [row.ready, "ready"], [row.waits, "idle"], [row.off, "faint"]]
			.map(([ns, color]) => [ns / 1000, color]), start]),
	{ note: "In µs of guest time. Ready: it could run, and another one did. Waited: from a WFI to its next turn." });
	tableCard("Interrupts by vCPU", ["vCPU", "injected"], vcpus.rows.map((row, i) =>
		[`${i}`, plural(row.turns, "turn"), [[row.interrupts, "interrupt"]], start]));
	tableCard("Why turns ended", ["the vCPU", "switches"], vcpus.switches.map(([reason, times]) =>
		[reason, "", [[times, "run"]], kinds[SWITCH_KIND].n]));
}

/* ---- what was left out ---- */

function rareKinds() {
	return kinds.filter((kind) => kind.count > 0 && events.rare[kind.id]).map((kind) => kind.name).join(", ");
}

function eventsWords() {
	if (events.count === facts.event_count)
		return `All ${plural(events.count, "event")} are in this page one by one.`;
	return `Of the events, ${count(events.count)} are in this page one by one: those in the ${count(bins.count)} ` +
		`pieces of the run (${spanText(bins.ns)} each) that have at most ${count(events.threshold)}, and ` +
		`all of the rarer kinds (${rareKinds()}). Elsewhere the page has their numbers by kind and piece.`;
}

function showFooter() {
	const words = [`Made by hvrec ${facts.version} from ${plural(facts.event_count, "event")}. Guest time is ` +
		"instructions plus idle time, 1 ns each. The lines are for gdb, connected as by hvrec debug.",
	eventsWords()];
	if (data.console.lines > consoleLines.length)
		words.push(`Of the console, the page has the first ${count(data.console.head)} and the last ` +
			`${count(consoleLines.length - data.console.head)} of ${plural(data.console.lines, "line")}.`);
	element("footer").append(...words.map((text) => make("p", {}, text)));
}

showFacts();
showTables();
showVcpus();
showFooter();
for (const [color, name] of LEGEND)
	if (LANES.some((lane) => lane.colors.includes(color)))
		element("legend").append(make("span", {}, swatch(color), name));
show(facts.start_ns, run.ns);
document.documentElement.dataset.ready = "1";
