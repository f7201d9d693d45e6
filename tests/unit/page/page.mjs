/*
 * page.mjs - the page at /topology without a browser: what it makes of what the
 * prober says, of what a hostile member or operator says, and of rubbish.
 *
 * steady.json is a prober's own answer, of a cluster of three.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";

const PAGE = new URL("../../../prober/page/", import.meta.url);
const HERE = new URL("./", import.meta.url);
const from = (name) => import(new URL(name, PAGE));
const text = await from("text.js");
const model = await from("model.js");
const draw = await from("draw.js");
const view = await from("view.js");
const site = await from("site.js");
const steady = fs.readFileSync(new URL("steady.json", HERE), "utf8");

function answer(change)
{
	const raw = JSON.parse(steady);

	change(raw.clusters[0], raw);
	return raw;
}

const samples = [
	{at: 1000, bytes: 0, ms: 0}, {at: 2000, bytes: 9e6, ms: 40},
	{at: 20000, bytes: 1e5, ms: null}
];

function seen(more)
{
	return {
		now_ms: 21000,
		wall_ms: 1795289734413,
		width: 600,
		events: [],
		reports: [],
		has_events: true,
		can_close: true,
		id: () => "cluster-0",
		is_open: () => true,
		samples: () => samples,
		...more
	};
}

/* All that a page shows of one answer. */
function whole(raw, more)
{
	const around = site.site_of(raw);
	const cards = text.list(raw.clusters).map((c) => model.card_of(c, raw));
	const views = text.list(raw.clusters)
			  .map((c) => view.cluster(model.cluster_of(c, raw),
				   around, seen(more)));

	return [
		site.head(around, 1, {host: "h", at: "x"}),
		...site
		    .grid(model.in_order(cards),
			{filter: "", troubled: false, kept: new Map(),
			    is_open: () => true})
		    .views,
		...views, ...site.parts(around),
		...view.events(
		    seen(more).events, seen(more), {with_cluster: true})
	].flat(9)
	    .filter(Boolean);
}

function walk(tree, each)
{
	if (Array.isArray(tree))
		tree.forEach((t) => walk(t, each));
	else {
		each(tree);
		if (typeof tree === "object")
			walk(tree.children, each);
	}
}

function words(tree)
{
	const found = [];

	walk(tree, (v) => typeof v === "string" && found.push(v));
	return found.join("");
}

test("values as words", () => {
	for (const [ms, word] of [[0, "0 ms"], [99.4, "99 ms"], [400, "0.4 s"],
		 [59900, "59.9 s"], [60000, "1 min"], [192000, "3 min 12 s"],
		 [7500000, "2 h 5 min"], [187200000, "2 d 4 h"],
		 [null, "unknown"], [NaN, "unknown"], [-5, "0 ms"]])
		assert.equal(text.lasting(ms), word);
	for (const [n, word] of [[0, "0 B"], [1023, "1023 B"],
		 [1024, "1.0 KiB"], [16777216, "16.0 MiB"], [3e11, "279 GiB"],
		 [null, "unknown"]])
		assert.equal(text.bytes(n), word);
	assert.equal(text.and(["a"]), "a");
	assert.equal(text.and(["a", "b", "c"]), "a, b and c");
	assert.equal(text.clock("never"), "never");
	assert.match(
	    text.clock("2026-11-21T19:00:00.123Z", true), /^\d\d:00:00\.123$/);
});

test("what cannot be seen is shown as what it is", () => {
	assert.equal(text.shown("a\u202eb\u200fc"), "a⟨U+202E⟩b⟨U+200F⟩c");
	assert.equal(
	    text.shown("a\u0000\n\u0007"), "a⟨U+0000⟩⟨U+000A⟩⟨U+0007⟩");
	assert.equal(text.shown("\ud800x"), "⟨U+D800⟩x");
	assert.equal(text.shown("😀 👩‍🚒 é"), "😀 👩‍🚒 é");
	assert.equal(text.shown("x".repeat(500), 63).length, 63);
	assert.equal(text.shown(null), "");
	assert.equal(text.shown({}), "[object Object]");
});

