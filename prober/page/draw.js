/*
 * draw.js - small drawings: sparklines, bars of age, arrows, the time line of
 * events, the phases of a report. Pure: numbers in, a tree of h() out; every
 * drawing has its words beside it, and none says a thing by colour alone.
 */
import {h} from "./dom.js";
import {KEEP_MS} from "./model.js";
import {clock, counting, lasting, num, shown} from "./text.js";

const SPARK_W = 132, SPARK_H = 26;
export const LINE_MS = 10 * 60 * 1000; /* what the time line spans */

function round(n)
{
	return Math.round(n * 10) / 10;
}

/* The lines of a sparkline: one for each stretch without a gap. */
export function spark_paths(samples, key, now_ms, most)
{
	const lines = [];
	let line = null, last = null;

	for (const s of samples) {
		const v = s[key];
		if (v === null || (last !== null && s.at - last > 5000))
			line = null;
		last = s.at;
		if (v === null)
			continue;
		if (line === null)
			lines.push(line = []);
		const x = SPARK_W * (1 - (now_ms - s.at) / KEEP_MS);
		const y = SPARK_H - 2 - (SPARK_H - 4) * v / most;
		line.push(`${round(Math.max(0, x))},${round(y)}`);
	}
	/* A single point would be no line. */
	return lines.map((l) => `M${l.length > 1 ? l.join("L") : `${l[0]}h1`}`);
}

export function spark(samples, key, now_ms, o)
{
	const values = samples.map((s) => s[key]).filter((v) => v !== null);
	const most = values.length ? Math.max(...values) : 0;
	const label = values.length ?
	    `${o.name}: at most ${o.word(most)} in the last ` +
		lasting(now_ms - samples[0].at) :
	    `${o.name}: not known`;

	return h("figure", {class: "spark"},
	    h("svg", {
		    viewBox: `0 0 ${SPARK_W} ${SPARK_H}`,
		    role: "img",
		    width: SPARK_W,
		    height: SPARK_H,
		    "aria-label": label
	    },
		h("path", {class: "base", d: `M0,${SPARK_H - 2}h${SPARK_W}`}),
		spark_paths(samples, key, now_ms, Math.max(most, o.floor))
		    .map((d) => h("path", {class: "line", d}))),
	    h("figcaption", {"aria-hidden": "true"},
		values.length ? `${o.short}: at most ${o.word(most)}` :
				`${o.short}: no data`));
}

const AGE_CLASS = ["young", "ageing", "old"];

/* A source's age as a bar that is full, red and says so when it is too old. */
export function age_bar(e)
{
	const part = e.age_ms === null ? 1 : Math.min(1, e.age_ms / e.max_ms);
	const words = !e.asked ? "not asked" :
	    e.age_ms === null  ? "never" :
				 lasting(e.age_ms);
	const late =
	    e.asked && e.age_ms !== null && e.old === 2 ? ", too old" : "";

	return h("li", {class: `age ${e.asked ? AGE_CLASS[e.old] : "none"}`},
	    h("span", {class: "source"}, e.source),
	    h("svg", {
		    class: "bar",
		    viewBox: "0 0 60 8",
		    width: 60,
		    height: 8,
		    "aria-hidden": "true"
	    },
		h("rect", {class: "track", width: 60, height: 8, rx: 2}),
		e.asked && h("rect", {
			class: "fill",
			height: 8,
			rx: 2,
			width: round(60 * part)
		})),
	    h("span", {class: "value"}, words + late,
		e.trouble && h("span", {class: "trouble"}, `: ${e.trouble}`)));
}

/* --- arrows --- */

function head(x, y)
{
	return `M${x},${y}l-9,-5v10z`;
}

/*
 * From where WAL comes to where it goes. Boxes are {left, top, width, height}
 * within the drawing. Side by side: a curve; below each other: a trunk at the
 * left edge with a branch to each.
 */
export function arrow_path(from, to, below)
{
	if (below) {
		const x = round(from.left + 10), y = round(to.top + 20);

		return {
			d: `M${x},${round(from.top + from.height)}V${y}` +
			    `H${round(to.left - 6)}`,
			head: head(round(to.left), y)
		};
	}
	const x0 = round(from.left + from.width), x1 = round(to.left);
	const y0 = round(from.top + Math.min(from.height / 2, 60));
	const y1 = round(to.top + Math.min(to.height / 2, 60));
	const mid = round((x0 + x1) / 2);

	return {
		d: `M${x0},${y0}C${mid},${y0} ${mid},${y1} ${x1 - 6},${y1}`,
		head: head(x1, y1)
	};
}

/* all: of arrow_path(), each with `streaming`. */
export function arrows(all, width, height)
{
	return [h("svg", {
		class: "arrows",
		width,
		height,
		"aria-hidden": "true",
		viewBox: `0 0 ${width} ${height}`
	},
	    all.map((a) => h("path", {
		    class: a.streaming === false ? "wal broken" : "wal",
		    d: a.d
	    })),
	    all.map((a) => h("path", {class: "head", d: a.head})))];
}

/* --- the time line --- */

