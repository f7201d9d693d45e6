/*
 * feed_client.c - the agent's end of the feed; see feed_client.h.
 *
 * Owned by the agent's main(); runs on its loop and never blocks. What is to be
 * said upwards is state, not a queue: a flag for PING, SEEN and WANT each, the
 * message is made when the socket takes it, so that a slow prober costs nothing
 * and gets the latest. The PING's instant is that of its sending.
 */
#include "feed_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "feed_slot.h"
#include "log.h"

#define FC_MAGIC 0x66656564U
#define PING_MS 500
#define PING_SOON_MS 100 /* while there is nothing to decide by */
#define STATS_MS 1000
#define WANT_MS 20
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 400 /* a restart must show within 1 s */
/* Remembered: 64 s of them, or 13 s while PINGs come soon. What answers an
   older one vouches for nothing, as if it had not come. */
#define PINGS 128
/* Messages of one callback, to let others run: more than the kernel keeps, some
   50 of the prober's, lest after a pause the newest stay behind. */
#define READ_MAX 128
#define LOG_EVERY_MS 60000

struct ping {
	uint64_t nonce; /* 0: none */
	struct mono at;
};

struct feed_client {
	unsigned magic;
	struct ev_loop *loop;
	struct feed_client_cfg cfg;
	int fd; /* -1: not connected */
	ev_io io;
	ev_timer retry_timer, ping_timer, stats_timer, want_timer;
	struct dur backoff;
	struct feed_slots slots;
	struct ping pings[PINGS];
	uint64_t nonce, echoed; /* of the last PING, and of the last ECHO */
	bool ping_due;
	bool healthy; /* an ECHO came on this connection */
	struct log_rate rate;
};

static struct feed_client *fc_of(void *data)
{
	struct feed_client *fc = data;

	assert(fc != NULL && fc->magic == FC_MAGIC);
	return fc;
}

static void fc_connect(struct feed_client *fc);
static void fc_flush(struct feed_client *fc);

/* Ends the connection, if any, and tries again after the back-off. */
static void fc_drop(struct feed_client *fc, const char *why)
{
	uint32_t suppressed;

	if (fc->fd != -1) {
		ev_io_stop(fc->loop, &fc->io);
		(void)close(fc->fd);
		fc->fd = -1;
	}
	ev_timer_stop(fc->loop, &fc->ping_timer);
	ev_timer_stop(fc->loop, &fc->stats_timer);
	fc->slots.order_n = 0;
	if (fc->healthy)
		fc->rate = (struct log_rate){0};
	fc->healthy = false;
	if (log_rate_ok(
		&fc->rate, 1, dur_ms(LOG_EVERY_MS), mono_now(), &suppressed))
		log_warnx("drop feed path=%s why=\"%s\" again_in_ms=%lld "
			  "suppressed=%u",
		    fc->cfg.path, why, (long long)dur_to_ms(fc->backoff),
		    suppressed);
	ev_timer_set(&fc->retry_timer, dur_to_s(fc->backoff), 0.);
	ev_timer_start(fc->loop, &fc->retry_timer);
	fc->backoff.us *= 2;
	if (dur_to_ms(fc->backoff) > BACKOFF_MAX_MS)
		fc->backoff = dur_ms(BACKOFF_MAX_MS);
}

enum sent {
	SENT_YES = 0,
	SENT_LATER, /* no room now */
	SENT_LOST   /* the connection is over */
};

static enum sent fc_send(struct feed_client *fc, const struct feed_msg *m)
{
	unsigned char buf[LIM_FEED_MSG];
	size_t len = feed_encode(m, buf, sizeof(buf));
	ssize_t n;

	assert(len > 0);
	if (fc->fd == -1)
		return SENT_LOST;
	n = send(fc->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == (ssize_t)len)
		return SENT_YES;
	/* ENOBUFS is the kernel's want of memory: no fault of the prober's. */
	if (n == -1 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
		return SENT_LATER;
	fc_drop(fc, n == -1 ? strerrordesc_np(errno) : "short send");
	return SENT_LOST;
}

static enum sent send_ping(struct feed_client *fc)
{
	struct feed_msg m = {.kind = FEED_PING};
	struct mono now = mono_now();
	enum sent rc;

	m.u.ping.nonce = fc->nonce + 1;
	rc = fc_send(fc, &m);
	if (rc != SENT_YES)
		return rc;
	fc->nonce++;
	fc->pings[fc->nonce % PINGS] = (struct ping){fc->nonce, now};
	fc->ping_due = false;
	return SENT_YES;
}

static enum sent send_seen(struct feed_client *fc, struct feed_slot *s)
{
	struct feed_msg m = {.kind = FEED_SEEN};
	enum sent rc;

