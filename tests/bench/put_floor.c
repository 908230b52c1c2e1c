/* SPDX-License-Identifier: BSD-3-Clause */
/* put_floor.c - the least that a copy of new files into a bucket can be: one PUT each, by curl. */
/*
 *	put_floor URL BUCKET PREFIX FILE...
 *
 * Each file is gzip'ed and sent as PREFIX + its name, if there is no such object: the same request
 * as pubfs makes, one after the other, on one connection. No gate, no comparison, no index.
 */
#include <curl/curl.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "memory.h"
#include "strbuf.h"

#define BODY_MAX ((size_t)8 << 20)
#define BOUNDARY "put-floor-4e1c6b0d8a2f"

static void read_all(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "re");
	char piece[65536];
	size_t n;

	if (!f)
		err(1, "%s", path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		strbuf_add(out, piece, n);
	if (ferror(f) || strbuf_error(out) < 0)
		errx(1, "%s cannot be read", path);
	fclose(f);
}

static void add_base64(struct strbuf *out, const char *name, const unsigned char *bytes, size_t n)
{
	strbuf_addf(out, ",\"%s\":\"", name);
	base64_encode(bytes, n, out);
	strbuf_addch(out, '"');
}

/* The metadata that pubfs sends for a listing. */
static void add_metadata(struct strbuf *out, const char *key, const struct strbuf *body,
			 const struct strbuf *stored)
{
	uint32_t crc = crc32c(0, stored->buf, stored->len);
	const unsigned char crc_bytes[] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
					    (unsigned char)(crc >> 8), (unsigned char)crc };
	unsigned char sha[SHA256_SIZE], sum[MD5_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(body->buf, body->len, sha);
	md5(stored->buf, stored->len, sum);
	hex_encode(sha, sizeof(sha), hex);
	strbuf_addf(out,
		    "{\"name\":\"%s\",\"contentType\":\"application/json; charset=\\\"utf-8\\\"\","
		    "\"contentEncoding\":\"gzip\",\"cacheControl\":\"public, max-age=120\","
		    "\"metadata\":{\"validated\":\"2026-01-02T03:04:05.678Z\",\"sha256\":\"%s\","
		    "\"decoded-size\":\"%zu\",\"change\":\"hand\"}",
		    key, hex, body->len);
	add_base64(out, "md5Hash", sum, sizeof(sum));
	add_base64(out, "crc32c", crc_bytes, sizeof(crc_bytes));
	strbuf_addch(out, '}');
}

static size_t drop_answer(char *bytes, size_t size, size_t n, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * n;
}

static void send_file(CURL *curl, const char *key, const char *path)
{
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(BODY_MAX);
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BODY_MAX);
	CLEANUP(strbuf_release) struct strbuf request = STRBUF_INIT(2 * BODY_MAX);
	CURLcode code;
	long status;

	read_all(path, &body);
	if (gzip_encode(body.buf, body.len, &stored) < 0)
		errx(1, "%s is too long", path);
	strbuf_addstr(&request, "--" BOUNDARY "\r\nContent-Type: application/json\r\n\r\n");
	add_metadata(&request, key, &body, &stored);
	strbuf_addstr(&request, "\r\n--" BOUNDARY "\r\nContent-Type: application/json\r\n\r\n");
	strbuf_add(&request, stored.buf, stored.len);
	strbuf_addstr(&request, "\r\n--" BOUNDARY "--\r\n");
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request.len);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.buf);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK || status != 200)
		errx(1, "%s: %s, status %ld", path, curl_easy_strerror(code), status);
}

int main(int argc, char **argv)
{
	struct curl_slist *headers = NULL;
	char *url;
	CURL *curl;

	if (argc < 4)
		errx(2, "usage: put_floor URL BUCKET PREFIX FILE...");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, "Content-Type: multipart/related; boundary=" BOUNDARY);
	url = xasprintf("%s/upload/storage/v1/b/%s/o?uploadType=multipart&ifGenerationMatch=0"
			"&fields=name,generation,metageneration,size,md5Hash,crc32c,timeCreated,"
			"updated",
			argv[1], argv[2]);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_answer);
	for (int i = 4; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		CLEANUP(free_char)
		char *key = xasprintf("%s%s", argv[3], slash ? slash + 1 : argv[i]);

		send_file(curl, key, argv[i]);
	}
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	curl_global_cleanup();
	free(url);
	return 0;
}
