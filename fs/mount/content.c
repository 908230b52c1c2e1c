/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * content.c - the decoded bytes of one generation, shared by all who read it.
 *
 *	            | up to CONTENT_IN_MEMORY | larger
 *	not gzip'ed | whole                   | in ranges of the generation
 *	gzip'ed     | whole                   | decoded into a temporary file
 *
 * LOADING --> READY or FAILED, by the thread that asked first; the others wait for it. A failed
 * one leaves the table at once, so that the next open tries again.
 *
 * What nobody has open any more stays for the next reader as it was stored, `kept_max` bytes of it
 * all, and what was used longest ago goes first. It is decoded again at the first read: mostly
 * there is none, as the kernel has kept the pages.
 *
 * The lock guards the table, the list of what is kept, and each content's state, error and
 * references; it is not held while bytes are fetched or decoded. `unpacking` guards `packed`, and
 * `bytes` while that is true.
 */
#include "content.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>
#include <zlib.h>

#include "catalog.h"
#include "codec.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "spool.h"
#include "store.h"
#include "strbuf.h"

#define PIECE	    ((size_t)256 << 10)
#define KEPT_BODY   ((size_t)256 << 10) /* a larger one would drive out too many */
#define GZIP_WINDOW (15 + 16) /* zlib's way to say: the largest window, and a gzip header */

enum state { LOADING, READY, FAILED };

struct content {
	struct contents *table;
	char *name; /* the bytes of the generation, and the key */
	enum state state;
	int error;
	unsigned refs;
	const char *key; /* the end of `name` */
	uint64_t generation, size;
	pthread_mutex_t unpacking;
	bool packed;	      /* `bytes` are to be made of `stored` */
	struct strbuf stored; /* gzip'ed, if it may be kept */
	struct strbuf bytes;  /* in memory, or */
	int fd;		      /* in a file, or */
	bool ranged;	      /* still in the store */
	struct content *prev, *next;
	UT_hash_handle hh;
};

struct contents {
	struct store *store;
	const char *spool_dir;
	pthread_mutex_t lock;
	pthread_cond_t loaded;
	struct content *all;
	struct content *kept; /* without references, the longest ago first */
	size_t kept_size, kept_max;
};

struct contents *contents_new(struct store *store, const char *spool_dir, size_t kept_max)
{
	struct contents *table = xcalloc(1, sizeof(*table));

	table->store = store;
	table->spool_dir = spool_dir;
	table->kept_max = kept_max;
	pthread_mutex_init(&table->lock, NULL);
	pthread_cond_init(&table->loaded, NULL);
	return table;
}

/* Exactly n stored bytes. -ESTALE: this generation is gone. */
static int fetch(struct content *c, uint64_t offset, size_t n, struct strbuf *out)
{
	size_t before = out->len;
	int r = store_read(c->table->store, c->key, c->generation, offset, n, out);

	if (r == -ENOENT || r == -ESTALE)
		return -ESTALE;
	if (r == -E2BIG)
		return fail(-EIO, "cannot read %s: out of memory", c->key);
	if (r < 0)
		return r == -EACCES || r == -ECANCELED ? r : -EIO;
	if (out->len - before != n)
		return fail(-EIO, "cannot read %s: it is shorter than its size", c->key);
	return 0;
}

static int check_sha256(const struct content *c, const struct object *obj,
			const unsigned char sum[SHA256_SIZE])
{
	if (obj->has_sha256 && memcmp(sum, obj->sha256, SHA256_SIZE) != 0)
		return fail(-EIO, "cannot read %s: its bytes are not those of its sha256", c->key);
	return 0;
}

static ssize_t fetch_piece(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	CLEANUP(strbuf_release) struct strbuf piece = STRBUF_INIT(n);
	int r = fetch(body->ctx, offset, n, &piece);

	if (r < 0)
		return r;
	memcpy(buf, piece.buf, n);
	return (ssize_t)n;
}

static struct body stored_body(struct content *c, uint64_t size)
{
	return (struct body){ .size = size, .fd = -1, .read = fetch_piece, .ctx = c };
}

/* What zlib has made of one piece goes into the file. */
static int keep_piece(struct content *c, struct digest *sum, const char *bytes, size_t n)
{
	int r;

	if (c->size + n > DOCUMENT_MAX)
		return fail(-EIO, "cannot read %s: decoded it is over %zu bytes", c->key,
			    DOCUMENT_MAX);
	digest_add(sum, bytes, n);
	r = spool_file_write(c->fd, c->size, bytes, n);
	c->size += n;
	return r < 0 ? -EIO : 0;
}

/* Decodes what the stream has at hand; `*ret_end`: a member has just ended. */
static int inflate_piece(struct content *c, z_stream *z, struct digest *sum, char *out,
			 bool *ret_end)
{
	do {
		int status;

		if (*ret_end) /* another member follows */
			inflateReset(z);
		z->next_out = (unsigned char *)out;
		z->avail_out = PIECE;
		status = inflate(z, Z_NO_FLUSH);
		if (status == Z_BUF_ERROR)
			return 0; /* it had all of it, and nothing is left to say */
		if (status != Z_OK && status != Z_STREAM_END)
			return -EBADMSG;
		*ret_end = status == Z_STREAM_END;
		if (keep_piece(c, sum, out, PIECE - z->avail_out) < 0)
			return -EIO;
	} while (z->avail_in || (!z->avail_out && !*ret_end));
	return 0;
}

