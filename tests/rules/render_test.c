/* SPDX-License-Identifier: BSD-3-Clause */
/* render_test.c - the order of a package's documents, and the keys of its objects. */
#include <criterion/criterion.h>
#include <string.h>

#include "render.h"
#include "strbuf.h"

/* The listing's advisoriesUpdated must not be ahead of the advisories, at any moment. */
Test(render, the_listing_is_written_last)
{
	static const char *const keys[] = { "latest/api/packages/foo/advisories",
					    "latest/api/packages/foo" };
	static const enum kind kinds[] = { KIND_ADVISORIES, KIND_LISTING };

	cr_assert_eq(n_package_documents, 2);
	for (size_t i = 0; i < n_package_documents; i++) {
		struct strbuf key = STRBUF_INIT(1000);

		package_documents[i].key("latest", "foo", &key);
		cr_expect_str_eq(key.buf, keys[i]);
		cr_expect_eq(package_documents[i].kind, kinds[i]);
		strbuf_release(&key);
	}
}

Test(render, keys_of_archives_are_not_encoded)
{
	struct strbuf key = STRBUF_INIT(1000);

	archive_key("2026.08.18", "_foo", "1.2.3-d+4.tar.gz", &key);
	cr_expect_str_eq(key.buf, "2026.08.18/api/archives/_foo-1.2.3-d+4.tar.gz.tar.gz");
	strbuf_reset(&key);
	archive_canonical_key("_foo", "1.2.3-d+4.tar.gz", &key);
	cr_expect_str_eq(key.buf, "packages/_foo-1.2.3-d+4.tar.gz.tar.gz");
	strbuf_release(&key);
}
