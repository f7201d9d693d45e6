/* unit.h - cmocka, and what every unit test of common needs. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A small generator: one seed makes one sequence, on every machine. */
static inline uint32_t unit_random(uint64_t *state)
{
	/* Vigna's splitmix64. */
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 32);
}

/* SEED from the environment, else a fixed one; printed, to be repeated. */
static inline uint64_t unit_seed(void)
{
	const char *s = getenv("SEED");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 10) : 20240607;

	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

#endif
