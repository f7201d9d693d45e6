/*
 * reload.h - SIGHUP: the file is read whole, then what can change at run time
 * does, and what cannot is named.
 */
#ifndef RELOAD_H
#define RELOAD_H

struct app;

/* Reads files: the one place after start where the loop waits for a disk. */
void reload(struct app *app);

#endif
