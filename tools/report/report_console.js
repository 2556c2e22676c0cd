/* The console beside the timeline: the lines of the part in view stand out, the line at the pointer is scrolled to, and
 * a line leads back to its place on the timeline. */
const linesBox = element("lines");
const lineTimes = consoleLines.map((line) => line.time);
const lineRows = consoleLines.map((line, i) => make("div", { "data-line": i },
	make("time", {}, timeText(line.time, UNIT.exponent === 9 ? 1e3 : 1).split(" ")[0]),
	make("span", {}, line.text)));
linesBox.append(...lineRows);
if (consoleLines.length === 0)
	linesBox.append(make("p", { class: "quiet" }, "The guest printed nothing."));
if (data.console.lines > consoleLines.length)
	linesBox.insertBefore(make("p", {},
		`${plural(data.console.lines - consoleLines.length, "line")} of the middle are not in this page.`),
	lineRows[data.console.head] || null);

const lineClasses = lineRows.map(() => "");
let here = -1;
function consoleShow(from, to) {
	const first = lowerBound(lineTimes, from), last = lowerBound(lineTimes, to + 1), all = to - from >= run.ns;
	let changed = false;
	lineRows.forEach((row, i) => {
		const wanted = all ? "" : i < first || i >= last ? "outside" : "inside";
		if (wanted === lineClasses[i])
			return;
		row.classList.remove("outside", "inside");
		if (wanted)
			row.classList.add(wanted);
		lineClasses[i] = wanted;
		changed = true;
	});
	if (changed && !all && first < last && here < 0)
		consoleScroll(lineRows[first]);
}

/* Marks the last line that had begun at `time`, and scrolls to it. */
function consoleAt(time, follow) {
	const line = time < 0 ? -1 : Math.min(lowerBound(lineTimes, time + 1), lineRows.length) - 1;
	if (line !== here) {
		if (here >= 0)
			lineRows[here].classList.remove("here");
		if (line >= 0)
			lineRows[line].classList.add("here");
		here = line;
	}
	if (line >= 0 && follow)
		consoleScroll(lineRows[line]);
}

function consoleScroll(row) {
	const top = row.offsetTop, bottom = top + row.offsetHeight;
	if (top < linesBox.scrollTop || bottom > linesBox.scrollTop + linesBox.clientHeight)
		linesBox.scrollTop = top - linesBox.clientHeight / 3;
}

function lineOf(event) {
	const row = event.target.closest("[data-line]");
	return row ? consoleLines[Number(row.dataset.line)] : null;
}
linesBox.addEventListener("click", (event) => {
	const line = lineOf(event);
	if (!line || getSelection().toString() !== "")
		return;
	const span = view.to - view.from;
	if (line.time < view.from || line.time > view.to)
		show(line.time - span / 2, line.time + span / 2);
	placeShow(line.time, null, columnAt(line.time), seekN(line.n));
});
linesBox.addEventListener("pointermove", (event) => {
	const line = lineOf(event);
	place.hover = line ? line.time : -1;
	redraw();
});
linesBox.addEventListener("pointerleave", () => { place.hover = -1; redraw(); });

/* ---- find ---- */

let finds = [], findAt = 0;
function find() {
	const wantedText = element("find").value.toLowerCase();
	const fits = (line) => wantedText !== "" && line.text.toLowerCase().includes(wantedText);
	finds = consoleLines.flatMap((line, i) => fits(line) ? [i] : []);
	lineRows.forEach((row) => row.classList.remove("found"));
	finds.forEach((i) => lineRows[i].classList.add("found"));
	findAt = 0;
	findShow(wantedText !== "");
}
function findShow(asked) {
	element("found").textContent = finds.length > 0 ? `${findAt + 1} of ${finds.length}` : asked ? "none" : "";
	if (finds.length > 0)
		consoleScroll(lineRows[finds[findAt]]);
}
element("find").addEventListener("input", find);
element("find").addEventListener("keydown", (event) => {
	if (event.key !== "Enter" || finds.length === 0)
		return;
	findAt = (findAt + (event.shiftKey ? finds.length - 1 : 1)) % finds.length;
	findShow(true);
});
