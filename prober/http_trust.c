/*
 * http_trust.c - see http_trust.h. Called by http_client.c.
 */
#include "http_trust.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lim.h"

/* Each may have its own. They never change, nor do the sessions of TLS that
   were made with them, for rest_* waits for a restart. */
#define TRUST_MAX LIM_CLUSTERS

static bool is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* Gives: false if one of the text's certificates is broken, or there is none.
   Who stands behind it would else be missing, and nobody told. */
static bool add_all(X509_STORE *store, struct slice pem)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	bool ok = in != NULL;
	unsigned n = 0;
	X509 *cert;

	while (ok &&
	    (cert = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL)) != NULL) {
		ok = X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
		n++;
	}
	/* The text's end is an error, too. */
	ok = ok && n > 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(in);
	ERR_clear_error();
	return ok;
}

static X509_STORE *parse(struct slice pem)
{
	X509_STORE *store = pem.len <= INT_MAX ? X509_STORE_new() : NULL;

	if (store != NULL &&
	    (!add_all(store, pem) ||
		X509_STORE_set_flags(store,
		    X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN) !=
		    1)) {
		X509_STORE_free(store);
		return NULL;
	}
	return store;
}

static struct http_trust *trust_new(struct slice pem)
{
	struct http_trust *t = calloc(1, sizeof(*t));
	unsigned char *text = malloc(pem.len);

	if (t != NULL && text != NULL)
		t->store = parse(pem);
	if (t == NULL || text == NULL || t->store == NULL) {
		free(text);
		free(t);
		return NULL;
	}
	memcpy(text, pem.p, pem.len);
	t->pem = slice_of(text, pem.len);
	return t;
}

struct x509_store_st *http_trust_get(struct http_trust **all, struct slice pem)
{
	struct http_trust *t;
	unsigned n = 0;

	assert(all != NULL && pem.len > 0);
	for (t = *all; t != NULL; t = t->next, n++) {
		if (is_same(t->pem, pem))
			return t->store;
	}
	t = n < TRUST_MAX ? trust_new(pem) : NULL;
	if (t == NULL)
		return NULL;
	t->next = *all;
	*all = t;
	return t->store;
}

void http_trust_free(struct http_trust **all)
{
	struct http_trust *t, *next;

	assert(all != NULL);
	for (t = *all; t != NULL; t = next) {
		next = t->next;
		X509_STORE_free(t->store);
		free((void *)(uintptr_t)t->pem.p);
		free(t);
	}
	*all = NULL;
}
