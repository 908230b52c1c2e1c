/* SPDX-License-Identifier: BSD-3-Clause */
/* store_test.c - opening by URL, the chain, objects as values, mem:, fault and counter. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "conformance.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

static struct store *open_mem(void)
{
	struct store *s = NULL;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &s), 0);
	return s;
}

#define X(check)                                                                                   \
	Test(mem, check)                                                                           \
	{                                                                                          \
		struct store *s = open_mem();                                                      \
                                                                                                   \
		conformance_##check(s);                                                            \
		store_close(s);                                                                    \
	}
CONFORMANCE(X)
#undef X

Test(mem, every_open_makes_a_store_of_its_own)
{
	struct store *a, *b;

	cr_assert_eq(store_open("mem:one", STORE_OPEN, &a), 0);
	cr_assert_eq(store_open("mem:one", STORE_OPEN, &b), 0);
	cr_assert_str_eq(a->url, "mem:one");
	cr_assert_str_eq(b->url, "mem:one");
	cr_assert_str_neq(a->identity, b->identity);
	cr_assert_eq(put_text(a, "key", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(generation_of(b, "key"), 0);
	store_close(a);
	store_close(b);
}

Test(mem, keys_that_are_also_prefixes_are_folded_and_shown)
{
	struct store *s = open_mem();
	char *text;

	cr_assert_eq(put_text(s, "a", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(s, "a/", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(s, "a/b", "x", STORE_ABSENT, NULL), 0);
	text = list_text(s, "", false, NULL);
	cr_assert_str_eq(text, "a a/ ");
	free(text);
	text = list_text(s, "a/", true, "a/");
	cr_assert_str_eq(text, "a/b ");
	free(text);
	store_close(s);
}

Test(store, a_url_of_no_known_kind_is_refused_and_the_output_untouched)
{
	static const char *const urls[] = { "", "mem", "/tmp", "ftp://x", "Mem:", "di:x" };
	struct store *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		cr_assert_eq(store_open(urls[i], STORE_CREATE, &s), -EINVAL, "%s", urls[i]);
		cr_assert_null(s);
		cr_assert_not_null(strstr(log_last_failure(), "dir:PATH"));
	}
}

Test(store, closing_nothing_is_fine)
{
	store_close(NULL);
}

static void fill(struct object *obj)
{
	object_init(obj);
	obj->key = xstrdup("key");
	obj->gzip = true;
	obj->type = xstrdup("type");
	obj->cache_control = xstrdup("cache");
	obj->disposition = xstrdup("disposition");
	obj->has_sha256 = obj->has_decoded_size = true;
	obj->sha256[31] = 1;
	obj->decoded_size = 5;
	obj->runtime_version = xstrdup("2026.08.18");
	obj->change = xstrdup("1-0");
	obj->validated = 7;
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup_or_null(value);
}

Test(object, a_new_one_was_never_validated_and_a_released_one_is_new)
{
	struct object obj;

	object_init(&obj);
	cr_assert_eq(obj.validated, NO_TIME);
	fill(&obj);
	object_release(&obj);
	cr_assert_null(obj.key);
	cr_assert_null(obj.change);
	cr_assert(!obj.has_sha256);
	cr_assert_eq(obj.validated, NO_TIME);
	object_release(&obj);
}

Test(object, a_copy_shares_no_text)
{
	struct object a, b;

	fill(&a);
	object_copy(&b, &a);
	cr_assert(object_same_headers(&a, &b));
	cr_assert_str_eq(b.key, "key");
	cr_assert_eq(b.validated, 7);
	cr_assert_neq(a.key, b.key);
	cr_assert_neq(a.type, b.type);
	cr_assert_neq(a.cache_control, b.cache_control);
	cr_assert_neq(a.disposition, b.disposition);
	cr_assert_neq(a.runtime_version, b.runtime_version);
	cr_assert_neq(a.change, b.change);
	object_release(&a);
	object_release(&b);
}

static void change_nothing(struct object *o)
{
	o->generation = 9;
	o->validated = 8;
	o->size = 99;
	o->updated = 1;
}

static void change_gzip(struct object *o)
{
	o->gzip = false;
}

static void change_type(struct object *o)
{
	set_text(&o->type, "other");
}

static void drop_type(struct object *o)
{
	set_text(&o->type, NULL);
}

static void change_cache(struct object *o)
{
	set_text(&o->cache_control, "other");
}

static void change_disposition(struct object *o)
{
	set_text(&o->disposition, "");
}

static void change_encoding(struct object *o)
{
	o->foreign_encoding = !o->foreign_encoding;
}

static void drop_sha256(struct object *o)
{
	o->has_sha256 = false;
}

static void change_sha256(struct object *o)
{
	o->sha256[31] ^= 1;
}

static void drop_size(struct object *o)
{
	o->has_decoded_size = false;
}

static void change_size(struct object *o)
{
	o->decoded_size++;
}

static void change_runtime(struct object *o)
{
	set_text(&o->runtime_version, "2026.08.19");
}

static void change_change(struct object *o)
{
	set_text(&o->change, "2-0");
}

Test(object, every_header_and_custom_key_but_validated_counts)
{
	static const struct {
		void (*change)(struct object *obj);
		bool same;
	} rows[] = {
		{ change_nothing, true },   { change_gzip, false },   { change_type, false },
		{ drop_type, false },	    { change_cache, false },  { change_disposition, false },
		{ drop_sha256, false },	    { change_sha256, false }, { drop_size, false },
		{ change_encoding, false }, { change_size, false },   { change_runtime, false },
		{ change_change, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct object a, b;

		fill(&a);
		fill(&b);
		rows[i].change(&b);
		cr_assert_eq(object_same_headers(&a, &b), rows[i].same, "row %zu", i);
		cr_assert_eq(object_same_headers(&b, &a), rows[i].same, "row %zu", i);
		object_release(&a);
		object_release(&b);
	}
}

Test(object, what_is_not_there_does_not_count)
{
	struct object a, b;

	fill(&a);
	fill(&b);
	a.has_sha256 = b.has_sha256 = a.has_decoded_size = b.has_decoded_size = false;
	b.sha256[0] = 77;
	b.decoded_size = 77;
	cr_assert(object_same_headers(&a, &b));
	object_release(&a);
	object_release(&b);
}

static struct store *open_fault(void)
{
	struct store *s;

	cr_assert_eq(fault_push(open_mem(), &s), 0);
	return s;
}

static int nobody(void *ctx, const struct object *obj)
{
	(void)ctx;
	(void)obj;
	cr_assert_fail("the list was not to be made");
	return 0;
}

Test(fault, a_link_has_the_url_and_the_identity_of_its_driver)
{
	struct store *s = open_fault();

	cr_assert_str_eq(s->url, "mem:");
	cr_assert_str_eq(s->identity, s->next->identity);
	cr_assert_eq(s->batch, s->next->batch);
	store_close(s);
}

Test(fault, fails_each_verb_when_it_is_due_and_once)
{
	struct store *s = open_fault();
	struct object obj = { 0 };
	struct strbuf out = STRBUF_INIT(100);

	cr_assert_eq(put_text(s, "key", "text", STORE_ABSENT, NULL), 0);
	cr_assert(!fault_fired(s));
	fault_arm(s, 1, -EIO);
	cr_assert_eq(store_stat(s, "key", &obj), -EIO);
	cr_assert(fault_fired(s));
	cr_assert_eq(store_stat(s, "key", &obj), 0);
	object_release(&obj);
	fault_arm(s, 1, -EAGAIN);
	cr_assert(!fault_fired(s));
	cr_assert_eq(store_read(s, "key", STORE_ANY, 0, 9, &out), -EAGAIN);
	cr_assert_eq(out.len, 0);
	fault_arm(s, 1, -EIO);
	cr_assert_eq(store_list(s, "", true, NULL, nobody, NULL), -EIO);
	fault_arm(s, 1, -EIO);
	cr_assert_eq(store_refresh(s, "", 0), -EIO);
	cr_assert_eq(store_refresh(s, "", 0), 0);
	fault_arm(s, 1, -EIO);
	cr_assert_eq(put_text(s, "key", "new", STORE_ANY, NULL), -EIO);
	cr_assert_eq(store_read(s, "key", STORE_ANY, 0, 9, &out), 0);
	cr_assert_str_eq(out.buf, "text");
	strbuf_release(&out);
	store_close(s);
}

Test(fault, counts_every_call_down_to_its_own)
{
	struct store *s = open_fault();
	struct object obj = { 0 };

	fault_arm(s, 3, -EIO);
	cr_assert_eq(store_stat(s, "key", &obj), -ENOENT);
	cr_assert_eq(store_refresh(s, "", 0), 0);
	cr_assert(!fault_fired(s));
	cr_assert_eq(store_stat(s, "key", &obj), -EIO);
	cr_assert_eq(store_stat(s, "key", &obj), -ENOENT);
	store_close(s);
}

/* Six changes in three groups; the n-th fails for every n, and exactly the rest of its group with
 * it. */
