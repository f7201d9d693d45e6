/*
 * captured.h - what real Patroni 3.0.2 and etcd 3.4.23 answered, byte for byte,
 * in a cluster of three before and during a switchover.
 */
#ifndef CAPTURED_H
#define CAPTURED_H

extern const char rest_primary[];   /* GET /patroni of the leader */
extern const char rest_replica[];   /* GET /patroni of a replica */
extern const char rest_stopping[];  /* the old leader, a switchover under way */
extern const char rest_demoted[];   /* the same, a moment later */
extern const char rest_unlocked[];  /* a replica while nobody holds the key */
extern const char etcd_range[];     /* all keys of a cluster of three */
extern const char watch_created[];  /* the stream opens */
extern const char watch_failover[]; /* PUT failover {"leader":"node1"} */
extern const char watch_gone[];     /* DELETE leader */
extern const char watch_leader[];   /* PUT leader node2 */
extern const char watch_cleared[];  /* PUT failover {} */
extern const char watch_history[];  /* PUT history */
extern const char etcd_beat[];      /* a heartbeat: no key, and one key */
/* The last line of a member that lost its quorum; no newline behind it. */
extern const char watch_no_leader[];
/* A txn of etcd3_ask_read() in a cluster of two. */
extern const char etcd3_whole[];
/* etcd 3.4.23 by its v2 API: keys as Patroni writes them. */
extern const char etcd_version[]; /* GET /version */
extern const char v2_absent[];    /* GET leader, when there is none */
extern const char v2_leader[];    /* GET leader */
extern const char v2_members[];   /* GET members?recursive=true, two of them */
extern const char v2_renewed[];   /* leader: compareAndSwap by its holder */
extern const char v2_gone[];      /* leader: compareAndDelete */
extern const char v2_taken[];     /* leader: create, by node2 */
extern const char v2_expired[];   /* leader: expire */
extern const char v2_mkdir[];     /* a directory is made */
extern const char v2_removed[];   /* the cluster's directory is deleted */
extern const char v2_cleared[];   /* waitIndex is too old */

#endif
