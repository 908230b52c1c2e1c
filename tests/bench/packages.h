/* SPDX-License-Identifier: BSD-3-Clause */
/* packages.h - the made-up packages that the bench's bucket holds, and its floor computes. */
#ifndef PUBFS_TESTS_BENCH_PACKAGES_H
#define PUBFS_TESTS_BENCH_PACKAGES_H

#include <stdio.h>
#include <string.h>

/* Everything of a package has the same length as that of any other, so that a size needs no text.
 */
#define PACKAGE_NAME	 "package_%07u"
#define PACKAGE_NAME_MAX 16
#define PACKAGE_VERSION	 "1.0.0"
#define LISTING_VERSIONS 8
#define LISTING_MAX	 8192
#define ARCHIVE		 "the bytes of an archive, of which nothing but the length is shown"

/* What lies below a package, in the order of the keys. */
static const struct package_detail {
	const char *name, *text;
} package_details[] = {
	{ "advisories", "{\"advisories\":[],\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}" },
	{ "feed.atom", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed></feed>\n" },
	{ "likes", "{\"package\":\"package\",\"likes\":0}" },
	{ "options", "{\"isDiscontinued\":false,\"replacedBy\":null,\"isUnlisted\":false}" },
	{ "publisher", "{\"publisherId\":null}" },
	{ "score", "{\"grantedPoints\":0,\"maxPoints\":0,\"likeCount\":0,\"tags\":[]}" },
};
#define DETAILS (sizeof(package_details) / sizeof(package_details[0]))

/* DETAILS: there is none of that name. */
static inline unsigned package_detail_of(const char *name)
{
	unsigned i = 0;

	while (i < DETAILS && strcmp(name, package_details[i].name) != 0)
		i++;
	return i;
}

/* A listing of the size that many have. Returns its length. */
static inline size_t package_listing(unsigned number, char out[LISTING_MAX])
{
	size_t n = (size_t)snprintf(out, LISTING_MAX, "{\"name\":\"" PACKAGE_NAME "\"", number);

	for (unsigned i = 0; i <= LISTING_VERSIONS; i++) {
		unsigned version = i ? i : LISTING_VERSIONS;

		n += (size_t)snprintf(
			out + n, LISTING_MAX - n,
			"%s{\"version\":\"%u.0.0\",\"pubspec\":{\"name\":\"" PACKAGE_NAME
			"\",\"version\":\"%u.0.0\",\"description\":\"A package that was made up, "
			"number %07u, for measuring.\",\"environment\":{\"sdk\":\"^3.0.0\"},"
			"\"dependencies\":{\"collection\":\"^1.17.0\",\"http\":\"^1.2.0\",\"meta\":"
			"\"^1.9.0\"}},\"archive_url\":\"https://pub.example.com/api/"
			"archives/" PACKAGE_NAME
			"-%u.0.0.tar.gz\",\"published\":\"2024-01-02T03:04:05.678Z\"}",
			i == 0	 ? ",\"latest\":"
			: i == 1 ? ",\"versions\":["
				 : ",",
			version, number, version, number, number, version);
	}
	return n + (size_t)snprintf(out + n, LISTING_MAX - n, "]}");
}

#endif
