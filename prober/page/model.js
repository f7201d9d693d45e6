/*
 * model.js - what /topology says, as what a page can show: checked, in words,
 * with what is wrong in front. Pure: time comes in. A prober of another
 * version may leave things out; what is absent is unknown here, never zero.
 */
import {ROLE,
	RC,
	WAY,
	and,
	bytes,
	known,
	lasting,
	list,
	num,
	obj,
	shown} from "./text.js";
import {
	LEVELS,
	reason_of,
	counted_problems,
	judged,
	member_problems,
	oldness,
	problems_of
} from "./trouble.js";

export const KEEP_MS = 5 * 60 * 1000; /* of lag, for the sparklines */
export const STALE_MS = 3500;         /* three seconds asked in vain */
const NAME_MAX = 63;
const WAYS = Object.keys(WAY);

function name_of(value)
{
	return shown(value, NAME_MAX);
}

function time_of(value)
{
	return typeof value === "string" ? value : null;
}

/* --- orders --- */

function order_of(verb, raw)
{
	const o = obj(raw);

	return {
		verb,
		member: name_of(o.member),
		reason: shown(o.reason, 200),
		by: shown(o.by, 80),
		until: time_of(o.until),
		left_ms: num(o.left_ms),
		where: o.where === "host" ? "this host only" :
		    o.where === "etcd"    ? "every host" :
					    ""
	};
}

function orders_of(control)
{
	const c = obj(control);
	const one = (verb) => c[verb] ? [order_of(verb, c[verb])] : [];

	return [
		...one("hold"), ...one("force"),
		...list(c.drains).map((d) => order_of("drain", d)),
		...one("observe")
	];
}

/* --- members --- */

function source_of(source, raw, max_ms)
{
	const e = obj(raw);
	const age_ms = num(e.ok_age_ms);
	const rc = typeof e.rc === "string" ? e.rc : "none";

	return {
		source,
		age_ms,
		max_ms,
		asked: rc !== "none" || age_ms !== null,
		old: oldness(age_ms, max_ms),
		trouble: rc === "ok" || rc === "none" ?
		    "" :
		    known(RC, rc) || shown(rc, 40)
	};
}

function evidence_of(m, c)
{
	const e = obj(m.evidence);
	const max = obj(c.max_age_ms);
	const dcs = source_of("DCS", {ok_age_ms: obj(c.dcs).age_ms, rc: "ok"},
	    num(max.dcs) || 3000);

	dcs.asked = obj(c.dcs).configured !== false;
	if (obj(e.dcs).present === false)
		dcs.trouble = "no member key";
	return [
		dcs, source_of("REST", e.rest, num(max.rest) || 2000),
		source_of("SQL", e.sql, num(max.sql) || 2000)
	];
}

function state_of(e, live)
{
	const rest = obj(e.rest), dcs = obj(e.dcs), sql = obj(e.sql);
	const words = [shown(rest.state || dcs.state, 40) || "state unknown"];

	if (sql.in_recovery === true || sql.in_recovery === false)
		words.push(sql.in_recovery ? "in recovery" : "accepts writes");
	if (rest.pending_restart === true)
		words.push("restart pending");
	if (!live)
		words[0] = `last seen ${words[0]}`;
	return words;
}

/* true, false, or null where nobody says. */
function streams(e)
{
	for (const source of [obj(e.sql), obj(e.rest)])
		if (typeof source.streaming === "boolean")
			return source.streaming;
	return null;
}

/* "main_classic_read" of cluster "main": "classic_read"; else null. */
export function way_of(cluster, backend)
{
	const way =
	    typeof backend === "string" && backend.startsWith(`${cluster}_`) ?
	    backend.slice(cluster.length + 1) :
	    null;

	return WAYS.includes(way) ? way : null;
}

function servers_of(cluster, haproxy)
{
	const by_server = new Map();

	for (const s of list(obj(haproxy).servers)) {
		const way = way_of(cluster, s.backend);
		if (way === null || typeof s.server !== "string")
			continue;
		const mine = by_server.get(s.server) || [];
		mine.push({
			way,
			status: shown(s.status, 30),
			check: shown(s.check, 60),
			why: shown(s.why, 120),
			sessions: num(s.sessions),
			dynamic: s.dynamic === true
		});
		by_server.set(s.server, mine);
	}
	for (const mine of by_server.values())
		mine.sort((a, b) => WAYS.indexOf(a.way) - WAYS.indexOf(b.way));
	return by_server;
}

/* What new connections this member gets, and why. */
function gets_of(m, c, no_read)
{
	const why = shown(m.why_text || m.why, 200);

	if (typeof c.write === "string" && m.name === c.write)
		return {
			gets: "writes",
			why: reason_of(c),
			waiting: c.planned === true ? " New writes wait." : "",
			also: no_read && c.fallback === "primary" ?
			    "reads too, for no replica is fit" :
			    ""
		};
	if (m.read === true)
		return {gets: "reads", why: why || "fit for reads", also: ""};
	return {gets: "nothing", why, also: ""};
}

function member_of(m, c, by_server, no_read)
{
	const e = obj(m.evidence);

	return {
		...gets_of(m, c, no_read),
		name: name_of(m.name),
		raw_name: String(m.name),
		server: name_of(m.server),
		address: m.address ?
		    `${shown(m.address, 64)}:${num(m.port) || ""}` :
		    "",
		role: Object.hasOwn(ROLE, m.role) ? m.role : "none",
		role_text:
		    known(ROLE, m.role) || shown(m.role, 30) || ROLE.none,
		state: state_of(e, m.live !== false),
		reason: shown(m.why, 40),
		lag_bytes: num(m.lag_bytes),
		lag_ms: num(m.lag_ms),
		timeline: num(m.timeline),
		weight: num(m.weight),
		lsn: shown(m.replay_lsn || obj(e.sql).lsn, 20),
		live: m.live !== false,
		read_only: m.read_only === true,
		streaming: streams(e),
		evidence: evidence_of(m, c),
		servers: by_server.get(m.server) || []
	};
}

