/*
 * view.js - one cluster, and what stands around all of them, as trees of h().
 * Pure: judged views (model.js) in, a tree out.
 */
import {h} from "./dom.js";
import {age_bar,
	mark,
	phases,
	shape_of,
	since,
	spark,
	time_line} from "./draw.js";
import {oldness} from "./trouble.js";
import {lag_text, read_sentence, write_sentence} from "./model.js";
import {
	PROOF,
	WAY,
	and,
	bytes,
	clock,
	count,
	counting,
	known,
	lasting,
	num,
	obj,
	shown
} from "./text.js";

const SIGN = {
	ok: "✓",
	note: "i",
	warn: "!",
	bad: "✕"
};
const GETS_SIGN = {
	writes: "W",
	reads: "R",
	nothing: "–"
};
const LIST_MAX = 12;

export function chip(level, word)
{
	return h("span", {class: `chip ${level}`},
	    h("span", {class: "sign", "aria-hidden": "true"}, SIGN[level]),
	    ` ${word}`);
}

/* A name from outside, in a direction of its own. */
function name(text, attrs)
{
	return h("bdi", attrs, text);
}

function fact(what, ...value)
{
	return h("div", null, h("dt", null, what), h("dd", null, value));
}

/* --- a member --- */

function gets(m, mode)
{
	const would = mode === "live" ? "gets" : "would get";

	return h("p", {class: `gets ${m.gets}`},
	    h("span", {class: "sign", "aria-hidden": "true"},
		GETS_SIGN[m.gets]),
	    h("strong", null, ` ${would} ${m.gets}`),
	    m.gets === "reads" && m.weight !== null && m.weight !== 100 ?
		` (weight ${m.weight})` :
		null,
	    m.why && h("span", {class: "why"}, `: ${m.why}`),
	    m.also && h("span", {class: "why"}, `; ${m.also}`));
}

function server_row(s)
{
	return h("tr", {key: s.way}, h("th", {scope: "row"}, WAY[s.way]),
	    h("td", null, s.status || "unknown", s.dynamic && " (added)",
		s.why && h("span", {class: "why"}, ` ${s.why}`)),
	    h("td", {class: "n"}, s.sessions === null ? "?" : s.sessions));
}

function server_table(m)
{
	if (m.servers.length === 0)
		return null;
	const sessions = m.servers.reduce((n, s) => n + (s.sessions || 0), 0);

	return h("details", {class: "servers"},
	    h("summary", null, "HAProxy: ", count(sessions, "session"), ", ",
		and(m.servers.filter((s) => !s.way.startsWith("classic"))
			.map((s) => `${s.way} ${s.status}`)) ||
		    "classic ways only"),
	    h("table", null,
		h("thead", null, h("tr", null, ["way", "state",
			"sessions"].map((t) => h("th", {scope: "col"}, t)))),
		h("tbody", null, m.servers.map(server_row))));
}

function lag(m, samples, now_ms)
{
	if (m.role === "leader" || m.gets === "writes")
		return null;
	return h("div", {class: "lag"},
	    h("p", null, h("strong", null, lag_text(m)),
		m.streaming === false    ? " (not streaming)" :
		    m.streaming === true ? " (streaming)" :
					   ""),
	    h("div", {class: "sparks"}, spark(samples, "bytes", now_ms, {
		    name: "lag in bytes",
		    short: "bytes",
		    word: bytes,
		    floor: 65536
	    }),
		spark(samples, "ms", now_ms, {
			name: "lag in time",
			short: "time",
			word: lasting,
			floor: 100
		})));
}

