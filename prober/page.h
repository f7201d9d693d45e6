/*
 * page.h - the page at /topology: its files, as the build has put them in,
 * and the headers that keep a browser from doing more with them than we mean.
 */
#ifndef PAGE_H
#define PAGE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

struct page_file {
	const char *path; /* "/topology", "/topology/app.js" */
	const char *type; /* Content-Type */
	const char *etag; /* with its quotes; of the bytes alone */
	const unsigned char *bytes;
	size_t n;
};

/* Of the build (page/embed.cmake). */
extern const struct page_file page_files[];
extern const size_t page_files_n;

/* Gives: NULL if there is no such file. */
const struct page_file *page_find(struct slice path);

/* Does an Accept header ask for the page, not for JSON? NULL: no header. */
bool is_page_wanted(const char *accept);

/*
 * Answers with the file, 304 if the client has it by its ETag. `f` is one of
 * page_files. Gives: MHD's word on it.
 */
enum MHD_Result page_answer(
    struct MHD_Connection *conn, const struct page_file *f);

#endif
