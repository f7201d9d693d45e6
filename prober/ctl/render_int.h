/*
 * render_int.h - what the files of render share among themselves.
 */
#ifndef RENDER_INT_H
#define RENDER_INT_H

#include <stdio.h>

#include "render.h"

/* global, defaults, and the frontend of all listeners (render_front.c). */
void render_global(FILE *f, const struct conf *c);
void render_frontend(FILE *f, const struct conf *c);

/* One cluster's backends (render_back.c). */
void render_backends(FILE *f, const struct render *r, uint16_t cluster);
/* The desk and the agent. */
void render_agent(FILE *f, const struct conf *c);

/* Port 7000 (render_pages.c). */
void render_pages(FILE *f, const struct conf *c);

/* As HAProxy reads it: "500ms", "13s", "24h". */
#define RENDER_DUR 24
const char *render_dur(struct dur d, char buf[static RENDER_DUR]);

/* HOST:PORT, an IPv6 address in brackets. */
#define RENDER_AT (LIM_ADDR + 10)
const char *render_at(
    const char *host, uint16_t port, char buf[static RENDER_AT]);

/* Where this host's HAProxy reaches the prober's HTTP side. */
const char *render_prober(const struct conf *c);

/* A bind line up to its port's name. */
void render_bind(FILE *f, const struct conf_binds *own,
    const struct conf_binds *all, uint16_t port);

/* Raw lines, indented as the section's own. */
void render_extra(FILE *f, const struct conf_lines *l);

/* Is a listener of this kind among these? */
bool is_render_choice(const struct conf_listen *l); /* a client may ask */
bool is_render_any(const struct conf_listen *l);    /* the third way: any */
bool is_render_sync(const struct conf_listen *l);

/* Has this cluster (-1: any of them) a listener that is so? */
bool has_render(
    const struct conf *c, int cluster, bool (*is)(const struct conf_listen *l));

#endif
