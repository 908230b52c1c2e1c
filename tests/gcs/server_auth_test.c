/* SPDX-License-Identifier: BSD-3-Clause */
/* server_auth_test.c - the test server gives tokens to the right, and takes no others. */
#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "memory.h"
#include "server.h"

#define LIST	"/storage/v1/b/b/o"
#define ACCOUNT "pubfs@test-project.iam.gserviceaccount.com"
#define SCOPE	"https://www.googleapis.com/auth/devstorage.read_write"
#define FORM	"Content-Type: application/x-www-form-urlencoded"
#define KEY_ID	"0123456789abcdef0123456789abcdef01234567"

static struct gcs_server *server;
static const char *url;

static void begin(void)
{
	server = gcs_server_start();
	url = gcs_server_url(server);
	cr_assert_eq(gcs_server_script(server, "bucket b\ntokens required"), 0);
}

static void end(void)
{
	gcs_server_stop(server);
}

TestSuite(gcs_token, .init = begin, .fini = end);

static struct answer ask_token(const char *form)
{
	const struct call call = {
		.method = "POST", .target = "/token", .body = form, .headers = { FORM }
	};

	return client_send(url, &call);
}

static long status_with(const char *token)
{
	CLEANUP(free_char) char *header = xasprintf("Authorization: Bearer %s", token);
	const struct call call = { .method = "GET",
				   .target = LIST,
				   .headers = { token ? header : NULL } };
	CLEANUP(answer_release) struct answer a = client_send(url, &call);

	return a.status;
}

static void add_base64url(struct strbuf *out, const void *bytes, size_t n)
{
	CLEANUP(free_char) char *text = xmalloc(n / 3 * 4 + 5);

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
	for (const char *at = text; *at && *at != '='; at++)
		strbuf_addch(out, *at == '+' ? '-' : *at == '/' ? '_' : *at);
}

/* What differs from a good assertion; empty fields do not. */
struct variant {
	const char *name, *header, *iss, *aud, *scope;
	int64_t issued, life; /* from now; 0: an hour */
	bool other_key, spoilt;
	long status;
};

static EVP_PKEY *key_of(const struct variant *v)
{
	CLEANUP(free_char) char *text = gcs_server_service_account(server);
	json_t *json = json_loads(text, 0, NULL);
	const char *pem = json_string_value(json_object_get(json, "private_key"));
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key =
		v->other_key ? EVP_RSA_gen(2048) : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	cr_assert_not_null(key);
	BIO_free(bio);
	json_decref(json);
	return key;
}

