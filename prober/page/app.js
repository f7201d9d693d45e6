/*
 * app.js - the page's life: asks the prober each second, follows its events,
 * remembers lag for the sparklines, and has the document drawn.
 *
 * A site of a few clusters is asked for whole; one of many by its summary, and
 * whole only for the clusters that are open. What is not in sight is not drawn.
 * A page that gets no answers says so, in large letters.
 */
import {arrow_path, arrows, event_of} from "./draw.js";
import {h, show} from "./dom.js";
import {STALE_MS,
	card_of,
	change_sentence,
	cluster_of,
	in_order,
	remember} from "./model.js";
import {follow} from "./follow.js";
import {grid, head, parts, site_of, stale} from "./site.js";
import {list} from "./text.js";
import {cluster, events} from "./view.js";

const EVERY_MS = 1000, ANSWER_MS = 2500, BURST_MS = 200;
const FEW = 8;      /* clusters that are shown whole at once */
const OPEN_MAX = 6; /* of many: whole at the same time */
const EVENTS_MAX = 400;

const $ = (id) => document.getElementById(id);
const state = {
	ok_at: null,
	wall: null,
	error: "",
	since: performance.now(),
	site: null,
	cards: [],
	whole: new Map(),
	many: true, /* until it is known */
	open: new Set(),
	opened: new Set(),
	samples: new Map(),
	ids: new Map(),
	events: [],
	has_events: false,
	reports: [],
	visible: new Map(),
	events_in_sight: false,
	drawn: new Map(),
	kept: new Map(),
};

/* --- asking --- */

const STATUS = {
	401: "HAProxy asks for the password again: load this page anew.",
	403: "HAProxy does not let this page ask.",
	404: "There is no such prober here."
};

/* A page that was opened with a password in its address may not ask so. */
function url_of(path)
{
	return new URL(path, location.origin + location.pathname).href;
}

async function ask(path, how_long = ANSWER_MS)
{
	const end = new AbortController();
	const timer = setTimeout(() => end.abort(), how_long);

	try {
		const r = await fetch(url_of(path), {
			cache: "no-store",
			signal: end.signal,
			headers: {Accept: "application/json"}
		});
		if (!r.ok) {
			const e = new Error(STATUS[r.status] ||
			    `The prober does not answer (HTTP ${r.status}).`);
			e.status = r.status;
			throw e;
		}
		return await r.json();
	} catch (e) {
		if (e.name === "AbortError")
			e.text = "The prober does not answer.";
		else if (e instanceof SyntaxError)
			e.text = "The prober's answer is not to be understood.";
		else if (e instanceof TypeError)
			e.text = `There is no connection to ${location.host}.`;
		throw e;
	} finally {
		clearTimeout(timer);
	}
}

function keep_lag(c, now)
{
	for (const m of c.members) {
		const key = `${c.raw_name}\n${m.raw_name}`;
		const samples = state.samples.get(key) || [];

		state.samples.set(key,
		    remember(samples, now, {bytes: m.lag_bytes, ms: m.lag_ms}));
	}
}

function announce(was, now)
{
	const before = new Map(was.map((c) => [c.raw_name, c]));
	const words = now.map((c) => change_sentence(before.get(c.raw_name), c))
			  .filter(Boolean);

	if (words.length > 0)
		$("said").textContent = words.slice(0, 3).join(" ");
}

function take(raw, wholes)
{
	const now = performance.now();
	const site = site_of(raw);
	const was = state.cards;

	if (!Array.isArray(raw.clusters))
		throw new SyntaxError("no clusters");
	state.whole.clear();
	for (const answer of wholes)
		for (const c of list(answer.clusters))
			if (Array.isArray(c.members))
				state.whole.set(String(c.name), {
					site: site_of(answer),
					view: cluster_of(c, answer)
				});
	for (const {view} of state.whole.values())
		keep_lag(view, now);
	state.site = site;
	state.cards = in_order(list(raw.clusters).map((c) => card_of(c, raw)));
	state.many = state.cards.length > FEW;
	const known = new Set(state.cards.map((c) => c.raw_name));
	for (const name of state.open)
		if (!known.has(name))
			state.open.delete(name); /* by an old address */
	Object.assign(
	    state, {ok_at: now, wall: new Date().toISOString(), error: ""});
	announce(was, state.cards);
}