Test(fault, the_nth_change_of_many_fails_and_the_rest_of_its_group)
{
	static const unsigned groups[] = { 1, 1, 1, 2, 3, 3 };
	struct body body = body_of_bytes("x", 1);

	for (unsigned n = 1; n <= 7; n++) {
		struct store *s = open_fault();
		struct edit edits[ARRAY_SIZE(groups)];
		unsigned hit = n - 1;

		for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
			char key[] = { (char)('a' + i), '\0' };

			edits[i] = edit_write(key, &body, groups[i]);
		}
		fault_arm(s, n, -EIO);
		cr_assert_eq(store_edit(s, edits, ARRAY_SIZE(groups)), n <= 6 ? -EIO : 0);
		cr_assert_eq(fault_fired(s), n <= 6);
		for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
			int expected = i == hit ? -EIO : 0;
			char key[] = { (char)('a' + i), '\0' };

			if (hit < 6 && i > hit && groups[i] == groups[hit])
				expected = -ECANCELED;
			cr_assert_eq(edits[i].result, expected, "n %u, change %u", n, i);
			cr_assert_eq(generation_of(s->next, key) != 0, !expected);
		}
		cr_assert_eq(store_refresh(s, "", 0), n == 7 ? -EIO : 0);
		edit_release(edits, ARRAY_SIZE(groups));
		store_close(s);
	}
}

