/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_row.c - what the index keeps of an object, packed.
 *
 *	row	flags (1 byte), number, [checked], content, CRC-32 of the key and all before it
 *	content	flags, generation, metageneration, size, created, updated, [validated], [md5],
 *		[crc32c], [sha256], [decoded size], [type, cache control, disposition], runtime
 *		version, change
 *
 * Numbers are varints: seven bits a byte, the lowest first. Times stand as differences, folded so
 * that small negative ones are short: `created` to the generation (every driver counts those near
 * the time in microseconds), the others to `updated`. A text is its length + 1 and its bytes; 0 is
 * no text. A change number `<n>-<16 hex digits>` is n and eight bytes.
 *
 * The headers that the catalog gives to the key are not kept: one flag stands for all three.
 * row_format() changes with the catalog, so that an index never outlives the headers it means.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "codec.h"
#include "index.h"
#include "memory.h"

#define ROW_FORMAT 3 /* a new one whenever the layout changes */

#define CRC_SIZE      4
#define CRC32C_SIZE   4
#define NUMBER_DIGITS 20 /* of the largest one */
#define CHANGE_DIGITS 16
#define CHANGE_BYTES  (CHANGE_DIGITS / 2)

enum row_flag { ROW_TOMBSTONE = 1, ROW_DOOMED = 2, ROW_CHECKED = 4 };

enum content_flag {
	HAS_GZIP = 1,
	HAS_MD5 = 2,
	HAS_SHA256 = 4,
	HAS_DECODED_SIZE = 8,
	HAS_VALIDATED = 16,
	HAS_OWN_HEADERS = 32, /* others than the catalog's */
	HAS_PACKED_CHANGE = 64,
	HAS_CRC32C = 128,
	HAS_FOREIGN_ENCODING = 256,
};

/* Packed content, taken apart. Texts point into it; bytes NULL: no text. */
struct content {
	uint64_t flags, generation, metageneration, size, decoded_size, change_number;
	int64_t created, updated, validated;
	const unsigned char *md5, *crc32c, *sha256, *change_digits;
	struct slice type, cache_control, disposition, runtime_version, change;
};

static void add_number(struct strbuf *out, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		strbuf_addch(out, (char)(0x80 | (v & 0x7f)));
	strbuf_addch(out, (char)v);
}

static void add_difference(struct strbuf *out, uint64_t a, uint64_t b)
{
	uint64_t d = a - b;

	add_number(out, d >> 63 ? ~(d << 1) : d << 1);
}

static void add_text(struct strbuf *out, const char *s)
{
	add_number(out, s ? strlen(s) + 1 : 0);
	if (s)
		strbuf_addstr(out, s);
}

/* Each take_ function moves `in` on, and answers false where it ends too early. */
static bool take_number(struct slice *in, uint64_t *ret)
{
	const unsigned char *p = in->bytes;
	uint64_t v = 0;

	for (unsigned i = 0, shift = 0; i < in->n && shift < 64; i++, shift += 7) {
		v |= (uint64_t)(p[i] & 0x7f) << shift;
		if (!(p[i] & 0x80)) {
			*in = (struct slice){ p + i + 1, in->n - i - 1 };
			*ret = v;
			return true;
		}
	}
	return false;
}

static bool take_difference(struct slice *in, uint64_t base, int64_t *ret)
{
	uint64_t v;

	if (!take_number(in, &v))
		return false;
	*ret = (int64_t)(base + (v & 1 ? ~(v >> 1) : v >> 1));
	return true;
}

static bool take_bytes(struct slice *in, size_t n, const unsigned char **ret)
{
	if (n > in->n)
		return false;
	*ret = in->bytes;
	*in = (struct slice){ *ret + n, in->n - n };
	return true;
}

static bool take_text(struct slice *in, struct slice *ret)
{
	const unsigned char *bytes;
	uint64_t n;

	if (!take_number(in, &n))
		return false;
	*ret = (struct slice){ NULL, 0 };
	if (!n)
		return true;
	if (!take_bytes(in, (size_t)n - 1, &bytes))
		return false;
	*ret = (struct slice){ bytes, (size_t)n - 1 };
	return true;
}

static uint32_t checksum(const char *key, const void *bytes, size_t n)
{
	return libdeflate_crc32(libdeflate_crc32(0, key, strlen(key)), bytes, n);
}

void row_pack(const char *key, const struct row *row, struct strbuf *out)
{
	size_t begin = out->len;
	unsigned flags = (row->tombstone ? ROW_TOMBSTONE : 0) | (row->doomed ? ROW_DOOMED : 0) |
			 (row->checked != NO_TIME ? ROW_CHECKED : 0);
	uint32_t crc;

	strbuf_addch(out, (char)flags);
	add_number(out, row->number);
	if (row->checked != NO_TIME)
		add_number(out, (uint64_t)row->checked);
	strbuf_add(out, row->content.bytes, row->content.n);
	crc = checksum(key, out->buf + begin, out->len - begin);
	strbuf_add(out, &crc, CRC_SIZE);
}

