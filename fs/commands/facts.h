/* SPDX-License-Identifier: BSD-3-Clause */
/* facts.h - named values, printed as lines for people or as one JSON object for programs. */
#ifndef PUBFS_FACTS_H
#define PUBFS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;
struct node;
struct strbuf;

struct facts {
	struct strbuf *out;
	bool json;
	bool more; /* something stands before the next one */
};

void facts_begin(struct facts *f, bool json, struct strbuf *out);
void facts_end(struct facts *f);

/* NULL is null. In JSON, a text that is no UTF-8 is null, too. */
void facts_text(struct facts *f, const char *name, const char *text);
void facts_bytes(struct facts *f, const char *name, const char *bytes, size_t n);
void facts_number(struct facts *f, const char *name, uint64_t number);
void facts_seconds(struct facts *f, const char *name, int64_t us); /* with three digits behind */
void facts_flag(struct facts *f, const char *name, bool flag);
void facts_json(struct facts *f, const char *name, struct json value); /* in JSON alone */
void facts_time(struct facts *f, const char *name, int64_t us); /* NO_TIME: null */
/* An object inside; among lines, they just go on. */
void facts_enter(struct facts *f, const char *name);
void facts_leave(struct facts *f);

/* What every file and folder has. */
void facts_node(struct facts *f, const struct node *node);

#endif