/* --- clusters --- */

function head_of(c, control)
{
	const orders = orders_of(control);
	const mode =
	    ["live", "observe", "classic"].includes(c.mode) ? c.mode : "live";

	return {
		raw_name: String(c.name),
		name: name_of(c.name),
		mode,
		orders,
		write: typeof c.write === "string" ? name_of(c.write) : null,
		why: reason_of(c),
		waiting: c.planned === true ? " New writes wait." : "",
		since_ms: num(c.since_ms),
		age_ms: num(c.evidence_age_ms),
		usable: c.usable !== false,
		problems: problems_of(c, mode, orders)
	};
}

/* One cluster of /topology, all of it. `site`: the rest of that answer. */
export function cluster_of(c, site)
{
	const by_server = servers_of(String(c.name), site.haproxy);
	const raw = list(c.members);
	const no_read = !raw.some((m) => m.read === true);
	const view = head_of(c, c.control);
	const d = obj(c.dcs);

	view.members = raw.map((m) => member_of(m, c, by_server, no_read));
	view.scope = shown(c.scope, 100);
	view.step = num(c.step);
	view.proof = typeof c.proof === "string" ? c.proof : "none";
	view.seq = shown(c.seq, 24);
	view.changes = num(c.changes);
	view.observe = obj(c.observe);
	view.dcs = {
		configured: d.configured !== false,
		api: shown(d.api, 20),
		age_ms: num(d.age_ms),
		max_ms: num(obj(c.max_age_ms).dcs) || 3000,
		leader: name_of(d.leader),
		leader_age_ms: num(d.leader_age_ms),
		pause: d.pause === true,
		failsafe: d.failsafe_mode === true,
		sync: d.sync_mode === true,
		due: d.failover_due === true,
		members_from: shown(d.members_from, 20),
		sysid: shown(d.system_identifier, 24)
	};
	for (const m of view.members)
		view.problems.push(...member_problems(m, view));
	if (no_read && raw.length > 1 && view.usable && view.write !== null)
		view.problems.push({
			level: "warn",
			word: "no replica",
			text: "No replica is fit for reads."
		});
	return judged(view);
}

/* One cluster of a list: of a summary, or of all there is. */
export function card_of(c, site)
{
	if (Array.isArray(c.members)) {
		const view = cluster_of(c, site);
		const lag = view.members.map((m) => m.lag_bytes || 0);

		return {
			...view,
			members_n: view.members.length,
			read_n: view.members.filter((m) => m.gets === "reads")
				    .length,
			lag_bytes: lag.length ? Math.max(...lag) : null
		};
	}
	const view = head_of(c, c.control);

	view.members_n = num(c.members_n);
	view.read_n = num(c.read_n);
	view.lag_bytes = num(c.most_lag_bytes);
	view.problems.push(...counted_problems(c));
	return judged(view);
}

const names = new Intl.Collator("en", {numeric: true});

/* Troubled ones first, then by name, numbers in their order. */
export function in_order(cards)
{
	return cards.sort(
	    (a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) ||
		names.compare(a.name, b.name));
}

/* Does a card have each word of the filter, in its name, state or members? */
export function is_found(card, filter)
{
	if (filter.trim() === "")
		return true;
	const all = [
		card.name, card.word, card.mode, card.write || "",
		...card.problems.map((p) => p.text)
	].join(" ").toLowerCase();

	return filter.toLowerCase().split(/\s+/).every((w) => all.includes(w));
}

/* --- sentences --- */

export function write_sentence(c)
{
	const would = c.mode === "live" ? "Writes go" : "Writes would go";

	if (!c.usable)
		return "There is no usable verdict.";
	return c.write === null ? `No writes: ${c.why}.${c.waiting}` :
				  `${would} to ${c.write}: ${c.why}.`;
}

export function read_sentence(c)
{
	const readers = c.members.filter((m) => m.gets === "reads");
	const go = c.mode === "live" ? "Reads go" : "Reads would go";

	if (!c.usable || (readers.length === 0 && c.write === null))
		return "";
	if (readers.length === 0)
		return c.members.some((m) => m.also) ?
		    `${go} to ${c.write} as well: no replica is fit.` :
		    "No reads: no replica is fit.";
	return `${go} to ${and(readers.map((m) => m.name))}.`;
}

/* What a listener should be told between two answers; "" if nothing. */
export function change_sentence(was, now)
{
	if (!was ||
	    (was.write === now.write && was.why === now.why &&
		was.mode === now.mode && was.word === now.word))
		return "";
	return `${now.name}: ${now.word}. ${write_sentence(now)}`;
}

export function lag_text(m)
{
	if (m.lag_bytes === null && m.lag_ms === null)
		return "lag unknown";
	return [
		m.lag_bytes === null ? null : bytes(m.lag_bytes),
		m.lag_ms === null ? null : lasting(m.lag_ms)
	].filter((x) => x !== null)
		   .join(", ") +
	    " behind";
}

/* --- what the page remembers --- */

/* Adds a sample and forgets what is older than KEEP_MS. */
export function remember(samples, now_ms, values)
{
	samples.push({at: now_ms, ...values});
	while (samples.length && samples[0].at < now_ms - KEEP_MS)
		samples.shift();
	return samples;
}
