/*
 * follow.js - events as they come, and reports. By a stream (server-sent
 * events); where that does not hold, by asking every two seconds. A page that
 * nobody sees keeps no stream: a browser has six connections a host in all.
 */
import {list} from "./text.js";

const POLL_MS = 2000, REPORTS_MS = 15000;
const TYPES = [
	"message", "write", "read", "member", "source", "read_only", "dcs",
	"control", "observe", "haproxy", "report"
];

/*
 * to: {ask(path), url_of(path), boot_id(), on_events(list, is_first),
 * on_reports(list)}.
 * A prober that has begun anew counts its events anew: all is asked again.
 */
export function follow(to)
{
	const me = {stream: null, last: 0, boot: null};

	function close()
	{
		if (me.stream !== null)
			me.stream.close();
		me.stream = null;
	}

	function got(e)
	{
		let raw = null;

		try {
			raw = JSON.parse(e.data);
		} catch (bad) {
			return; /* not one of ours; the next will come */
		}
		me.last = Math.max(me.last, Number(raw.id) || 0);
		to.on_events([raw], false);
		if (raw.type === "report")
			reports();
	}

	function open()
	{
		if (document.hidden || me.stream !== null || me.boot === null)
			return;
		me.stream =
		    new EventSource(to.url_of(`events?after=${me.last}`));
		for (const type of TYPES)
			me.stream.addEventListener(type, got);
		/* What fails is asked for instead, and tried again later. */
		me.stream.addEventListener("error", close);
	}

	async function events()
	{
		const anew = me.boot === null || me.boot !== to.boot_id();
		const path = anew ? "events" : `events?after=${me.last}`;

		try {
			const raw = await to.ask(path);
			if (anew)
				close();
			me.boot = typeof raw.boot_id === "string" ?
			    raw.boot_id :
			    to.boot_id();
			me.last = Number(raw.last) || 0;
			to.on_events(list(raw.events), anew);
			open();
		} catch (e) {
			close(); /* an older prober has none */
		}
	}

	async function reports()
	{
		try {
			to.on_reports(list((await to.ask("reports")).reports));
		} catch (e) {
			/* an older prober writes none */
		}
	}

	function tick()
	{
		if (me.stream === null || me.boot !== to.boot_id())
			events();
	}

	document.addEventListener("visibilitychange", () => {
		if (document.hidden)
			close();
		else
			tick();
	});
	setInterval(tick, POLL_MS);
	setInterval(reports, REPORTS_MS);
	events();
	reports();
}
