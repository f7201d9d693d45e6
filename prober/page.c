/*
 * page.c - the page's files over HTTP; see page.h. Called by api.c. Nothing
 * blocks, nothing is read from a disk.
 *
 * What the page shows comes from members, operators and servers that are not
 * ours to trust: the page puts it in as text only, and should it ever fail to,
 * these headers are what a script from there runs into.
 */
#include "page.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const struct {
	const char *name, *value;
} headers[] = {
    {"Content-Security-Policy",
	"default-src 'none'; script-src 'self'; style-src 'self'; "
	"connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
	"form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"}, /* for those without frame-ancestors */
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    /* Asked for anew each time: an upgrade changes all files together. */
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache, private"},
    /* The same address is JSON to those who ask for that. */
    {MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT},
};

const struct page_file *page_find(struct slice path)
{
	for (size_t i = 0; i < page_files_n; i++)
		if (is_slice_eq(path, page_files[i].path))
			return &page_files[i];
	return NULL;
}

bool is_page_wanted(const char *accept)
{
	return accept != NULL && strstr(accept, "text/html") != NULL;
}

static bool add_headers(struct MHD_Response *r, const struct page_file *f)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (MHD_add_response_header(
			r, headers[i].name, headers[i].value) != MHD_YES)
			return false;
	return MHD_add_response_header(
		   r, MHD_HTTP_HEADER_CONTENT_TYPE, f->type) == MHD_YES &&
	    MHD_add_response_header(r, MHD_HTTP_HEADER_ETAG, f->etag) ==
	    MHD_YES;
}

enum MHD_Result page_answer(
    struct MHD_Connection *conn, const struct page_file *f)
{
	assert(conn != NULL && f != NULL);

	const char *has = MHD_lookup_connection_value(
	    conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
	bool same = has != NULL && strstr(has, f->etag) != NULL;
	/* MHD's signature takes void *, but PERSISTENT only reads. */
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(same ? 0 : f->n,
		(void *)(uintptr_t)f->bytes, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_NO;

	if (r == NULL)
		return MHD_NO;
	if (add_headers(r, f))
		rc = MHD_queue_response(
		    conn, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}
