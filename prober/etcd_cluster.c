/*
 * etcd_cluster.c - see etcd_cluster.h. Called by etcd.c only.
 */
#include <assert.h>

#include "etcd_cluster.h"

void etcd_cluster_clear(struct etcd_cluster *c)
{
	assert(c != NULL);
	dcs_keys_clear(&c->keys);
}

void etcd_cluster_read(struct etcd_cluster *c, const struct etcd3_kv *kv)
{
	assert(c != NULL && kv != NULL);
	dcs_keys_put(&c->keys, kv->key, kv->value, kv->mod_revision);
}

void etcd_cluster_take(struct etcd_cluster *c, const struct etcd3_range *range)
{
	assert(c != NULL && range != NULL);
	c->seen = range->head.revision;
	c->count = range->count;
	c->is_created = false;
	c->is_unproven = false;
}

void etcd_cluster_event(struct etcd_cluster *c, const struct etcd3_kv *kv)
{
	assert(c != NULL && kv != NULL);
	if (kv->deleted)
		dcs_keys_del(&c->keys, kv->key);
	else
		dcs_keys_put(&c->keys, kv->key, kv->value, kv->mod_revision);
	if (kv->deleted && c->count > 0)
		c->count--;
	else if (kv->created)
		c->count++;
	if (c->seen < kv->mod_revision)
		c->seen = kv->mod_revision;
	c->is_changed = true;
}

void etcd_cluster_show(struct etcd_cluster *c, struct mono at)
{
	assert(c != NULL);
	c->is_changed = false;
	c->keys.view.revision = c->seen;
	c->sink.view(c->sink.arg, &c->keys.view, at);
}

bool etcd_cluster_prove(
    struct etcd_cluster *c, int64_t revision, struct mono asked)
{
	assert(c != NULL);
	if (!c->is_unproven)
		return true;
	/* An event later than the answer: all before it came too. */
	if (c->seen <= revision &&
	    (c->beat.top_revision > c->seen || c->beat.count != c->count))
		return false;
	c->is_unproven = false;
	c->sink.alive(c->sink.arg, asked);
	return true;
}
