/* make_snap.h - snapshots for tests. */
#ifndef MAKE_SNAP_H
#define MAKE_SNAP_H

#include <stdio.h>

#include "snapshot.h"

/* A leader (member 0, write target) and `n - 1` replicas fit for reads. */
static inline struct snapshot make_snap(unsigned n)
{
	struct snapshot s = {.boot_id = 77,
	    .seq = 1,
	    .cluster = "main",
	    .write = 0,
	    .write_why = SNAP_WHY_LEADER,
	    .fallback = SNAP_FALLBACK_PRIMARY,
	    .since_ms = 1234,
	    .n = (uint8_t)n};

	for (unsigned i = 0; i < n; i++) {
		struct snap_member *m = &s.m[i];

		(void)snprintf(m->name, sizeof(m->name), "node%u", i + 1);
		(void)snprintf(m->server, sizeof(m->server), "srv%u", i + 1);
		(void)snprintf(m->addr, sizeof(m->addr), "10.0.0.%u", i + 1);
		m->role = i == 0 ? SNAP_ROLE_LEADER : SNAP_ROLE_REPLICA;
		m->flags = SNAP_F_LIVE;
		m->why = i == 0 ? SNAP_WHY_LEADER : SNAP_WHY_REPLICA;
		m->port = 5432;
		m->weight = i == 0 ? 0 : 100;
		m->tli = 3;
		m->replay_lsn = 0x5000000;
		if (i > 0)
			m->flags |= SNAP_F_READ;
	}
	return s;
}

/* 32 members, every string as long as it may be. */
static inline struct snapshot make_snap_full(void)
{
	struct snapshot s = make_snap(LIM_MEMBERS);

	memset(s.cluster, 'c', sizeof(s.cluster) - 1);
	for (unsigned i = 0; i < LIM_MEMBERS; i++) {
		struct snap_member *m = &s.m[i];

		memset(m->name, 'n', sizeof(m->name) - 1);
		m->name[0] = (char)('A' + i / 10);
		m->name[1] = (char)('0' + i % 10);
		memset(m->server, 's', sizeof(m->server) - 1);
		memset(m->addr, 'a', sizeof(m->addr) - 1);
		m->lag_bytes = SNAP_LAG_UNKNOWN;
		m->lag_ms = SNAP_LAG_MS_UNKNOWN;
		m->replay_lsn = UINT64_MAX;
		m->tli = UINT32_MAX;
	}
	return s;
}

#endif
