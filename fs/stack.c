/* SPDX-License-Identifier: BSD-3-Clause */
/* stack.c - opens what a command asks for, in the one order that works, and closes it again. */
#include "stack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucket.h"
#include "db.h"
#include "export.h"
#include "gc.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "on_change.h"
#include "options.h"
#include "publish.h"
#include "rm_brake.h"
#include "store.h"
#include "store_links.h"
#include "tree.h"

/* The folder and those above it. */
static int make_folders(const char *path)
{
	CLEANUP(free_char) char *part = xstrdup(path);

	for (char *slash = part + 1;; *slash++ = '/') {
		slash += strcspn(slash, "/");
		bool last = !*slash;

		*slash = '\0';
		if (mkdir(part, 0777) && errno != EEXIST)
			return fail(-EIO, "cannot make the folder %s: %s", part, strerror(errno));
		if (last)
			return 0;
	}
}

/* Makes the home, where what is to be made lies in it: other places are the operator's to make,
 * so that a mistyped one is noticed. */
static int make_home_of(const struct options *o, const char *url)
{
	const char *path = strchr(url, '/');
	size_t n = strlen(o->home);

	if (!path || bucket_is_remote(url) || strncmp(path, o->home, n) || path[n] != '/')
		return 0;
	return make_folders(o->home);
}

/* A dry run must not make a folder, so a store that is not there is planned against as an empty
 * one. */
static const char *dry_url(const char *url)
{
	if (bucket_is_remote(url))
		return url;
	return access(strchr(url, '/'), F_OK) && errno == ENOENT ? "mem:" : url;
}

struct wanted {
	const char *url, *made_by; /* see store_options */
	enum store_mode mode;
	bool bare; /* see stack_open_driver() */
	atomic_bool *cancel;
};

static int push_links(const struct options *o, atomic_bool *cancel, struct store **s)
{
	const struct retry_options retry = { .deadline = RETRY_DEADLINE, .ctx = cancel };
	int r = retry_push(*s, &retry, s);

	return r < 0 ? r : spread_push(*s, o->jobs, s);
}

static int open_driver(const struct options *o, const struct wanted *w, struct store **ret)
{
	const struct store_options options = { .made_by = w->made_by,
					       .endpoint = o->endpoint,
					       .key_file = o->key_file,
					       .ca_file = o->ca_file,
					       .batch_delete = o->batch_delete,
					       .cancel = w->cancel };
	struct store *s = NULL;
	int r = store_open_with(w->url, w->mode, &options, &s);

	if (r == 0 && bucket_is_remote(w->url) && !w->bare)
		r = push_links(o, w->cancel, &s);
	if (r < 0)
		store_close(s);
	else
		*ret = s;
	return r;
}

int stack_open_driver(const struct options *o, const char *url, bool bare, struct store **ret)
{
	const struct wanted w = { .url = url,
				  .made_by = "pubfs sync",
				  .mode = bare ? STORE_CREATE : STORE_OPEN,
				  .bare = bare };
	int r = bare ? make_home_of(o, url) : 0;

	return r < 0 ? r : open_driver(o, &w, ret);
}

/* What is open already must be another store, however its URL is spelt. */
static int open_store(const struct options *o, const char *url, const char *made_by, bool make,
		      const struct stack *stack, struct store **ret)
{
	const struct store *other = stack->archives;
	const struct wanted w = { .url = make && o->dry_run ? dry_url(url) : url,
				  .made_by = made_by,
				  .mode = make && !o->dry_run ? STORE_CREATE : STORE_OPEN,
				  .cancel = stack->cancel };
	struct store *driver = NULL;
	int r = 0;

	if (make && !o->dry_run)
		r = make_home_of(o, url);
	if (r == 0)
		r = open_driver(o, &w, &driver);
	if (r < 0)
		return r;
	if (other && !strcmp(driver->url, other->url))
		r = fail(-EIO, "--store and --archives are both %s; they must be two", other->url);
	if (r == 0)
		r = make_home_of(o, o->cache);
	if (r == 0)
		r = index_push(driver, o->cache, ret);
	if (r < 0)
		store_close(driver);
	return r;
}

int stack_open_two(const struct options *o, const char *const urls[2], struct store *ret[2])
{
	struct store *drivers[2] = { NULL, NULL };
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		const struct wanted w = { .url = urls[i], .mode = STORE_OPEN };

		r = open_driver(o, &w, &drivers[i]);
	}
	if (r == 0 && !strcmp(drivers[0]->url, drivers[1]->url)) {
		store_close(drivers[1]);
		drivers[1] = NULL;
	}
	if (r == 0)
		r = make_home_of(o, o->cache);
	for (size_t i = 0; i < 2 && r == 0 && drivers[i]; i++)
		r = index_push(drivers[i], o->cache, &drivers[i]);
	if (r < 0) {
		store_close(drivers[0]);
		store_close(drivers[1]);
		return r;
	}
	ret[0] = drivers[0];
	ret[1] = drivers[1] ? drivers[1] : drivers[0];
	return 0;
}

static int open_db(const struct options *o, bool make, struct stack *stack)
{
	int r = make ? make_home_of(o, o->db) : 0;

	return r < 0 ? r : db_open_in(o->db, o->db_schema, make ? DB_CREATE : DB_OPEN,
				      stack->cancel, &stack->db);
}

