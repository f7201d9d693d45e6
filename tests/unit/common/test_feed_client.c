/*
 * The agent's end of the feed against a scripted prober on a real socket:
 * freshness by echo, back-off, and latest-only when the prober does not read.
 */
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "feed_client.h"
#include "make_snap.h"

static char dir[64], path[LIM_PATH];

struct fix {
	struct ev_loop *loop;
	struct feed_client *fc;
	int listener, peer; /* the prober's */
	unsigned taken;     /* calls of snapshot_cb */
	uint64_t last_seq, decisions;
	struct feed_msg in; /* the latest message of the agent */
};

static void on_snapshot_cb(void *arg, const struct snapshot *snap)
{
	struct fix *f = arg;

	f->taken++;
	f->last_seq = snap->seq;
}

static void on_stats_cb(void *arg, struct feed_counts *out)
{
	out->all.decisions = ++((struct fix *)arg)->decisions;
}

static void turn(struct fix *f, int ms)
{
	struct mono end = mono_add(mono_now(), dur_ms(ms));

	do {
		struct timespec ts = {0, 500000};

		(void)ev_run(f->loop, EVRUN_NOWAIT);
		(void)nanosleep(&ts, NULL);
	} while (is_mono_before(mono_now(), end));
}

static void listen_again(struct fix *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	(void)unlink(path);
	f->listener =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(f->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
}

/* Waits for the agent to come, with a limit. */
static void accept_agent(struct fix *f)
{
	f->peer = -1;
	for (int i = 0; i < 2000 && f->peer == -1; i++) {
		turn(f, 1);
		f->peer = accept4(
		    f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	assert_true(f->peer != -1);
}

/* The agent's next message, into f->in; false: none within `ms`. */
static bool hear(struct fix *f, int ms)
{
	unsigned char buf[LIM_FEED_MSG];
	ssize_t n = -1;

	for (int i = 0; i <= ms && n == -1; i++) {
		n = recv(f->peer, buf, sizeof(buf), 0);
		if (n == -1)
			turn(f, 1);
	}
	if (n <= 0)
		return false;
	assert_int_equal(
	    feed_decode(slice_of(buf, (size_t)n), &f->in), FEED_OK);
	return true;
}

static void hear_kind(struct fix *f, enum feed_kind kind)
{
	do {
		if (!hear(f, 1500))
			fail_msg("no message of kind %d", kind);
	} while (f->in.kind != kind);
}

static void say(struct fix *f, const struct feed_msg *m)
{
	unsigned char buf[LIM_FEED_MSG];
	size_t len = feed_encode(m, buf, sizeof(buf));

	assert_int_equal(send(f->peer, buf, len, MSG_NOSIGNAL), len);
}

static void say_snapshot(
    struct fix *f, uint64_t boot_id, uint64_t seq, const char *cluster)
{
	struct feed_msg m = {.kind = FEED_SNAPSHOT};

	m.u.snapshot = make_snap(3);
	m.u.snapshot.boot_id = boot_id;
	m.u.snapshot.seq = seq;
	(void)snprintf(m.u.snapshot.cluster, LIM_NAME, "%s", cluster);
	say(f, &m);
}

static void say_echo(struct fix *f, uint64_t nonce, uint16_t n, uint32_t age)
{
	struct feed_msg m = {.kind = FEED_ECHO};

	m.u.echo.nonce = nonce;
	m.u.echo.n = n;
	for (unsigned i = 0; i < n; i++)
		m.u.echo.age_ms[i] = age;
	say(f, &m);
}

static const struct snapshot *get_at(struct fix *f, struct mono now)
{
	return feed_client_get(f->fc, "main", now);
}

static void start(struct fix *f, int stale_ms)
{
	struct feed_client_cfg cfg = {.path = path,
	    .boot_id = 42,
	    .stale_after = dur_ms(stale_ms),
	    .snapshot_cb = on_snapshot_cb,
	    .stats_cb = on_stats_cb,
	    .arg = f};

	memset(f, 0, sizeof(*f));
	f->loop = ev_loop_new(EVFLAG_AUTO);
	listen_again(f);
	f->fc = feed_client_new(f->loop, &cfg);
	assert_non_null(f->fc);
	accept_agent(f);
}

static void end_of(struct fix *f)
{
	feed_client_free(f->fc);
	ev_loop_destroy(f->loop);
	if (f->peer != -1)
		(void)close(f->peer);
	(void)close(f->listener);
	(void)unlink(path);
}

static void who_speaks_first(void **state)
{
	struct fix f;

	(void)state;
	start(&f, 4000);
	assert_true(hear(&f, 100));
	assert_int_equal(f.in.kind, FEED_HELLO);
	assert_int_equal(f.in.u.hello.boot_id, 42);
	assert_string_equal(f.in.u.hello.program, "patroute-spoa");
	assert_true(hear(&f, 100));
	assert_int_equal(f.in.kind, FEED_PING);
	assert_int_not_equal(f.in.u.ping.nonce, 0);
	/* And then by their clocks: a PING in 500 ms, STATS in 1 s. */
	hear_kind(&f, FEED_PING);
	hear_kind(&f, FEED_STATS);
	assert_int_equal(f.in.u.counts.all.decisions, 1);
	end_of(&f);
}

static void fresh_by_echo(void **state)
{
	struct mono before, after; /* the PING was sent between them */
	struct fix f;

	(void)state;
	before = mono_now();
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	after = mono_now();
	say_snapshot(&f, 77, 5, "main");
	turn(&f, 5);
	assert_int_equal(f.taken, 1);
	assert_null(get_at(&f, mono_now())); /* not without an ECHO */
	hear_kind(&f, FEED_SEEN);
	assert_int_equal(f.in.u.seen.boot_id, 77);
	assert_int_equal(f.in.u.seen.seq, 5);
	assert_string_equal(f.in.u.seen.cluster, "main");
	say_echo(&f, 1, 1, 1000);
	turn(&f, 5);
	assert_int_equal(f.taken, 2); /* usable now: the hold may move */
	assert_int_equal(get_at(&f, mono_now())->seq, 5);
	assert_null(feed_client_get(f.fc, "other", mono_now()));
	assert_in_range(
	    feed_client_age_ms(f.fc, "main", mono_add(after, dur_ms(500))),
	    1500, 1501 + (uintmax_t)dur_to_ms(mono_sub(after, before)));
	assert_int_equal(
	    feed_client_age_ms(f.fc, "main", mono_add(after, dur_ms(3000))),
	    FEED_AGE_STALE);
	assert_int_equal(
	    feed_client_age_ms(f.fc, "other", mono_now()), FEED_AGE_STALE);
	/* 4 s from the PING, less 1 s. */
	assert_non_null(get_at(&f, mono_add(before, dur_ms(2999))));
	assert_null(get_at(&f, mono_add(after, dur_ms(3000))));
	/* What comes later inherits the time, and needs no second echo. */
	say_snapshot(&f, 77, 6, "main");
	turn(&f, 5);
	assert_int_equal(get_at(&f, mono_now())->seq, 6);
	assert_null(get_at(&f, mono_add(after, dur_ms(3000))));
	/* The next PING moves it on, an old one again changes nothing. */
	hear_kind(&f, FEED_PING);
	say_echo(&f, 2, 1, 1000);
	turn(&f, 5);
	assert_non_null(get_at(&f, mono_add(before, dur_ms(3400))));
	end_of(&f);
}

static void stale_evidence(void **state)
{
	struct fix f;

	(void)state;
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 5, "main");
	say_echo(&f, 1, 1, 0);
	turn(&f, 5);
	assert_non_null(get_at(&f, mono_now()));
	say_echo(&f, 1, 1, FEED_AGE_STALE);
	turn(&f, 5);
	assert_null(get_at(&f, mono_now()));
	say_echo(&f, 1, 1, 4000); /* as old as it may not be */
	turn(&f, 5);
	assert_null(get_at(&f, mono_now()));
	say_echo(&f, 1, 1, 0);
	turn(&f, 5);
	assert_non_null(get_at(&f, mono_now()));
	assert_int_equal(f.taken, 3);
	end_of(&f);
}

/* The queue was filled, then the agent stood still. */
static void a_queue_from_before_a_freeze(void **state)
{
	struct timespec frozen = {0, 400000000};
	struct fix f;

	(void)state;
	start(&f, 300);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 5, "main");
	say_echo(&f, 1, 1, 0);
	(void)nanosleep(&frozen, NULL);
	turn(&f, 5);
	assert_int_equal(f.last_seq, 5);
	assert_null(get_at(&f, mono_now()));
	/* The control: the answer to a PING of after the thaw counts. */
	hear_kind(&f, FEED_PING);
	say_echo(&f, f.in.u.ping.nonce, 1, 0);
	turn(&f, 5);
	assert_non_null(get_at(&f, mono_now()));
	end_of(&f);
}

static void ages_by_order(void **state)
{
	struct feed_msg m = {.kind = FEED_ECHO};
	struct fix f;

	(void)state;
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 1, "a");
	say_snapshot(&f, 77, 1, "main");
	say_snapshot(&f, 77, 2, "a");
	say_snapshot(&f, 77, 1, "c");
	m.u.echo.nonce = 1;
	m.u.echo.n = 3;
	m.u.echo.age_ms[0] = m.u.echo.age_ms[2] = FEED_AGE_STALE;
	say(&f, &m);
	turn(&f, 5);
	assert_null(feed_client_get(f.fc, "a", mono_now()));
	assert_non_null(feed_client_get(f.fc, "main", mono_now()));
	assert_null(feed_client_get(f.fc, "c", mono_now()));
	end_of(&f);
}