int row_parse(const char *key, struct slice packed, struct row *ret)
{
	struct row row = { .checked = NO_TIME };
	struct slice in;
	const unsigned char *flags;
	uint64_t checked;
	uint32_t crc;

	if (packed.n < CRC_SIZE)
		return -EBADMSG;
	in = (struct slice){ packed.bytes, packed.n - CRC_SIZE };
	memcpy(&crc, (const char *)packed.bytes + in.n, CRC_SIZE);
	if (crc != checksum(key, in.bytes, in.n))
		return -EBADMSG;
	if (!take_bytes(&in, 1, &flags) || !take_number(&in, &row.number))
		return -EBADMSG;
	if (*flags & ROW_CHECKED) {
		if (!take_number(&in, &checked))
			return -EBADMSG;
		row.checked = (int64_t)checked;
	}
	row.tombstone = *flags & ROW_TOMBSTONE;
	row.doomed = *flags & ROW_DOOMED;
	row.content = in;
	*ret = row;
	return 0;
}

/* `<n>-<16 hex digits>` in the one spelling that is found again by printing it. */
static bool parse_change(const char *change, uint64_t *ret_n, unsigned char digits[CHANGE_BYTES])
{
	CLEANUP(free_char) char *again = NULL;
	char hex[CHANGE_DIGITS + 1], *end;
	unsigned long long n;

	if (!change || *change < '0' || *change > '9')
		return false;
	n = strtoull(change, &end, 10);
	if (*end != '-' || hex_decode(end + 1, digits, CHANGE_BYTES) < 0)
		return false;
	hex_encode(digits, CHANGE_BYTES, hex);
	again = xasprintf("%llu-%s", n, hex);
	*ret_n = n;
	return !strcmp(again, change);
}

void row_pack_content(const struct object *obj, struct strbuf *out)
{
	unsigned char digits[CHANGE_BYTES];
	bool own = !object_has_catalog_headers(obj), packed;
	uint64_t n = 0;

	packed = parse_change(obj->change, &n, digits);
	add_number(out, (obj->gzip ? HAS_GZIP : 0U) | (obj->has_md5 ? HAS_MD5 : 0U) |
				(obj->has_sha256 ? HAS_SHA256 : 0U) |
				(obj->has_decoded_size ? HAS_DECODED_SIZE : 0U) |
				(obj->validated != NO_TIME ? HAS_VALIDATED : 0U) |
				(own ? HAS_OWN_HEADERS : 0U) | (packed ? HAS_PACKED_CHANGE : 0U) |
				(obj->has_crc32c ? HAS_CRC32C : 0U) |
				(obj->foreign_encoding ? HAS_FOREIGN_ENCODING : 0U));
	add_number(out, obj->generation);
	add_number(out, obj->metageneration);
	add_number(out, obj->size);
	add_difference(out, (uint64_t)obj->created, obj->generation);
	add_difference(out, (uint64_t)obj->updated, (uint64_t)obj->created);
	if (obj->validated != NO_TIME)
		add_difference(out, (uint64_t)obj->validated, (uint64_t)obj->updated);
	if (obj->has_md5)
		strbuf_add(out, obj->md5, MD5_SIZE);
	if (obj->has_crc32c)
		strbuf_add(out, &obj->crc32c, CRC32C_SIZE);
	if (obj->has_sha256)
		strbuf_add(out, obj->sha256, SHA256_SIZE);
	if (obj->has_decoded_size)
		add_number(out, obj->decoded_size);
	if (own) {
		add_text(out, obj->type);
		add_text(out, obj->cache_control);
		add_text(out, obj->disposition);
	}
	add_text(out, obj->runtime_version);
	if (packed) {
		add_number(out, n);
		strbuf_add(out, digits, CHANGE_BYTES);
	} else {
		add_text(out, obj->change);
	}
}

static bool take_content(struct slice in, struct content *ret)
{
	struct content c = { .validated = NO_TIME };

	if (!take_number(&in, &c.flags) || !take_number(&in, &c.generation) ||
	    !take_number(&in, &c.metageneration) || !take_number(&in, &c.size) ||
	    !take_difference(&in, c.generation, &c.created) ||
	    !take_difference(&in, (uint64_t)c.created, &c.updated))
		return false;
	if (c.flags & HAS_VALIDATED && !take_difference(&in, (uint64_t)c.updated, &c.validated))
		return false;
	if (c.flags & HAS_MD5 && !take_bytes(&in, MD5_SIZE, &c.md5))
		return false;
	if (c.flags & HAS_CRC32C && !take_bytes(&in, CRC32C_SIZE, &c.crc32c))
		return false;
	if (c.flags & HAS_SHA256 && !take_bytes(&in, SHA256_SIZE, &c.sha256))
		return false;
	if (c.flags & HAS_DECODED_SIZE && !take_number(&in, &c.decoded_size))
		return false;
	if (c.flags & HAS_OWN_HEADERS &&
	    (!take_text(&in, &c.type) || !take_text(&in, &c.cache_control) ||
	     !take_text(&in, &c.disposition)))
		return false;
	if (!take_text(&in, &c.runtime_version))
		return false;
	if (c.flags & HAS_PACKED_CHANGE) {
		if (!take_number(&in, &c.change_number) ||
		    !take_bytes(&in, CHANGE_BYTES, &c.change_digits))
			return false;
	} else if (!take_text(&in, &c.change)) {
		return false;
	}
	*ret = c;
	return in.n == 0;
}

