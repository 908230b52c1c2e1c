/* SPDX-License-Identifier: BSD-3-Clause */
/* server_internal.h - what the files of the test server share. */
#ifndef PUBFS_TESTS_GCS_SERVER_INTERNAL_H
#define PUBFS_TESTS_GCS_SERVER_INTERNAL_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec.h"
#include "server.h"
#include "strbuf.h"

#define BODY_MAX    ((size_t)256 << 20)
#define PAGE_MAX    1000
#define MIB	    ((uint64_t)1 << 20)
#define CHUNK_UNIT  ((uint64_t)256 << 10) /* all chunks but the last are multiples of it */
#define SEGMENT_MAX 12
#define DENIED_MAX  8

/* Names with values, in order: parameters, headers. */
struct pairs {
	struct pair {
		char *name, *value;
	} * items;
	size_t n, alloc;
};
void pairs_add(struct pairs *p, const char *name, const char *value);
/* NULL: not there. Case does not matter, as in headers. */
const char *pairs_get(const struct pairs *p, const char *name);
void pairs_release(struct pairs *p);

struct fault {
	int kind;     /* -1: any */
	char *object; /* NULL: any */
	uint64_t skip, times, every, status, retry_after, retry_date, delay, slow, lost_status;
	uint64_t size, cut, page, huge, shift;
	bool drop, lost, garbage, hash, flip, has_size, has_cut, has_page, overlap, repeat, spin;
	bool decode, elsewhere, md5, crc32c, damage, unchecked, limit, careless;
};

struct stored {
	char *name;
	uint64_t generation, metageneration;
	int64_t created, updated;
	json_t *headers; /* what a client may set: contentType, metadata and so on */
	struct strbuf bytes;
	unsigned char md5[MD5_SIZE];
	uint32_t crc32c;
	bool composed; /* has no MD5 */
	uint64_t vast; /* so many bytes, made when they are asked for; 0: it is `bytes` */
};

struct bucket {
	char *name;
	json_t *resource;
	struct stored **objects; /* in byte order of the name */
	size_t n, alloc;
};

/* A copy or an upload that takes several requests. */
struct session {
	char *id, *bucket, *name;
	json_t *headers, *expected; /* as in struct upload */
	struct pairs conditions;
	struct strbuf bytes;	    /* of a resumable upload */
	uint64_t source_generation; /* of a rewrite, with how far it got */
	uint64_t done;
	char *source;
	json_t *answer; /* of a finished upload */
};

/* `lock` guards all that changes once the server runs, but for the atomics. */
struct gcs_server {
	struct MHD_Daemon *daemon;
	char *url;
	pthread_mutex_t lock;
	pthread_cond_t stop; /* ends the pauses */
	bool stopping;
	uint64_t delays_ended;

	struct bucket **buckets;
	size_t n_buckets, alloc_buckets;
	struct session *sessions;
	size_t n_sessions, alloc_sessions;
	uint64_t last_generation, last_session, rewrite_limit;

	struct fault *faults;
	size_t n_faults, alloc_faults;
	unsigned long counts[GCS_KIND_COUNT], connections, running, parallel;
	int64_t busy; /* microseconds */
	struct strbuf log;

	void *key; /* EVP_PKEY: what assertions are signed with; NULL: nobody asked yet */
	struct token {
		char *text;
		int64_t expires;
		bool revoked;
	} * tokens;
	size_t n_tokens, alloc_tokens;
	bool tokens_required, key_revoked, fields_required;
	int64_t token_life, clock_ahead; /* seconds, microseconds */
	char *denied[DENIED_MAX];	 /* permissions */
	size_t n_denied;
	uint64_t spins;
	char *tls_key, *certificate; /* PEM; NULL: no TLS */
};

struct request {
	struct gcs_server *server;
	enum gcs_kind kind;
	char *method;
	char *segments[SEGMENT_MAX]; /* of the path, decoded */
	size_t n_segments;
	struct pairs params, headers;
	struct strbuf body;
	struct fault fault; /* all zero: none */
	uint64_t delays_ended; /* when it was met */
	/* of the route */
	const char *bucket, *object, *to_bucket, *to_object;
};

struct reply {
	unsigned status;
	struct pairs headers;
	struct strbuf body;
	bool dropped;
};

/* server.c */
/* Answers one request, whoever brought it; the caller does not hold the lock. */
void request_answer(struct request *q, struct reply *p);
void request_release(struct request *q);
/* name=value&..., percent-encoded. False: it is malformed, or has a name twice. */
bool parse_form(const char *text, struct pairs *ret);
/* Splits "path?query" into segments and parameters. False: it is malformed. */
bool request_parse_target(struct request *q, const char *target);
const char *kind_name(enum gcs_kind kind);
const char *kind_permission(enum gcs_kind kind);
/* Sleeps, without the lock, until the time is over, delays are ended, or the server stops. */
void server_pause(const struct request *q, uint64_t milliseconds);
void reply_reset(struct reply *p, unsigned status);
void reply_header(struct reply *p, const char *name, const char *value);
/* An error as the API words it. */
void reply_error(struct reply *p, unsigned status, const char *reason, const char *fmt, ...)
	PRINTF(4, 5);
