/* SPDX-License-Identifier: BSD-3-Clause */
/* server_tls.c - the test server's certificate, which nobody trusts who is not told to. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define TLS_BITS 2048
#define DAY	 86400L

static char *text_of(BIO *bio)
{
	char *bytes;
	long n = BIO_get_mem_data(bio, &bytes);
	char *text = xstrndup(bytes, (size_t)n);

	BIO_free(bio);
	return text;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!extension || X509_add_ext(cert, extension, -1) != 1)
		abort();
	X509_EXTENSION_free(extension);
}

void tls_make(struct gcs_server *s, const char *host)
{
	bool is_address = strspn(host, "0123456789.") == strlen(host);
	CLEANUP(free_char) char *names = xasprintf("%s:%s", is_address ? "IP" : "DNS", host);
	EVP_PKEY *key = EVP_RSA_gen(TLS_BITS);
	BIO *key_text = BIO_new(BIO_s_mem()), *cert_text = BIO_new(BIO_s_mem());
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(cert), DAY);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)host, -1, -1,
				   0);
	X509_set_issuer_name(cert, subject);
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, NID_subject_alt_name, names);
	if (!X509_sign(cert, key, EVP_sha256()) || !PEM_write_bio_X509(cert_text, cert) ||
	    !PEM_write_bio_PKCS8PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL))
		abort();
	s->tls_key = text_of(key_text);
	s->certificate = text_of(cert_text);
	X509_free(cert);
	EVP_PKEY_free(key);
}

char *http_date_text(int64_t us)
{
	time_t seconds = (time_t)(us / SECOND_US);
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return xstrdup(text);
}
