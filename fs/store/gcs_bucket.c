/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_bucket.c - makes the bucket, if there is none. */
#include "bucket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "gcs.h"
#include "gcs_auth.h"
#include "log.h"
#include "memory.h"
#include "trouble.h"

bool bucket_is_remote(const char *url)
{
	return !strncmp(url, "gs://", 5);
}

/* No retry link is above: what is asked for by hand is repeated by hand. */
static int say_trouble(int r)
{
	return r == -EAGAIN ? fail(-EIO, "%s; try again later", trouble_last()->text) : r;
}

static void warn_difference(const struct gcs_store *g, const json_t *json, const char *name,
			    const char *wanted)
{
	const char *has = json_string_value(json_object_get(json, name));

	if (wanted && has && strcasecmp(wanted, has) != 0)
		log_warning("the bucket %s has the %s %s, not %s, and keeps it", g->bucket, name,
			    has, wanted);
}

static void warn_differences(const struct gcs_store *g, const struct http_answer *answer,
			     const struct bucket_settings *settings)
{
	CLEANUP(gcs_json_release) json_t *json = NULL;
	const json_t *access;

	if (gcs_parse(g, answer, &json) < 0)
		return;
	warn_difference(g, json, "location", settings->location);
	warn_difference(g, json, "storageClass", settings->storage_class);
	access = json_object_get(json_object_get(json, "iamConfiguration"),
				 "uniformBucketLevelAccess");
	if (!json_is_true(json_object_get(access, "enabled")))
		log_warning("the bucket %s has no uniform access: objects may have rights of their "
			    "own",
			    g->bucket);
}

static int look(struct gcs_store *g, const struct bucket_settings *settings)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(free_char) char *url = xasprintf("%s" GCS_SERVICE "/b/%s", g->endpoint, g->bucket);
	struct http_request request = { .method = "GET", .url = url };
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	r = gcs_send(g, CALL_BUCKET_GET, NULL, &request, &answer);
	if (r == 0)
		warn_differences(g, &answer, settings);
	return r;
}

static int make(struct gcs_store *g, const struct bucket_settings *settings, const char *project)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	CLEANUP(gcs_json_release)
	json_t *json = json_pack("{ss ss* ss* s{s{sb}}}", "name", g->bucket, "location",
				 settings->location, "storageClass", settings->storage_class,
				 "iamConfiguration", "uniformBucketLevelAccess", "enabled", 1);
	CLEANUP(free_char) char *text = json_dumps(json, JSON_COMPACT);
	struct http_request request = { .method = "POST",
					.headers = { "Content-Type: application/json" } };
	struct body body;

	if (!text)
		return fail(-EINVAL, "a setting of the bucket %s is not UTF-8", g->bucket);
	http_answer_init(&answer, GCS_ANSWER_MAX);
	strbuf_addf(&url, "%s" GCS_SERVICE "/b", g->endpoint);
	gcs_url_text(&url, "project", project);
	body = body_of_bytes(text, strlen(text));
	request.url = url.buf;
	request.body = &body;
	return gcs_send(g, CALL_BUCKET_CREATE, NULL, &request, &answer);
}

/* Somebody made it just now, or it is another one's: names of buckets are the world's. */
static int look_again(struct gcs_store *g, const struct bucket_settings *settings)
{
	int r = look(g, settings);

	if (r == -ENOENT)
		return fail(-EIO, "cannot create the bucket %s: the name is taken", g->bucket);
	return say_trouble(r);
}

int bucket_provision(struct store *driver, const struct bucket_settings *settings)
{
	struct gcs_store *g = gcs_of(driver);
	CLEANUP(free_char) char *project = NULL;
	int r;

	assert(driver->ops == &gcs_ops);
	r = look(g, settings);
	if (r != -ENOENT)
		return say_trouble(r);
	project = settings->project ? xstrdup(settings->project) : auth_project(g->auth);
	if (!project)
		return fail(-EINVAL,
			    "cannot create the bucket %s: --project is needed, since the "
			    "credentials name none",
			    g->bucket);
	r = make(g, settings, project);
	if (r == -EEXIST)
		return look_again(g, settings);
	return r < 0 ? say_trouble(r) : 1;
}
