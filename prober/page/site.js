/*
 * site.js - what stands around the clusters: the head of the page, the grid of
 * many clusters, agents and HAProxy, and the words of a page that stands still.
 * Pure: a tree of h() out.
 */
import {h} from "./dom.js";
import {is_found} from "./model.js";
import {bytes, clock, count, lasting, list, num, obj, shown} from "./text.js";
import {chip} from "./view.js";

/* What /topology says of all but the clusters. */
export function site_of(raw)
{
	const loop = obj(raw.loop);

	return {
		haproxy: obj(raw.haproxy),
		clusters_n: num(raw.clusters_n),
		version: shown(raw.version, 30),
		boot_id: shown(raw.boot_id, 20),
		uptime_ms: num(raw.uptime_ms),
		slow_ms: num(loop.longest_cpu_ms),
		agents: list(raw.agents).map((a) => ({
			program: shown(a.program, 63),
			boot_id: shown(a.boot_id, 20),
			connected_ms: num(a.connected_ms),
			seen: obj(a.seen),
			behind: num(a.behind),
			stats: a.stats ? obj(a.stats) : null
		}))
	};
}

export function head(site, n, answered)
{
	return h("p", null, `${count(n, "cluster")}, seen by the prober of `,
	    h("bdi", null, answered.host), ", ",
	    h("time", {class: "live"}, clock(answered.at)),
	    `. Version ${site.version}, up for ${lasting(site.uptime_ms)}.`);
}

/* --- the grid --- */

function card(c, is_open)
{
	const to = c.write !== null ? ["writes → ", h("bdi", null, c.write)] :
				      "no writes";

	return h("li", {key: c.raw_name, class: `card ${c.level}`},
	    h("button", {
		    type: "button",
		    "data-open": c.raw_name,
		    "aria-expanded": is_open ? "true" : "false"
	    },
		h("bdi", {class: "name"}, c.name), chip(c.level, c.word),
		h("span", {class: "line"}, to),
		h("span", {class: "line"}, reads_line(c))));
}

function reads_line(c)
{
	const lag =
	    c.lag_bytes === null ? "lag unknown" : `lag ${bytes(c.lag_bytes)}`;

	return c.read_n === null ? lag :
				   `${c.read_n} of ${c.members_n} read, ${lag}`;
}

/* The card made last time if it says the same: hundreds are not made anew. */
function kept_card(c, is_open, kept)
{
	const said = [c.name, c.level, c.word, c.write, reads_line(c),
		is_open].join("\n");
	const was = kept.get(c.raw_name);

	if (was && was.said === said)
		return was.view;
	const view = card(c, is_open);
	kept.set(c.raw_name, {said, view});
	return view;
}

/* cards in their order; ask: {filter, troubled, is_open(name), kept: Map}. */
export function grid(cards, ask)
{
	const found = cards.filter((c) => is_found(c, ask.filter) &&
		(!ask.troubled || c.level !== "ok"));

	return {
		found: found.length,
		views: [h("ul", {class: "grid"},
		    found.map((c) => kept_card(
				  c, ask.is_open(c.raw_name), ask.kept)))]
	};
}

/* --- agents and HAProxy --- */

const COUNTS = [
	["decisions", "decisions"], ["routed_write", "to writes"],
	["routed_read", "to reads"],
	["routed_fallback", "reads on the primary"], ["held", "held"],
	["hold_now", "waiting now"], ["refused", "refused"],
	["undecided", "left to HAProxy"],
	["connections", "SPOP connections made"]
];

function agent(a)
{
	return h("li", {key: a.boot_id},
	    h("h3", null, h("bdi", null, a.program || "agent")),
	    h("p", null,
		a.behind === null ?
		    "" :
		    a.behind === 0 ?
		    "Has the latest snapshot of every cluster. " :
		    h("strong", null,
			`Has an older snapshot of ${
			    count(a.behind, "cluster")}. `),
		`Connected for ${lasting(a.connected_ms)}.`),
	    a.stats &&
		h("dl", {class: "counts"},
		    COUNTS.filter(([key]) => num(a.stats[key]) !== null)
			.map(([key, name]) => h("div", {
				class: key === "hold_now" && a.stats[key] > 0 ?
				    "some" :
				    null
			},
				 h("dt", null, name),
				 h("dd", null, a.stats[key])))));
}

function server_counts(haproxy)
{
	const all = list(haproxy.servers);
	const by = new Map();

	for (const s of all) {
		const status = shown(s.status, 20);
		by.set(status, (by.get(status) || 0) + 1);
	}
	return all.length === 0 ?
	    null :
	    h("p", null, "Servers: ",
		Array.from(by, ([status, n]) => `${n} ${status}`).join(", "),
		".");
}

export function parts(site)
{
	const p = site.haproxy;
	const dd = (name, value) =>
	    h("div", null, h("dt", null, name), h("dd", null, value));

	return [
		h("ul", {class: "agents"}, site.agents.map(agent)),
		site.agents.length === 0 &&
		    h("p", null,
			h("strong", null,
			    "No agent: HAProxy goes its second way.")),
		h("h3", null, "HAProxy"),
		h("p", null,
		    p.reachable === true ?
			"Its Runtime API answers" :
			h("strong", null, "Its Runtime API does not answer"),
		    num(p.heard_ms) !== null ?
			`, heard ${lasting(p.heard_ms)} ago.` :
			"."),
		server_counts(p),
		h("dl", {class: "counts"},
		    dd("process id", num(p.pid) || "unknown"),
		    dd("old processes", num(p.old_processes) ?? "unknown"),
		    dd("moves of a leader", num(p.moves) ?? "unknown"),
		    dd("the last took", lasting(num(p.last_move_ms))),
		    dd("repairs", num(p.repairs) ?? "unknown"),
		    dd("closed in old ones",
			num(p.closed_in_old_processes) ?? "unknown"),
		    dd("prober's longest turn", lasting(site.slow_ms)))
	];
}

/* --- standing still --- */

/*
 * asked: {ok_at, now, wall, error, since}: when an answer last came (null: none
 * ever), and what is in the way. The seconds that count are not read aloud.
 */
export function stale(asked)
{
	const why = shown(asked.error) || "The prober has not answered yet.";

	return [
		h("div", {role: "alert", class: "stale"},
		    h("strong", {class: "big"},
			asked.ok_at === null ? "NOTHING TO SHOW YET" :
					       "STANDING STILL"),
		    h("span", null, why,
			asked.ok_at === null ?
			    "" :
			    " What stands below is old: it was true at " +
				`${clock(asked.wall)}.`)),
		h("p", {class: "stale-for", "aria-hidden": "true"},
		    `Without an answer for ${
			Math.round((asked.now - (asked.ok_at ?? asked.since)) /
			    1000)} s`)
	];
}
