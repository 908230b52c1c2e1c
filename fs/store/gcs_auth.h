/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_auth.h - who we are to Google Cloud, and the tokens that prove it. */
#ifndef PUBFS_STORE_GCS_AUTH_H
#define PUBFS_STORE_GCS_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct auth;
struct http;
struct strbuf;

struct auth_options {
	struct http *http;    /* borrowed */
	const char *key_file; /* NULL: not named */
	const char *endpoint; /* where the tokens will be sent */
	int64_t (*clock)(void); /* for tests; NULL: clock_monotonic() */
};

/*
 * The first of: the key file that is named; no credentials, if the endpoint is not https (an
 * emulator); the key file of GOOGLE_APPLICATION_CREDENTIALS; the metadata server. Sends nothing.
 * -EACCES: a key file that cannot be read, that others can read, or that is none; or an endpoint
 * that tokens must not be sent to (each said).
 */
int auth_open(const struct auth_options *options, struct auth **ret) MUST_CHECK;
void auth_close(struct auth *auth);

/* Who asks, for messages. Appends. */
void auth_principal(struct auth *auth, struct strbuf *out);
/* Nobody in particular: no token is sent. */
bool auth_is_anonymous(const struct auth *auth);
/* The project that a key file or the metadata server names; NULL: none. Owned by the caller. */
char *auth_project(struct auth *auth) MUST_CHECK;

/* Appends a token; nothing for who needs none. Who comes while another thread asks for one waits,
 * and has its answer. -EAGAIN (noted); -ECANCELED; -EIO (said): there is none for us. */
int auth_token(struct auth *auth, struct strbuf *out) MUST_CHECK;
/* A token was answered with 401: it is not used any more. */
void auth_refused(struct auth *auth, const char *token);

#endif
