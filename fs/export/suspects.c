/* SPDX-License-Identifier: BSD-3-Clause */
/* suspects.c - objects whose bytes are not what their metadata say, until they are written anew. */
#include "suspects.h"

#include <inttypes.h>
#include <stdlib.h>

#include "held.h"
#include "memory.h"
#include "names.h"
#include "object.h"

char *suspects_note(const struct object *obj)
{
	return xasprintf("%s %" PRIu64, obj->key, obj->generation);
}

bool suspects_have(const struct names *suspects, const struct object *obj)
{
	CLEANUP(free_char) char *note = suspects->n ? suspects_note(obj) : NULL;

	return note && names_have(suspects, note);
}

static int save_file(const char *path, struct names *notes)
{
	names_sort(notes);
	return held_save(path, "read by verify --deep, and not what their metadata say", notes);
}

int suspects_load(const char *held, struct names *ret)
{
	CLEANUP(free_char) char *path = held_beside(held, "damaged");

	return held_load(path, ret, NULL);
}

int suspects_add(const char *held, const struct names *found)
{
	CLEANUP(free_char) char *path = held_beside(held, "damaged");
	CLEANUP(names_release) struct names notes = { 0 };
	int r = held_load(path, &notes, NULL);

	for (size_t i = 0; i < found->n; i++)
		names_add(&notes, found->names[i]);
	return r < 0 ? r : save_file(path, &notes);
}

int suspects_forget(const char *held, const struct names *done)
{
	CLEANUP(free_char) char *path = held_beside(held, "damaged");
	CLEANUP(names_release) struct names notes = { 0 }, left = { 0 };
	int r = held_load(path, &notes, NULL);

	for (size_t i = 0; i < notes.n; i++)
		if (!names_have(done, notes.names[i]))
			names_add(&left, notes.names[i]);
	return r < 0 ? r : save_file(path, &left);
}