function member(m, c, seen)
{
	const orders = c.orders.filter((o) => o.member === m.name);

	return h("li", {
		key: m.raw_name,
		class: `member ${m.gets} ` +
		    `${m.role}${m.live ? "" : " silent"}`,
		"data-member": m.raw_name
	},
	    h("div", {class: "title"}, h("h4", null, name(m.name)),
		h("span", {class: `role ${m.role}`}, m.role_text),
		!m.live && chip("warn", "not seen alive"),
		m.read_only && chip("warn", "read-only"),
		orders.map((o) => chip("note",
			       o.verb === "drain" ? "drained" : "forced"))),
	    gets(m, c.mode),
	    h("p", {class: "state"}, m.state.join(", "),
		m.timeline ? `, timeline ${m.timeline}` : ""),
	    lag(m, seen.samples(c.raw_name, m.raw_name), seen.now_ms),
	    h("ul", {class: "ages", "aria-label": "age of the evidence"},
		m.evidence.map(age_bar)),
	    server_table(m),
	    h("p", {class: "address"}, m.server && name(m.server),
		m.server && m.address ? " · " : "",
		m.address && name(m.address)));
}

/* Where no member leads there is still a place to look at. */
function no_leader(c)
{
	return h("li", {key: "", class: "member nothing absent"},
	    h("div", {class: "title"}, h("h4", null, "no leader")),
	    h("p", {class: "gets nothing"},
		h("span", {class: "sign", "aria-hidden": "true"}, "–"),
		h("strong", null, " writes go nowhere"),
		h("span", {class: "why"}, `: ${c.why || "unknown"}`)));
}

function drawing(c, seen)
{
	const first = c.members.filter((m) => m.gets === "writes" ||
		m.role === "leader" || m.role === "standby-leader");
	const rest = c.members.filter((m) => !first.includes(m));

	return h("div", {class: "drawing"},
	    h("div", {class: "wires", apart: true}),
	    h("ul", {class: "upstream", "aria-label": "leader"},
		first.length ? first.map((m) => member(m, c, seen)) :
			       no_leader(c)),
	    h("ul", {class: "downstream", "aria-label": "other members"},
		rest.map((m) => member(m, c, seen))));
}

const COLUMNS = [
	"member", "role", "gets", "why", "state", "lag", "timeline", "weight",
	"DCS", "REST", "SQL", "sessions"
];

function table_row(m)
{
	const ages = m.evidence.map((e) => !e.asked ?
		"not asked" :
		(e.age_ms === null ? "never" : lasting(e.age_ms)) +
		    (e.old === 2 ? ", too old" : "") +
		    (e.trouble ? `, ${e.trouble}` : ""));
	const sessions = m.servers.map((s) => `${WAY[s.way]}: ` +
		`${s.sessions === null ? "?" : s.sessions}`);

	return h(
	    "tr", {key: m.raw_name}, h("th", {scope: "row"}, name(m.name)), [
		    m.role_text, m.gets, m.why, m.state.join(", "),
		    m.gets === "writes" ? "" : lag_text(m), m.timeline || "",
		    m.weight === null ? "" : m.weight, ...ages,
		    sessions.join(", ")
	    ].map((t) => h("td", null, t)));
}

function as_table(c, open)
{
	return h("details",
	    {class: "as-table", "data-keep": `table ${c.raw_name}`},
	    h("summary", null, "The same as a table"),
	    open &&
		h("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": `${c.name} as a table`
		},
		    h("table", null,
			h("caption", null, "Members of ", name(c.name)),
			h("thead", null,
			    h("tr", null,
				COLUMNS.map(
				    (t) => h("th", {scope: "col"}, t)))),
			h("tbody", null, c.members.map(table_row)))));
}

/* --- a cluster's head --- */

function rests_on(c)
{
	if (c.write === null)
		return null;
	return h("p", {class: "proof"}, "Rests on ",
	    known(PROOF, c.proof) || "evidence that is not named", ".");
}

const ORDER = {
	hold: "Hold: new connections wait",
	force: "Force: writes go to",
	drain: "Drain: no new connections to",
	observe: "Observe"
};

