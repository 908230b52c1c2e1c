/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c - tries everything that pubfs does to a bucket, on scratch objects, and prints a table;
 * and looks at the database. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "command.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define FIRST_TEXT  "pubfs check: the first text\n"
#define SECOND_TEXT "pubfs check: the second\n"

struct trial {
	struct store *store;
	char *key, *copy; /* no kind of object has such names */
	uint64_t generation;
	const char *text; /* that is there */
	bool is_reached; /* the bucket: it is there, and knows who asks */
};

static int one_edit(struct trial *t, enum edit_op op, const char *key, const char *text,
		    uint64_t if_generation, uint64_t *ret)
{
	struct body body = body_of_bytes(text ? text : "", text ? strlen(text) : 0);
	struct edit e = { .op = op,
			  .body = &body,
			  .if_generation = if_generation,
			  .from = t->store,
			  .from_key = t->key,
			  .from_generation = t->generation };
	int r;

	object_init(&e.object);
	e.object.key = xstrdup(key);
	r = store_edit(t->store, &e, 1);
	if (r == 0 && ret)
		*ret = e.object.generation;
	edit_release(&e, 1);
	return r;
}

static int stop_list(void *ctx, const struct object *obj)
{
	(void)ctx;
	(void)obj;
	return 1;
}

static int try_list(struct trial *t)
{
	int r = store_list(t->store, "", false, NULL, stop_list, NULL);

	t->is_reached = r >= 0 || r == -EACCES;
	return r < 0 ? r : 0;
}

static int try_create(struct trial *t)
{
	t->text = FIRST_TEXT;
	return one_edit(t, EDIT_WRITE, t->key, t->text, STORE_ABSENT, &t->generation);
}

/* A store that does not look at conditions loses what others wrote. */
static int try_condition(struct trial *t)
{
	int r = one_edit(t, EDIT_WRITE, t->key, SECOND_TEXT, STORE_ABSENT, &t->generation);

	if (r < 0)
		return r == -ESTALE ? 0 : r;
	t->text = SECOND_TEXT;
	return fail(-EIO, "a condition that does not hold was ignored");
}

static int try_get(struct trial *t)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);
	int r = store_read(t->store, t->key, t->generation, 0, out.max, &out);

	if (r == 0 && strcmp(out.buf, t->text))
		r = fail(-EBADMSG, "%s has other bytes than those that were written", t->key);
	return r;
}

static int try_overwrite(struct trial *t)
{
	return one_edit(t, EDIT_WRITE, t->key, SECOND_TEXT, t->generation, &t->generation);
}

static int try_touch(struct trial *t)
{
	return one_edit(t, EDIT_TOUCH, t->key, NULL, t->generation, NULL);
}

static int try_copy(struct trial *t)
{
	return one_edit(t, EDIT_COPY, t->copy, NULL, STORE_ABSENT, NULL);
}

static int try_remove(struct trial *t)
{
	int r = one_edit(t, EDIT_REMOVE, t->key, NULL, STORE_ANY, NULL);
	int second = one_edit(t, EDIT_REMOVE, t->copy, NULL, STORE_ANY, NULL);

	return r < 0 ? r : second;
}

/* The list comes first: all others need the bucket to be reached. */
static const struct {
	const char *name, *permission;
	bool needs_object; /* that was created */
	int (*run)(struct trial *t);
} trials[] = {
	{ "list", "storage.objects.list", false, try_list },
	{ "create", "storage.objects.create", false, try_create },
	{ "conditional create", "storage.objects.create", true, try_condition },
	{ "get", "storage.objects.get", true, try_get },
	{ "overwrite", "storage.objects.delete", true, try_overwrite },
	{ "change of metadata", "storage.objects.update", true, try_touch },
	{ "copy", "storage.objects.get", true, try_copy },
	{ "delete", "storage.objects.delete", true, try_remove },
};

/* The last words of a table's row. */
static int print_trial(size_t i, int r)
{
	if (r == 0)
		return output_text("%-20s works\n", trials[i].name);
	if (r == -EACCES)
		return output_text("%-20s refused: it needs %s\n", trials[i].name,
				   trials[i].permission);
	return output_text("%-20s fails\n", trials[i].name);
}

static int run_trials(struct trial *t)
{
	int first = 0, printed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(trials) && printed == 0; i++) {
		int r;

		if ((i && !t->is_reached) || (trials[i].needs_object && !t->generation)) {
			printed = output_text("%-20s not tried\n", trials[i].name);
			continue;
		}
		r = trials[i].run(t);
		if (r == -ESTALE || r == -ENOENT)
			r = fail(-EIO, "%s: something else changes %s meanwhile", trials[i].name,
				 t->key);
		printed = print_trial(i, r);
		if (!first)
			first = r;
	}
	return printed < 0 ? printed : first;
}

/* The database, where there is one: opening it says what is missing. */
static int check_db(const struct options *o)
{
	CLEANUP(strbuf_release) struct strbuf how = STRBUF_INIT(4096);
	struct db *db = NULL;
	int r = db_open_in(o->db, o->db_schema, DB_OPEN, NULL, &db);

	if (r == 0)
		r = db_check(db, &how);
	if (r == 0)
		r = output_text("%-20s works: %s\n", "database", how.buf);
	db_close(db);
	return r;
}

static int check_store(const struct options *o)
{
	struct trial t = { .store = NULL };
	unsigned char random[8];
	char hex[2 * sizeof(random) + 1];
	int r = stack_open_driver(o, o->store, false, &t.store);

	if (r < 0)
		return r;
	arc4random_buf(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	t.key = xasprintf(".pubfs-check-%s", hex);
	t.copy = xasprintf(".pubfs-check-%s-copy", hex);
	r = run_trials(&t);
	free(t.key);
	free(t.copy);
	store_close(t.store);
	return r;
}

enum exit_status command_check(const struct options *o, int argc, char *const *argv)
{
	int db = o->named_db || stack_has_db(o) ? check_db(o) : 0, store = check_store(o);

	(void)argc;
	(void)argv;
	return exit_status_of(store < 0 ? store : db);
}
