/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_key.c - reads key files, and signs for service accounts (RFC 7523, with RS256). */
#include "gcs_key.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "codec.h"
#include "gcs.h"
#include "http.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define FILE_MAX      ((size_t)64 << 10)
#define TOKEN_URI     "https://oauth2.googleapis.com/token"
#define SCOPE	      "https://www.googleapis.com/auth/devstorage.full_control"
#define GRANT	      "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define LIFE	      3600 /* seconds; the most that is allowed */
#define SIGNATURE_MAX 1024

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void key_release(struct key *key)
{
	free(key->principal);
	free(key->project);
	free(key->token_uri);
	free(key->key_id);
	free(key->client_id);
	wipe(&key->private_key);
	wipe(&key->client_secret);
	wipe(&key->refresh_token);
	*key = (struct key){ .kind = KEY_NOBODY };
}

static int read_file(const char *path, struct strbuf *out)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	struct body body;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(-EACCES, "cannot read the key file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX)
		return fail(-EACCES, "%s is no key file", path);
	if (st.st_mode & (S_IROTH | S_IWGRP | S_IWOTH))
		return fail(-EACCES,
			    "the key file %s can be read or changed by others: chmod 600 it, "
			    "and think of its key as known",
			    path);
	body = body_of_file(fd, (uint64_t)st.st_size);
	return body_load(&body, out) < 0 ? -EACCES : 0;
}

/* The members that each type of file must have. */
struct member {
	const char *name;
	size_t offset; /* of a char * in struct key */
};
#define OF(field) offsetof(struct key, field)
static const struct key_type {
	const char *type;
	enum key_kind kind;
	struct member members[4];
} types[] = {
	{ "service_account",
	  KEY_SERVICE_ACCOUNT,
	  { { "client_email", OF(principal) },
	    { "private_key", OF(private_key) },
	    { "private_key_id", OF(key_id) } } },
	{ "authorized_user",
	  KEY_AUTHORIZED_USER,
	  { { "client_id", OF(client_id) },
	    { "client_secret", OF(client_secret) },
	    { "refresh_token", OF(refresh_token) } } },
};

static int parse_members(const char *path, const json_t *json, const struct key_type *type,
			 struct key *key)
{
	const char *uri = json_string_value(json_object_get(json, "token_uri"));

	for (const struct member *m = type->members; m->name; m++) {
		const char *text = json_string_value(json_object_get(json, m->name));

		if (!text || !*text)
			return fail(-EACCES, "the key file %s has no %s", path, m->name);
		*(char **)((char *)key + m->offset) = xstrdup(text);
	}
	key->kind = type->kind;
	key->token_uri = xstrdup(uri ? uri : TOKEN_URI);
	if (!http_is_private(key->token_uri))
		return fail(-EACCES,
			    "the key file %s would send its secret to %s, where others "
			    "could read it",
			    path, key->token_uri);
	key->project = xstrdup_or_null(json_string_value(json_object_get(json, "project_id")));
	if (!key->project)
		key->project = xstrdup_or_null(
			json_string_value(json_object_get(json, "quota_project_id")));
	if (!key->principal)
		key->principal = xasprintf("the user of %s", path);
	return 0;
}

static EVP_PKEY *private_key(const struct key *key)
{
	BIO *bio = BIO_new_mem_buf(key->private_key, -1);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

static int check_private_key(const char *path, const struct key *key)
{
	EVP_PKEY *pkey;
	bool is_rsa;

	if (key->kind != KEY_SERVICE_ACCOUNT)
		return 0;
	pkey = private_key(key);
	is_rsa = pkey && EVP_PKEY_is_a(pkey, "RSA");
	EVP_PKEY_free(pkey);
	return is_rsa ? 0
		      : fail(-EACCES, "the private_key in the key file %s is none of RSA", path);
}

int key_load(const char *path, struct key *ret)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(FILE_MAX);
	CLEANUP(gcs_json_release) json_t *json = NULL;
	CLEANUP(key_release) struct key key = { .kind = KEY_NOBODY };
	const struct key_type *type = NULL;
	const char *said;
	int r = read_file(path, &text);

	if (r < 0)
		return r;
	json = json_loadb(text.buf, text.len, JSON_REJECT_DUPLICATES, NULL);
	explicit_bzero(text.buf, text.len);
	said = json_string_value(json_object_get(json, "type"));
	for (size_t i = 0; said && i < ARRAY_SIZE(types); i++)
		if (!strcmp(said, types[i].type))
			type = &types[i];
	if (!type)
		return fail(-EACCES, "%s is no key file of a service account, nor of a user", path);
	r = parse_members(path, json, type, &key);
	if (r == 0)
		r = check_private_key(path, &key);
	if (r < 0)
		return r;
	*ret = key;
	key = (struct key){ .kind = KEY_NOBODY };
	return 0;
}

static int sign(const struct key *key, const struct strbuf *text, struct strbuf *out)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t n = sizeof(signature);
	EVP_PKEY *pkey = private_key(key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = pkey && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
		    EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text->buf,
				   text->len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	if (!done)
		return fail(-EACCES, "the private key of %s cannot sign", key->principal);
	base64url_encode(signature, n, out);
	return strbuf_error(out);
}

static void add_part(json_t *json, struct strbuf *out)
{
	CLEANUP(free_char) char *text = json_dumps(json, JSON_COMPACT);

	base64url_encode(text, strlen(text), out);
	json_decref(json);
}

static int add_assertion(const struct key *key, int64_t now, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(out->max);
	int r;

	add_part(json_pack("{ss ss ss}", "alg", "RS256", "typ", "JWT", "kid", key->key_id), &text);
	strbuf_addch(&text, '.');
	add_part(json_pack("{ss ss ss sI sI}", "iss", key->principal, "scope", SCOPE, "aud",
			   key->token_uri, "iat", (json_int_t)now, "exp", (json_int_t)(now + LIFE)),
		 &text);
	strbuf_addstr(out, text.buf);
	strbuf_addch(out, '.');
	r = sign(key, &text, out);
	return r < 0 ? r : strbuf_error(&text);
}

static void add_field(const char *name, const char *value, struct strbuf *out)
{
	strbuf_addf(out, "&%s=", name);
	http_escape(value, out);
}

int key_grant(const struct key *key, int64_t now, struct strbuf *out)
{
	if (key->kind == KEY_SERVICE_ACCOUNT) {
		strbuf_addstr(out, "grant_type=");
		http_escape(GRANT, out);
		strbuf_addstr(out, "&assertion=");
		return add_assertion(key, now, out);
	}
	strbuf_addstr(out, "grant_type=refresh_token");
	add_field("client_id", key->client_id, out);
	add_field("client_secret", key->client_secret, out);
	add_field("refresh_token", key->refresh_token, out);
	return strbuf_error(out);
}
