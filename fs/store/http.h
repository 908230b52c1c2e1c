/* SPDX-License-Identifier: BSD-3-Clause */
/* http.h - one HTTP request at a time a thread, over kept connections. */
#ifndef PUBFS_STORE_HTTP_H
#define PUBFS_STORE_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "strbuf.h"

struct body;
struct http;

struct http_options {
	const char *ca_file;	   /* certificates to be trusted; NULL: those of the system */
	const atomic_bool *cancel; /* true: what stands still ends, -ECANCELED; may be NULL */
	unsigned patience;	   /* seconds; 0: HTTP_PATIENCE. Tests have less */
};

/* The headers of an answer that are kept; others are not looked at. */
enum http_header {
	HTTP_CONTENT_ENCODING,
	HTTP_CONTENT_RANGE,
	HTTP_DATE,
	HTTP_GENERATION,
	HTTP_HASH, /* several are joined by commas */
	HTTP_LOCATION,
	HTTP_METADATA_FLAVOR,
	HTTP_RETRY_AFTER,
	HTTP_STORED_ENCODING,
	HTTP_HEADERS
};

#define HTTP_REQUEST_HEADERS 8

struct http_request {
	const char *method;
	const char *url;
	const char *about;    /* what a message calls it: a URL may hold a secret */
	const char *bearer;   /* a token, which no log shows; NULL: none */
	const char *headers[HTTP_REQUEST_HEADERS]; /* "Name: value"; the rest NULL */
	const struct body *body; /* NULL: none */
	struct strbuf *out;	 /* gets the body of an answer 2xx, untouched by all else; NULL:
				  * into `body` of the answer, as every other one */
	bool direct;		 /* through no proxy, whatever the environment says */
};

struct http_answer {
	long status;
	bool resent; /* on a second connection, after the first one took it without an answer */
	struct strbuf body; /* an error's text is cut at its maximum, all else is -E2BIG */
	char *header[HTTP_HEADERS]; /* NULL: it had none */
};
void http_answer_init(struct http_answer *answer, size_t max_body);
void http_answer_release(struct http_answer *answer);

int http_new(const struct http_options *options, struct http **ret) MUST_CHECK;
void http_free(struct http *h); /* no request may be under way */

/*
 * 0: there was an answer, whatever its status; `answer` (initialised) has it. -EAGAIN: the
 * connection failed, was cut, or stood still for all of our patience (noted as trouble).
 * -ECANCELED. -E2BIG: the body is over its maximum. -EIO (said): all else, such as a certificate
 * that is not to be trusted. What the body's read() failed with is returned as it is.
 */
int http_send(struct http *h, const struct http_request *request, struct http_answer *answer)
	MUST_CHECK;

/* Half of RETRY_DEADLINE: a connection that hangs is given up in time for another one. */
#define HTTP_PATIENCE 15

/* Appends `text` percent-encoded as one part of a path or a query (RFC 3986). */
void http_escape(const char *text, struct strbuf *out);
/* True for https, and for http to this host: nobody listens in on the way. */
bool http_is_private(const char *url);
/* The seconds since 1970 of a date in a header, or -1. */
int64_t http_date(const char *text);

#endif