	m.u.seen.boot_id = s->snap.boot_id;
	m.u.seen.seq = s->snap.seq;
	memcpy(m.u.seen.cluster, s->snap.cluster, sizeof(m.u.seen.cluster));
	rc = fc_send(fc, &m);
	if (rc == SENT_YES)
		s->seen_due = false;
	return rc;
}

static enum sent send_want(
    struct feed_client *fc, struct feed_slot *s, struct mono now)
{
	struct feed_msg m = {.kind = FEED_WANT};
	enum sent rc;

	m.u.want = s->want;
	rc = fc_send(fc, &m);
	if (rc == SENT_YES) {
		s->want_due = false;
		s->want_sent = now;
	}
	return rc;
}

static void fc_watch(struct feed_client *fc, int events)
{
	if (fc->fd == -1 || fc->io.events == events)
		return;
	ev_io_stop(fc->loop, &fc->io);
	ev_io_set(&fc->io, fc->fd, events);
	ev_io_start(fc->loop, &fc->io);
}

/* A WANT that is due now, or the timer for one that is due soon. */
static enum sent flush_want(
    struct feed_client *fc, struct feed_slot *s, struct mono now)
{
	if (!s->want_due)
		return SENT_YES;
	/* The caller's now may be a little older than want_sent. */
	if (is_mono_set(s->want_sent) &&
	    is_mono_before(now, mono_add(s->want_sent, dur_ms(WANT_MS)))) {
		if (!ev_is_active(&fc->want_timer)) {
			ev_timer_set(&fc->want_timer, WANT_MS / 1e3, 0.);
			ev_timer_start(fc->loop, &fc->want_timer);
		}
		return SENT_YES;
	}
	return send_want(fc, s, now);
}

/* Says what is due, until it is said or the socket has no room. */
static void fc_flush(struct feed_client *fc)
{
	struct mono now = mono_now();
	enum sent rc = SENT_YES;

	if (fc->fd == -1)
		return;
	if (fc->ping_due)
		rc = send_ping(fc);
	for (unsigned i = 0; rc == SENT_YES && i < fc->slots.order_n; i++) {
		if (fc->slots.order[i]->seen_due)
			rc = send_seen(fc, fc->slots.order[i]);
		if (rc == SENT_YES)
			rc = flush_want(fc, fc->slots.order[i], now);
	}
	if (rc != SENT_LOST)
		fc_watch(fc, rc == SENT_LATER ? EV_READ | EV_WRITE : EV_READ);
}

static void decide_by(
    struct feed_client *fc, struct feed_slot *s, const struct snapshot *snap)
{
	s->snap = *snap;
	s->has_next = false;
	s->seen_due = true;
	fc_flush(fc);
}

/*
 * What has come is of no use before an ECHO: ask at once, though not once more
 * before the last question is answered.
 */
static void ask_soon(struct feed_client *fc)
{
	if (fc->echoed == fc->nonce)
		fc->ping_due = true;
}

/* Where the prober vouches for nothing yet it may do so any moment. */
static void pace_pings(struct feed_client *fc, const struct feed_echo *echo)
{
	bool stale = false;

	for (unsigned i = 0; i < echo->n && !stale; i++)
		stale = echo->age_ms[i] == FEED_AGE_STALE;
	fc->ping_timer.repeat = (stale ? PING_SOON_MS : PING_MS) / 1e3;
	ev_timer_again(fc->loop, &fc->ping_timer);
}

/*
 * From one prober what comes later is at least as new as what came before it,
 * so a snapshot inherits its predecessor's time. Another prober's has none
 * until its ECHO, and until then it does not push out one that is usable: a
 * prober that has just started knows less than the one before it did.
 */
static bool take_snapshot(struct feed_client *fc, const struct snapshot *snap)
{
	struct feed_slot *s =
	    feed_slots_take(&fc->slots, snap->cluster, mono_now());
	bool usable;

	if (s == NULL)
		return false;
	usable = is_feed_slot_usable(s, mono_now());
	if (s->snap.boot_id != snap->boot_id && usable) {
		s->next = *snap;
		s->has_next = true;
		ask_soon(fc);
		return true;
	}
	if (!usable)
		ask_soon(fc);
	decide_by(fc, s, snap);
	fc->cfg.snapshot_cb(fc->cfg.arg, &s->snap);
	return true;
}

/* One cluster's part of an ECHO whose PING was sent at `asked`. */
static void take_age(struct feed_client *fc, struct feed_slot *s,
    uint32_t age_ms, struct mono asked)
{
	struct mono now = mono_now();
	bool was = is_feed_slot_usable(s, now), is_new = s->has_next;
	struct mono until = {0};

	if (age_ms != FEED_AGE_STALE)
		until = mono_add(asked,
		    dur_us(fc->cfg.stale_after.us - (int64_t)age_ms * 1000));
	if (is_new && !is_mono_before(now, until))
		return; /* nothing yet that is better than what we have */
	s->until = until;
	if (is_new)
		decide_by(fc, s, &s->next);
	if (is_feed_slot_usable(s, now) && (!was || is_new))
		fc->cfg.snapshot_cb(fc->cfg.arg, &s->snap);
}

/*
 * The ECHO vouches for what came before it, as of the PING it answers: by our
 * own clock, so neither a queue nor a stepped clock makes old look new.
 */
static bool take_echo(struct feed_client *fc, const struct feed_echo *echo)
{
	const struct ping *p = &fc->pings[echo->nonce % PINGS];

	if (echo->nonce == 0 || echo->nonce > fc->nonce ||
	    echo->n > fc->slots.order_n)
		return false;
	if (p->nonce != echo->nonce)
		return true; /* of so long ago that it vouches for nothing */
	if (!fc->healthy)
		log_info("ready feed path=%s", fc->cfg.path);
	fc->healthy = true;
	fc->echoed = echo->nonce;
	fc->backoff = dur_ms(BACKOFF_MIN_MS);
	pace_pings(fc, echo);
	for (unsigned i = 0; i < echo->n; i++)
		take_age(fc, fc->slots.order[i], echo->age_ms[i], p->at);
	feed_slots_purge(&fc->slots, mono_now());
	return true;
}

/* False: not what a prober says, or not at this place. */
static bool take_msg(struct feed_client *fc, const struct feed_msg *m)
{
	switch (m->kind) {
	case FEED_HELLO:
		return true; /* its version was checked, no more is in it */
	case FEED_SNAPSHOT:
		return take_snapshot(fc, &m->u.snapshot);
	case FEED_ECHO:
		return take_echo(fc, &m->u.echo);
	case FEED_SEEN:
	case FEED_PING:
	case FEED_WANT:
	case FEED_STATS:
	case FEED_NONE:
	case FEED_KIND_N:
		break;
	}
	return false;
}

/* Gives: false if the connection is over. */
static bool read_one(struct feed_client *fc, bool *more)
{
	unsigned char buf[LIM_FEED_MSG];
	struct feed_msg m;
	ssize_t n = recv(fc->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

	*more = false;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		fc_drop(fc,
		    n == 0 ? "closed by the prober" : strerrordesc_np(errno));
		return false;
	}
	if ((size_t)n > sizeof(buf)) {
		fc_drop(fc, "a message above the limit");
		return false;
	}
	switch (feed_decode(slice_of(buf, (size_t)n), &m)) {
	case FEED_OK:
		break;
	case FEED_OTHER_VERSION:
		fc_drop(fc, "the prober speaks another version");
		return false;
	case FEED_BAD:
		fc_drop(fc, "a garbled message");
		return false;
	}
	if (!take_msg(fc, &m)) {
		fc_drop(fc, "a message out of place");
		return false;
	}
	/* A send on the way may have found the connection dead. */
	*more = fc->fd != -1;
	return *more;
}

/* Gives: false if the connection is over. */
static bool read_some(struct feed_client *fc)
{
	bool more = true;

	for (int i = 0; more && i < READ_MAX; i++) {
		if (!read_one(fc, &more))
			return false;
	}
	return true;
}

static void on_io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct feed_client *fc = fc_of(w->data);