/* Closes the agent's connection within a moment, and it comes back. */
static void assert_refused(struct fix *f)
{
	unsigned char buf[LIM_FEED_MSG];
	ssize_t n = -1;

	for (int i = 0; i < 100 && n != 0; i++) {
		turn(f, 1);
		n = recv(f->peer, buf, sizeof(buf), 0);
	}
	assert_int_equal(n, 0);
	(void)close(f->peer);
	accept_agent(f);
}

static void send_bytes(struct fix *f, const void *bytes, size_t len)
{
	assert_int_equal(send(f->peer, bytes, len, MSG_NOSIGNAL), len);
}

static void garbled_messages(void **state)
{
	static unsigned char big[LIM_FEED_MSG + 800];
	struct feed_msg m = {.kind = FEED_WANT};
	struct fix f;

	(void)state;
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 5, "main");
	say_echo(&f, 1, 1, 0);
	send_bytes(&f, "\x01\x02xyz", 5);
	assert_refused(&f);
	/* What was taken before stays usable until its time is over. */
	assert_int_equal(get_at(&f, mono_now())->seq, 5);
	send_bytes(&f, "\x02", 1); /* another version */
	assert_refused(&f);
	send_bytes(&f, big, sizeof(big));
	assert_refused(&f);
	say(&f, &m); /* a WANT is the agent's to say */
	assert_refused(&f);
	hear_kind(&f, FEED_PING);
	say_echo(&f, f.in.u.ping.nonce, 1, 0); /* of a snapshot never sent */
	assert_refused(&f);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 6, "main");
	say_echo(&f, f.in.u.ping.nonce + 1, 1, 0); /* of a PING never sent */
	assert_refused(&f);
	end_of(&f);
}

