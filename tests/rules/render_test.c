/* SPDX-License-Identifier: BSD-3-Clause */
/* render_test.c - the order of a package's documents, and the keys of its objects. */
#include <criterion/criterion.h>
#include <string.h>

#include "render.h"
#include "strbuf.h"

/* The listing's advisoriesUpdated must not be ahead of the advisories, at any moment. */
Test(render, the_advisories_are_written_before_the_listing_and_the_rest_behind_it)
{
	static const struct {
		const char *below;
		enum kind kind;
	} expected[] = {
		{ "/advisories", KIND_ADVISORIES }, { "", KIND_LISTING },
		{ "/likes", KIND_LIKES },	    { "/options", KIND_OPTIONS },
		{ "/publisher", KIND_PUBLISHER },   { "/score", KIND_SCORE },
		{ "/feed.atom", KIND_FEED },
	};

	cr_assert_eq(n_package_documents, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n_package_documents; i++) {
		struct strbuf key = STRBUF_INIT(1000);
		struct object_name name;

		package_documents[i].key("latest", "foo", &key);
		cr_expect_str_eq(key.buf + strlen("latest/api/packages/foo"), expected[i].below);
		cr_expect_eq(package_documents[i].kind, expected[i].kind);
		cr_expect_eq(catalog_match(key.buf, &name), expected[i].kind);
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
