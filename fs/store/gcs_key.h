/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_key.h - key files of Google Cloud, and what one sends to get a token. */
#ifndef PUBFS_STORE_GCS_KEY_H
#define PUBFS_STORE_GCS_KEY_H

#include <stdint.h>

#include "compiler.h"

struct strbuf;

enum key_kind { KEY_NOBODY, KEY_METADATA, KEY_SERVICE_ACCOUNT, KEY_AUTHORIZED_USER };

#define KEY_CLOCK_SLACK 300 /* seconds that Google's clock and ours may differ */

struct key {
	enum key_kind kind;
	char *principal, *project, *token_uri;		 /* owned; project may be NULL */
	char *key_id, *private_key;			 /* of a service account */
	char *client_id, *client_secret, *refresh_token; /* of a user */
};
void key_release(struct key *key);

/* -EACCES: it cannot be read, others can read or change it, it is no key file, or its token
 * endpoint is one that secrets must not be sent to. Said, without anything that is in it. */
int key_load(const char *path, struct key *ret) MUST_CHECK;
/* Appends the form that asks for a token; `now` is in seconds. -EACCES: the key cannot sign
 * (said). */
int key_grant(const struct key *key, int64_t now, struct strbuf *out) MUST_CHECK;

#endif