function order(o)
{
	const left = o.left_ms !== null ? `${counting(o.left_ms)} left` : "";
	const until = o.until ? `Until ${clock(o.until)}` : "";

	const what = o.verb === "force" && o.member === "classic" ?
	    "Force: HAProxy goes the classic way" :
	    [ORDER[o.verb], o.member && [" ", name(o.member)]];

	return h("li", {class: `order ${o.verb}`}, h("strong", null, what),
	    ". ", o.by && ["By ", name(o.by), ". "],
	    o.reason && ["Reason: ", name(o.reason), ". "],
	    [until, left].filter(Boolean).join(", "), until || left ? ". " : "",
	    o.where && `Holds for ${o.where}.`);
}

const MODE = {
	live: "live: HAProxy asks patroute for each connection",
	observe:
	    "observe: HAProxy routes the classic way, patroute only counts",
	classic: "classic: by an operator's order HAProxy asks Patroni itself"
};

function dcs_facts(c)
{
	const d = c.dcs;
	const old = oldness(d.age_ms, d.max_ms) === 2;

	if (!d.configured)
		return fact("DCS", "none configured; members come from ",
		    d.members_from || "nowhere");
	return [
		fact("DCS", `etcd ${d.api || "(API not known)"}, heard `,
		    h("span", {class: old ? "late" : null},
			d.age_ms === null ? "never" :
					    `${lasting(d.age_ms)} ago`,
			old && " (too old)")),
		fact("leader key", d.leader ? name(d.leader) : "nobody's",
		    d.leader && d.leader_age_ms !== null ?
			` for ${lasting(d.leader_age_ms)}` :
			""),
		fact("Patroni",
		    [
			    d.pause && "paused",
			    d.failsafe && "failsafe mode on",
			    d.sync && "synchronous", d.due && "failover due"
		    ].filter(Boolean)
			    .join(", ") ||
			"works as usual")
	];
}

/* What the agents counted; not known where one of them is an earlier one that
   does not tell its clusters apart. */
function observed(c)
{
	const same = num(c.observe.same);
	const differs = num(c.observe.differs);

	if (!same && !differs && c.mode !== "observe")
		return null;
	if (same === null || differs === null)
		return fact("observed", "not known");
	return fact("observed", `${count(same, "connection")} as classic, `,
	    h("strong", null, `${differs} otherwise`));
}

function seen_by(c, agents)
{
	if (agents.length === 0)
		return fact("agents", h("strong", null, "none is connected"));
	const late = agents.filter((a) => a.seen[c.raw_name] !== undefined &&
		a.seen[c.raw_name] !== c.seq);

	const n = agents.length;

	if (late.length > 0)
		return fact("agents",
		    h("strong", null,
			`${late.length} of ${n} without the latest snapshot`));
	return fact("agents",
	    n === 1 ? "the agent has the latest snapshot" :
		      `all ${n} have the latest snapshot`);
}

function facts(c, site)
{
	return h("dl", {class: "facts"},
	    fact("verdict",
		c.since_ms === null ? "new" : `for ${lasting(c.since_ms)}`,
		c.age_ms === null ? ", on no fresh evidence" :
				    `, on evidence of ${lasting(c.age_ms)} ago`,
		c.step ? `, by rule ${c.step}` : ""),
	    fact("mode", MODE[c.mode]), observed(c), dcs_facts(c),
	    seen_by(c, site.agents), fact("scope", name(c.scope || c.name)));
}

/* --- events and reports --- */

function event(e, now_ms, with_cluster)
{
	return h("li", {key: e.id}, mark(e.type),
	    h("time", {datetime: e.at, title: e.at}, clock(e.at, true)),
	    h("span", {class: "type"}, e.type),
	    h("span", {class: "text"},
		with_cluster && e.cluster !== null ?
		    [name(shown(e.cluster, 63)), ": "] :
		    null,
		name(e.text)),
	    h("span", {class: "since"}, since(e.at_ms, now_ms)));
}

