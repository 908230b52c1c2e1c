/* SPDX-License-Identifier: BSD-3-Clause */
/* server.h - a server for tests: the GCS JSON API, strict, countable, and failing on demand. */
#ifndef PUBFS_TESTS_GCS_SERVER_H
#define PUBFS_TESTS_GCS_SERVER_H

#include "compiler.h"

/* Kinds of requests, as they are counted and named in scripts, and the right that each needs. */
#define GCS_KINDS(X)                                                                               \
	X(GCS_BUCKET_GET, "bucket.get", "storage.buckets.get")                                     \
	X(GCS_BUCKET_INSERT, "bucket.insert", "storage.buckets.create")                            \
	X(GCS_LIST, "list", "storage.objects.list")                                                \
	X(GCS_GET, "get", "storage.objects.get")                                                   \
	X(GCS_READ, "read", "storage.objects.get")                                                 \
	X(GCS_INSERT, "insert", "storage.objects.create")                                          \
	X(GCS_RESUMABLE_START, "resumable.start", "storage.objects.create")                        \
	X(GCS_RESUMABLE_CHUNK, "resumable.chunk", "storage.objects.create")                        \
	X(GCS_RESUMABLE_STATUS, "resumable.status", "storage.objects.create")                      \
	X(GCS_REWRITE, "rewrite", "storage.objects.create")                                        \
	X(GCS_PATCH, "patch", "storage.objects.update")                                            \
	X(GCS_DELETE, "delete", "storage.objects.delete")                                          \
	X(GCS_BATCH, "batch", "")                                                                  \
	X(GCS_TOKEN, "token", "")                                                                  \
	X(GCS_METADATA, "metadata", "")                                                            \
	X(GCS_UNKNOWN, "unknown", "")

#define X(constant, name, permission) constant,
enum gcs_kind { GCS_KINDS(X) GCS_KIND_COUNT };
#undef X

struct gcs_server;

/* On a free port of 127.0.0.1, without a bucket. Never NULL: it aborts, saying why. */
struct gcs_server *gcs_server_start(void);
/* The same over TLS, with a certificate of its own for that host ("127.0.0.1" is the right one). */
struct gcs_server *gcs_server_start_tls(const char *host);
/* The certificate in PEM, owned by the server; NULL: it has none. */
const char *gcs_server_certificate(const struct gcs_server *s);
void gcs_server_stop(struct gcs_server *s);
/* http://127.0.0.1:PORT, owned by the server. The API is at /storage/v1 and so on, tokens at
 * /token, the metadata server at /computeMetadata/v1. */
const char *gcs_server_url(const struct gcs_server *s);

/*
 * Commands, one a line; -EINVAL: not understood, and then none after it is done.
 *	bucket NAME			make one
 *	fill BUCKET COUNT PREFIX	objects PREFIX000000 and so on, of one byte
 *	vast BUCKET OBJECT SIZE		an object for ranges alone, held by nobody: each 16 bytes of
 *					it are where they begin, in 15 hex digits, and a line end
 *	compose BUCKET OBJECT		the object has no MD5 any more, as a composed one
 *	tokens required|optional|revoked	`revoked`: those issued so far are refused
 *	token-life SECONDS		of tokens issued from now on; 0: expired when issued
 *	key revoked|valid		what the token endpoint says to the right signature
 *	deny PERMISSION			nobody has this right (also: overwriting, copying from)
 *	fields required|optional	`required`: objects and lists are only given by `fields`
 *	clock SECONDS			its clock is that much ahead of ours, or (-SECONDS) behind
 *	end-delays			ends those that are under way
 *	rewrite-limit BYTES		a rewrite call copies no more
 *	reset				no faults, nothing denied, and all counts 0
 *	fault KIND|* [object=NAME] [skip=N] [times=N | every=N] ACTION...
 * A fault is met by `times` requests of its kind after the first `skip` ones (default: by the next
 * one), or by every N-th; several wait in line, and of those that are due, the first is taken.
 * Actions:
 *	status=N [retry-after=S | retry-date=S]		that answer, without effect; the date is S
 *					seconds from now
 *	status=403 limit		not for a right, but for a limit
 *	drop				no answer, without effect
 *	lost[=N]			takes effect; then no answer, or this one
 *	cut=N				the answer ends after N bytes of its body
 *	delay=MS, slow=MS		before the answer; between its eighths
 *	garbage				HTML with status 200 in place of the answer
 *	huge=N				N bytes of blanks in place of the answer
 *	hash, md5, crc32c		both hashes are wrong, or that one alone
 *	flip, size=N			a wrong byte; N in place of the true length
 *	careless			an upload is made whatever its condition is
 *	damage [unchecked]		an upload arrives with a wrong byte; and is made, whatever
 *					hashes were sent with it
 *	decode				a gzip object is decoded though the client takes gzip; a
 *					range is one of what is decoded
 *	elsewhere			an upload goes on at another host
 *	shift=N				a range begins N bytes behind what was asked for
 *	page=N, overlap, repeat		a list page has at most N entries; begins with the last one
 *					of the page before; is answered again at its own token
 *	spin				the page is answered again, at a token that is always new
 */
int gcs_server_script(struct gcs_server *s, const char *lines) MUST_CHECK;

unsigned long gcs_server_count(struct gcs_server *s, enum gcs_kind kind);
/* All but tokens and metadata. */
unsigned long gcs_server_count_all(struct gcs_server *s);
/* Since the last reset: TCP connections taken, and the most requests that ran side by side. */
unsigned long gcs_server_connections(struct gcs_server *s);
unsigned long gcs_server_parallel(struct gcs_server *s);
/* A line a request: kind, status (0: dropped), object. The caller frees it. */
char *gcs_server_log(struct gcs_server *s) MUST_CHECK;

/* The texts of credential files that the token endpoint accepts. The caller frees them. */
char *gcs_server_service_account(struct gcs_server *s) MUST_CHECK;
char *gcs_server_authorized_user(struct gcs_server *s) MUST_CHECK;

/*
 * For shell tests, uncounted and without a token:
 *	POST /control		a script
 *	GET /control/counts	a line a kind: name, count; then `all`, `connections`, `parallel`,
 *				and `busy`, the milliseconds that all requests took together
 *	GET /control/log	gcs_server_log()
 *	GET /control/service-account, /control/authorized-user
 */

#endif