	(void)loop;
	if ((revents & EV_ERROR) != 0) /* libev has stopped watching it */
		fc_drop(fc, "not watched: no memory");
	else if ((revents & EV_READ) == 0 || read_some(fc))
		fc_flush(fc);
}

static void on_ping_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct feed_client *fc = fc_of(w->data);

	(void)loop;
	(void)revents;
	fc->ping_due = true;
	fc_flush(fc);
}

static void on_want_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	fc_flush(fc_of(w->data));
}

/* Counters that find no room are not kept: the next ones say the same. */
static void on_stats_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct feed_client *fc = fc_of(w->data);
	struct feed_msg m = {.kind = FEED_STATS};

	(void)loop;
	(void)revents;
	if (fc->cfg.stats_cb == NULL)
		return;
	fc->cfg.stats_cb(fc->cfg.arg, &m.u.counts);
	(void)fc_send(fc, &m);
}

static void on_retry_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	fc_connect(fc_of(w->data));
}

static void fc_start(struct feed_client *fc)
{
	struct feed_msg m = {.kind = FEED_HELLO};

	ev_io_set(&fc->io, fc->fd, EV_READ);
	ev_io_start(fc->loop, &fc->io);
	m.u.hello.boot_id = fc->cfg.boot_id;
	(void)snprintf(m.u.hello.program, sizeof(m.u.hello.program), "%s",
	    "patroute-spoa");
	/* The first message on a new connection finds room, or it is dead. */
	if (fc_send(fc, &m) != SENT_YES) {
		if (fc->fd != -1)
			fc_drop(fc, "no room for HELLO");
		return;
	}
	fc->ping_timer.repeat = PING_MS / 1e3;
	ev_timer_again(fc->loop, &fc->ping_timer);
	ev_timer_again(fc->loop, &fc->stats_timer);
	fc->ping_due = true;
	fc_flush(fc);
}

