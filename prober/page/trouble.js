/*
 * trouble.js - what is wrong with a cluster, or out of the ordinary, gravest
 * first. Pure.
 */
import {count, lasting, num, obj, shown} from "./text.js";

export const LEVELS = ["ok", "note", "warn", "bad"];
/* Why a replica gets no reads by somebody's intention. */
const MEANT = ["noloadbalance", "no-weight", "drained", "takes-key"];
const LAGS = {
	"lag-bytes": true,
	"lag-time": true
};

/* 0 young, 1 half its time, 2 past it: what a bar's colour and word follow. */
export function oldness(age_ms, max_ms)
{
	if (age_ms === null || age_ms > max_ms)
		return 2;
	return age_ms > max_ms / 2 ? 1 : 0;
}

function no_target(c, orders)
{
	const text = `No write target: ${shown(c.why_text || c.why, 200)}.`;

	if (obj(c.dcs).standby_cluster === true || c.why === "standby-cluster")
		return {level: "note", word: "standby cluster", text};
	if (c.why === "held" || orders.some((o) => o.verb === "hold"))
		return {level: "warn", word: "on hold", text};
	if (c.planned === true)
		return {
			level: "warn",
			word: "switchover under way",
			text: `${text} New writes wait.`
		};
	if (c.why === "no-key" || c.transition === true)
		return {level: "bad", word: "no leader", text};
	return {level: "bad", word: "no write target", text};
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
	return orders.filter((o) => ORDER_WORD[o.verb]).map((o) => {
		const [level, word, text] = ORDER_WORD[o.verb];

		return {
			level,
			word,
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

export function member_problems(m)
{
	const found = [];

	if (!m.live)
		found.push({
			level: "warn",
			word: "member silent",
			text: `${m.name} answers neither by SQL nor by REST.`
		});
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
			word: "member silent",
			text: `${count(members - live, "member")} silent.`
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
