/*
 * load_hist.h - a histogram of latencies: linear within each power of two, so
 * that every bucket is 3 % wide.
 */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_SUB 32
#define HIST_N (40 * HIST_SUB)

struct hist {
	uint64_t n[HIST_N];
};

void hist_add(struct hist *h, int64_t us);
/* Gives: the value in microseconds below which the share `p` lies. */
double hist_at(const struct hist *h, double p);
/* A JSON list of [microseconds, count], the empty buckets left out. */
void hist_print(const struct hist *h, FILE *out);

#endif