static int inflate_all(struct content *c, const struct body *stored, z_stream *z,
		       struct digest *sum)
{
	CLEANUP(free_char) char *in = xmalloc(PIECE);
	CLEANUP(free_char) char *out = xmalloc(PIECE);
	bool end = false;

	for (uint64_t offset = 0; offset < stored->size;) {
		ssize_t got = body_read(stored, offset, in, PIECE);
		int r;

		if (got <= 0)
			return got ? (int)got : -EBADMSG;
		offset += (uint64_t)got;
		z->next_in = (unsigned char *)in;
		z->avail_in = (unsigned)got;
		r = inflate_piece(c, z, sum, out, &end);
		if (r < 0)
			return r;
	}
	return end ? 0 : -EBADMSG;
}

static int decode_to_file(struct content *c, const struct object *obj, const struct body *stored)
{
	unsigned char sum[SHA256_SIZE];
	struct digest *digest;
	z_stream z = { 0 };
	int r = spool_file(c->table->spool_dir, &c->fd);

	if (r < 0)
		return r;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return fail(-EIO, "cannot read %s: out of memory", c->key);
	digest = digest_new();
	r = inflate_all(c, stored, &z, digest);
	inflateEnd(&z);
	digest_finish(digest, sum);
	if (r == -EBADMSG)
		return fail(-EIO, "cannot read %s: it is not whole gzip", c->key);
	return r < 0 ? r : check_sha256(c, obj, sum);
}

static int load_document(struct content *c, const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(CONTENT_IN_MEMORY);
	struct body body = stored_body(c, obj->size);
	unsigned char sum[SHA256_SIZE];
	int r;

	if (obj->size > CONTENT_IN_MEMORY ||
	    (obj->has_decoded_size && obj->decoded_size > CONTENT_IN_MEMORY))
		return decode_to_file(c, obj, &body);
	r = fetch(c, 0, obj->size, &stored);
	if (r < 0)
		return r;
	r = gzip_decode(stored.buf, stored.len, &c->bytes);
	if (r == -E2BIG) {
		strbuf_release(&c->bytes);
		body = body_of_strbuf(&stored);
		return decode_to_file(c, obj, &body);
	}
	if (r < 0)
		return fail(-EIO, "cannot read %s: it is not whole gzip", c->key);
	c->size = c->bytes.len;
	sha256(c->bytes.buf, c->bytes.len, sum);
	r = check_sha256(c, obj, sum);
	if (!r && stored.len <= KEPT_BODY) {
		strbuf_init(&c->stored, stored.len);
		strbuf_add(&c->stored, stored.buf, stored.len);
	}
	return r;
}

static int load(struct content *c, const struct object *obj)
{
	unsigned char sum[SHA256_SIZE];
	int r;

	if (obj->foreign_encoding)
		return fail(-EIO,
			    "cannot read %s: its Content-Encoding is not gzip, and nothing "
			    "here decodes it",
			    c->key);
	if (obj->gzip)
		return load_document(c, obj);
	c->size = obj->size;
	c->ranged = obj->size > CONTENT_IN_MEMORY;
	if (c->ranged)
		return 0;
	r = fetch(c, 0, obj->size, &c->bytes);
	if (r < 0)
		return r;
	sha256(c->bytes.buf, c->bytes.len, sum);
	return check_sha256(c, obj, sum);
}

static size_t name_size(const char *key)
{
	return sizeof(uint64_t) + strlen(key);
}

static char *name_of(uint64_t generation, const char *key)
{
	char *name = xmalloc(name_size(key) + 1);

	memcpy(name, &generation, sizeof(generation));
	strcpy(name + sizeof(generation), key);
	return name;
}

static struct content *content_new(struct contents *table, const struct object *obj, char *name)
{
	struct content *c = xcalloc(1, sizeof(*c));

	c->table = table;
	c->name = name;
	c->refs = 1;
	c->key = name + sizeof(c->generation);
	c->generation = obj->generation;
	c->fd = -1;
	pthread_mutex_init(&c->unpacking, NULL);
	strbuf_init(&c->stored, 0);
	strbuf_init(&c->bytes, CONTENT_IN_MEMORY);
	HASH_ADD_KEYPTR(hh, table->all, c->name, name_size(c->key), c);
	return c;
}

static void content_free(struct content *c)
{
	pthread_mutex_destroy(&c->unpacking);
	strbuf_release(&c->stored);
	strbuf_release(&c->bytes);
	close_fd(&c->fd);
	free(c->name);
	free(c);
}

/* What nobody has open. */

static size_t weight_of(const struct content *c)
{
	return sizeof(*c) + name_size(c->key) + c->stored.alloc;
}