/* Takes the JSON; `fields` was asked for by the request. */
void reply_json(struct reply *p, const struct request *q, json_t *json);

/* server_fields.c: keeps what the parameter `fields` names. False: it is malformed, or names what
 * `json` could never have. */
bool fields_select(const char *fields, json_t *json);
/* True for a field that some answer of the API has. */
bool fields_known(const char *name);

/* server_objects.c; the caller holds the lock */
struct bucket *bucket_find(struct gcs_server *s, const char *name);
struct bucket *bucket_add(struct gcs_server *s, const char *name, json_t *settings);
void bucket_free(struct bucket *b);
size_t bucket_lower_bound(const struct bucket *b, const char *name);
struct stored *object_find(const struct bucket *b, const char *name);
/* Makes or replaces one; takes the bytes and a reference to the headers. */
struct stored *object_put(struct gcs_server *s, struct bucket *b, const char *name, json_t *headers,
			  struct strbuf *bytes);
void object_remove(struct bucket *b, struct stored *o);
json_t *object_json(const struct request *q, const struct bucket *b, const struct stored *o);
uint64_t object_size(const struct stored *o);
/* Appends its bytes from `first` to before `end`. */
void object_bytes(const struct stored *o, uint64_t first, uint64_t end, struct strbuf *out);
/* "crc32c=...,md5=..." */
char *object_hashes(const struct request *q, const struct stored *o);
uint32_t crc32c_of(const void *bytes, size_t n);
char *base64_text(const void *bytes, size_t n);
/* The bucket of the request, or NULL with the error answered. */
struct bucket *request_bucket(struct request *q, struct reply *p, const char *name);
/* The object as the parameter `generation_name` pins it, or NULL with the error answered. */
struct stored *request_object(struct request *q, struct reply *p, const struct bucket *b,
			      const char *name, const char *generation_name);
/* Checks all preconditions that are called PREFIX...Match, such as "if" or "ifSource", of an
 * object or of none. False, with 304, 400 or 412 answered: do not go on. */
bool conditions_hold(const struct pairs *params, const char *prefix, const struct stored *o,
		     bool is_read, struct reply *p);
/* A non-negative decimal number. */
bool parse_number(const char *text, uint64_t *ret);
bool object_name_valid(const char *name);

/* server_upload.c */
struct upload {
	char *name;
	json_t *headers;  /* what will be stored */
	json_t *expected; /* md5Hash, crc32c */
};
/* True for a field that a client may set, of the right type. */
bool header_settable(const char *name, const json_t *value);
void upload_release(struct upload *u);
/* Reads an object resource as a client sends it. False, with 400 answered: it is malformed. */
bool upload_parse(const char *text, size_t n, const char *default_type, struct upload *ret,
		  struct reply *p);
/* Stores the object if conditions and hashes agree. Takes the bytes. */
struct stored *upload_commit(struct request *q, struct bucket *b, const struct upload *u,
			     const struct pairs *conditions, struct strbuf *bytes, struct reply *p);

/* Sessions are kept to the end, as their answers may be asked for again. */
struct session *session_add(struct gcs_server *s);
struct session *session_find(struct gcs_server *s, const char *id);
void session_release(struct session *session);

/* the handlers; each is called with the lock held, and answers */
typedef void handler_fn(struct request *q, struct reply *p);
handler_fn answer_bucket_get, answer_bucket_insert, answer_list, answer_get, answer_read,
	answer_insert, answer_resumable_start, answer_resumable_chunk, answer_rewrite, answer_patch,
	answer_delete, answer_token, answer_metadata, answer_control;
/* called without it, since each of its parts takes it */
handler_fn answer_batch;

/* server_auth.c; the caller holds the lock */
void auth_release(struct gcs_server *s);
/* False, with 401 answered: the request has no token that is good now. */
bool auth_check(struct request *q, struct reply *p);
/* False, with 403 answered: nobody has this right. */
bool right_check(const struct request *q, const char *permission, struct reply *p);
/* The 403 for who lacks a right. */
void right_refuse(const struct request *q, const char *permission, struct reply *p);
/* As the server has it. */
int64_t server_now(const struct gcs_server *s);
/* The 401 for a token that is not, or no longer, good. */
void auth_refuse(struct reply *p);
/* An error as the token endpoint words it. */
void token_error(struct reply *p, unsigned status, const char *error, const char *description);

/* server_tls.c: makes a key and a certificate for that host. */
void tls_make(struct gcs_server *s, const char *host);
/* What a header has as a date. */
char *http_date_text(int64_t us);

#define SERVICE_ACCOUNT "pubfs@test-project.iam.gserviceaccount.com"

/* server_faults.c */
void fault_release(struct fault *f);
/* Takes what stands behind the word `fault` in a script. False: it is malformed. */
bool fault_add(struct gcs_server *s, char *words);
/* The fault that this request meets, or one that is all zero. */
struct fault fault_take(struct gcs_server *s, const struct request *q);
/* True: the fault is the answer. */
bool fault_before(const struct request *q, struct reply *p);
void fault_after(const struct request *q, struct reply *p);

#endif
