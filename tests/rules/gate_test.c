/* SPDX-License-Identifier: BSD-3-Clause */
/* gate_test.c - sound documents, and each rule of the gate broken in them one at a time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "codec.h"
#include "gate.h"
#include "strbuf.h"

#define BIG ((size_t)32 << 20)

static struct name_part part(const char *text)
{
	return (struct name_part){ text, strlen(text) };
}

static struct object_name name_of(enum kind kind, const char *version)
{
	return (struct object_name){ kind, part("latest"), part("foo"), part(version) };
}

static int check_bytes(enum kind kind, const char *bytes, size_t n, struct strbuf *why)
{
	struct object_name name = name_of(kind, "1.0.0+1");
	struct body body = body_of_bytes(bytes, n);

	return gate_check(&name, &body, why);
}

/* `from`, which stands in the sound document, becomes `to`. */
struct mutation {
	const char *from, *to;
	const char *phrase; /* of the refusal; NULL: it passes */
};

static void mutate(const char *sound, const struct mutation *m, struct strbuf *out)
{
	const char *at = strstr(sound, m->from);

	cr_assert_not_null(at, "'%s' is not in the document", m->from);
	strbuf_add(out, sound, (size_t)(at - sound));
	strbuf_addstr(out, m->to);
	strbuf_addstr(out, at + strlen(m->from));
}

static void expect_each(enum kind kind, const char *sound, const struct mutation *mutations,
			size_t n)
{
	struct strbuf why = STRBUF_INIT(1000);

	cr_assert_eq(check_bytes(kind, sound, strlen(sound), &why), 0, "%s", why.buf);
	cr_assert_str_eq(why.buf, "");
	for (size_t i = 0; i < n; i++) {
		const struct mutation *m = &mutations[i];
		struct strbuf bytes = STRBUF_INIT(BIG);
		int r;

		mutate(sound, m, &bytes);
		r = check_bytes(kind, bytes.buf, bytes.len, &why);
		cr_expect_eq(r, m->phrase ? -EINVAL : 0, "%s: %s", m->to, why.buf);
		if (m->phrase)
			cr_expect(strstr(why.buf, m->phrase), "%s: '%s' does not say '%s'", m->to,
				  why.buf, m->phrase);
		else
			cr_expect_str_eq(why.buf, "");
		strbuf_reset(&why);
		strbuf_release(&bytes);
	}
	strbuf_release(&why);
}

#define SHA "95cb0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

static const char listing[] =
	"{\"name\":\"foo\",\"isDiscontinued\":true,\"replacedBy\":\"bar\","
	"\"latest\":{\"version\":\"2.0.0\"},\"versions\":["
	"{\"version\":\"1.0.0\",\"retracted\":true,"
	"\"pubspec\":{\"name\":\"foo\",\"version\":\"1.0.0\"},"
	"\"archive_url\":\"https://pub.dev/api/archives/foo-1.0.0.tar.gz\","
	"\"archive_sha256\":\"" SHA "\",\"published\":\"2024-01-02T03:04:05.678Z\"},"
	"{\"version\":\"2.0.0\",\"pubspec\":{\"name\":\"foo\",\"version\":\"2.0.0\"},"
	"\"archive_url\":\"https://pub.dev/api/archives/foo-2.0.0.tar.gz\"}],"
	"\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}";

#define URL   "\"https://pub.dev/api/archives/foo-1.0.0.tar.gz\""
#define TIME  "\"2024-01-02T03:04:05.678Z\""
#define EPOCH "\"1970-01-01T00:00:00.000Z\""

