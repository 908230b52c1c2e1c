/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs.h - what the files of the driver `gs:` share: the JSON API of Google Cloud Storage. */
#ifndef PUBFS_STORE_GCS_H
#define PUBFS_STORE_GCS_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "http.h"
#include "object.h"
#include "store.h"

struct auth;
struct strbuf;

#define GCS_ENDPOINT   "https://storage.googleapis.com"
#define GCS_ANSWER_MAX ((size_t)64 << 20) /* 1,000 objects with all metadata they may have */
#define GCS_URL_MAX    ((size_t)16 << 10) /* a name of 1,024 bytes, escaped, three times */
#define GCS_META_MAX   ((size_t)64 << 10)

struct gcs_store {
	struct store store;
	char *bucket, *endpoint; /* without a slash at its end */
	struct http *http;
	struct auth *auth;
};

struct gcs_store *gcs_of(struct store *s);

/* What is asked of the bucket: how a message calls it, and the right that it needs. */
enum gcs_call {
	CALL_LIST,
	CALL_GET,
	CALL_WRITE,
	CALL_UPLOAD, /* to a session that CALL_WRITE began */
	CALL_COPY,
	CALL_TOUCH,
	CALL_REMOVE,
	CALL_BUCKET_GET,
	CALL_BUCKET_CREATE,
};
const char *gcs_permission(enum gcs_call call);

/*
 * Sends a request with a token; one refused token is one refresh and one more try. `key` (NULL:
 * the bucket itself) is for messages; about and bearer of the request are set here. 0: the
 * answer is a success (2xx; of an upload 308, of a read 416, too). -ENOENT and -ESTALE are silent,
 * -EAGAIN is noted as trouble, the rest has been said: -EACCES (who lacks which right on what),
 * -EBADMSG (the server's hash of what it got is another one), -EIO.
 */
int gcs_send(struct gcs_store *g, enum gcs_call call, const char *key,
	     struct http_request *request, struct http_answer *answer) MUST_CHECK;
/* What an answer of this status is. The table that every call goes by. */
int gcs_status(long status);

/* Appends the URL of the bucket's objects, or of one: the endpoint, `service` ("/storage/v1", ...),
 * the bucket, and the key if it is not NULL. */
void gcs_url(const struct gcs_store *g, const char *service, const char *key, struct strbuf *out);
/* Append a parameter of the query. The number: not if it is STORE_ANY. */
void gcs_url_number(struct strbuf *url, const char *name, uint64_t number);
void gcs_url_text(struct strbuf *url, const char *name, const char *text);
/* What the edit asks of the object that it changes. */
void gcs_url_conditions(struct strbuf *url, const struct edit *e);

#define GCS_SERVICE "/storage/v1"
#define GCS_UPLOAD  "/upload/storage/v1"

/* The fields that are asked for of each object. */
#define GCS_FIELDS                                                                                 \
	"name,generation,metageneration,size,timeCreated,updated,md5Hash,crc32c,contentType,"      \
	"contentEncoding,cacheControl,contentDisposition,metadata"

void gcs_json_release(json_t **json);
/* The JSON of an answer. -EIO: it is none (said). */
int gcs_parse(const struct gcs_store *g, const struct http_answer *answer, json_t **ret) MUST_CHECK;
/* One object of an answer. -ENOENT: its name has a NUL, no key can say it. -EBADMSG: a member that
 * must be there is not, or is of another form; `ret` is untouched. */
int gcs_object_parse(const json_t *json, struct object *ret) MUST_CHECK;
/* Appends what is sent with a write or a copy: key, headers, custom keys and, where the object
 * has them, its checksums. */
int gcs_object_format(const struct object *obj, struct strbuf *out) MUST_CHECK;
/* The same for a PATCH: what is not set is taken away (null). */
int gcs_object_format_patch(const struct object *obj, struct strbuf *out) MUST_CHECK;
/* The one object that an answer is. Appends nothing; -EIO (said). */
int gcs_answer_object(const struct gcs_store *g, const struct http_answer *answer,
		      struct object *ret) MUST_CHECK;

int gcs_stat(struct store *s, const char *key, struct object *ret) MUST_CHECK;
int gcs_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
	     size_t length, struct strbuf *out) MUST_CHECK;
int gcs_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	     void *ctx) MUST_CHECK;
int gcs_list_part(struct store *s, const char *prefix, const char *after, const char *end,
		  object_fn *fn, void *ctx) MUST_CHECK;
int gcs_write(struct gcs_store *g, struct edit *e) MUST_CHECK;
int gcs_copy(struct gcs_store *g, struct edit *e) MUST_CHECK;
int gcs_remove(struct gcs_store *g, struct edit *e) MUST_CHECK;

#define GCS_BATCH_MAX 100 /* calls in one request: what the API takes */
/* True for Google's own endpoints, which mind the conditions of each call of a batch. */
bool gcs_batch_is_safe(const char *endpoint);
/* Up to GCS_BATCH_MAX removals that do not depend on each other, in one request. Each says of
 * itself how it went. */
void gcs_remove_many(struct gcs_store *g, struct edit *edits, size_t n);
extern const struct store_ops gcs_ops;

#endif