/* What was changed, then the state's word, its level, words of the page. */
const STATES = [
	[
		"steady", () => {}, "steady", "ok",
		/Writes go to node1: it holds .*Reads go to node2 and node3\./
	],
	[
		"switchover", (c) => Object.assign(c, {
			write: null,
			why: "stopping",
			why_text: "it is shutting down",
			planned: true
		}),
		"switchover under way", "warn",
		/No writes: node1: it is shutting down\. New writes wait\./
	],
	[
		"leader dead",
		(c) => {
			Object.assign(c, {
				write: null,
				why: "silent",
				why_text:
				    "it answers neither by SQL nor by REST"
			});
			c.members[0].live = false;
		},
		"leader silent", "bad",
		/No writes: node1: it answers neither.* gets nothing/
	],
	[
		"no leader",
		(c) => {
			Object.assign(c, {
				write: null,
				why: "no-key",
				why_text: "nobody holds the leader key"
			});
			c.members[0].role = "none";
		},
		"no leader", "bad",
		/writes go nowhere: nobody holds the leader key/
	],
	[
		"lagging", (c) => Object.assign(c.members[1], {
			read: false,
			why: "lag-bytes",
			why_text: "it lags by too many bytes",
			lag_bytes: 48 << 20,
			lag_ms: 9000
		}),
		"replica lagging", "warn",
		/node2 gets nothing: it lags.*48\.0 MiB, 9\.0 s behind/
	],
	[
		"DCS lost",
		(c) => {
			Object.assign(
			    c, {why: "primary-200", proof: "claim+sql"});
			c.dcs.age_ms = 6000;
		},
		"DCS out of reach", "warn",
		/The DCS has not answered for 6\.0 s.*6\.0 s, too old/
	],
	[
		"drained",
		(c) => {
			c.mode = "live";
			c.control = {
				hold: null,
				force: null,
				observe: null,
				drains: [{
					member: "node2",
					reason: "kernel",
					by: "me@hap1",
					until: "2026-11-21T20:00:00.000Z",
					left_ms: 61000,
					where: "etcd"
				}]
			};
			Object.assign(c.members[1], {
				read: false,
				why: "drained",
				why_text: "an operator drains it"
			});
		},
		"drained", "note",
		/Drain: .* node2\. By me@hap1\. Reason: kernel\. .* 1 s left/
	],
	[
		"observe",
		(c) => Object.assign(
		    c, {mode: "observe", observe: {same: 7, differs: 2}}),
		"observe", "note",
		/Writes would go to node1.*would get writes.*2 otherwise/
	],
	[
		"forced classic",
		(c) => {
			c.mode = "classic";
			c.control = {
				force: {member: "classic", reason: "", by: "me"}
			};
		},
		"classic", "warn", /Force: HAProxy goes the classic way/
	],
	[
		"unusable", (c) => { c.usable = false; }, "no usable verdict",
		"bad", /There is no usable verdict/
	],
	[
		"standby cluster",
		(c) => {
			Object.assign(c, {write: null, why: "standby-cluster"});
			c.dcs.standby_cluster = true;
		},
		"standby cluster", "note", /No writes/
	],
	[
		"no replica",
		(c) => {
			c.fallback = "primary";
			for (const m of c.members)
				m.read = false;
		},
		"replica out", "warn", /reads too, for no replica is fit/
	],
	[
		"agent behind",
		(c, raw) => {
			raw.agents[0].seen.main = "1";
			raw.agents[0].behind = 1;
		},
		"steady", "ok", /1 of 1 without the latest snapshot/
	],
	[
		"no agent", (c, raw) => { raw.agents = []; }, "steady", "ok",
		/none is connected/
	],
];

for (const [name, change, word, level, said] of STATES)
	test(`state: ${name}`, () => {
		const raw = answer(change);
		const c = model.cluster_of(raw.clusters[0], raw);

		assert.deepEqual([c.word, c.level], [word, level]);
		assert.match(words(whole(raw)), said);
		assert.equal(model.card_of(raw.clusters[0], raw).word, word);
	});