Test(gate, a_listing_keeps_every_rule_that_clients_have)
{
	static const struct mutation mutations[] = {
		/* the name is the file's */
		{ "\"name\":\"foo\",\"is", "\"name\":\"bar\",\"is",
		  ".name is \"bar\", not \"foo\"" },
		{ "\"name\":\"foo\",\"is", "\"name\":\"Foo\",\"is", ".name is \"Foo\", not" },
		{ "\"name\":\"foo\",\"is", "\"name\":\"fooo\",\"is", ".name is" },
		{ "\"name\":\"foo\",\"is", "\"name\":null,\"is", ".name is null" },
		{ "\"name\":\"foo\",\"is", "\"is", "the document has no name" },
		{ "\"name\":\"foo\",\"is", "\"name\":\"f\\u006fo\",\"is", NULL },
		/* flags and texts of the package */
		{ "\"isDiscontinued\":true", "\"isDiscontinued\":false", NULL },
		{ "\"isDiscontinued\":true,", "", NULL },
		{ "\"isDiscontinued\":true", "\"isDiscontinued\":null", ".isDiscontinued is null" },
		{ "\"isDiscontinued\":true", "\"isDiscontinued\":\"true\"", ".isDiscontinued is" },
		{ "\"isDiscontinued\":true", "\"isDiscontinued\":1",
		  ".isDiscontinued is 1, not true" },
		{ "\"replacedBy\":\"bar\",", "", NULL },
		{ "\"replacedBy\":\"bar\"", "\"replacedBy\":null", NULL },
		{ "\"replacedBy\":\"bar\"", "\"replacedBy\":1", ".replacedBy is 1, not a string" },
		{ "\"replacedBy\":\"bar\"", "\"replacedBy\":[\"bar\"]", ".replacedBy is" },
		{ "\"latest\":{\"version\":\"2.0.0\"},", "", NULL },
		{ "\"latest\":{\"version\":\"2.0.0\"}", "\"latest\":\"2.0.0\"",
		  ".latest is \"2.0.0\"" },
		{ "\"latest\":{\"version\":\"2.0.0\"}", "\"latest\":null", ".latest is null" },
		/* times */
		{ ",\"advisoriesUpdated\":" EPOCH, "", NULL },
		{ ":" EPOCH, ":\"1970-01-01T00:00:00.000\"", NULL },
		{ ":" EPOCH, ":\"2024-01-02 03:04:05.123456Z\"", NULL },
		{ ":" EPOCH, ":null", ".advisoriesUpdated is null, not a time" },
		{ ":" EPOCH, ":0", ".advisoriesUpdated is 0" },
		{ ":" EPOCH, ":\"yesterday\"", ".advisoriesUpdated is \"yesterday\"" },
		{ ":" EPOCH, ":\"1970-01-01T00:00:00Z\\u0000\"", ".advisoriesUpdated is" },
		{ ",\"published\":" TIME, "", NULL },
		{ ":" TIME, ":\"2024-02-30T00:00:00Z\"", ".versions[0].published is" },
		{ ":" TIME, ":null", ".versions[0].published is null" },
		/* the list */
		{ "\"versions\":[", "\"versionz\":[", "the document has no versions" },
		{ "\"versions\":[", "\"versions\":[{},", ".versions[0] has no version" },
		{ "\"versions\":[", "\"versions\":[null,", ".versions[0] is null, not a map" },
		{ "\"versions\":[", "\"versions\":[\"1.0.0\",", ".versions[0] is \"1.0.0\"" },
		/* a version */
		{ "\"version\":\"1.0.0\",\"r", "\"r", ".versions[0] has no version" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"2.0.0\",\"r",
		  ".versions has 2.0.0 twice" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"2.0.\\u0030\",\"r",
		  ".versions has 2.0.0" },
		{ "\"versions\":[",
		  "\"versions\":[{\"version\":\"2.0.0\",\"pubspec\":{\"name\":\"foo\"},"
		  "\"archive_url\":\"https://x\"},",
		  ".versions has 2.0.0 twice" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"1.0.0+1\",\"r", NULL },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"1.0\",\"r",
		  ".versions[0].version is \"1.0\"" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"01.0.0\",\"r",
		  ".versions[0].version is" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":\"\",\"r", ".versions[0].version is" },
		{ "\"version\":\"1.0.0\",\"r", "\"version\":null,\"r", ".versions[0].version is" },
		{ "\"retracted\":true,", "", NULL },
		{ "\"retracted\":true", "\"retracted\":false", NULL },
		{ "\"retracted\":true", "\"retracted\":null", ".versions[0].retracted is null" },
		{ "\"retracted\":true", "\"retracted\":\"no\"", ".versions[0].retracted is" },
		{ "{\"name\":\"foo\",\"version\":\"1.0.0\"}", "null",
		  ".versions[0].pubspec is null" },
		{ "{\"name\":\"foo\",\"version\":\"1.0.0\"}", "[]",
		  ".versions[0].pubspec is [], not a map" },
		{ "\"pubspec\":{\"name\":\"foo\",\"version\":\"1.0.0\"},", "",
		  ".versions[0] has no pubspec" },
		{ "{\"name\":\"foo\",\"version\":\"1.0.0\"}", "{\"version\":\"1.0.0\"}",
		  ".versions[0].pubspec has no name" },
		{ "{\"name\":\"foo\",\"version\":\"1", "{\"name\":\"bar\",\"version\":\"1",
		  ".versions[0].pubspec.name is \"bar\"" },
		{ "{\"name\":\"foo\",\"version\":\"1.0.0\"}", "{\"name\":\"foo\"}", NULL },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"version\":null}", NULL },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"version\":\"3.0.0\"}", NULL },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"version\":\"01.0.0\"}", NULL },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"version\":\"1.0\"}",
		  ".versions[0].pubspec.version is \"1.0\", not a version" },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"version\":1.0}",
		  ".versions[0].pubspec.version is 1.0" },
		{ "\"foo\",\"version\":\"2.0.0\"}", "\"foo\",\"version\":\"2\"}",
		  ".versions[1].pubspec.version is \"2\"" },
		{ "\"archive_url\":" URL ",", "", ".versions[0] has no archive_url" },
		{ ":" URL, ":null", ".versions[0].archive_url is null" },
		{ ":" URL, ":1", ".versions[0].archive_url is 1" },
		{ ":" URL, ":\"\"", ".versions[0].archive_url is" },
		{ ":" URL, ":\"/api/archives/foo-1.0.0.tar.gz\"", "not an absolute URL" },
		{ ":" URL, ":\"pub.dev/api\"", "not an absolute URL" },
		{ ":" URL, ":\"https:/x\"", "not an absolute URL" },
		{ ":" URL, ":\"https://\"", "not an absolute URL" },
		{ ":" URL, ":\"://x\"", "not an absolute URL" },
		{ ":" URL, ":\"a/b://x\"", "not an absolute URL" },
		{ ":" URL, ":\"http://localhost:8080/x\"", NULL },
		{ ",\"archive_sha256\":\"" SHA "\"", "", NULL },
		{ "95cb0", "95CB0", NULL },
		{ "95cb0", "95cb", ".versions[0].archive_sha256 is" },
		{ "95cb0", "95cb00", "not 64 hexadecimal digits" },
		{ "95cb0", "95cg0", "not 64 hexadecimal digits" },
		{ "\"" SHA "\"", "null", ".versions[0].archive_sha256 is null" },
		{ "\"" SHA "\"", "\"\"", "not 64 hexadecimal digits" },
		/* what is not asked for may be anything */
		{ "{\"name\":\"foo\",\"is", "{\"x\":[{\"versions\":null}],\"name\":\"foo\",\"is",
		  NULL },
		{ "\"retracted\":true", "\"x\":null,\"retracted\":true", NULL },
		{ "{\"name\":\"foo\",\"version\":\"1.0.0\"}",
		  "{\"name\":\"foo\",\"version\":\"1.0.0\",\"a\":12345678901234567890,\"b\":"
		  "\"\\ud800\"}",
		  NULL },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"a\":\"\\\\\",\"version\":\"1\"}",
		  ".versions[0].pubspec.version is \"1\"" },
		{ "\"foo\",\"version\":\"1.0.0\"}", "\"foo\",\"a\":\"\\\"\",\"version\":\"1\"}",
		  ".versions[0].pubspec.version is \"1\"" },
		{ ",", " ,\r\n\t", NULL },
		/* JSON */
		{ "{\"name\"", "\xef\xbb\xbf{\"name\"", "it is no sound JSON" },
		{ "{\"name\"", "[{\"name\"", "it is no sound JSON" },
		{ "\"name\":\"foo\",\"is", "\"name\":\"foo\",\"name\":\"foo\",\"is",
		  "it is no sound JSON" },
		{ "bar", "\xff", "it is no sound JSON" },
		{ "true,", "true,,", "it is no sound JSON" },
	};

	expect_each(KIND_LISTING, listing, mutations, ARRAY_SIZE(mutations));
}