export function events(all, seen, o)
{
	if (!seen.has_events)
		return [h(
		    "p", {class: "muted"}, "This prober tells no events.")];
	return [
		time_line(all, seen.wall_ms, seen.width),
		all.length === 0 ?
		    h("p", {class: "muted"}, "None since the prober began.") :
		    h("ol", {class: "events"},
			all.slice(-LIST_MAX).reverse().map(
			    (e) => event(e, seen.wall_ms, o.with_cluster)))
	];
}

function amounts(r)
{
	const held = obj(r.held), classic = obj(r.classic);
	const n = (v, one, many) =>
	    num(v) === null ? null : count(v, one, many);
	const right = num(classic.right_ms), wrong = num(classic.wrong_ms);

	return [
		n(held.count, "connection waited", "connections waited"),
		held.count && num(held.longest_ms) !== null ?
		    `the longest ${lasting(held.longest_ms)}` :
		    null,
		n(r.refused, "refused", "refused"),
		n(r.sessions_closed, "session closed", "sessions closed"),
		right !== null || wrong !== null ? "the classic way: " +
			[
				right !== null &&
				    `right after ${lasting(right)}`,
				wrong !== null && `wrong for ${lasting(wrong)}`
			].filter(Boolean)
			    .join(", ") :
						   null
	].filter(Boolean)
	    .join(", ");
}

function report(r)
{
	const timeline = Array.isArray(r.timeline) ? r.timeline.map(num) : [];
	/* The report's own sentence is the same, in other words. */
	const words = amounts(r) || shown(r.text, 600);

	return h("li", {key: r.id},
	    h("p", null, h("time", {datetime: shown(r.at, 40)}, clock(r.at)),
		" ",
		h("strong", null, name(shown(r.from, 63) || "nobody"), " → ",
		    name(shown(r.to, 63) || "nobody")),
		r.planned === true      ? ", planned" :
		    r.planned === false ? ", not planned" :
					  "",
		timeline.length === 2 ?
		    `, timeline ${timeline[0]} → ${timeline[1]}` :
		    ""),
	    phases(r), h("p", {class: "muted"}, name(words)));
}

function reports(all)
{
	return all.length === 0 ? null : [
		h("h3", null, "Changes of leader"),
		h("ol", {class: "reports"}, all.slice(0, 3).map(report))
	];
}

/* --- one cluster, whole --- */

/* seen: what the page remembers and knows; see app.js. */
export function cluster(c, site, seen)
{
	const id = seen.id(c.raw_name);
	const listed = c.problems.filter((p) => !p.elsewhere);
	const own = seen.events.filter((e) => e.cluster === c.raw_name);

	return h("section", {
		key: c.raw_name,
		class: `cluster ${c.level}`,
		"data-cluster": c.raw_name,
		"aria-labelledby": id,
		tabindex: -1
	},
	    h("header", null, h("h2", {id}, name(c.name)),
		chip(c.level, c.word),
		c.mode !== "live" && c.word !== c.mode && chip("note", c.mode),
		seen.can_close &&
		    h("button", {
			    type: "button",
			    class: "close",
			    "data-close": c.raw_name
		    },
			"Close", h("span", {class: "unseen"}, ` ${c.name}`))),
	    h("p", {class: "verdict"},
		h("strong", null, name(write_sentence(c))), " ",
		name(read_sentence(c))),
	    rests_on(c),
	    listed.length > 0 &&
		h("ul", {class: "problems"},
		    listed.map(
			(p) => h("li", {class: p.level},
			    h("span", {class: "sign", "aria-hidden": "true"},
				SIGN[p.level]),
			    " ", name(p.text)))),
	    c.orders.length > 0 &&
		h("ul", {class: "orders", "aria-label": "orders in force"},
		    c.orders.map(order)),
	    drawing(c, seen), as_table(c, seen.is_open(`table ${c.raw_name}`)),
	    facts(c, site), h("h3", null, "Last events"),
	    events(own, seen, {with_cluster: false}),
	    reports(seen.reports.filter((r) => r.cluster === c.raw_name)));
}