static int open_publisher(const struct options *o, struct stack *stack)
{
	const struct publisher_options options = {
		.store = stack->bucket,
		.gate = o->gate,
		.runtime_version = o->runtime_version,
	};

	int r = publisher_new(&options, &stack->publisher);

	if (r == 0 && o->on_change)
		r = on_change_start(o->on_change, &stack->on_change);
	if (r == 0 && stack->on_change)
		publisher_watch(stack->publisher, on_change_tell, stack->on_change);
	return r;
}

/* The database comes first: where it is missing, nothing is made. */
static int open_parts(const struct options *o, unsigned parts, struct stack *stack)
{
	int r = 0;

	if (parts & STACK_DB)
		r = open_db(o, parts & STACK_MAKE_DB, stack);
	if (r == 0 && parts & STACK_ARCHIVES)
		r = open_store(o, o->archives, "pubfs publish", parts & STACK_MAKE_ARCHIVES, stack,
			       &stack->archives);
	if (r == 0 && parts & STACK_BUCKET)
		r = open_store(o, o->store, "pubfs sync", parts & STACK_MAKE_BUCKET, stack,
			       &stack->bucket);
	if (r == 0 && parts & STACK_BODIES && o->cache_size && bucket_is_remote(o->store))
		r = cache_push(stack->bucket, o->cache, o->cache_size, &stack->bucket);
	if (r == 0 && parts & STACK_BUCKET)
		r = open_publisher(o, stack);
	return r;
}

int stack_open(const struct options *o, unsigned parts, struct stack *ret)
{
	CLEANUP(stack_close) struct stack stack = { .cancel = ret->cancel };
	int r = open_parts(o, parts, &stack);

	if (r < 0)
		return r;
	if (stack.bucket) {
		stack.held = held_path(o->cache, stack.bucket->url, "sync");
		stack.held_gc = held_path(o->cache, stack.bucket->url, "gc");
		stack.removals = removals_path(o->cache, stack.bucket->url);
	}
	*ret = (struct stack){
		.cancel = stack.cancel,
		.held = steal(stack.held),
		.held_gc = steal(stack.held_gc),
		.removals = steal(stack.removals),
		.bucket = steal(stack.bucket),
		.archives = steal(stack.archives),
		.publisher = steal(stack.publisher),
		.on_change = steal(stack.on_change),
		.db = steal(stack.db),
		.tree = NULL,
	};
	return 0;
}

static int open_rm_brake(const struct options *o, struct stack *stack)
{
	const struct rm_brake_options options = { .db = stack->db,
						  .store = stack->bucket,
						  .limit = o->limits.removals,
						  .path = stack->removals };

	if (!stack->db || o->unlimited_rm)
		return 0;
	return rm_brake_new(&options, &stack->rm_brake);
}

int stack_open_tree(const struct options *o, const struct tree_options *service,
		    struct stack *stack)
{
	struct tree_options options = {
		.store = stack->bucket,
		.publisher = stack->publisher,
		.ttl = o->ttl,
		.spool_dir = o->cache,
		.runtime_version = o->runtime_version,
		.read_only = o->read_only,
	};
	int r = open_rm_brake(o, stack);

	if (r < 0)
		return r;
	options.rm_brake = stack->rm_brake;
	if (service) {
		options.lasting = true;
		options.status = service->status;
		options.sync = service->sync;
		options.garbage = service->garbage;
		options.metrics = service->metrics;
		options.held = service->held;
		options.ctx = service->ctx;
	}
	return tree_new(&options, &stack->tree);
}

bool stack_has_db(const struct options *o)
{
	static const char file[] = "sqlite:";

	return strncmp(o->db, file, strlen(file)) != 0 || !access(o->db + strlen(file), F_OK);
}

void stack_describe_export(const struct options *o, const struct stack *stack,
			   struct exporter_options *ret)
{
	*ret = (struct exporter_options){
		.db = stack->db,
		.store = stack->bucket,
		.archives = stack->archives,
		.publisher = stack->publisher,
		.rendering = { .base_url = o->base_url,
			       .sdk_dart = o->sdk_dart,
			       .sdk_flutter = o->sdk_flutter },
		.runtime_version = o->runtime_version,
		.own = o->own,
		.latest = o->latest,
		.jobs = o->jobs,
		.feed_pause = FEED_PAUSE,
		.ttl = o->ttl,
		.limits = o->limits,
		.held = stack->held,
		.force = o->force,
		.rebase = o->rebase,
		.allow_mass_change = o->allow_mass_change,
	};
}

void stack_describe_gc(const struct options *o, const struct stack *stack, struct gc_options *ret)
{
	*ret = (struct gc_options){
		.db = stack->db,
		.store = stack->bucket,
		.publisher = stack->publisher,
		.runtime_version = o->runtime_version,
		.accepted = o->accepted,
		.own = o->own,
		.latest = o->latest,
		.ttl = o->ttl,
		.min_age = o->min_age,
		.removals = o->limits.removals,
		.held = stack->held_gc,
		.allow_mass_change = o->allow_mass_change,
	};
}

void stack_close(struct stack *stack)
{
	if (stack->tree)
		tree_free(stack->tree);
	rm_brake_free(stack->rm_brake);
	if (stack->publisher)
		publisher_free(stack->publisher);
	on_change_stop(stack->on_change);
	if (stack->db)
		db_close(stack->db);
	store_close(stack->bucket);
	store_close(stack->archives);
	free(stack->held);
	free(stack->held_gc);
	free(stack->removals);
	*stack = (struct stack){ .bucket = NULL };
}
