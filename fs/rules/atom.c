/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * atom.c - whether a body is a feed that a reader of Atom can use, by expat.
 *
 * A document type is refused: no feed has one, and entities are where XML becomes dangerous.
 */
#include "atom.h"

#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <string.h>

#include "body.h"
#include "strbuf.h"

#define PIECE	  ((size_t)64 << 10)
#define NAMESPACE "http://www.w3.org/2005/Atom"
#define SEPARATOR ' ' /* between a namespace and a name in it */

/* What every feed and every entry has (RFC 4287, sections 4.1.1 and 4.1.2). */
static const char *const required[] = { "id", "title", "updated" };
#define ALL_REQUIRED ((1U << ARRAY_SIZE(required)) - 1)

struct atom {
	XML_Parser parser;
	struct strbuf *why;
	unsigned depth;
	unsigned in_feed, in_entry; /* which of the required ones were there */
	bool entry;		    /* the one under way */
	bool refused;
};

static void refuse(struct atom *a, const char *what)
{
	if (!a->refused)
		strbuf_addstr(a->why, what);
	a->refused = true;
	XML_StopParser(a->parser, XML_FALSE);
}

/* The name in Atom's namespace; NULL: of another. */
static const char *atom_name(const char *name)
{
	size_t n = strlen(NAMESPACE);

	return !strncmp(name, NAMESPACE, n) && name[n] == SEPARATOR ? name + n + 1 : NULL;
}

static void start(void *ctx, const char *full_name, const char **attributes)
{
	struct atom *a = ctx;
	const char *name = atom_name(full_name);

	(void)attributes;
	a->depth++;
	if (a->depth == 1 && (!name || strcmp(name, "feed") != 0))
		refuse(a, "it is no Atom feed");
	if (!name)
		return;
	if (a->depth == 2 && !strcmp(name, "entry")) {
		a->entry = true;
		a->in_entry = 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (strcmp(name, required[i]) != 0)
			continue;
		if (a->depth == 2)
			a->in_feed |= 1U << i;
		else if (a->depth == 3 && a->entry)
			a->in_entry |= 1U << i;
	}
}

static void end(void *ctx, const char *full_name)
{
	struct atom *a = ctx;

	(void)full_name;
	if (a->depth == 1 && a->in_feed != ALL_REQUIRED)
		refuse(a, "the feed has no id, no title or no time of its update");
	if (a->depth == 2 && a->entry && a->in_entry != ALL_REQUIRED)
		refuse(a, "an entry has no id, no title or no time of its update");
	if (a->depth == 2)
		a->entry = false;
	a->depth--;
}

static void doctype(void *ctx, const char *name, const char *system, const char *public, int subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)subset;
	refuse(ctx, "it has a document type");
}

static int parse(struct atom *a, const struct body *body)
{
	uint64_t at = 0;
	bool more = true;

	while (more && !a->refused) {
		void *piece = XML_GetBuffer(a->parser, (int)PIECE);
		ssize_t n = piece ? body_read(body, at, piece, PIECE) : -ENOMEM;

		if (n < 0)
			return -EIO;
		at += (uint64_t)n;
		more = n && at < body->size;
		if (!XML_ParseBuffer(a->parser, (int)n, !more) && !a->refused) {
			strbuf_addf(a->why, "it is no sound XML: %s in line %lu",
				    XML_ErrorString(XML_GetErrorCode(a->parser)),
				    XML_GetCurrentLineNumber(a->parser));
			return -EINVAL;
		}
	}
	return a->refused ? -EINVAL : 0;
}

int atom_check(const struct body *body, struct strbuf *why)
{
	struct atom a = { .parser = XML_ParserCreateNS("UTF-8", SEPARATOR), .why = why };
	int r;

	if (!a.parser)
		return -EIO;
	XML_SetUserData(a.parser, &a);
	XML_SetElementHandler(a.parser, start, end);
	XML_SetStartDoctypeDeclHandler(a.parser, doctype);
	r = parse(&a, body);
	XML_ParserFree(a.parser);
	return r;
}