/* 100, 200, 400, 400 … ms: at most a few attempts a second. */
static void back_off(void **state)
{
	unsigned n = 0;
	struct fix f;

	(void)state;
	start(&f, 4000);
	for (struct mono end = mono_add(mono_now(), dur_ms(1600));
	     is_mono_before(mono_now(), end);) {
		(void)close(f.peer);
		turn(&f, 1);
		f.peer = accept4(
		    f.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		n += f.peer != -1;
	}
	assert_true(n >= 3 && n <= 5);
	end_of(&f);
}

static void no_prober_yet(void **state)
{
	struct feed_client_cfg cfg = {.path = path,
	    .boot_id = 42,
	    .stale_after = dur_ms(4000),
	    .snapshot_cb = on_snapshot_cb};
	struct fix f = {.peer = -1};

	(void)state;
	f.loop = ev_loop_new(EVFLAG_AUTO);
	cfg.arg = &f;
	f.fc = feed_client_new(f.loop, &cfg);
	turn(&f, 300);
	assert_null(get_at(&f, mono_now()));
	listen_again(&f);
	accept_agent(&f);
	hear_kind(&f, FEED_HELLO);
	hear_kind(&f, FEED_PING);
	end_of(&f);
}

/* The prober does not read: 2,000 SEEN are due, only the latest is kept. */
static void a_prober_that_does_not_read(void **state)
{
	unsigned seen = 0;
	uint64_t last = 0;
	struct fix f;

	(void)state;
	start(&f, 4000);
	for (uint64_t i = 1; i <= 2000; i++) {
		say_snapshot(&f, 77, i, "main");
		(void)ev_run(f.loop, EVRUN_NOWAIT);
	}
	turn(&f, 20);
	assert_int_equal(f.taken, 2000);
	while (hear(&f, 50)) {
		if (f.in.kind != FEED_SEEN)
			continue;
		assert_true(f.in.u.seen.seq > last);
		last = f.in.u.seen.seq;
		seen++;
	}
	assert_int_equal(last, 2000);
	assert_true(seen < 1000);
	end_of(&f);
}

/* A restarted prober knows less at first: what is usable stays. */
static void a_restarted_prober(void **state)
{
	uint64_t nonce;
	struct fix f;

	(void)state;
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 9, "main");
	say_echo(&f, 1, 1, 0);
	turn(&f, 5);
	(void)close(f.peer);
	accept_agent(&f);
	hear_kind(&f, FEED_PING);
	nonce = f.in.u.ping.nonce;
	say_snapshot(&f, 78, 1, "main");
	say_echo(&f, nonce, 1, FEED_AGE_STALE);
	turn(&f, 5);
	assert_int_equal(get_at(&f, mono_now())->seq, 9);
	say_snapshot(&f, 78, 2, "main");
	turn(&f, 5);
	assert_int_equal(get_at(&f, mono_now())->seq, 9);
	assert_int_equal(f.taken, 2);
	say_echo(&f, nonce, 1, 0);
	turn(&f, 5);
	assert_int_equal(get_at(&f, mono_now())->seq, 2);
	assert_int_equal(f.taken, 3);
	hear_kind(&f, FEED_SEEN);
	assert_int_equal(f.in.u.seen.boot_id, 78);
	assert_int_equal(f.in.u.seen.seq, 2);
	end_of(&f);
}