/* All of few clusters; of many a summary, and all of those that are open. */
async function ask_all()
{
	let raw = await ask(state.many ? "topology?summary=1" : "topology");
	const many = list(raw.clusters).length > FEW;

	if (state.many && !many)
		raw = await ask("topology");
	const open = many ? [...state.open] : [];
	const wholes = await Promise.all(open.map(
	    (name) => ask("topology?cluster=" + encodeURIComponent(name))));
	take(raw, many ? wholes : [raw]);
}

async function poll()
{
	try {
		await ask_all();
	} catch (e) {
		state.error = e.text || e.message;
	}
	draw();
	setTimeout(poll, EVERY_MS);
}

/* --- drawing --- */

function id_of(name)
{
	if (!state.ids.has(name))
		state.ids.set(name, `cluster-${state.ids.size}`);
	return state.ids.get(name);
}

const sight = new IntersectionObserver((entries) => {
	for (const e of entries)
		if (e.target === $("all-events"))
			state.events_in_sight = e.isIntersecting;
		else
			state.visible.set(
			    e.target.dataset.cluster, e.isIntersecting);
	draw();
}, {rootMargin: "200px"});

function is_stale(now)
{
	return state.ok_at === null ?
	    now - state.since > STALE_MS || state.error !== "" :
	    now - state.ok_at > STALE_MS;
}

function remembered(now)
{
	return {
		now_ms: now,
		wall_ms: Date.now(),
		id: id_of,
		events: state.events,
		has_events: state.has_events,
		reports: state.reports,
		can_close: state.many,
		width: $("main").clientWidth - 48,
		is_open: (key) => state.opened.has(key),
		samples: (c, m) => state.samples.get(`${c}\n${m}`) || []
	};
}

function clusters(seen)
{
	const names =
	    state.many ? [...state.open] : state.cards.map((c) => c.raw_name);

	return names.map((name) => {
		const whole = state.whole.get(name);
		const before = state.drawn.get(name);

		if (!whole)
			return h("section", {key: name, class: "cluster"},
			    h("p", null, `Asking for ${name} …`));
		if (before && state.visible.get(name) === false)
			return before;
		const view = cluster(whole.view, whole.site, seen);
		state.drawn.set(name, view);
		return view;
	});
}

function draw_grid()
{
	const {found, views} = grid(state.cards, {
		filter: $("filter").value,
		troubled: $("troubled").checked,
		is_open: (name) => !state.many || state.open.has(name),
		kept: state.kept
	});

	$("overview").hidden = state.cards.length < 2;
	show($("grid"), views);
	const words = `${found} of ${state.cards.length}`;
	if ($("found").textContent !== words)
		$("found").textContent = words;
}

/* WAL's ways, drawn over where the boxes have come to stand. */
function draw_arrows()
{
	const todo = [];

	for (const box of document.querySelectorAll(".drawing")) {
		const name = box.closest(".cluster").dataset.cluster;
		const whole = state.whole.get(name);
		if (!whole || state.visible.get(name) === false)
			continue;
		const at = box.getBoundingClientRect();
		const rects = new Map();
		for (const m of box.querySelectorAll(".member[data-member]")) {
			const r = m.getBoundingClientRect();
			rects.set(m.dataset.member, {
				left: r.left - at.left,
				top: r.top - at.top,
				width: r.width,
				height: r.height
			});
		}
		todo.push([box.querySelector(".wires"), whole.view, rects, at]);
	}
	for (const [wires, view, rects, at] of todo)
		show(wires,
		    arrows(wires_of(view, rects), Math.floor(at.width),
			Math.floor(at.height)));
}

function wires_of(view, rects)
{
	const leader = view.members.find((m) => m.gets === "writes") ||
	    view.members.find(
		(m) => m.role === "leader" || m.role === "standby-leader");

	return view.members.flatMap((m) => {
		const from = leader && rects.get(leader.raw_name);
		const to = rects.get(m.raw_name);

		if (!from || !to || !m.live || m === leader)
			return [];
		const below = to.left < from.left + from.width;
		return [{
			...arrow_path(from, to, below),
			streaming: leader.live ? m.streaming : false
		}];
	});
}