Test(gate, a_listing_is_a_map_with_a_version)
{
	static const struct {
		const char *json, *phrase;
	} cases[] = {
		{ "{\"name\":\"foo\",\"versions\":[]}", ".versions is empty" },
		{ "{\"name\":\"foo\",\"versions\":{}}", ".versions is {}, not a list" },
		{ "[]", "the document is [], not a map" },
		{ "\"foo\"", "the document is \"foo\", not a map" },
		{ "null", "the document is null" },
		{ " \n", "it is no sound JSON" },
		{ "{}", "the document has no name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf why = STRBUF_INIT(1000);

		cr_expect_eq(check_bytes(KIND_LISTING, cases[i].json, strlen(cases[i].json), &why),
			     -EINVAL);
		cr_expect(strstr(why.buf, cases[i].phrase), "'%s'", why.buf);
		strbuf_release(&why);
	}
}

static const char advisories[] =
	"{\"advisories\":[{\"id\":\"GHSA-1\",\"summary\":\"s\",\"aliases\":[\"CVE-1\"],"
	"\"affected\":["
	"{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"foo\"},\"versions\":[\"1.0.0\"]},"
	"{\"package\":{\"ecosystem\":null,\"name\":\"bar\"},\"versions\":null}],"
	"\"database_specific\":{}}],\"advisoriesUpdated\":" EPOCH "}";

Test(gate, advisories_keep_every_rule_that_clients_have)
{
	static const struct mutation mutations[] = {
		{ "\"advisories\":", "\"advisoriez\":", "the document has no advisories" },
		{ "[{\"id\"", "[null,{\"id\"", ".advisories[0] is null, not a map" },
		{ ",\"advisoriesUpdated\":" EPOCH, "", "the document has no advisoriesUpdated" },
		{ ":" EPOCH, ":null", ".advisoriesUpdated is null, not a time" },
		{ ":" EPOCH, ":0", ".advisoriesUpdated is 0" },
		{ ":" EPOCH, ":\"\"", ".advisoriesUpdated is \"\"" },
		{ ":" EPOCH, ":\"1970-01-01T00:00:00.000\"", NULL },
		{ "\"id\":\"GHSA-1\",", "", ".advisories[0] has no id" },
		{ "\"id\":\"GHSA-1\"", "\"id\":null", ".advisories[0].id is null, not a string" },
		{ "\"summary\":\"s\",", "", ".advisories[0] has no summary" },
		{ "\"summary\":\"s\"", "\"summary\":null", ".advisories[0].summary is null" },
		{ "\"summary\":\"s\"", "\"summary\":\"\"", NULL },
		{ "\"aliases\":[\"CVE-1\"],", "", ".advisories[0] has no aliases" },
		{ "[\"CVE-1\"]", "null", ".advisories[0].aliases is null, not a list" },
		{ "[\"CVE-1\"]", "[]", NULL },
		{ "[\"CVE-1\"]", "[\"CVE-1\",1]", ".advisories[0].aliases[1] is 1, not a string" },
		{ "\"affected\":", "\"affectet\":", ".advisories[0] has no affected" },
		{ "\"affected\":[", "\"affected\":[1,", ".advisories[0].affected[0] is 1" },
		{ "\"affected\":[", "\"affected\":[{},",
		  ".advisories[0].affected[0] has no package" },
		{ "{\"ecosystem\":\"Pub\",\"name\":\"foo\"}", "null",
		  ".affected[0].package is null" },
		{ "{\"ecosystem\":\"Pub\",\"name\":\"foo\"}", "{}",
		  ".affected[0].package has no name" },
		{ "\"name\":\"bar\"", "\"name\":1", ".affected[1].package.name is 1" },
		{ "\"name\":\"foo\"", "\"name\":\"foot\"", NULL },
		{ "\"ecosystem\":\"Pub\",", "", ".affected[0].package has no ecosystem" },
		{ "\"ecosystem\":\"Pub\"", "\"ecosystem\":null", ".package.ecosystem is null" },
		{ "\"ecosystem\":\"Pub\"", "\"ecosystem\":\"npm\"", NULL },
		{ "\"name\":\"bar\"", "\"name\":\"f\\u006fo\"",
		  ".affected[1].package.ecosystem is null" },
		{ ",\"versions\":[\"1.0.0\"]", "", ".affected[0] has no versions" },
		{ "[\"1.0.0\"]", "null", ".affected[0].versions is null, not a list" },
		{ "[\"1.0.0\"]", "[1]", ".affected[0].versions[0] is 1, not a string" },
		{ "[\"1.0.0\"]", "[]", NULL },
		{ ",\"versions\":null", "", NULL },
		{ ",\"database_specific\":{}", "", NULL },
		{ "\"database_specific\":{}", "\"database_specific\":null",
		  ".database_specific is null" },
		{ "\"database_specific\":{}", "\"database_specific\":[]",
		  ".database_specific is []" },
		{ "{\"id\"", "{\"x\":{\"id\":null},\"id\"", NULL },
		{ "{\"advisories\"", "\n{ \"advisories\"", NULL },
		{ "[{\"id\"", "[[{\"id\"", "it is no sound JSON" },
	};

	expect_each(KIND_ADVISORIES, advisories, mutations, ARRAY_SIZE(mutations));
}

Test(gate, no_advisories_are_a_sound_document)
{
	static const char none[] = "{\"advisories\":[],\"advisoriesUpdated\":" EPOCH "}";
	static const char map[] = "{\"advisories\":{},\"advisoriesUpdated\":" EPOCH "}";
	struct strbuf why = STRBUF_INIT(1000);

	cr_expect_eq(check_bytes(KIND_ADVISORIES, none, sizeof(none) - 1, &why), 0);
	cr_expect_eq(check_bytes(KIND_ADVISORIES, map, sizeof(map) - 1, &why), -EINVAL);
	cr_expect_str_eq(why.buf, ".advisories is {}, not a list");
	strbuf_release(&why);
}

/* An archive with this pubspec.yaml and nothing else. */
static void make_archive(const char *yaml, struct strbuf *gz)
{
	static const char zeros[1024];
	struct strbuf tar = STRBUF_INIT(BIG);
	char header[512] = "pubspec.yaml";
	size_t n = strlen(yaml);
	unsigned sum = 0;

	snprintf(header + 100, 8, "%07o", 0644U);
	snprintf(header + 124, 12, "%011o", (unsigned)n);
	memset(header + 148, ' ', 8);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 7, "%06o", sum);
	strbuf_add(&tar, header, sizeof(header));
	strbuf_addstr(&tar, yaml);
	strbuf_add(&tar, zeros, (512 - n % 512) % 512);
	strbuf_add(&tar, zeros, sizeof(zeros));
	cr_assert_eq(gzip_encode(tar.buf, tar.len, gz), 0);
	strbuf_release(&tar);
}