/* Once the old one's time is over the new one counts, but not as fresh. */
static void a_restarted_prober_later(void **state)
{
	struct timespec ts = {0, 250000000};
	struct fix f;

	(void)state;
	start(&f, 200);
	hear_kind(&f, FEED_PING);
	say_snapshot(&f, 77, 9, "main");
	say_echo(&f, 1, 1, 0);
	turn(&f, 5);
	assert_non_null(get_at(&f, mono_now()));
	(void)nanosleep(&ts, NULL);
	say_snapshot(&f, 78, 1, "main");
	turn(&f, 5);
	assert_int_equal(f.last_seq, 1);
	assert_null(get_at(&f, mono_now()));
	end_of(&f);
}

/* Two probers in a row, each with all the clusters there can be. */
static void clusters_that_are_gone_make_room(void **state)
{
	struct timespec ts = {0, 800000000};
	struct fix f;

	(void)state;
	start(&f, 700);
	for (uint64_t boot = 77; boot <= 78; boot++) {
		char name[LIM_NAME];

		for (int i = 0; i < LIM_CLUSTERS; i++) {
			(void)snprintf(
			    name, sizeof(name), "c%d-%d", (int)boot, i);
			say_snapshot(&f, boot, 1, name);
			hear_kind(&f, FEED_SEEN);
		}
		hear_kind(&f, FEED_PING); /* an older one may be too old */
		say_echo(&f, f.in.u.ping.nonce, LIM_CLUSTERS, 0);
		turn(&f, 5);
		assert_non_null(feed_client_get(f.fc, name, mono_now()));
		if (boot == 78)
			break;
		(void)nanosleep(&ts, NULL);
		(void)close(f.peer);
		accept_agent(&f);
	}
	end_of(&f);
}

static void wants(void **state)
{
	struct feed_want w = {.cluster = "main"};
	struct mono began;
	struct dur took;
	unsigned n = 0;
	struct fix f;

	(void)state;
	start(&f, 4000);
	hear_kind(&f, FEED_PING);
	feed_client_want(f.fc, &w, mono_now()); /* never heard of it */
	say_snapshot(&f, 77, 1, "main");
	hear_kind(&f, FEED_SEEN);
	began = mono_now();
	for (w.min_lsn = 1; w.min_lsn <= 1000; w.min_lsn++)
		feed_client_want(f.fc, &w, mono_now());
	took = mono_sub(mono_now(), began);
	w.min_lsn = 0;
	while (hear(&f, 100)) {
		if (f.in.kind == FEED_WANT) {
			w.min_lsn = f.in.u.want.min_lsn;
			n++;
		}
	}
	assert_int_equal(w.min_lsn, 1000);
	assert_true(n >= 2 && n <= 3 + took.us / 20000);
	end_of(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_speaks_first),
	    cmocka_unit_test(fresh_by_echo),
	    cmocka_unit_test(stale_evidence),
	    cmocka_unit_test(a_queue_from_before_a_freeze),
	    cmocka_unit_test(ages_by_order),
	    cmocka_unit_test(garbled_messages),
	    cmocka_unit_test(back_off),
	    cmocka_unit_test(no_prober_yet),
	    cmocka_unit_test(a_prober_that_does_not_read),
	    cmocka_unit_test(a_restarted_prober),
	    cmocka_unit_test(a_restarted_prober_later),
	    cmocka_unit_test(clusters_that_are_gone_make_room),
	    cmocka_unit_test(wants),
	};
	int rc;

	(void)snprintf(dir, sizeof(dir), "/tmp/patroute-feed-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/feed.sock", dir);
	rc = cmocka_run_group_tests_name("feed_client", tests, NULL, NULL);
	(void)rmdir(dir);
	return rc;
}