int row_check(const char *key, struct slice packed)
{
	struct content content;
	struct row row;
	int r = row_parse(key, packed, &row);

	if (r < 0)
		return r;
	if (row.tombstone)
		return row.content.n ? -EBADMSG : 0;
	return take_content(row.content, &content) ? 0 : -EBADMSG;
}

static char *text_of(struct slice s)
{
	return s.bytes ? xstrndup(s.bytes, s.n) : NULL;
}

static char *change_of(const struct content *c)
{
	char text[NUMBER_DIGITS + 1 + CHANGE_DIGITS + 1];
	char *at = text + NUMBER_DIGITS;
	uint64_t n = c->change_number;

	if (!(c->flags & HAS_PACKED_CHANGE))
		return text_of(c->change);
	*at = '-'; /* by hand, as it is done for every row that is looked at */
	hex_encode(c->change_digits, CHANGE_BYTES, at + 1);
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	return xstrdup(at);
}

int row_unpack_content(const char *key, struct slice content, struct object *ret)
{
	struct content c;

	if (!take_content(content, &c))
		return -EBADMSG;
	object_init(ret);
	ret->key = xstrdup(key);
	if (c.flags & HAS_OWN_HEADERS) {
		ret->type = text_of(c.type);
		ret->cache_control = text_of(c.cache_control);
		ret->disposition = text_of(c.disposition);
	} else {
		object_set_catalog_headers(ret);
	}
	ret->generation = c.generation;
	ret->metageneration = c.metageneration;
	ret->size = c.size;
	ret->created = c.created;
	ret->updated = c.updated;
	ret->validated = c.validated;
	ret->gzip = c.flags & HAS_GZIP;
	ret->foreign_encoding = c.flags & HAS_FOREIGN_ENCODING;
	ret->has_md5 = c.md5 != NULL;
	if (c.md5)
		memcpy(ret->md5, c.md5, MD5_SIZE);
	ret->has_crc32c = c.crc32c != NULL;
	if (c.crc32c)
		memcpy(&ret->crc32c, c.crc32c, CRC32C_SIZE);
	ret->has_sha256 = c.sha256 != NULL;
	if (c.sha256)
		memcpy(ret->sha256, c.sha256, SHA256_SIZE);
	ret->has_decoded_size = c.flags & HAS_DECODED_SIZE;
	ret->decoded_size = c.decoded_size;
	ret->runtime_version = text_of(c.runtime_version);
	ret->change = change_of(&c);
	return 0;
}

int row_unpack_fingerprint(const char *key, struct slice content, struct fingerprint *ret)
{
	struct content c;

	if (!take_content(content, &c))
		return -EBADMSG;
	*ret = (struct fingerprint){
		.key = key,
		.generation = c.generation,
		.size = c.size,
		.created = c.created,
		.updated = c.updated,
		.decoded_size = c.decoded_size,
		.has_decoded_size = c.flags & HAS_DECODED_SIZE,
		.sha256 = c.sha256,
		.md5 = c.md5,
		.has_crc32c = c.crc32c != NULL,
		.gzip = c.flags & HAS_GZIP,
		.foreign_encoding = c.flags & HAS_FOREIGN_ENCODING,
	};
	if (c.crc32c)
		memcpy(&ret->crc32c, c.crc32c, CRC32C_SIZE);
	if (c.flags & HAS_OWN_HEADERS) {
		CLEANUP(object_release) struct object obj;
		struct fingerprint own;

		object_init(&obj);
		if (row_unpack_content(key, content, &obj) < 0)
			return -EBADMSG;
		object_fingerprint(&obj, &own);
		ret->headers = own.headers;
	}
	return 0;
}

bool row_content_is_newer(struct slice a, struct slice b)
{
	struct content ca, cb;

	if (!take_content(a, &ca) || !take_content(b, &cb))
		return false;
	if (ca.generation != cb.generation)
		return ca.generation > cb.generation;
	return ca.metageneration >= cb.metageneration;
}

char *row_format(void)
{
	struct digest *digest = digest_new();
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	for (enum kind kind = KIND_NONE + 1; kind < KIND_COUNT; kind++) {
		const struct kind_info *info = catalog_info(kind);
		CLEANUP(free_char)
		char *line = xasprintf("%s\n%s\n%s\n%d\n", info->name, info->type,
				       info->cache_control, info->attachment);

		digest_add(digest, line, strlen(line));
	}
	digest_finish(digest, sum);
	hex_encode(sum, SHA256_SIZE, hex);
	return xasprintf("%d %s", ROW_FORMAT, hex);
}
