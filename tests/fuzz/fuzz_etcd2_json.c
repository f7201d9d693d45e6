/*
 * etcd v2's answers, and Patroni's keys in them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "connurl.c"
#include "dcs_keys.c"
#include "etcd2_json.c"
#include "etcd_text.c"
#include "json.c"
#include "patroni_json.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void kv_cb(void *arg, const struct etcd2_kv *kv)
{
	struct dcs_keys *k = arg;

	assert(kv->key.len > 0 && kv->modified > 0 && kv->created > 0);
	assert(kv->deleted || (kv->value.p != NULL && !kv->dir));
	if (kv->deleted && kv->dir)
		dcs_keys_del_dir(k, kv->key);
	else if (kv->deleted)
		dcs_keys_del(k, kv->key);
	else
		dcs_keys_put(k, kv->key, kv->value, kv->created);
	assert(k->view.has_leader == (k->view.leader_rev != 0));
	assert(k->view.n <= LIM_MEMBERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dcs_keys k;
	const struct etcd2_sink sink = {.kv = kv_cb, .arg = &k};
	struct slice s = slice_of(data, size);
	struct etcd_version v;
	struct etcd2_answer a;

	if (!dcs_keys_init(&k, "/service/main/"))
		abort();
	/* A header's value: digits, or nothing. */
	assert(etcd2_cluster_id(s) == 0 || size <= 16);
	a = etcd2_decode(s, &sink);
	assert((a.kind == ETCD2_EVENT) == (a.modified > 0));
	assert(memchr(a.text, 0, sizeof(a.text)) != NULL);
	assert(memchr(a.cause, 0, sizeof(a.cause)) != NULL);
	if (etcd_version_decode(s, &v))
		assert(v.major > 0);
	return 0;
}
