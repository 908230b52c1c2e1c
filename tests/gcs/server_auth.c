/* SPDX-License-Identifier: BSD-3-Clause */
/* server_auth.c - the test server's tokens: its token endpoint and its metadata server. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define PROJECT	       "test-project"
#define KEY_BITS       2048
#define KEY_ID	       "0123456789abcdef0123456789abcdef01234567"
#define CLIENT_ID      "123456789012-test.apps.googleusercontent.com"
#define CLIENT_SECRET  "client-secret"
#define REFRESH_TOKEN  "1//refresh-token"
#define LIFE_MAX       3600 /* of an assertion, in seconds */
#define SKEW	       300
#define ASSERTION_TYPE "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define SCOPES	       "https://www.googleapis.com/auth/"

void auth_release(struct gcs_server *s)
{
	for (size_t i = 0; i < s->n_tokens; i++)
		free(s->tokens[i].text);
	free(s->tokens);
	while (s->n_denied)
		free(s->denied[--s->n_denied]);
	EVP_PKEY_free(s->key);
}

void auth_refuse(struct reply *p)
{
	reply_error(p, 401, "authError", "Invalid Credentials");
	reply_header(p, "WWW-Authenticate",
		     "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"");
}

static bool token_good(const struct gcs_server *s, const char *text)
{
	for (size_t i = 0; i < s->n_tokens; i++)
		if (!strcmp(s->tokens[i].text, text))
			return !s->tokens[i].revoked && server_now(s) < s->tokens[i].expires;
	return false;
}

bool auth_check(struct request *q, struct reply *p)
{
	const char *text = pairs_get(&q->headers, "Authorization");

	if (!q->server->tokens_required)
		return true;
	if (!text)
		reply_error(p, 401, "required",
			    "Anonymous caller does not have %s access to the Google Cloud Storage "
			    "%s. Permission '%s' denied on resource (or it may not exist).",
			    kind_permission(q->kind), q->object ? "object" : "bucket",
			    kind_permission(q->kind));
	else if (strncmp(text, "Bearer ", 7) != 0 || !token_good(q->server, text + 7))
		auth_refuse(p);
	else
		return true;
	return false;
}

bool right_check(const struct request *q, const char *permission, struct reply *p)
{
	for (size_t i = 0; i < q->server->n_denied; i++) {
		if (!strcmp(q->server->denied[i], permission)) {
			right_refuse(q, permission, p);
			return false;
		}
	}
	return true;
}

void right_refuse(const struct request *q, const char *permission, struct reply *p)
{
	reply_error(p, 403, "forbidden",
		    "%s does not have %s access to the Google Cloud Storage %s. Permission '%s' "
		    "denied on resource (or it may not exist).",
		    SERVICE_ACCOUNT, permission, q->object ? "object" : "bucket", permission);
}

int64_t server_now(const struct gcs_server *s)
{
	return clock_now() + s->clock_ahead;
}

void token_error(struct reply *p, unsigned status, const char *error, const char *description)
{
	json_t *json = json_pack("{s:s, s:s}", "error", error, "error_description", description);
	CLEANUP(free_char) char *text = json_dumps(json, JSON_COMPACT);

	reply_reset(p, status);
	reply_header(p, "Content-Type", "application/json; charset=utf-8");
	strbuf_addstr(&p->body, text);
	json_decref(json);
}

static void issue_token(struct request *q, struct reply *p)
{
	struct gcs_server *s = q->server;
	struct token *token;
	json_t *json;
	CLEANUP(free_char) char *text = NULL;

	GROW(s->tokens, s->n_tokens, s->alloc_tokens);
	token = &s->tokens[s->n_tokens++];
	*token = (struct token){ .text = xasprintf("ya29.test-token-%zu", s->n_tokens),
				 .expires = server_now(s) + s->token_life * SECOND_US };
	json = json_pack("{s:s, s:I, s:s}", "access_token", token->text, "expires_in",
			 (json_int_t)s->token_life, "token_type", "Bearer");
	text = json_dumps(json, JSON_COMPACT);
	reply_reset(p, 200);
	reply_header(p, "Content-Type", "application/json; charset=utf-8");
	strbuf_addstr(&p->body, text);
	json_decref(json);
}

/* Base64 of RFC 4648, section 5, without padding. The length, or -1. */
static ssize_t decode_part(const char *text, size_t n, unsigned char *ret, size_t max)
{
	CLEANUP(free_char) char *standard = xmalloc(n + 4);
	size_t padded = (n + 3) / 4 * 4;
	int length;

	if (!n || n % 4 == 1 || padded / 4 * 3 > max)
		return -1;
	for (size_t i = 0; i < padded; i++) {
		char c = i < n ? text[i] : '=';

		if (i < n && (c == '+' || c == '/' || c == '='))
			return -1;
		standard[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	length = EVP_DecodeBlock(ret, (unsigned char *)standard, (int)padded);
	return length < 0 ? -1 : length - (ssize_t)(padded - n);
}

#define PART_MAX 4096

static json_t *decode_json(const char *text, size_t n)
{
	unsigned char bytes[PART_MAX];
	ssize_t length = decode_part(text, n, bytes, sizeof(bytes));

	return length < 0 ? NULL : json_loadb((char *)bytes, (size_t)length, 0, NULL);
}

static bool text_is(const json_t *json, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text && !strcmp(text, wanted);
}

static bool signature_good(void *key, const char *text, size_t n, const char *signature)
{
	unsigned char bytes[PART_MAX];
	ssize_t length = decode_part(signature, strlen(signature), bytes, sizeof(bytes));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good =
		key && length > 0 &&
		EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(ctx, bytes, (size_t)length, (const unsigned char *)text, n) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* What is wrong with the claims, or NULL. */
static const char *claims_fault(const struct gcs_server *s, const json_t *claims)
{
	CLEANUP(free_char) char *audience = xasprintf("%s/token", s->url);
	const char *scope = json_string_value(json_object_get(claims, "scope"));
	json_int_t issued = json_integer_value(json_object_get(claims, "iat"));
	json_int_t expires = json_integer_value(json_object_get(claims, "exp"));
	json_int_t now = server_now(s) / SECOND_US;

	if (!text_is(claims, "iss", SERVICE_ACCOUNT))
		return "Invalid grant: account not found";
	if (!text_is(claims, "aud", audience))
		return "Invalid JWT: Failed audience check. The right audience is the token URI";
	if (!scope || strncmp(scope, SCOPES, strlen(SCOPES)) != 0)
		return "Invalid OAuth scope or ID token audience provided.";
	if (issued > now + SKEW || expires <= now - SKEW || expires <= issued ||
	    expires - issued > LIFE_MAX)
		return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
		       "reasonable timeframe. Check your iat and exp values in the JWT claim.";
	return NULL;
}

/* What is wrong with the assertion, or NULL. */
static const char *assertion_fault(const struct gcs_server *s, const char *assertion)
{
	const char *first = strchr(assertion, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;
	const char *fault = "Invalid JWT Signature.";
	json_t *header, *claims;

	if (!second)
		return "Invalid JWT: three parts are needed";
	header = decode_json(assertion, (size_t)(first - assertion));
	claims = decode_json(first + 1, (size_t)(second - first - 1));
	if (!header || !claims)
		fault = "Invalid JWT: malformed";
	else if (!s->key_revoked && text_is(header, "alg", "RS256") &&
		 text_is(header, "typ", "JWT") && text_is(header, "kid", KEY_ID) &&
		 signature_good(s->key, assertion, (size_t)(second - assertion), second + 1))
		fault = claims_fault(s, claims);
	json_decref(header);
	json_decref(claims);
	return fault;
}

static bool value_is(const struct pairs *form, const char *name, const char *wanted)
{
	const char *value = pairs_get(form, name);

	return value && !strcmp(value, wanted);
}

static void answer_grant(struct request *q, struct reply *p, const struct pairs *form)
{
	const char *assertion = pairs_get(form, "assertion");
	const char *fault;

	if (value_is(form, "grant_type", ASSERTION_TYPE) && assertion) {
		fault = assertion_fault(q->server, assertion);
		if (fault)
			token_error(p, 400, "invalid_grant", fault);
		else
			issue_token(q, p);
	} else if (value_is(form, "grant_type", "refresh_token")) {
		if (!value_is(form, "client_id", CLIENT_ID) ||
		    !value_is(form, "client_secret", CLIENT_SECRET))
			token_error(p, 401, "invalid_client", "The OAuth client was not found.");
		else if (q->server->key_revoked || !value_is(form, "refresh_token", REFRESH_TOKEN))
			token_error(p, 400, "invalid_grant", "Token has been expired or revoked.");
		else
			issue_token(q, p);
	} else {
		token_error(p, 400, "unsupported_grant_type", "Invalid grant_type");
	}
}

void answer_token(struct request *q, struct reply *p)
{
	const char *type = pairs_get(&q->headers, "Content-Type");
	struct pairs form = { 0 };

	if (!type || strncmp(type, "application/x-www-form-urlencoded", 33) != 0 ||
	    !parse_form(q->body.buf, &form))
		token_error(p, 400, "invalid_request", "The body is no form");
	else
		answer_grant(q, p, &form);
	pairs_release(&form);
}

void answer_metadata(struct request *q, struct reply *p)
{
	const char *flavor = pairs_get(&q->headers, "Metadata-Flavor");
	const char *what = q->segments[q->n_segments - 1];

	if (!flavor || strcmp(flavor, "Google") != 0) {
		reply_reset(p, 403);
		strbuf_addstr(&p->body, "Missing Metadata-Flavor:Google header.\n");
	} else if (!strcmp(what, "token")) {
		issue_token(q, p);
	} else if (!strcmp(what, "email")) {
		reply_reset(p, 200);
		reply_header(p, "Content-Type", "application/text");
		strbuf_addstr(&p->body, SERVICE_ACCOUNT);
	} else if (!strcmp(what, "project-id")) {
		reply_reset(p, 200);
		reply_header(p, "Content-Type", "application/text");
		strbuf_addstr(&p->body, PROJECT);
	} else {
		reply_reset(p, 404);
	}
	reply_header(p, "Metadata-Flavor", "Google");
	reply_header(p, "Server", "Metadata Server for VM");
}

char *gcs_server_service_account(struct gcs_server *s)
{
	CLEANUP(free_char) char *uri = xasprintf("%s/token", s->url);
	BIO *pem = BIO_new(BIO_s_mem());
	char *bytes, *text;
	json_t *json;
	long n;

	pthread_mutex_lock(&s->lock);
	if (!s->key)
		s->key = EVP_RSA_gen(KEY_BITS);
	if (!s->key || PEM_write_bio_PKCS8PrivateKey(pem, s->key, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	pthread_mutex_unlock(&s->lock);
	n = BIO_get_mem_data(pem, &bytes);
	json = json_pack("{s:s, s:s, s:s, s:s%, s:s, s:s, s:s}", "type", "service_account",
			 "project_id", PROJECT, "private_key_id", KEY_ID, "private_key", bytes,
			 (size_t)n, "client_email", SERVICE_ACCOUNT, "client_id",
			 "123456789012345678901", "token_uri", uri);
	text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	BIO_free(pem);
	return text;
}

char *gcs_server_authorized_user(struct gcs_server *s)
{
	CLEANUP(free_char) char *uri = xasprintf("%s/token", s->url);
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "authorized_user",
				 "client_id", CLIENT_ID, "client_secret", CLIENT_SECRET,
				 "refresh_token", REFRESH_TOKEN, "token_uri", uri);
	char *text = json_dumps(json, JSON_INDENT(2));

	json_decref(json);
	return text;
}
