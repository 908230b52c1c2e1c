/* SPDX-License-Identifier: BSD-3-Clause */
/* model_op.c - random operations: drawn from a seed and a number alone, and printed. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "memory.h"
#include "model.h"
#include "tree_world.h"

#define PACKAGES_FOLDER "latest/api/packages"

/* Few, so that they meet each other. */
static const char *const paths[] = {
	PACKAGES_FOLDER "/p0",
	PACKAGES_FOLDER "/p0",
	PACKAGES_FOLDER "/p1",
	PACKAGES_FOLDER "/p2",
	PACKAGES_FOLDER "/p0.d/advisories",
	PACKAGES_FOLDER "/p0.d/advisories",
	PACKAGES_FOLDER "/p1.d/advisories",
	PACKAGES_FOLDER "/p0.d",
	PACKAGES_FOLDER "/p1.d",
	PACKAGES_FOLDER "/.p0.tmp",
	PACKAGES_FOLDER "/p1~",
	PACKAGES_FOLDER "/no.such",
	PACKAGES_FOLDER,
	"latest/x",
	"latest/x/y",
	"latest/x/.s",
	"2030.01.01",
	"",
};

static const enum op_kind kinds[] = {
	OP_STAT,  OP_STAT,  OP_LIST,  OP_LIST,	 OP_READ_ALL, OP_READ_ALL, OP_SAVE,   OP_SAVE,
	OP_OPEN,  OP_OPEN,  OP_OPEN,  OP_READ,	 OP_WRITE,    OP_WRITE,	   OP_WRITE,  OP_TRUNCATE,
	OP_FSYNC, OP_CLOSE, OP_CLOSE, OP_UNLINK, OP_MKDIR,    OP_RMDIR,	   OP_RENAME, OP_RENAME,
	OP_CUT,	  OP_ATTRIBUTE,
};
#define REMOUNTS 150 /* of so many operations one is none of these */

static const int open_flags[] = {
	O_RDONLY,
	O_RDONLY,
	O_RDONLY | O_TRUNC,
	O_WRONLY,
	O_RDWR,
	O_WRONLY | O_TRUNC,
	O_RDWR | O_APPEND,
	O_WRONLY | O_CREAT | O_TRUNC,
	O_WRONLY | O_CREAT | O_EXCL,
	O_RDWR | O_CREAT,
	O_WRONLY | O_CREAT | O_APPEND,
};

/* splitmix64: each draw is a hash of the seed, the number and its own count. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned draw(uint64_t *state, unsigned below)
{
	return (unsigned)(next(state) % below);
}

char *model_document(const char *path, unsigned variant)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	CLEANUP(free_char) char *extra = xasprintf(",\"x\":%u", variant);

	if (!strcmp(name, "advisories"))
		return xasprintf("{\"advisories\":[],\"advisoriesUpdated\":"
				 "\"2024-01-02T03:04:05.%03uZ\"}",
				 variant);
	/* a scratch file of this folder is meant to become p0 or p1 */
	if (name[0] != 'p')
		name = "p0";
	else if (strlen(name) > 2)
		name = "p1";
	return listing_text(name, extra);
}

static char *some_text(const char *path, uint64_t *state)
{
	static const char *const others[] = { " ", "\x01", "{", "" };

	if (draw(state, 3))
		return model_document(path, draw(state, MODEL_VARIANTS));
	return xstrdup(others[draw(state, ARRAY_SIZE(others))]);
}

struct op op_draw(uint64_t seed, unsigned n)
{
	uint64_t state = seed * 0x2545f4914f6cdd1d + n;
	struct op op = { .actor = draw(&state, MODEL_ACTORS), .slot = draw(&state, MODEL_SLOTS) };

	op.kind = kinds[draw(&state, ARRAY_SIZE(kinds))];
	if (!draw(&state, REMOUNTS))
		op.kind = OP_REMOUNT;
	op.path = paths[draw(&state, ARRAY_SIZE(paths))];
	op.to = paths[draw(&state, ARRAY_SIZE(paths))];
	if (op.kind == OP_OPEN)
		op.flags = open_flags[draw(&state, ARRAY_SIZE(open_flags))];
	else if (op.kind == OP_RENAME)
		op.flags = draw(&state, 4) ? 0 : RENAME_NOREPLACE;
	op.offset = draw(&state, 3) || op.kind == OP_SAVE ? 0 : draw(&state, 400);
	if (op.kind == OP_SAVE || op.kind == OP_WRITE)
		op.text = some_text(op.path, &state);
	/* in the middle of a document, a space in a string or a document as another's value could
	 * pass the gate, which the model does not know */
	if (op.text && strlen(op.text) == 1 && *op.text != 1)
		op.offset = 0;
	else if (op.text && op.offset && *op.text == '{')
		*op.text = 1;
	return op;
}

void op_release(struct op *op)
{
	free(op->text);
}

void op_print(const struct op *op, FILE *out)
{
	static const char *const names[OP_KINDS] = {
		[OP_STAT] = "stat",   [OP_LIST] = "list",	  [OP_READ_ALL] = "read all of",
		[OP_SAVE] = "save",   [OP_CUT] = "cut",		  [OP_ATTRIBUTE] = "sha256 of",
		[OP_OPEN] = "open",   [OP_READ] = "read",	  [OP_REMOUNT] = "remount",
		[OP_WRITE] = "write", [OP_TRUNCATE] = "truncate", [OP_FSYNC] = "fsync",
		[OP_CLOSE] = "close", [OP_UNLINK] = "unlink",	  [OP_MKDIR] = "mkdir",
		[OP_RMDIR] = "rmdir", [OP_RENAME] = "rename",
	};
	bool on_slot = op->kind >= OP_OPEN && op->kind <= OP_CLOSE;

	fprintf(out, "actor %u: %s", op->actor, names[op->kind]);
	if (on_slot)
		fprintf(out, " slot %u", op->slot);
	if ((!on_slot && op->kind != OP_REMOUNT) || op->kind == OP_OPEN)
		fprintf(out, " /%s", op->path);
	if (op->kind == OP_RENAME)
		fprintf(out, " to /%s", op->to);
	if (op->kind == OP_OPEN || op->kind == OP_RENAME)
		fprintf(out, " flags 0%o", (unsigned)op->flags);
	if (op->kind == OP_READ || op->kind == OP_WRITE || op->kind == OP_TRUNCATE ||
	    op->kind == OP_CUT)
		fprintf(out, " at %" PRIu64, op->offset);
	if (op->text)
		fprintf(out, " text %.40s (%zu bytes)", *op->text == 1 ? "\\x01" : op->text,
			strlen(op->text));
}

void answer_init(struct answer *answer)
{
	*answer = (struct answer){ .text = STRBUF_INIT(MODEL_TEXT_MAX) };
}

void answer_release(struct answer *answer)
{
	strbuf_release(&answer->text);
}

void answer_print(const struct answer *answer, FILE *out)
{
	fprintf(out, "%d (%s)", answer->r, answer->r ? strerror(-answer->r) : "done");
	if (answer->is_dir)
		fprintf(out, ", a folder");
	if (answer->has_size)
		fprintf(out, ", %" PRIu64 " bytes", answer->size);
	if (answer->text.len)
		fprintf(out, ", \"%s\"", answer->text.buf);
}