test("a summary is judged as all of it is", () => {
	const c = {
		name: "c1",
		write: null,
		why: "no-key",
		why_text: "nobody",
		usable: true,
		members_n: 3,
		live_n: 2,
		read_n: 2,
		most_lag_bytes: 5,
		dcs: {configured: true, age_ms: 10}
	};

	assert.equal(model.card_of(c, {}).word, "no leader");
	assert.equal(
	    model.card_of({...c, write: "n1"}, {}).word, "member down");
	assert.equal(
	    model.card_of({...c, write: "n1", live_n: 3}, {}).word, "steady");
	assert.equal(
	    model.card_of({...c, write: "n1", live_n: 3, read_n: 0}, {}).word,
	    "no replica");
});

/* While all is well Patroni's answer becomes two seconds old, of three. */
test("a bar is coloured by what is not as ever", () => {
	const bar = (age_ms) => {
		const raw = answer((c) => {
			c.max_age_ms.rest = 3000;
			c.members[1].evidence.rest.ok_age_ms = age_ms;
		});
		const c = model.cluster_of(raw.clusters[0], raw);
		const node2 = c.members.find((m) => m.name === "node2");
		const rest = node2.evidence.find((e) => e.source === "REST");

		return draw.age_bar(rest).attrs.class;
	};

	assert.deepEqual([10, 2100, 2200].map(bar), Array(3).fill("age young"));
	assert.deepEqual([2300, 3000].map(bar), Array(2).fill("age ageing"));
	assert.deepEqual([3001, null].map(bar), Array(2).fill("age old"));
});

test("troubled ones first, and found by their words", () => {
	const card = (name, level, word) =>
	    ({name, level, word, mode: "live", write: null, problems: []});
	const cards = model.in_order([
		card("c10", "ok", "steady"), card("c2", "ok", "steady"),
		card("z", "bad", "no leader")
	]);

	assert.deepEqual(cards.map((c) => c.name), ["z", "c2", "c10"]);
	assert.ok(model.is_found(cards[0], "LEADER z"));
	assert.ok(!model.is_found(cards[0], "steady"));
});

test("a card that says the same is the one made before", () => {
	const kept = new Map();
	const made = (change) => {
		const raw = answer(change);
		const cards = raw.clusters.map((c) => model.card_of(c, raw));
		return site.grid(cards, {filter: "", troubled: false, kept,
			is_open: () => false}).views[0].children[0];
	};
	const first = made(() => {});

	assert.equal(made((c) => { c.since_ms = 5; }), first);
	assert.notEqual(made((c) => { c.write = null; }), first);
});

test("a server is a cluster's by its whole name", () => {
	assert.equal(model.way_of("a", "a_write"), "write");
	assert.equal(model.way_of("a", "a_b_write"), null);
	assert.equal(model.way_of("a_b", "a_b_classic_any"), "classic_any");
	assert.equal(model.way_of("a", "axwrite"), null);
	assert.equal(model.way_of("a", 7), null);
	const raw = answer((c, all) => {
		all.haproxy.servers = [{
			backend: "main_read",
			status: "UP",
			server: "dc1-psql-node2",
			sessions: 4,
			check: "L7OK"
		}];
	});
	assert.match(words(whole(raw)), /HAProxy: 4 sessions, read UP/);
});

test("what is remembered, and a gap that no line bridges", () => {
	const all = [];

	for (let t = 0; t <= 400000; t += 1000)
		model.remember(all, t, {bytes: t, ms: null});
	assert.equal(all[0].at, 100000);
	assert.equal(draw.spark_paths(samples, "bytes", 21000, 9e6).length, 2);
	assert.equal(draw.spark_paths(samples, "ms", 21000, 40).length, 1);
});

