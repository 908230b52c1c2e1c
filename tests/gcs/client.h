/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h - a plain client of the test server, over libcurl alone. */
#ifndef PUBFS_TESTS_GCS_CLIENT_H
#define PUBFS_TESTS_GCS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "strbuf.h"

#define CALL_HEADERS 6

struct call {
	const char *method, *target; /* path and query, as sent */
	const char *body;	     /* NULL: none */
	size_t n;		     /* of the body; 0: it is a text */
	const char *headers[CALL_HEADERS];
};

struct answer {
	long status; /* 0: there was none */
	bool whole;  /* it was not cut */
	struct strbuf headers, body;
	json_t *json; /* of the body, or NULL */
};

void answer_release(struct answer *a);
/* Sends it to the server at `url`. The caller releases the answer. */
struct answer client_send(const char *url, const struct call *call) MUST_CHECK;
/* GET of a target. */
struct answer client_get(const char *url, const char *target) MUST_CHECK;
/* A multipart upload into bucket b; `query` begins with '&' or is "". */
struct answer client_put(const char *url, const char *resource, const char *bytes,
			 const char *query) MUST_CHECK;
/* A header's value, or NULL; good until the next call for this answer. */
const char *answer_header(struct answer *a, const char *name);
/* A text in the JSON, by a path such as "items/0/name"; NULL: not there. */
const char *answer_text(const struct answer *a, const char *path);

#endif