let waiting = false;

/* At most once a frame, whoever asks. */
function draw()
{
	if (waiting)
		return;
	waiting = true;
	requestAnimationFrame(() => {
		waiting = false;
		redraw();
	});
}

let burst = null;

/* For what comes in bursts. */
function draw_soon()
{
	burst = burst || setTimeout(() => {
		burst = null;
		draw();
	}, BURST_MS);
}

function title()
{
	const worst = state.cards[0];

	return worst && worst.level !== "ok" ?
	    `${worst.word}: ${worst.name} – patroute` :
	    "patroute";
}

function redraw()
{
	const began = performance.now();
	const old = is_stale(began);
	const seen = remembered(began);

	document.body.classList.toggle("stands-still", old);
	show($("stale"), old ? stale({...state, now: began}) : []);
	document.title = old ? "STANDING STILL – patroute" : title();
	if (state.site !== null) {
		show($("site"), [head(state.site, state.cards.length,
				    {host: location.host, at: state.wall})]);
		draw_grid();
		show($("clusters"), clusters(seen));
		show($("parts-body"), parts(state.site));
		$("all-events").hidden = !state.many;
		if (state.many && state.events_in_sight)
			show($("events"),
			    events(state.events, seen, {with_cluster: true}));
		watch_sections();
		draw_arrows();
	}
	const took = performance.now() - began;
	document.documentElement.dataset.drawMs = took.toFixed(1);
}

function watch_sections()
{
	for (const section of document.querySelectorAll("[data-cluster]"))
		if (!section.dataset.watched) {
			section.dataset.watched = "yes";
			sight.observe(section);
		}
}

/* --- what a reader does --- */

function open_cluster(name)
{
	if (state.many && !state.open.has(name)) {
		state.open = new Set([name, ...state.open].slice(0, OPEN_MAX));
		location.hash =
		    [...state.open].map(encodeURIComponent).join(",");
		state.drawn.delete(name);
		draw();
	}
	requestAnimationFrame(() => requestAnimationFrame(() => {
		const all = [...document.querySelectorAll("[data-cluster]")];
		const section = all.find((s) => s.dataset.cluster === name) ||
		    $("clusters");
		section.scrollIntoView({block: "start"});
		section.focus({preventScroll: true});
	}));
}

function close_cluster(name)
{
	state.open.delete(name);
	state.visible.delete(name);
	location.hash = [...state.open].map(encodeURIComponent).join(",");
	draw();
	$("filter").focus();
}

function from_hash()
{
	const names = location.hash.slice(1).split(",").filter(Boolean);

	if (["main", "parts"].includes(location.hash.slice(1)))
		return;
	try {
		state.open =
		    new Set(names.map(decodeURIComponent).slice(0, OPEN_MAX));
	} catch (e) {
		state.open = new Set(); /* not an address that we made */
	}
}

document.addEventListener("click", (e) => {
	const by = e.target.closest("[data-open], [data-close]");

	if (by && by.dataset.open !== undefined)
		open_cluster(by.dataset.open);
	else if (by)
		close_cluster(by.dataset.close);
});
document.addEventListener("toggle", (e) => {
	const key = e.target.dataset.keep;

	if (key && e.target.open)
		state.opened.add(key);
	else if (key)
		state.opened.delete(key);
	draw();
}, true);
$("filter").addEventListener("input", draw);
$("troubled").addEventListener("change", draw);
addEventListener("hashchange", () => {
	from_hash();
	draw();
});
addEventListener("resize", draw);
sight.observe($("all-events"));
setInterval(() => { /* also while an answer is waited for */
	if (is_stale(performance.now()))
		draw();
}, EVERY_MS);

from_hash();
poll();
follow({
	ask,
	url_of,
	boot_id: () => state.site && state.site.boot_id,
	on_events: (raw, fresh) => {
		const known = fresh ? [] : state.events;
		const last = known.length ? known[known.length - 1].id : 0;
		const more = raw.map(event_of).filter((e) => e && e.id > last);

		state.has_events = true;
		state.events = [...known, ...more].slice(-EVENTS_MAX);
		draw_soon();
	},
	on_reports: (raw) => {
		state.reports = raw;
		draw_soon();
	}
});
