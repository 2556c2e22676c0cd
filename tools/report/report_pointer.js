/* What pointer, wheel and keys do on the timeline: a tooltip, choosing a place, zooming and moving. A drag chooses a
 * part to zoom to; with Shift, or by a finger, it moves. */
function laneAt(y) {
	const row = geometry.rows.find(({ top, height }) => y >= top && y < top + height);
	return row ? row.lane : null;
}

function tipRows(lane, column) {
	if (lane && lane.shares) {
		return lane.shares(column.from, column.to).map((share, i) => make("div", {}, swatch(lane.colors[i]),
			`${lane.words[i]} ${(100 * Math.min(share, 1)).toFixed(1)} %`));
	}
	if (lane && lane.bytes) {
		return lane.bytes(column.from, column.to).map((bytes, i) => make("div", {}, swatch(lane.colors[i]),
			`${lane.words[i]} ${count(Math.round(bytes))}`));
	}
	const rows = [];
	for (const one of lane ? [lane] : LANES.filter((other) => !other.shares && !other.bytes)) {
		one.series.forEach((series, i) => {
			const sum = countIn(series, column.from, column.to);
			const name = series === CONSOLE_SERIES ? "console bytes" : kinds[series].name;
			if (sum > 0)
				rows.push(make("div", {}, swatch(one.colors[i]),
					`${name} ${sum < 1 ? "<1" : count(sum)}`));
		});
	}
	return rows;
}

function swatch(color) {
	return make("i", { style: `background: var(--${color})` });
}

function hover(event) {
	const box = lanesCanvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
	if (x < geometry.left || drag) {
		leave();
		return;
	}
	place.hover = Math.min(Math.max(timeAt(x), 0), run.ns);
	consoleAt(place.hover, true);
	const column = columnAt(place.hover), lane = laneAt(y), { list } = eventsIn(lane, column.from, column.to, 4);
	const words = list.map((i) => make("div", {}, meaningOf(i).words));
	tipShow(event, make("b", {}, timeText(place.hover, column.to - column.from)), ...tipRows(lane, column),
		...words, make("span", { class: "mono" }, seekOf(lane, column, place.hover)));
	redraw();
}

function tipShow(event, ...children) {
	const tip = element("tip");
	tip.replaceChildren(...children);
	tip.hidden = false;
	const { width, height } = tip.getBoundingClientRect();
	const right = element("timeline").getBoundingClientRect().right, x = event.clientX;
	tip.style.left = `${Math.max(4, x + 16 + width > right ? x - width - 16 : x + 16)}px`;
	tip.style.top = `${Math.max(4, Math.min(event.clientY + 16, innerHeight - height - 8))}px`;
}

function leave() {
	element("tip").hidden = true;
	if (place.hover >= 0) {
		place.hover = -1;
		consoleAt(place.time, false);
		redraw();
	}
}

function choose(x, y) {
	const mark = y < MARKS_PX && marks.find(({ time }) => Math.abs(xOf(time) - x) < 12);
	const time = mark ? mark.time : Math.min(Math.max(timeAt(x), 0), run.ns);
	const column = columnAt(time), lane = laneAt(y);
	const { list } = eventsIn(lane, column.from, column.to, 1);
	const exact = mark || list.length === 0 ? time : events.time[list[0]];
	placeShow(exact, lane, column, mark ? seekN(mark.n) : seekOf(lane, column, exact));
}

lanesCanvas.addEventListener("pointerdown", (event) => {
	const box = lanesCanvas.getBoundingClientRect(), x = event.clientX - box.left;
	if (event.button !== 0 || x < geometry.left)
		return;
	const panning = event.shiftKey || event.pointerType === "touch";
	drag = { x, at: x, y: event.clientY - box.top, panning, choosing: false, from: view.from, to: view.to };
	lanesCanvas.setPointerCapture(event.pointerId);
});
lanesCanvas.addEventListener("pointermove", (event) => {
	if (!drag) {
		hover(event);
		return;
	}
	drag.at = Math.max(event.clientX - lanesCanvas.getBoundingClientRect().left, geometry.left);
	const moved = Math.abs(drag.at - drag.x) > 4;
	drag.choosing = !drag.panning && (drag.choosing || moved);
	drag.moved = drag.moved || moved;
	leave();
	if (drag.panning) {
		const shift = (drag.x - drag.at) / plotWidth() * (drag.to - drag.from);
		show(drag.from + shift, drag.to + shift);
	}
	redraw();
});
lanesCanvas.addEventListener("pointerup", () => {
	const done = drag;
	drag = null;
	if (done && done.choosing)
		show(timeAt(Math.min(done.x, done.at)), timeAt(Math.max(done.x, done.at)));
	else if (done && !done.moved)
		choose(done.x, done.y);
	redraw();
});
lanesCanvas.addEventListener("pointercancel", () => { drag = null; redraw(); });
lanesCanvas.addEventListener("pointerleave", leave);
lanesCanvas.addEventListener("dblclick", (event) => {
	zoom(event.shiftKey ? 1 / 4 : 4, timeAt(event.clientX - lanesCanvas.getBoundingClientRect().left));
});
lanesCanvas.addEventListener("wheel", (event) => {
	event.preventDefault();
	const x = event.clientX - lanesCanvas.getBoundingClientRect().left;
	if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
		move((event.deltaX || event.deltaY) / 1000);
	else
		zoom(1.0018 ** -event.deltaY, timeAt(Math.max(x, geometry.left)));
}, { passive: false });

function overviewMove(event) {
	const box = overviewCanvas.getBoundingClientRect(), time = (event.clientX - box.left) / box.width * run.ns;
	const half = (view.to - view.from) / 2;
	show(time - half, time + half);
}
overviewCanvas.addEventListener("pointerdown", (event) => {
	overviewCanvas.setPointerCapture(event.pointerId);
	overviewMove(event);
});
overviewCanvas.addEventListener("pointermove", (event) => {
	if (event.buttons & 1)
		overviewMove(event);
});

const KEYS = {
	"+": () => zoom(2, middle()), "=": () => zoom(2, middle()), "-": () => zoom(1 / 2, middle()),
	"0": () => show(facts.start_ns, run.ns), "Home": () => show(0, view.to - view.from),
	"End": () => show(run.ns - (view.to - view.from), run.ns),
	"ArrowLeft": () => move(-0.2), "ArrowRight": () => move(0.2),
	"ArrowUp": () => zoom(2, middle()), "ArrowDown": () => zoom(1 / 2, middle()),
};
lanesCanvas.addEventListener("keydown", (event) => {
	if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey)
		return;
	event.preventDefault();
	KEYS[event.key]();
});
element("zoom-in").addEventListener("click", () => zoom(2, middle()));
element("zoom-out").addEventListener("click", () => zoom(1 / 2, middle()));
element("zoom-all").addEventListener("click", () => show(facts.start_ns, run.ns));
new ResizeObserver(redraw).observe(element("timeline"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