test("a change is told once, in a sentence", () => {
	const was = model.cluster_of(answer(() => {}).clusters[0], {});
	const now = model.cluster_of(
	    answer((c) => Object.assign(
		       c, {write: null, why: "no-key", why_text: "nobody"}))
		.clusters[0],
	    {});

	assert.equal(model.change_sentence(was, was), "");
	assert.equal(model.change_sentence(undefined, now), "");
	assert.equal(model.change_sentence(was, now),
	    "main: no leader. No writes: nobody.");
});

test("a page that stands still says so in large letters", () => {
	const old = {
		ok_at: 1000,
		now: 13000,
		since: 0,
		error: "No word.",
		wall: "2026-11-21T19:00:00.000Z"
	};

	assert.match(
	    words(site.stale(old)), /^STANDING STILLNo word\. .*12 s$/);
	assert.match(
	    words(site.stale({...old, ok_at: null})), /^NOTHING TO SHOW YET/);
});

/* --- what is hostile --- */

const HOSTILE = [
	"<img src=x onerror=alert(1)>", "</script><script>x()</script>",
	"\u202eedon\u2066", "é́́́́", "x".repeat(63),
	"🐘".repeat(20), "a b\tc\nd",
	"' \" ` &amp;", "javascript:alert(1)", "__proto__", "constructor",
	"{{7*7}}", "\ud83d", ""
];
const TAGS =
    new Set(("section header h2 h3 h4 p strong span bdi button ul ol " +
	"li div dl dt dd details summary table caption thead tbody tr th td " +
	"svg path rect g text title figure figcaption time")
		.split(" "));
const ATTRS = new Set(("class key id role scope tabindex type title datetime " +
    "width height viewBox d x y rx fill transform text-anchor apart " +
    "preserveAspectRatio data-member data-cluster data-keep data-open " +
    "data-close aria-label aria-labelledby aria-hidden aria-expanded")
			  .split(" "));
/* Keys and data-* give names back to us: nobody reads them. */
const OURS = new Set([
	"key", "data-member", "data-cluster", "data-keep", "data-open",
	"data-close"
]);

