/*
 * text.js - values as words. Pure; nothing here knows the document.
 *
 * Names, reasons and error texts come from outside. They only ever become text
 * nodes, so no markup can come of them; shown() makes what a reader could not
 * see, or would see in another order, visible as what it is.
 */

/* Controls, soft hyphen, zero width and bidi marks, separators, specials. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
const JOINS = /\u200d/; /* what several emoji are one by */

function code(c)
{
	const hex = c.codePointAt(0).toString(16).toUpperCase();

	return JOINS.test(c) ? c : `⟨U+${hex.padStart(4, "0")}⟩`;
}

/* Any value from outside as text of at most `most` characters. */
export function shown(value, most = 300)
{
	if (value === null || value === undefined)
		return "";
	const whole = Array.from(String(value).slice(0, 4 * most));
	const cut = whole.length > most;

	return whole.slice(0, cut ? most - 1 : most)
		   .join("")
		   .replace(UNSEEN, code) +
	    (cut ? "…" : "");
}

export function num(value)
{
	return typeof value === "number" && Number.isFinite(value) ? value :
								     null;
}

export function list(value)
{
	return Array.isArray(value) ?
	    value.filter((x) => x !== null && typeof x === "object") :
	    [];
}

export function obj(value)
{
	return value !== null && typeof value === "object" &&
		!Array.isArray(value) ?
	    value :
	    {};
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/* A length of time for people: "12 ms", "0.4 s", "3 min 12 s", "2 d 4 h". */
export function lasting(ms)
{
	if (num(ms) === null)
		return "unknown";
	if (ms < 100)
		return `${Math.max(0, Math.round(ms))} ms`;
	if (ms < 59950)
		return `${(ms / 1000).toFixed(1)} s`;
	const s = Math.round(ms / 1000);
	const i = UNITS.findIndex(([, n]) => s >= n);
	const [unit, n] = UNITS[i];
	const [small, m] = UNITS[i + 1];
	const rest = Math.floor(s % n / m);

	return `${Math.floor(s / n)} ${unit}` +
	    (rest ? ` ${rest} ${small}` : "");
}

/* The same in whole seconds, for what is read while it counts. */
export function counting(ms)
{
	return num(ms) !== null && ms < 59950 ?
	    `${Math.max(0, Math.floor(ms / 1000))} s` :
	    lasting(ms);
}

export function bytes(n)
{
	const unit = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
	let i = 0;

	if (num(n) === null)
		return "unknown";
	for (; n >= 1024 && i < unit.length - 1; i++)
		n /= 1024;
	return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${
	    unit[i]}`;
}

/* An ISO time as this machine's clock face; itself where it is none. */
export function clock(iso, with_ms = false)
{
	const t = typeof iso === "string" ? new Date(iso) : new Date(NaN);

	if (Number.isNaN(t.getTime()))
		return shown(iso, 40) || "unknown";
	const two = (n) => String(n).padStart(2, "0");
	const face =
	    [t.getHours(), t.getMinutes(), t.getSeconds()].map(two).join(":");

	return with_ms ?
	    `${face}.${String(t.getMilliseconds()).padStart(3, "0")}` :
	    face;
}

/* "a", "a and b", "a, b and c". */
export function and(words)
{
	return words.length < 2 ?
	    words.join("") :
	    `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

export function count(n, one, many = `${one}s`)
{
	return `${n} ${n === 1 ? one : many}`;
}

/* What a table says of a key from outside; "" if it does not know it. */
export function known(table, key)
{
	return Object.hasOwn(table, key) ? table[key] : "";
}

export const ROLE = {
	"leader": "leader",
	"replica": "replica",
	"sync": "sync standby",
	"standby-leader": "standby leader",
	"none": "no role yet",
};

export const PROOF = {
	"key+sql": "the leader key, and PostgreSQL's own word",
	"key+rest": "the leader key, and Patroni's word",
	"claim+sql":
	    "one Patroni that says primary, and PostgreSQL's own word; " +
	    "no leader key",
	"claim+rest": "one Patroni that says primary; no leader key",
	"operator": "an operator's order",
};

/* How a probe ended, as ev_rc_name() has it. */
export const RC = {
	"none": "never asked",
	"ok": "ok",
	"refused": "connection refused",
	"stopping": "shutting down",
	"starting": "starting up",
	"timeout": "no answer",
	"lost": "connection lost",
	"auth": "not let in",
	"busy": "too many connections",
	"tls": "TLS failed",
	"parse": "not understood",
	"limit": "answer too long",
	"local": "this host is out of resources",
};

export const WAY = {
	"write": "writes",
	"read": "reads",
	"fallback": "reads on the primary",
	"classic_write": "classic, writes",
	"classic_read": "classic, reads",
	"classic_any": "classic, any",
};