static void fc_connect(struct feed_client *fc)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	assert(fc->fd == -1 && fc->slots.order_n == 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", fc->cfg.path);
	fc->fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fc->fd == -1 ||
	    connect(fc->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		fc_drop(fc, strerrordesc_np(errno));
		return;
	}
	fc_start(fc);
}

struct feed_client *feed_client_new(
    struct ev_loop *loop, const struct feed_client_cfg *cfg)
{
	struct feed_client *fc = calloc(1, sizeof(*fc));

	assert(loop != NULL && cfg != NULL && cfg->snapshot_cb != NULL);
	assert(cfg->path != NULL && strlen(cfg->path) < LIM_PATH);
	assert(cfg->boot_id != 0 && cfg->stale_after.us > 0);
	if (fc == NULL)
		return NULL;
	fc->magic = FC_MAGIC;
	fc->loop = loop;
	fc->cfg = *cfg;
	fc->fd = -1;
	fc->backoff = dur_ms(BACKOFF_MIN_MS);
	ev_init(&fc->io, on_io_cb);
	/* A snapshot that is there goes before what decides by it. */
	ev_set_priority(&fc->io, 1);
	ev_init(&fc->retry_timer, on_retry_cb);
	ev_timer_init(&fc->ping_timer, on_ping_cb, 0., PING_MS / 1e3);
	ev_timer_init(&fc->stats_timer, on_stats_cb, 0., STATS_MS / 1e3);
	ev_init(&fc->want_timer, on_want_cb);
	fc->io.data = fc->retry_timer.data = fc->ping_timer.data = fc;
	fc->stats_timer.data = fc->want_timer.data = fc;
	fc_connect(fc);
	return fc;
}

void feed_client_free(struct feed_client *fc)
{
	if (fc == NULL)
		return;
	assert(fc->magic == FC_MAGIC);
	ev_io_stop(fc->loop, &fc->io);
	ev_timer_stop(fc->loop, &fc->retry_timer);
	ev_timer_stop(fc->loop, &fc->ping_timer);
	ev_timer_stop(fc->loop, &fc->stats_timer);
	ev_timer_stop(fc->loop, &fc->want_timer);
	if (fc->fd != -1)
		(void)close(fc->fd);
	feed_slots_free(&fc->slots);
	fc->magic = 0;
	free(fc);
}

const struct snapshot *feed_client_get(
    const struct feed_client *fc, const char *cluster, struct mono now)
{
	const struct feed_slot *s;

	assert(fc != NULL && fc->magic == FC_MAGIC && cluster != NULL);
	s = feed_slots_find(&fc->slots, cluster);
	return s != NULL && is_feed_slot_usable(s, now) ? &s->snap : NULL;
}

void feed_client_read(struct feed_client *fc)
{
	assert(fc != NULL && fc->magic == FC_MAGIC);
	if (fc->fd != -1 && read_some(fc))
		fc_flush(fc);
}

uint32_t feed_client_age_ms(
    const struct feed_client *fc, const char *cluster, struct mono now)
{
	const struct feed_slot *s;

	assert(fc != NULL && fc->magic == FC_MAGIC && cluster != NULL);
	s = feed_slots_find(&fc->slots, cluster);
	if (s == NULL)
		return FEED_AGE_STALE;
	return feed_slot_age_ms(s, fc->cfg.stale_after, now);
}

void feed_client_want(
    struct feed_client *fc, const struct feed_want *want, struct mono now)
{
	struct feed_slot *s;

	assert(fc != NULL && fc->magic == FC_MAGIC && want != NULL);
	s = feed_slots_find(&fc->slots, want->cluster);
	if (s == NULL)
		return; /* never heard of: the prober has no such cluster */
	s->want = *want;
	s->want_due = true;
	if (fc->fd != -1 && flush_want(fc, s, now) == SENT_LATER)
		fc_watch(fc, EV_READ | EV_WRITE);
}