function assert_harmless(tree)
{
	const unseen = /[\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

	walk(tree, (v) => {
		if (typeof v === "string") {
			assert.doesNotMatch(v, unseen);
			return;
		}
		assert.ok(v.tag === "" || TAGS.has(v.tag), `<${v.tag}>`);
		for (const [name, value] of Object.entries(v.attrs)) {
			assert.ok(ATTRS.has(name), `${v.tag} ${name}`);
			if (!OURS.has(name) && typeof value === "string")
				assert.doesNotMatch(value, unseen);
			if (name === "class" && value !== null)
				assert.match(value, /^[a-z0-9 -]+$/);
			if (name === "d" || name === "transform")
				assert.match(value, /^[\w\s,.()-]*$/);
		}
	});
}

/* Every string of it, one after the other, and all of them. */
function with_each_string(raw, text_of)
{
	if (typeof raw === "string")
		return text_of(raw);
	if (Array.isArray(raw))
		return raw.map((x) => with_each_string(x, text_of));
	if (raw && typeof raw === "object")
		return Object.fromEntries(Object.entries(raw).map(
		    ([k, v]) => [k, with_each_string(v, text_of)]));
	return raw;
}

const REPORT = {
	id: 1,
	cluster: "main",
	at: "2026-11-21T19:00:00.000Z",
	from: "node1",
	to: "node2",
	planned: true,
	timeline: [1, 2],
	key_ms: 900,
	writable_ms: 1700,
	routed_ms: 1720,
	refused: 0,
	first_connection_ms: null,
	held: {count: 3, longest_ms: 1700},
	sessions_closed: 5,
	classic: {
		right_ms: 4700,
		wrong_ms: 1200,
		nobody_ms: 300,
		reads_on_leader_ms: null
	},
	text: "one sentence"
};
const EVENT = {
	id: 7,
	at: "2026-11-21T19:00:00.123Z",
	cluster: "main",
	type: "write",
	from: "node1",
	to: "node2",
	text: "node2 takes over"
};

for (const bad of HOSTILE)
	test(`hostile: ${JSON.stringify(bad).slice(0, 40)}`, () => {
		const evil = with_each_string(JSON.parse(steady), () => bad);
		const event = draw.event_of(with_each_string(EVENT, () => bad));
		const more = {
			events: [event],
			reports: [with_each_string(REPORT, () => bad)]
		};

		evil.clusters[0].control = {
			hold: {
				member: bad,
				reason: bad,
				by: bad,
				until: bad,
				where: bad
			},
			drains: [{member: bad}]
		};
		evil.haproxy.servers = [{
			backend: `${bad}_read`,
			server: bad,
			status: bad,
			check: bad,
			why: bad,
			sessions: 1
		}];
		assert_harmless(whole(evil, more));
		assert_harmless(
		    site.stale({ok_at: 1, now: 2, wall: bad, error: bad}));
	});

const RUBBISH = [null, -1, "x", true, [], {members: 3}];

/* Calls `each` with every place of a value: the holder and the key. */
function places(value, each)
{
	if (value === null || typeof value !== "object")
		return;
	for (const key of Object.keys(value)) {
		each(value, key);
		places(value[key], each);
	}
}

test("rubbish in any place breaks nothing", () => {
	const raw = JSON.parse(steady);
	let n = 0;

	raw.haproxy.servers = [{
		backend: "main_read",
		server: "dc1-psql-node2",
		status: "UP",
		check: "",
		sessions: 1,
		why: ""
	}];
	raw.clusters[0].control = {drains: [{member: "node2"}], hold: null};
	places(raw, (holder, key) => {
		const was = holder[key];
		for (const bad of RUBBISH) {
			holder[key] = bad;
			whole(raw, {reports: [REPORT]});
			n++;
		}
		delete holder[key];
		whole(raw);
		holder[key] = was;
	});
	assert.ok(n > 1000, `${n}`);
	for (const bad of RUBBISH) {
		for (const key of Object.keys(REPORT))
			whole(raw, {reports: [{...REPORT, [key]: bad}]});
		for (const key of Object.keys(EVENT))
			whole(raw, {
				events: [
					draw.event_of({...EVENT, [key]: bad})
				].filter(Boolean)
			});
	}
});

test("a time line: what lies on another is one mark, and one group moves", () => {
	const at = Date.parse("2026-11-21T19:05:00Z");
	const event = (id, type, ms) =>
	    draw.event_of({id, type, text: `event ${id}`,
		at: new Date(at + ms).toISOString()});
	const all = [event(1, "write", 0), event(2, "write", 9),
		event(3, "read", 9), event(4, "write", 30000),
		event(5, "write", -700000)];
	const marks = (now_ms) => draw.time_line(all, now_ms, 1200)
				      .children.at(-1);
	const now = marks(at + 60000), later = marks(at + 61000);

	assert.deepEqual(now.children.map(words).map((t) => t.slice(13)),
	    ["event 1 (and 1 more)", "event 3", "event 4"]);
	assert.deepEqual(now.children, later.children);
	assert.notEqual(now.attrs.transform, later.attrs.transform);
	const x = (v) => parseFloat(v.attrs.transform.slice(10));
	assert.ok(Math.abs(x(now) + x(now.children[2]) -
		(1192 - 1184 * 30 / 600)) < 1);
});

test("what was observed: told where something was, and of how many", () => {
	const said = (change) => words(whole(answer(change)));
	const counts = {observe: {same: 1, differs: 2}};

	assert.doesNotMatch(said((c) => Object.assign(c,
		{observe: {same: 0, differs: 0}})), /observed|otherwise/);
	assert.match(said((c) => Object.assign(c, counts)),
	    /observed1 connection as classic, 2 otherwise/);
	assert.match(said((c) => Object.assign(c,
		{mode: "observe", observe: {same: null, differs: null}})),
	/observednot known/);
});

test("a report in words", () => {
	const said = words(whole(answer(() => {}), {reports: [REPORT]}));

	assert.match(said, /node1 → node2, planned, timeline 1 → 2/);
	assert.match(said, /leader key moved0\.9 s/);
	assert.match(said, /first connectionunknown/);
	assert.match(said, /3 connections waited, the longest 1\.7 s/);
	assert.match(said, /classic way: right after 4\.7 s/);
	assert.match(said, /4\.7 s, wrong for 1\.2 s/);
});

/* --- the files --- */

const files = fs.readdirSync(PAGE);

test("no way for text to become markup, and nothing from elsewhere", () => {
	const js = files.filter((f) => f.endsWith(".js"));

	assert.ok(js.length >= 5);
	for (const name of files.filter((f) => /\.(js|html|css)$/.test(f))) {
		const source = fs.readFileSync(new URL(name, PAGE), "utf8");
		assert.doesNotMatch(source,
		    new RegExp("innerHTML|outerHTML|" +
			"insertAdjacent|document\\.write|eval\\(|Function\\(|" +
			"DOMParser|srcdoc|@import|url\\("),
		    name);
		assert.doesNotMatch(
		    source.replaceAll("http://www.w3.org/2000/svg", ""),
		    /https?:\/\//, name);
	}
	const html = fs.readFileSync(new URL("topology.html", PAGE), "utf8");
	assert.doesNotMatch(html, /\son\w+=|\sstyle=|<script>|<style/);
});

test("every file is in the program", () => {
	const cmake =
	    fs.readFileSync(new URL("../CMakeLists.txt", PAGE), "utf8");
	const listed = cmake.match(/set\(page_files ([^)]*)\)/)[1].split(/\s+/);

	assert.deepEqual(files.filter((f) => /\.(js|html|css)$/.test(f)).sort(),
	    listed.sort());
});

/* --- WCAG 2.1 AA --- */

function luminance(hex)
{
	const [r, g, b] =
	    hex.match(/\w\w/g)
		.map((h) => parseInt(h, 16) / 255)
		.map((v) => v <= 0.03928 ? v / 12.92 :
					   ((v + 0.055) / 1.055) ** 2.4);

	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b)
{
	const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);

	return (high + 0.05) / (low + 0.05);
}