/* A shape for each type, so that it is told without its colour. */
const SHAPE = {
	write: "M0,-6L6,0L0,6L-6,0Z",
	read: "M-5,5L0,-6L5,5Z",
	member: "M-5,-5H5V5H-5Z",
	dcs: "M-6,-2H-2V-6H2V-2H6V2H2V6H-2V2H-6Z",
	control: "M-6,-3H6V3H-6Z",
	source: "M-5,-5L0,6L5,-5Z",
	haproxy: "M-6,0L-3,-5H3L6,0L3,5H-3Z",
	report: "M0,-7L2,-2L7,-2L3,2L5,7L0,4L-5,7L-3,2L-7,-2L-2,-2Z",
	other: "M-4,0A4,4 0 1 1 4,0A4,4 0 1 1 -4,0Z",
};

export function shape_of(type)
{
	return Object.hasOwn(SHAPE, type) ? type : "other";
}

export function mark(type)
{
	return h("svg", {
		class: `mark of-${shape_of(type)}`,
		width: 16,
		height: 16,
		viewBox: "-8 -8 16 16",
		"aria-hidden": "true"
	},
	    h("path", {d: SHAPE[shape_of(type)]}));
}

const MARK_PX = 4;

/* Those of a kind that would lie on each other, by what tells them apart. */
function heaps(events, x)
{
	const all = new Map();

	for (const e of events) {
		const shape = shape_of(e.type);
		const key = `${shape} ${Math.round(x(e.at_ms) / MARK_PX)}`;
		const heap = all.get(key);

		if (heap)
			heap.n++;
		else
			all.set(key, {key, shape, first: e, n: 1});
	}
	return [...all.values()];
}

function heap_mark(heap, x)
{
	const e = heap.first;
	const more = heap.n > 1 ? ` (and ${heap.n - 1} more)` : "";

	return h("g", {
		key: heap.key,
		class: `mark of-${heap.shape}`,
		transform: `translate(${round(x(e.at_ms))},0)`
	},
	    h("title", null, `${clock(e.at, true)} ${e.text}${more}`),
	    h("path", {d: SHAPE[heap.shape]}));
}

function minute(m, x)
{
	const anchor = m === 0 ? "end" : m === 10 ? "start" : "middle";

	return [
		h("path", {class: "tick", d: `M${x},12v8`}),
		h("text", {x, y: 38, "text-anchor": anchor},
		    m === 0 ? "now" : `${m} min`)
	];
}

/*
 * The last ten minutes, now at the right. `width`: what there is room for. As
 * time goes on one group moves, not each mark in it.
 */
export function time_line(events, now_ms, width)
{
	const w = Math.max(200, Math.floor(width));
	const a_ms = (w - 16) / LINE_MS;
	const base = Math.floor(now_ms / LINE_MS) * LINE_MS;
	const x = (at_ms) => a_ms * (at_ms - base);
	const ago = (ms) => round(w - 8 - a_ms * ms);
	const near = events.filter(
	    (e) => e.at_ms !== null && now_ms - e.at_ms < LINE_MS);
	const minutes = w < 420 ? [0, 5, 10] : Array.from({length: 11}).keys();

	return h("svg", {
		class: "time-line",
		width: w,
		height: 44,
		role: "img",
		viewBox: `0 0 ${w} 44`,
		"aria-label": `${
		    near.length} events in the last ten minutes, listed below`
	},
	    h("path", {class: "base", d: `M8,16H${w - 8}`}),
	    Array.from(minutes, (m) => minute(m, ago(m * 60000))),
	    h("g", {transform: `translate(${ago(now_ms - base)},16)`},
		heaps(near, x).map((heap) => heap_mark(heap, x))));
}

/* --- reports --- */

const PHASES = [
	["key_ms", "leader key moved"], ["writable_ms", "new leader writable"],
	["routed_ms", "writes routed"],
	["first_connection_ms", "first connection"]
];

/* Bars from the first sign on, each to its instant; `most`: the longest. */
export function phases(report)
{
	const known = PHASES.map(([key, name]) => [name, num(report[key])]);
	const most = Math.max(1, ...known.map(([, ms]) => ms || 0));

	return h("ol", {class: "phases"},
	    known.map(
		([name, ms]) => h("li", null, h("span", {class: "phase"}, name),
		    h("svg", {
			    class: "bar",
			    viewBox: "0 0 100 8",
			    preserveAspectRatio: "none",
			    height: 8,
			    "aria-hidden": "true"
		    },
			h("rect", {class: "track", width: 100, height: 8}),
			ms !== null && h("rect", {
				class: "fill",
				height: 8,
				width: round(Math.max(1, 100 * ms / most))
			})),
		    h("span", {class: "value"},
			ms === null ? "unknown" : lasting(ms)))));
}

/* How long ago an event was, for the list. */
export function since(at_ms, now_ms)
{
	return at_ms === null ? "" : `${counting(now_ms - at_ms)} ago`;
}

/* An event as a page keeps it; null if it is none. */
export function event_of(raw)
{
	const at_ms = Date.parse(raw.at);

	if (num(raw.id) === null)
		return null;
	return {
		id: raw.id,
		at: shown(raw.at, 40),
		at_ms: Number.isNaN(at_ms) ? null : at_ms,
		cluster: typeof raw.cluster === "string" ? raw.cluster : null,
		type: shown(raw.type, 20),
		text: shown(raw.text ||
			[raw.type, raw.member, raw.from, raw.to, raw.why_text]
			    .filter((x) => typeof x === "string")
			    .join(" "),
		    400)
	};
}
