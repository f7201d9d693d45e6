/*
 * etcd_cluster.c - see etcd_cluster.h. Called by the etcd*.c edges only.
 */
#include <assert.h>

#include "etcd_cluster.h"

void etcd_cluster_clear(struct etcd_cluster *c)
{
	assert(c != NULL);
	dcs_keys_clear(&c->keys);
	c->is_unproven = false;
	c->leader_seen = 0;
}

void etcd_cluster_show(struct etcd_cluster *c, struct mono at)
{
	int64_t seen = etcd_cluster_seen(c);

	c->is_changed = false;
	c->keys.view.revision = seen > 0 ? seen : c->index_seen;
	c->sink.view(c->sink.arg, &c->keys.view, at);
}

void etcd_cluster_read(struct etcd_cluster *c, const struct etcd3_kv *kv)
{
	assert(c != NULL && kv != NULL);
	dcs_keys_put(&c->keys, kv->key, kv->value, kv->mod_revision);
}

void etcd_cluster_take(struct etcd_cluster *c, const struct etcd3_read *read)
{
	unsigned i;

	assert(c != NULL && read != NULL);
	for (i = 0; i < ETCD3_PARTS; i++) {
		c->part[i] = (struct etcd_part){
		    .seen = read->head.revision, .count = read->count[i]};
	}
	c->is_unproven = false;
}

void etcd_cluster_event(
    struct etcd_cluster *c, unsigned part, const struct etcd3_kv *kv)
{
	struct etcd_part *p;

	assert(c != NULL && part < ETCD3_PARTS && kv != NULL);
	p = &c->part[part];
	if (kv->deleted)
		dcs_keys_del(&c->keys, kv->key);
	else
		dcs_keys_put(&c->keys, kv->key, kv->value, kv->mod_revision);
	if (kv->deleted && p->count > 0)
		p->count--;
	else if (kv->created)
		p->count++;
	if (p->seen < kv->mod_revision)
		p->seen = kv->mod_revision;
	c->is_changed = true;
}

int64_t etcd_cluster_seen(const struct etcd_cluster *c)
{
	int64_t seen = 0;
	unsigned i;

	assert(c != NULL);
	for (i = 0; i < ETCD3_PARTS; i++) {
		if (seen < c->part[i].seen)
			seen = c->part[i].seen;
	}
	return seen;
}

bool etcd_cluster_prove(
    struct etcd_cluster *c, int64_t revision, struct mono asked)
{
	unsigned i;

	assert(c != NULL);
	if (!c->is_unproven)
		return true;
	for (i = 0; i < ETCD3_PARTS; i++) {
		const struct etcd_part *p = &c->part[i];

		/* An event later than the answer: all before it came too. */
		if (p->seen <= revision &&
		    (p->beat.top_revision > p->seen ||
			p->beat.count != p->count))
			return false;
	}
	c->is_unproven = false;
	c->sink.alive(c->sink.arg, asked);
	return true;
}

/* Is it the leader key, or a directory that it is in? */
static bool has_leader_key(
    const struct etcd_cluster *c, const struct etcd2_kv *kv)
{
	return is_dcs_keys_leader(&c->keys, kv->key) ||
	    (kv->dir && is_dcs_keys_above(&c->keys, kv->key));
}

void etcd_cluster_node(struct etcd_cluster *c, const struct etcd2_kv *kv)
{
	assert(c != NULL && kv != NULL);
	/* A renewal keeps `created`, so it is no move. */
	if (kv->deleted && kv->dir)
		dcs_keys_del_dir(&c->keys, kv->key);
	else if (kv->deleted)
		dcs_keys_del(&c->keys, kv->key);
	else
		dcs_keys_put(&c->keys, kv->key, kv->value, kv->created);
	if (has_leader_key(c, kv))
		c->leader_seen = kv->modified;
	c->is_changed = true;
}

bool etcd_cluster_prove2(
    struct etcd_cluster *c, const struct etcd2_proof *proof)
{
	bool known;

	assert(c != NULL && proof != NULL);
	if (!c->is_unproven)
		return true;
	/* A watch ahead of the answer has told what was before it. */
	if (proof->modified > 0)
		known = proof->modified <= c->leader_seen;
	else
		known =
		    !c->keys.view.has_leader || c->leader_seen > proof->index;
	if (!known)
		return false;
	c->is_unproven = false;
	c->sink.alive(c->sink.arg, proof->asked);
	return true;
}