/* Ink, paper, and 4.5 for text or 3 for what is drawn. */
const PAIRS = [
	["ink", "paper", 4.5], ["ink", "page", 4.5], ["muted", "paper", 4.5],
	["muted", "page", 4.5], ["link", "paper", 4.5],
	["writes", "paper", 4.5], ["reads", "paper", 4.5],
	["on-strong", "writes", 4.5], ["on-strong", "reads", 4.5],
	["on-strong", "nothing", 4.5], ["note", "note-paper", 4.5],
	["warn", "warn-paper", 4.5], ["bad", "bad-paper", 4.5],
	["ok", "ok-paper", 4.5], ["bad", "paper", 4.5], ["warn", "paper", 4.5],
	["on-alarm", "alarm", 4.5], ["line", "paper", 3], ["line", "page", 3],
	["young", "paper", 3], ["young", "track", 3], ["ageing", "paper", 3],
	["ageing", "track", 3], ["old", "paper", 3], ["old", "track", 3],
	["focus", "paper", 3], ["focus", "page", 3], ["ok", "page", 3]
];

test("contrast, light and dark", () => {
	const css = fs.readFileSync(new URL("style.css", PAGE), "utf8");
	const blocks = [...css.matchAll(/:root \{([^}]*)\}/g)].map(
	    (m) => Object.fromEntries(
		[...m[1].matchAll(/--([\w-]+): #(\w{6});/g)].map(
		    (v) => [v[1], v[2]])));
	const low = [];

	assert.equal(blocks.length, 2);
	for (const [i, colours] of blocks.entries())
		for (const [ink, paper, least] of PAIRS) {
			const is = contrast(colours[ink], colours[paper]);
			if (is < least)
				low.push(`${["light", "dark"][i]} ${ink} on ` +
				    `${paper}: ${is.toFixed(2)} < ${least}`);
		}
	assert.deepEqual(low, []);
	assert.doesNotMatch(
	    css.replace(/:root \{[^}]*\}/g, ""), /#[0-9a-f]{3,8}\b|rgb|hsl/);
});
