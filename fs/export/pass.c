/* SPDX-License-Identifier: BSD-3-Clause */
/* pass.c - one export pass: what its threads share, and how much memory they may take. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "exporter.h"
#include "memory.h"
#include "object.h"
#include "store_links.h"
#include "strbuf.h"

#define WHY_MAX  4096
#define LOOK_AGE SECOND_US /* two small queries */

#define RESERVED_MAX ((size_t)16 << 20) /* a quarter of the memory that all of pubfs may take */

void room_init(struct room *room)
{
	*room = (struct room){ .reserved = 0 };
	pthread_mutex_init(&room->lock, NULL);
	pthread_cond_init(&room->grown, NULL);
}

void room_release(struct room *room)
{
	pthread_mutex_destroy(&room->lock);
	pthread_cond_destroy(&room->grown);
}

void pass_init(struct pass *pass, const struct exporter_options *options, struct room *room)
{
	*pass = (struct pass){ .opt = options, .room = room };
	pthread_mutex_init(&pass->look, NULL);
	pthread_mutex_init(&pass->lock, NULL);
	if (options->own)
		pass->prefixes[pass->n_prefixes++] = options->runtime_version;
	if (options->latest)
		pass->prefixes[pass->n_prefixes++] = "latest";
	for (size_t k = 0; k < pass->n_prefixes; k++)
		pass->keys[k] = export_state_key(pass->prefixes[k], options->runtime_version);
}

bool pass_is_latest(const struct pass *pass, size_t k)
{
	return !strcmp(pass->prefixes[k], "latest");
}

bool pass_holds(const struct pass *pass, size_t k)
{
	return pass->held[k].n || pass->held_whole[k].n;
}

/* With `look`. */
static int read_latest(struct pass *pass)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	CLEANUP(latest_view_release)
	struct latest_view view = {
		.own = xstrdup_or_null(pass->opt->runtime_version),
		.deployment = pass->opt->deployment,
		.filled = pass->latest.filled,
		.settled = pass->latest.settled,
	};
	int64_t began = exporter_clock(pass->opt);
	struct latest_view before;
	int r = latest_view_read(pass->opt->db, &view);

	if (r < 0)
		return r;
	pass->looked = true;
	pass->looked_at = began;
	pthread_mutex_lock(&pass->lock);
	if (!pass->latest_closed && latest_is_closed(&view, &why)) {
		pass->closed_why = xstrdup(why.buf);
		pass->latest_closed = true;
	}
	before = pass->latest;
	pass->latest = view;
	view = before;
	pthread_mutex_unlock(&pass->lock);
	return 0;
}

static int look_again(struct pass *pass)
{
	int r = 0;

	pthread_mutex_lock(&pass->look);
	if (!pass->looked || exporter_clock(pass->opt) - pass->looked_at >= LOOK_AGE)
		r = read_latest(pass);
	pthread_mutex_unlock(&pass->look);
	return r;
}

int pass_read_latest(struct pass *pass, bool filled, bool settled)
{
	pass->latest_read = true;
	pass->latest.filled = filled;
	pass->latest.settled = settled;
	pass->filling = pass->opt->latest && pass->opt->deployment && !filled;
	return pass->opt->latest ? look_again(pass) : 0;
}

void pass_doubt_latest(struct pass *pass)
{
	pthread_mutex_lock(&pass->look);
	pass->looked = false;
	pthread_mutex_unlock(&pass->look);
}

int pass_leaves(struct pass *pass, const struct object *objects, size_t n)
{
	int r = look_again(pass);

	if (r < 0)
		return r;
	pthread_mutex_lock(&pass->lock);
	r = pass->latest_closed;
	for (size_t i = 0; i < n && !r; i++)
		r = latest_yields(&pass->latest, objects[i].runtime_version);
	pthread_mutex_unlock(&pass->lock);
	return r;
}

void pass_release(struct pass *pass)
{
	pthread_mutex_destroy(&pass->look);
	pthread_mutex_destroy(&pass->lock);
	export_counts_release(&pass->counts);
	for (size_t i = 0; i < pass->n_failures; i++) {
		free(pass->failures[i].package);
		free(pass->failures[i].change);
		free(pass->failures[i].why);
	}
	free(pass->failures);
	names_release(&pass->taken);
	names_release(&pass->reclaimed);
	names_release(&pass->suspects);
	names_release(&pass->contested);
	names_release(&pass->left);
	names_release(&pass->weighed);
	latest_view_release(&pass->latest);
	free(pass->closed_why);
	for (size_t i = 0; i < PREFIXES_MAX; i++) {
		names_release(&pass->held[i]);
		names_release(&pass->held_whole[i]);
		free(pass->keys[i]);
	}
	for (size_t i = 0; i < pass->n_weights; i++) {
		free(pass->weights[i].package);
		free(pass->weights[i].change);
		names_release(&pass->weights[i].lost);
	}
	free(pass->weights);
	for (size_t i = 0; i < pass->n_unweighed; i++) {
		free(pass->unweighed[i].package);
		free(pass->unweighed[i].why);
	}
	free(pass->unweighed);
}

void pass_leave_unweighed(struct pass *pass, const char *package, const char *why)
{
	pthread_mutex_lock(&pass->lock);
	GROW(pass->unweighed, pass->n_unweighed, pass->unweighed_alloc);
	pass->unweighed[pass->n_unweighed++] =
		(struct unweighed){ xstrdup(package), xstrdup(why) };
	pthread_mutex_unlock(&pass->lock);
}

bool pass_rehearses(const struct pass *pass)
{
	return pass->opt->dry_run || pass->opt->verifier;
}

bool pass_changed(const struct pass *pass)
{
	const struct export_counts *counts = &pass->counts;

	return counts->written || counts->copied || counts->removed;
}

bool pass_stopping(const struct pass *pass)
{
	return pass->opt->stop && *pass->opt->stop;
}

bool pass_lease_lasts(const struct pass *pass)
{
	int64_t deadline = RETRY_DEADLINE, until = atomic_load(pass->renewed_until);

	if (!pass->lease.owner)
		return true;
	if (pass->lease.duration < 2 * deadline) /* a test's */
		deadline = pass->lease.duration / 2;
	if (until < pass->claimed_until)
		until = pass->claimed_until;
	return clock_monotonic() + deadline < until;
}

bool pass_reserve(struct pass *pass, size_t bytes, bool wait)
{
	struct room *room = pass->room;
	bool there_is;

	pthread_mutex_lock(&room->lock);
	while (!(there_is = !room->reserved || room->reserved + bytes <= RESERVED_MAX) && wait)
		pthread_cond_wait(&room->grown, &room->lock);
	if (there_is)
		room->reserved += bytes;
	pthread_mutex_unlock(&room->lock);
	return there_is;
}

void pass_unreserve(struct pass *pass, size_t bytes)
{
	struct room *room = pass->room;

	pthread_mutex_lock(&room->lock);
	room->reserved -= bytes;
	pthread_cond_broadcast(&room->grown);
	pthread_mutex_unlock(&room->lock);
}
