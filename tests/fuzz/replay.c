/*
 * replay.c - runs a fuzz target over every file of its corpus, without
 * libFuzzer, so that each build type replays what fuzzing ever found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *dir, const char *name)
{
	char path[4096];
	unsigned char *data;
	FILE *f;
	long size;
	size_t got;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) == -1 || (size = ftell(f)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(f);
	/* Exactly as large as the input, so that a read past it is seen. */
	data = malloc(size > 0 ? (size_t)size : 1);
	if (data == NULL)
		exit(1);
	got = fread(data, 1, (size_t)size, f);
	(void)fclose(f);
	if (got != (size_t)size)
		exit(1);
	(void)LLVMFuzzerTestOneInput(data, got);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	struct dirent *de;
	DIR *d;
	int n = 0;

	if (argc != 2 || (d = opendir(argv[1])) == NULL) {
		(void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] != '.')
			n += replay_file(argv[1], de->d_name);
	}
	(void)closedir(d);
	(void)printf("%d inputs replayed\n", n);
	return n > 0 ? 0 : 1;
}