/* Under the lock, as the two below. */
static void unkeep(struct contents *table, struct content *c)
{
	DL_DELETE(table->kept, c);
	table->kept_size -= weight_of(c);
}

static void drop(struct contents *table, struct content *c)
{
	HASH_DEL(table->all, c);
	content_free(c);
}

static void keep(struct contents *table, struct content *c)
{
	strbuf_release(&c->bytes);
	c->packed = true;
	DL_APPEND(table->kept, c);
	table->kept_size += weight_of(c);
	while (table->kept_size > table->kept_max) {
		struct content *oldest = table->kept;

		unkeep(table, oldest);
		drop(table, oldest);
	}
}

void contents_free(struct contents *table)
{
	while (table->kept) {
		struct content *c = table->kept;

		unkeep(table, c);
		drop(table, c);
	}
	assert(!table->all);
	pthread_cond_destroy(&table->loaded);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static void get(struct contents *table, struct content *c)
{
	if (!c->refs++)
		unkeep(table, c);
}

static int unpack(struct content *c)
{
	int r = 0;

	pthread_mutex_lock(&c->unpacking);
	if (c->packed)
		r = gzip_decode(c->stored.buf, c->stored.len, &c->bytes);
	c->packed = c->packed && r < 0;
	pthread_mutex_unlock(&c->unpacking);
	return r < 0 ? fail(-EIO, "cannot read %s: out of memory", c->key) : 0;
}

void content_close(struct content *c)
{
	struct contents *table = c->table;

	pthread_mutex_lock(&table->lock);
	if (!--c->refs) {
		if (c->state == FAILED)
			content_free(c);
		else if (c->stored.len)
			keep(table, c);
		else
			drop(table, c);
	}
	pthread_mutex_unlock(&table->lock);
}

/* Under the lock. Until the thread that fetches it has ended, or this one's caller wants no more.
 */
static int wait_until_loaded(struct contents *table, const struct content *c)
{
	int r = 0;

	while (c->state == LOADING && r == 0)
		r = interrupt_wait(&table->loaded, &table->lock);
	return r < 0 ? r : c->error;
}

/* `*ret_shared`: another thread fetches it. */
static int open_once(struct contents *table, const struct object *obj, struct content **ret,
		     bool *ret_shared)
{
	CLEANUP(free_char) char *name = name_of(obj->generation, obj->key);
	struct content *c;
	int r;

	pthread_mutex_lock(&table->lock);
	HASH_FIND(hh, table->all, name, name_size(obj->key), c);
	*ret_shared = c;
	if (c) {
		get(table, c);
		r = wait_until_loaded(table, c);
	} else {
		c = content_new(table, obj, steal(name));
		pthread_mutex_unlock(&table->lock);
		r = load(c, obj);
		pthread_mutex_lock(&table->lock);
		c->error = r;
		c->state = r < 0 ? FAILED : READY;
		if (r < 0)
			HASH_DEL(table->all, c);
		pthread_cond_broadcast(&table->loaded);
	}
	pthread_mutex_unlock(&table->lock);
	if (r < 0)
		content_close(c);
	else
		*ret = c;
	return r;
}

/* Where the reader that fetched it was interrupted, another one goes on. */
int content_open(struct contents *table, const struct object *obj, struct content **ret)
{
	bool shared;
	int r;

	do
		r = open_once(table, obj, ret, &shared);
	while (r == -ECANCELED && shared && !interrupt_asked());
	return r;
}

static struct content *find_ready(struct contents *table, const char *key, uint64_t generation,
				  bool kept)
{
	CLEANUP(free_char) char *name = name_of(generation, key);
	struct content *c;

	pthread_mutex_lock(&table->lock);
	HASH_FIND(hh, table->all, name, name_size(key), c);
	if (c && c->state == READY && (c->refs || kept))
		get(table, c);
	else
		c = NULL;
	pthread_mutex_unlock(&table->lock);
	return c;
}

struct content *content_open_again(struct contents *table, const char *key, uint64_t generation)
{
	return find_ready(table, key, generation, false);
}

struct content *content_open_kept(struct contents *table, const char *key, uint64_t generation)
{
	return find_ready(table, key, generation, true);
}

uint64_t content_size(const struct content *c)
{
	return c->size;
}

ssize_t content_read(struct content *c, uint64_t offset, void *buf, size_t n)
{
	struct body body;
	ssize_t r = content_body(c, &body);

	if (!r)
		r = body_read(&body, offset, buf, n);
	if (r == -ESTALE)
		return fail(-EIO, "cannot read on in %s: it was replaced meanwhile", c->key);
	return r;
}

int content_body(struct content *c, struct body *ret)
{
	int r = unpack(c);

	if (r < 0)
		return r;
	if (c->ranged)
		*ret = stored_body(c, c->size);
	else
		*ret = c->fd >= 0 ? body_of_file(c->fd, c->size)
				  : body_of_bytes(c->bytes.buf, c->size);
	return 0;
}