/* All under the name foo-1.0.0+1.tar.gz. */
Test(gate, an_archive_has_a_pubspec_of_its_name)
{
	static const struct {
		const char *yaml;
		int result;
		const char *phrase;
	} cases[] = {
		{ "name: foo\nversion: 1.0.0+1\n", 0, NULL },
		{ "version: '1.0.0+1'\nname: \"foo\"\n", 0, NULL },
		{ "name: foo\nversion: 1.0.0+2\n", 0,
		  "the version in its pubspec is \"1.0.0+2\", not 1.0.0+1" },
		{ "name: foo\nversion: 1.0.0+1.0\n", 0, "the version in its pubspec is" },
		{ "name: foo\nversion: 1.0\n", 0,
		  "the version in its pubspec is 1.0, not 1.0.0+1" },
		{ "name: foo\n", 0, "its pubspec has no version" },
		/* from before aliases were refused: clients read it */
		{ "name: foo\nversion: 1.0.0+1\na: &x [1]\nb: &y 1\nc: [*x, *y]\n", 0, NULL },
		{ "a: &x foo\nname: *x\n", -EINVAL, ".name is null" },
		{ "name: bar\nversion: 1.0.0+1\n", -EINVAL, "its pubspec.yaml: .name is \"bar\"" },
		{ "name: 1\n", -EINVAL, ".name is 1" },
		{ "version: 1.0.0+1\n", -EINVAL, "its pubspec.yaml: the document has no name" },
		{ "name: [\n", -EINVAL, "its pubspec.yaml: no YAML" },
		{ "name: foo\nname: foo\n", -EINVAL, "its pubspec.yaml: the key 'name'" },
		{ "- foo\n", -EINVAL, "its pubspec.yaml: no mapping" },
		{ "", -EINVAL, "its pubspec.yaml: no document" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf gz = STRBUF_INIT(BIG), why = STRBUF_INIT(1000);

		make_archive(cases[i].yaml, &gz);
		cr_expect_eq(check_bytes(KIND_ARCHIVE, gz.buf, gz.len, &why), cases[i].result,
			     "%s: %s", cases[i].yaml, why.buf);
		if (cases[i].phrase)
			cr_expect(strstr(why.buf, cases[i].phrase), "'%s' does not say '%s'",
				  why.buf, cases[i].phrase);
		else
			cr_expect_str_eq(why.buf, "");
		strbuf_release(&gz);
		strbuf_release(&why);
	}
}

Test(gate, an_archive_is_sound_to_its_last_byte)
{
	struct strbuf gz = STRBUF_INIT(BIG), why = STRBUF_INIT(1000);

	make_archive("name: foo\nversion: 1.0.0+1\n", &gz);
	cr_expect_eq(check_bytes(KIND_ARCHIVE, gz.buf, gz.len - 1, &why), -EINVAL);
	cr_expect_str_eq(why.buf, "its gzip stream is cut");
	strbuf_reset(&why);
	cr_expect_eq(check_bytes(KIND_ARCHIVE, listing, sizeof(listing) - 1, &why), -EINVAL);
	cr_expect(strstr(why.buf, "no sound gzip"), "%s", why.buf);
	strbuf_release(&gz);
	strbuf_release(&why);
}

Test(gate, the_pubspec_of_an_archive_may_be_big_but_not_boundless)
{
	static const size_t sizes[] = { (size_t)2 << 20, ((size_t)16 << 20) + 1 };
	static const int results[] = { 0, -EINVAL };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct strbuf yaml = STRBUF_INIT(BIG), gz = STRBUF_INIT(BIG),
			      why = STRBUF_INIT(1000);
		char *rest;

		strbuf_addstr(&yaml, "name: foo\nversion: 1.0.0+1\n#");
		rest = strbuf_reserve(&yaml, sizes[i] - yaml.len);
		cr_assert_not_null(rest);
		memset(rest, '.', sizes[i] - yaml.len);
		strbuf_setlen(&yaml, sizes[i]);
		make_archive(yaml.buf, &gz);
		cr_expect_eq(check_bytes(KIND_ARCHIVE, gz.buf, gz.len, &why), results[i]);
		cr_expect_str_eq(why.buf, i ? "its pubspec.yaml is over 16777216 bytes" : "");
		strbuf_release(&yaml);
		strbuf_release(&gz);
		strbuf_release(&why);
	}
}

