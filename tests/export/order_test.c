/* SPDX-License-Identifier: BSD-3-Clause */
/* order_test.c - in which order the objects of a prefix come, and go the other way round. */
#include <criterion/criterion.h>

#include "../../fs/export/order.h"
#include "memory.h"
#include "render.h"
#include "strbuf.h"

Test(order, an_archive_comes_before_what_names_it_and_the_rest_last)
{
	static const struct {
		const char *key;
		enum order order;
	} keys[] = {
		{ "latest/api/archives/foo-1.0.0.tar.gz", ORDER_ARCHIVES },
		{ "2026.08.18/api/archives/foo-1.0.0+a.tar.gz", ORDER_ARCHIVES },
		{ "latest/api/archives/foo-none.zip", ORDER_ARCHIVES },
		{ "latest/api/packages/foo/advisories", ORDER_ADVISORIES },
		{ "latest/api/packages/foo", ORDER_LISTINGS },
		{ "latest/api/packages/foo/score", ORDER_REST },
		{ "latest/api/packages/foo/feed.atom", ORDER_REST },
		{ "latest/api/packages/foo/some/thing", ORDER_REST },
		{ "latest/api/package-name-completion-data", ORDER_REST },
		{ "latest/feed.atom", ORDER_REST },
		{ "other/api/packages/foo", ORDER_REST }, /* no prefix of the export */
		{ "api/archives/foo-1.0.0.tar.gz", ORDER_REST },
		{ "top", ORDER_REST },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		cr_expect_eq(order_of(keys[i].key), keys[i].order, "%s", keys[i].key);
	cr_expect(ORDER_ARCHIVES < ORDER_ADVISORIES && ORDER_ADVISORIES < ORDER_LISTINGS &&
		  ORDER_LISTINGS < ORDER_REST);
}

Test(order, the_documents_of_a_package_are_rendered_in_it)
{
	enum order last = ORDER_ARCHIVES;

	for (size_t i = 0; i < n_package_documents; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(1000);

		package_documents[i].key("latest", "foo", &key);
		cr_expect_geq(order_of(key.buf), last, "%s", key.buf);
		last = order_of(key.buf);
	}
}
