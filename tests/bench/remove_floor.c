/* SPDX-License-Identifier: BSD-3-Clause */
/* remove_floor.c - the least that removing many objects can be: one DELETE each, by curl. */
/*
 *	remove_floor URL BUCKET THREADS <LIST
 *
 * LIST has a line for each object: generation, a blank, the key, escaped for a URL. Each thread has
 * a connection of its own and takes the next line: the same request as pubfs makes, on the same
 * condition. No index, no database, no plan, no log.
 */
#include <curl/curl.h>
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static const char *base, *bucket;
static char **lines;
static size_t n_lines, alloc;
static atomic_size_t next_line;

static size_t drop_answer(char *bytes, size_t size, size_t n, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * n;
}

static void remove_one(CURL *curl, const char *line)
{
	const char *key = strchr(line, ' ') + 1;
	CLEANUP(free_char)
	char *url = xasprintf("%s/storage/v1/b/%s/o/%s?ifGenerationMatch=%.*s", base, bucket, key,
			      (int)(key - line - 1), line);
	CURLcode code;
	long status;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK || status != 204)
		errx(1, "%s: %s, status %ld", key, curl_easy_strerror(code), status);
}

static void *remove_many(void *ctx)
{
	CURL *curl = curl_easy_init();
	size_t i;

	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_answer);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	while ((i = next_line++) < n_lines)
		remove_one(curl, lines[i]);
	curl_easy_cleanup(curl);
	return ctx;
}

int main(int argc, char **argv)
{
	size_t n_threads = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, size = 0;
	pthread_t *threads = xcalloc(n_threads + 1, sizeof(*threads));
	char *line = NULL;
	ssize_t n;

	if (!n_threads)
		errx(2, "usage: remove_floor URL BUCKET THREADS <LIST");
	base = argv[1];
	bucket = argv[2];
	while ((n = getline(&line, &size, stdin)) > 1) {
		GROW(lines, n_lines, alloc);
		lines[n_lines++] = xstrndup(line, (size_t)n - 1);
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (size_t i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, remove_many, NULL))
			errx(1, "cannot start a thread");
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < n_lines; i++)
		free(lines[i]);
	free(lines);
	free(line);
	free(threads);
	curl_global_cleanup();
	return 0;
}