Test(gate, an_empty_body_never_passes)
{
	for (int kind = KIND_NONE; kind < KIND_COUNT; kind++) {
		struct strbuf why = STRBUF_INIT(1000);

		cr_expect_eq(check_bytes((enum kind)kind, "", 0, &why), -EINVAL);
		cr_expect_str_eq(why.buf, "it is empty");
		strbuf_release(&why);
	}
}

Test(gate, what_the_export_does_not_have_never_passes)
{
	struct object_name name = { .kind = KIND_NONE };
	struct body body = body_of_bytes(listing, sizeof(listing) - 1);
	struct strbuf why = STRBUF_INIT(1000);

	cr_expect_eq(gate_check(&name, &body, &why), -EINVAL);
	cr_expect_str_eq(why.buf, "the export has no object of this name");
	strbuf_release(&why);
}

static ssize_t read_listing(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	if (body->ctx)
		return -EIO;
	memcpy(buf, listing + offset, n);
	return (ssize_t)n;
}

Test(gate, a_body_that_is_not_in_memory_is_read)
{
	struct object_name name = name_of(KIND_LISTING, "");
	struct body body = { .size = sizeof(listing) - 1, .fd = -1, .read = read_listing };
	struct strbuf why = STRBUF_INIT(1000);

	cr_expect_eq(gate_check(&name, &body, &why), 0, "%s", why.buf);
	body.ctx = &body;
	cr_expect_eq(gate_check(&name, &body, &why), -EIO);
	name.kind = KIND_ARCHIVE;
	cr_expect_eq(gate_check(&name, &body, &why), -EIO);
	body.size = DOCUMENT_MAX + 1;
	name.kind = KIND_LISTING;
	cr_expect_eq(gate_check(&name, &body, &why), -EINVAL);
	cr_expect(strstr(why.buf, "it is over 268435456 bytes"), "%s", why.buf);
	strbuf_release(&why);
}

Test(gate, modes_have_names)
{
	enum gate_mode mode = GATE_OFF;

	cr_expect_eq(gate_mode_parse("enforce", &mode), 0);
	cr_expect_eq(mode, GATE_ENFORCE);
	cr_expect_eq(gate_mode_parse("warn", &mode), 0);
	cr_expect_eq(mode, GATE_WARN);
	cr_expect_eq(gate_mode_parse("off", &mode), 0);
	cr_expect_eq(mode, GATE_OFF);
	cr_expect_eq(gate_mode_parse("on", &mode), -EINVAL);
	cr_expect_eq(mode, GATE_OFF);
}