static void sign(const struct variant *v, struct strbuf *text)
{
	EVP_PKEY *key = key_of(v);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[512];
	size_t n = sizeof(signature);

	cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	cr_assert_eq(EVP_DigestSign(ctx, signature, &n, (unsigned char *)text->buf, text->len), 1);
	signature[0] ^= v->spoilt;
	strbuf_addch(text, '.');
	add_base64url(text, signature, n);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static struct answer ask_with(const struct variant *v)
{
	const char *header = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"" KEY_ID "\"}";
	int64_t issued = clock_now() / SECOND_US + v->issued;
	CLEANUP(free_char) char *audience = xasprintf("%s/token", url);
	CLEANUP(free_char)
	char *claims = xasprintf(
		"{\"iss\":\"%s\",\"aud\":\"%s\",\"scope\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
		v->iss ? v->iss : ACCOUNT, v->aud ? v->aud : audience, v->scope ? v->scope : SCOPE,
		(long long)issued, (long long)(issued + (v->life ? v->life : 3600)));
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(10000);
	CLEANUP(free_char) char *form = NULL;

	header = v->header ? v->header : header;
	add_base64url(&text, header, strlen(header));
	strbuf_addch(&text, '.');
	add_base64url(&text, claims, strlen(claims));
	sign(v, &text);
	form = xasprintf("grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&"
			 "assertion=%s",
			 text.buf);
	return ask_token(form);
}

Test(gcs_token, an_assertion_is_good_when_all_of_it_is)
{
	static const struct variant variants[] = {
		{ .name = "good", .status = 200 },
		{ .name = "short", .life = 60, .status = 200 },
		{ .name = "a clock that is a little fast", .issued = 60, .status = 200 },
		{ .name = "a clock an hour fast", .issued = 3600, .status = 400 },
		{ .name = "a clock two hours slow", .issued = -7200, .status = 400 },
		{ .name = "a long life", .life = 3601, .status = 400 },
		{ .name = "another account", .iss = "x@example.com", .status = 400 },
		{ .name = "another audience", .aud = "https://example.com", .status = 400 },
		{ .name = "another scope", .scope = "email", .status = 400 },
		{ .name = "another key", .other_key = true, .status = 400 },
		{ .name = "a spoilt signature", .spoilt = true, .status = 400 },
		{ .name = "no algorithm",
		  .header = "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"" KEY_ID "\"}",
		  .status = 400 },
		{ .name = "another key's name",
		  .header = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}",
		  .status = 400 },
		{ .name = "a header that is not JSON", .header = "x", .status = 400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		CLEANUP(answer_release) struct answer a = ask_with(&variants[i]);

		cr_expect_eq(a.status, variants[i].status, "%s: %s", variants[i].name, a.body.buf);
		if (a.status == 200)
			cr_expect_eq(status_with(answer_text(&a, "access_token")), 200);
		else
			cr_expect_str_eq(answer_text(&a, "error"), "invalid_grant");
	}
}

Test(gcs_token, a_refresh_token_is_good_with_its_client)
{
	static const char good[] = "grant_type=refresh_token&client_id=123456789012-test.apps."
				   "googleusercontent.com&client_secret=client-secret&"
				   "refresh_token=1%2F%2Frefresh-token";
	static const struct {
		const char *form;
		long status;
	} rows[] = {
		{ good, 200 },
		{ "grant_type=refresh_token&client_id=x&client_secret=y&refresh_token=z", 401 },
		{ "grant_type=password", 400 },
		{ "", 400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(answer_release) struct answer a = ask_token(rows[i].form);

		cr_expect_eq(a.status, rows[i].status, "%s", rows[i].form);
	}
	cr_assert_eq(gcs_server_script(server, "key revoked"), 0);
	{
		const struct variant variant = { .name = "good" };
		CLEANUP(answer_release) struct answer a = ask_token(good);
		CLEANUP(answer_release) struct answer b = ask_with(&variant);

		cr_assert_eq(a.status, 400);
		cr_assert_eq(b.status, 400);
	}
}

static char *metadata_token(void)
{
	const struct call call = {
		.method = "GET",
		.target = "/computeMetadata/v1/instance/service-accounts/default/token",
		.headers = { "Metadata-Flavor: Google" }
	};
	CLEANUP(answer_release) struct answer a = client_send(url, &call);

	cr_assert_eq(a.status, 200);
	cr_assert_str_eq(answer_header(&a, "Metadata-Flavor"), "Google");
	return xstrdup(answer_text(&a, "access_token"));
}

Test(gcs_token, the_metadata_server_wants_its_header)
{
	CLEANUP(free_char) char *token = metadata_token();
	CLEANUP(answer_release)
	struct answer a =
		client_get(url, "/computeMetadata/v1/instance/service-accounts/default/token");

	cr_assert_eq(a.status, 403);
	cr_assert_eq(status_with(token), 200);
	cr_assert_eq(gcs_server_count(server, GCS_METADATA), 2);
	cr_assert_eq(gcs_server_count_all(server), 1);
}

Test(gcs_token, a_token_is_good_until_it_expires_or_is_revoked)
{
	CLEANUP(free_char) char *token = metadata_token();

	cr_assert_eq(status_with(NULL), 401);
	cr_assert_eq(status_with("invented"), 401);
	cr_assert_eq(status_with(token), 200);
	cr_assert_eq(gcs_server_script(server, "tokens revoked"), 0);
	cr_assert_eq(status_with(token), 401);
	free(token);
	cr_assert_eq(gcs_server_script(server, "token-life 0"), 0);
	token = metadata_token();
	cr_assert_eq(status_with(token), 401);
	cr_assert_eq(gcs_server_script(server, "tokens optional"), 0);
	cr_assert_eq(status_with(NULL), 200);
}
