/*
 * trouble.js - what is wrong with a cluster, or out of the ordinary, gravest
 * first. Pure.
 */
import {and, count, lasting, num, obj, shown} from "./text.js";

export const LEVELS = ["ok", "note", "warn", "bad"];
/* Why a replica gets no reads by somebody's intention. */
const MEANT = ["noloadbalance", "no-weight", "drained", "takes-key"];
const LAGS = {
	"lag-bytes": true,
	"lag-time": true
};

/*
 * 0 young, 1 most of its time, 2 past it: what a bar's colour follows. While
 * all is well Patroni is asked every 2 s, and is believed for 3 s.
 */
export function oldness(age_ms, max_ms)
{
	if (age_ms === null || age_ms > max_ms)
		return 2;
	return age_ms > max_ms * 0.75 ? 1 : 0;
}

/* What these say is of the member that the leader key names. */
const OF_HOLDER = ["silent", "refused", "stopping"];

/* Why there is a write target, or none, as a clause that stands alone. */
export function reason_of(c)
{
	const text = shown(c.why_text || c.why, 200);
	const holder = shown(obj(c.dcs).leader, 63);

	if (/^(holds|is) /.test(text)) /* of who takes the writes */
		return `it ${text}`;
	return OF_HOLDER.includes(c.why) && holder ? `${holder}: ${text}` :
						     text;
}

const NO_TARGET = {
	"no-key": "no leader",
	"silent": "leader silent",
	"refused": "leader down",
	"stopping": "leader stopping",
	"unconfirmed": "leader not confirmed",
	"in-recovery": "leader not confirmed",
	"conflict": "sources disagree",
	"fenced": "fenced",
	"stale": "no evidence"
};

/* Its text is the verdict's own, which stands in front of all. */
function no_target(c, orders)
{
	const text = `No writes: ${reason_of(c)}.`;
	const is = (level, word) => ({level, word, text, elsewhere: true});

	if (obj(c.dcs).standby_cluster === true || c.why === "standby-cluster")
		return is("note", "standby cluster");
	if (c.why === "held" || orders.some((o) => o.verb === "hold"))
		return is("warn", "on hold");
	if (c.planned === true)
		return is("warn", "switchover under way");
	return is("bad",
	    Object.hasOwn(NO_TARGET, c.why) ? NO_TARGET[c.why] :
					      "no write target");
}

const OBSERVED = "HAProxy routes the classic way; patroute only counts what " +
    "it would have done";

function mode_problem(mode)
{
	if (mode === "observe")
		return [{level: "note", word: "observe", text: `${OBSERVED}.`}];
	if (mode === "classic")
		return [{
			level: "warn",
			word: "classic",
			text: "By an operator's order HAProxy routes classic."
		}];
	return [];
}

const ORDER_WORD = {
	hold: ["warn", "on hold", "New connections are held"],
	force: ["warn", "forced", "Writes are forced to"],
	drain: ["note", "drained", "Drained:"]
};

function order_problems(orders)
{
	const told = orders.filter((o) => ORDER_WORD[o.verb] &&
		!(o.verb === "force" && o.member === "classic"));

	return told.map((o) => {
		const [level, word, text] = ORDER_WORD[o.verb];

		return {
			level,
			word,
			elsewhere: true, /* in the list of orders */
			text: `${text} ${o.member}`.trim() +
			    (o.reason ? ` (${o.reason}).` : ".")
		};
	});
}

function dcs_problems(c)
{
	const d = obj(c.dcs), age = num(d.age_ms);
	const max = num(obj(c.max_age_ms).dcs) || 3000;
	const found = [];

	if (d.configured === true && oldness(age, max) === 2)
		found.push({
			level: "warn",
			word: "DCS out of reach",
			text: age === null ?
			    "The DCS has not answered yet." :
			    `The DCS has not answered for ${lasting(age)}.`
		});
	if (d.pause === true)
		found.push({
			level: "note",
			word: "Patroni paused",
			text: "Patroni is paused: it moves no leader by itself."
		});
	return found;
}

function is_down(m)
{
	const said = m.evidence.filter((e) => e.trouble)
			 .map((e) => `${e.source} ${e.trouble}`);

	return {
		level: "warn",
		word: "member down",
		text:
		    `${m.name} is not seen alive: ${and(said) || "no answer"}.`
	};
}

export function member_problems(m, c)
{
	const found = [];

	if (!m.live && c.write === null && m.name === c.dcs.leader)
		return found; /* the verdict says so */
	if (!m.live)
		found.push(is_down(m));
	else if (m.gets === "nothing" && m.role !== "leader" &&
	    !MEANT.includes(m.reason))
		found.push({
			level: "warn",
			word: LAGS[m.reason] ? "replica lagging" :
					       "replica out",
			text: `${m.name} gets nothing: ${
			    m.why || "no reason is known"}.`
		});
	if (m.gets === "writes" && m.read_only)
		found.push({
			level: "warn",
			word: "leader read-only",
			text: `${m.name} takes read-only transactions only.`
		});
	for (const e of m.evidence)
		if (m.live && e.source !== "DCS" && e.asked && e.old === 2)
			found.push({
				level: "note",
				word: "a source is silent",
				text: `${m.name} by ${e.source}: ` +
				    `${e.trouble || "no answer lately"}.`
			});
	return found;
}

/* The gravest first; within a level as they came. */
function sorted(problems)
{
	return problems.sort(
	    (a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
}

export function problems_of(c, mode, orders)
{
	const found = [];

	if (c.usable === false)
		found.push({
			level: "bad",
			word: "no usable verdict",
			text:
			    "The prober knows too little to decide: HAProxy " +
			    "goes the classic way."
		});
	else if (typeof c.write !== "string")
		found.push(no_target(c, orders));
	else if (c.planned === true)
		found.push({
			level: "warn",
			word: "switchover under way",
			text:
			    "A planned switchover begins: new writes may wait."
		});
	return [
		...found, ...mode_problem(mode), ...order_problems(orders),
		...dcs_problems(c)
	];
}

export function counted_problems(c)
{
	const members = num(c.members_n), live = num(c.live_n);
	const read = num(c.read_n), found = [];

	if (members !== null && live !== null && live < members)
		found.push({
			level: "warn",
			word: "member down",
			text: `${count(members - live, "member")} down.`
		});
	if (read !== null && members > 1 && typeof c.write === "string" &&
	    read < live - 1)
		found.push({
			level: read === 0 ? "warn" : "note",
			word: read === 0 ? "no replica" : "replica out",
			text: `${
			    count(live - 1 - read, "replica")} without reads.`
		});
	return found;
}

export function judged(view)
{
	const worst = sorted(view.problems)[0];

	view.level = worst ? worst.level : "ok";
	view.word = worst ? worst.word : "steady";
	return view;
}
