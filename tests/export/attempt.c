/* SPDX-License-Identifier: BSD-3-Clause */
/* attempt.c - one publication, decided on what is there, for the tests of publish(). */
#include "attempt.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

void with_gate(struct world *w, enum gate_mode mode)
{
	struct publisher_options options = { .store = w->counter,
					     .gate = mode,
					     .runtime_version = RUNTIME };

	publisher_free(w->publisher);
	cr_assert_eq(publisher_new(&options, &w->publisher), 0);
}

void attempt_init(struct world *w, struct attempt *a, const char *key)
{
	*a = (struct attempt){ 0 };
	publication_init(&a->p);
	object_init(&a->have);
	object_init(&a->source);
	a->p.key = key;
	a->p.change = "5-0123456789abcdef";
	a->p.why = "test";
	if (world_has(w, key)) {
		world_stat(w, key, &a->have);
		a->p.have = &a->have;
	}
}

void attempt_write(struct world *w, struct attempt *a, const char *key, const char *text)
{
	attempt_init(w, a, key);
	a->p.action = PUBLISH_WRITE;
	a->body = body_of_bytes(text, strlen(text));
	a->p.body = &a->body;
}

void attempt_copy(struct world *w, struct attempt *a)
{
	attempt_init(w, a, ARCHIVE);
	a->p.action = PUBLISH_COPY;
	a->p.from = w->canonical_counter;
	cr_assert_eq(store_stat(w->canonical, SOURCE, &a->source), 0);
	a->p.source = &a->source;
}

int attempt_run(struct world *w, struct attempt *a)
{
	counter_read(w->counter);
	counter_read(w->canonical_counter);
	return publish(w->publisher, &a->p, 1);
}

void attempt_release(struct attempt *a)
{
	publication_release(&a->p);
	object_release(&a->have);
	object_release(&a->source);
}

/* What is in the bucket, changed and put back as another program would. */
void put_object(struct world *w, const char *key, const void *bytes, size_t n,
		void (*change)(struct object *))
{
	struct body body = body_of_bytes(bytes, n);
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	world_stat(w, key, &edit.object);
	edit.object.has_md5 = false;
	change(&edit.object);
	cr_assert_eq(store_edit(w->bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

void no_custom_keys(struct object *obj)
{
	free(obj->runtime_version);
	free(obj->change);
	obj->runtime_version = obj->change = NULL;
	obj->has_sha256 = obj->has_decoded_size = false;
	obj->validated = NO_TIME;
}

void stored_bytes(struct world *w, const char *key, struct strbuf *out)
{
	cr_assert_eq(store_read(w->bucket, key, STORE_ANY, 0, BIG, out), 0);
}

/* Makes the canonical archive one that carries no hash of ours. */
void canonical_put(struct world *w, const void *bytes, size_t n)
{
	struct body body = body_of_bytes(bytes, n);
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&edit.object);
	edit.object.key = xstrdup(SOURCE);
	cr_assert_eq(store_edit(w->canonical, &edit, 1), 0);
	edit_release(&edit, 1);
}

void archive_hash(char hex[2 * SHA256_SIZE + 1], struct strbuf *archive)
{
	unsigned char digest[SHA256_SIZE];

	archive_make("foo", "1.0.0", archive);
	sha256(archive->buf, archive->len, digest);
	hex_encode(digest, SHA256_SIZE, hex);
}