Test(fault, a_change_that_its_group_cancels_leaves_it_armed)
{
	struct store *s = open_fault();
	struct body body = body_of_bytes("x", 1);
	struct edit edits[2] = { edit_write("a", &body, 1), edit_write("b", &body, 1) };

	edits[0].if_generation = 5;
	fault_arm(s, 2, -EIO);
	cr_assert_eq(store_edit(s, edits, 2), -ESTALE);
	cr_assert_eq(edits[1].result, -ECANCELED);
	cr_assert(!fault_fired(s));
	cr_assert_eq(store_refresh(s, "", 0), -EIO);
	cr_assert(fault_fired(s));
	edit_release(edits, 2);
	store_close(s);
}

Test(counter, counts_each_verb_and_starts_again_when_read)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edits[4] = { edit_write("a", &body, 0), edit_write("b", &body, 0),
				 edit_write("a", &body, 0), edit_write("a", &body, 0) };
	struct store *s, *counter;
	struct store_counts n;
	struct strbuf out = STRBUF_INIT(100);
	char *text;

	cr_assert_eq(counter_push(open_mem(), &counter), 0);
	cr_assert_eq(fault_push(counter, &s), 0);
	edits[1].op = EDIT_COPY;
	edits[1].from = s;
	edits[1].from_key = "a";
	edits[1].from_generation = STORE_ANY;
	edits[2].op = EDIT_TOUCH;
	edits[3].op = EDIT_REMOVE;
	cr_assert_eq(store_edit(s, edits, 4), 0);
	edit_release(edits, 4);
	text = list_text(s, "", true, NULL);
	cr_assert_str_eq(text, "b ");
	free(text);
	cr_assert_eq(store_refresh(s, "", 0), 0);
	n = counter_read(counter);
	cr_assert(n.write == 1 && n.copy == 1 && n.touch == 1 && n.remove == 1);
	cr_assert(n.list == 1 && n.refresh == 1);
	cr_assert(n.stat == 1 && n.read == 1, "a copy through the chain looks at its source");
	cr_assert_eq(generation_of(s, "a"), 0);
	cr_assert_eq(store_read(s, "b", STORE_ANY, 0, 1, &out), 0);
	cr_assert_eq(store_read(s, "b", STORE_ANY, 1, 1, &out), 0);
	n = counter_read(counter);
	cr_assert(n.stat == 1 && n.read == 2);
	cr_assert(!n.write && !n.copy && !n.touch && !n.remove && !n.list && !n.refresh);
	strbuf_release(&out);
	store_close(s);
}
