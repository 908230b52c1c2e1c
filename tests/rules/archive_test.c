/* SPDX-License-Identifier: BSD-3-Clause */
/* archive_test.c - package archives, sound and not, built byte by byte. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "body.h"
#include "codec.h"
#include "strbuf.h"

#define BIG ((size_t)64 << 20)

struct file {
	const char *path;
	char type; /* of the tar format; 0: an ordinary file */
	const char *target, *text;
};

static void add_block(struct strbuf *tar, const struct file *f, size_t size)
{
	char header[512] = { 0 };
	unsigned sum = 0;

	snprintf(header, 100, "%s", f->path);
	snprintf(header + 100, 8, "%07o", 0644U);
	snprintf(header + 108, 8, "%07o", 0U);
	snprintf(header + 116, 8, "%07o", 0U);
	snprintf(header + 124, 12, "%011o", (unsigned)size);
	snprintf(header + 136, 12, "%011o", 0U);
	memset(header + 148, ' ', 8);
	header[156] = f->type ? f->type : '0';
	if (f->target)
		snprintf(header + 157, 100, "%s", f->target);
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 7, "%06o", sum);
	strbuf_add(tar, header, sizeof(header));
}

static void add_file(struct strbuf *tar, const struct file *f)
{
	static const char zeros[512];
	size_t n = f->text ? strlen(f->text) : 0;

	add_block(tar, f, n);
	strbuf_add(tar, f->text ? f->text : "", n);
	strbuf_add(tar, zeros, (512 - n % 512) % 512);
}

static void add_end(struct strbuf *tar)
{
	static const char zeros[1024];

	strbuf_add(tar, zeros, sizeof(zeros));
}

#define MAX_FILES 4

static void make_archive(const struct file *files, struct strbuf *gz)
{
	struct strbuf tar = STRBUF_INIT(BIG);

	for (size_t i = 0; i < MAX_FILES && files[i].path; i++)
		add_file(&tar, &files[i]);
	add_end(&tar);
	cr_assert_eq(gzip_encode(tar.buf, tar.len, gz), 0);
	strbuf_release(&tar);
}

/* Fails when the result is another, or when `why` does not say `phrase`. */
static void expect(const struct strbuf *gz, int result, const char *phrase)
{
	struct strbuf why = STRBUF_INIT(1000), pubspec = STRBUF_INIT(1000);
	struct body body = body_of_strbuf(gz);

	strbuf_addstr(&pubspec, "before");
	cr_expect_eq(archive_pubspec(&body, &pubspec, &why), result, "%s: %s", phrase, why.buf);
	cr_expect(strstr(why.buf, phrase), "'%s' does not say '%s'", why.buf, phrase);
	cr_expect_str_eq(pubspec.buf, "before", "untouched after '%s'", phrase);
	strbuf_reset(&why);
	cr_expect_eq(archive_pubspec(&body, NULL, &why), result, "the same without a buffer");
	strbuf_release(&why);
	strbuf_release(&pubspec);
}

static void expect_text(const struct strbuf *gz, const char *text)
{
	struct strbuf why = STRBUF_INIT(1000), pubspec = STRBUF_INIT(1000);
	struct body body = body_of_strbuf(gz);

	cr_expect_eq(archive_pubspec(&body, &pubspec, &why), 0, "%s", why.buf);
	cr_expect_str_eq(pubspec.buf, text);
	cr_expect_str_eq(why.buf, "");
	strbuf_release(&why);
	strbuf_release(&pubspec);
}

#define PUBSPEC                                                                                    \
	{                                                                                          \
		.path = "pubspec.yaml", .text = "name: foo\n"                                      \
	}

Test(archive, the_pubspec_at_the_top_is_the_one)
{
	static const struct file cases[][MAX_FILES] = {
		{ PUBSPEC },
		{ { .path = "./pubspec.yaml", .text = "name: foo\n" } },
		{ { .path = ".//./pubspec.yaml", .text = "name: foo\n" } },
		{ { .path = "./", .type = '5' },
		  { .path = "example/pubspec.yaml", .text = "x" },
		  PUBSPEC },
		{ PUBSPEC, { .path = "lib/", .type = '5' }, { .path = "lib/..foo", .text = "x" } },
		{ PUBSPEC, { .path = "lib/foo..", .text = "x" }, { .path = "a../x", .text = "x" } },
		{ PUBSPEC, { .path = "lib/b", .type = '2', .target = "../a/./b" } },
		{ PUBSPEC, { .path = "lib/b/c", .type = '2', .target = "../../pubspec.yaml" } },
		{ PUBSPEC, { .path = "l\303\266b/x", .text = "a name outside ASCII" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strbuf gz = STRBUF_INIT(BIG);

		make_archive(cases[i], &gz);
		expect_text(&gz, "name: foo\n");
		strbuf_release(&gz);
	}
}

Test(archive, what_no_package_may_hold_is_refused)
{
	static const struct {
		struct file files[MAX_FILES];
		const char *phrase;
	} cases[] = {
		{ { { .path = "lib/a", .text = "x" } }, "no pubspec.yaml at its top" },
		{ { { .path = "foo/pubspec.yaml", .text = "x" } }, "no pubspec.yaml at its top" },
		{ { { .path = "pubspec.yaml.d/x", .text = "x" } }, "no pubspec.yaml at its top" },
		{ { PUBSPEC, { .path = "./pubspec.yaml", .text = "x" } }, "twice" },
		{ { { .path = "pubspec.yaml", .type = '2', .target = "a" } }, "is no file" },
		{ { PUBSPEC, { .path = "/etc/x", .text = "x" } }, "'/etc/x' leaves the archive" },
		{ { PUBSPEC, { .path = "../x", .text = "x" } }, "'../x' leaves" },
		{ { PUBSPEC, { .path = "a/../../x", .text = "x" } }, "leaves the archive" },
		{ { PUBSPEC, { .path = "a/..", .type = '5' } }, "leaves the archive" },
		{ { PUBSPEC, { .path = "a", .type = '2', .target = "/etc" } }, "link that leaves" },
		{ { PUBSPEC, { .path = "a", .type = '2', .target = "../b" } }, "link that leaves" },
		{ { PUBSPEC, { .path = "a/b", .type = '2', .target = "./..//../x" } },
		  "link that leaves" },
		{ { PUBSPEC, { .path = "a/b", .type = '2', .target = "../../b" } },
		  "link that leaves" },
		{ { PUBSPEC, { .path = "a/b", .type = '2', .target = "c/../../../a/b" } },
		  "link that leaves" },
		{ { PUBSPEC, { .path = "a", .type = '1', .target = "pubspec.yaml" } },
		  "hard link" },
		{ { PUBSPEC, { .path = "a", .type = '3' } }, "neither a file" },
		{ { PUBSPEC, { .path = "a", .type = '6' } }, "neither a file" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strbuf gz = STRBUF_INIT(BIG);

		make_archive(cases[i].files, &gz);
		expect(&gz, -EINVAL, cases[i].phrase);
		strbuf_release(&gz);
	}
}

Test(archive, a_cut_archive_is_noticed_at_every_byte)
{
	static const struct file files[MAX_FILES] = { PUBSPEC };
	struct strbuf gz = STRBUF_INIT(BIG);

	make_archive(files, &gz);
	while (gz.len) {
		strbuf_setlen(&gz, gz.len - 1);
		expect(&gz, -EINVAL, "cut");
	}
	strbuf_release(&gz);
}

Test(archive, a_wrong_checksum_or_length_is_noticed)
{
	static const struct file files[MAX_FILES] = { PUBSPEC };
	struct strbuf gz = STRBUF_INIT(BIG);

	make_archive(files, &gz);
	gz.buf[gz.len - 8] ^= 1;
	expect(&gz, -EINVAL, "no sound gzip");
	gz.buf[gz.len - 8] ^= 1;
	gz.buf[gz.len - 4] ^= 1;
	expect(&gz, -EINVAL, "no sound gzip");
	gz.buf[gz.len - 4] ^= 1;
	expect_text(&gz, "name: foo\n");
	strbuf_release(&gz);
}

Test(archive, what_is_no_gzip_or_no_tar_is_refused)
{
	struct strbuf gz = STRBUF_INIT(BIG), tar = STRBUF_INIT(BIG);

	expect(&gz, -EINVAL, "cut");
	strbuf_addstr(&gz, "PK\003\004 something else");
	expect(&gz, -EINVAL, "no sound gzip");
	strbuf_reset(&gz);
	cr_assert_eq(gzip_encode("hello", 5, &gz), 0);
	expect(&gz, -EINVAL, "no sound tar");
	strbuf_reset(&gz);

	add_file(&tar, &(struct file)PUBSPEC);
	strbuf_setlen(&tar, tar.len - 512);
	cr_assert_eq(gzip_encode(tar.buf, tar.len, &gz), 0);
	expect(&gz, -EINVAL, "no sound tar");
	strbuf_release(&gz);
	strbuf_release(&tar);
}

/* The second header is damaged, in a sound gzip stream. */
Test(archive, a_damaged_header_is_noticed)
{
	struct strbuf gz = STRBUF_INIT(BIG), tar = STRBUF_INIT(BIG);

	add_file(&tar, &(struct file)PUBSPEC);
	add_file(&tar, &(struct file){ .path = "b", .text = "x" });
	add_end(&tar);
	tar.buf[1024] ^= 1;
	cr_assert_eq(gzip_encode(tar.buf, tar.len, &gz), 0);
	expect(&gz, -EINVAL, "no sound tar");
	strbuf_release(&gz);
	strbuf_release(&tar);
}

Test(archive, behind_the_last_member_stand_zeros_or_nothing)
{
	static const struct file files[MAX_FILES] = { PUBSPEC };
	struct strbuf gz = STRBUF_INIT(BIG);

	make_archive(files, &gz);
	strbuf_add(&gz, "\0\0\0", 3);
	expect_text(&gz, "name: foo\n");
	strbuf_addch(&gz, 'x');
	expect(&gz, -EINVAL, "other bytes");
	strbuf_release(&gz);
}

/* The tar ends early in the stream; the checksum of the stream stands at its end. */
Test(archive, what_follows_the_end_of_the_tar_counts_for_the_checksum_alone)
{
	struct strbuf gz = STRBUF_INIT(BIG), tar = STRBUF_INIT(BIG);

	add_file(&tar, &(struct file)PUBSPEC);
	add_end(&tar);
	for (unsigned i = 0; i < 300000; i++)
		strbuf_addch(&tar, (char)(i * i >> 8));
	cr_assert_eq(gzip_encode(tar.buf, tar.len, &gz), 0);
	expect_text(&gz, "name: foo\n");
	gz.buf[gz.len - 8] ^= 1;
	expect(&gz, -EINVAL, "no sound gzip");
	gz.buf[gz.len - 8] ^= 1;
	strbuf_setlen(&gz, gz.len - 1);
	expect(&gz, -EINVAL, "cut");
	strbuf_release(&gz);
	strbuf_release(&tar);
}

Test(archive, a_stream_of_several_members_is_one_archive)
{
	struct strbuf gz = STRBUF_INIT(BIG), tar = STRBUF_INIT(BIG);

	add_file(&tar, &(struct file){ .path = "a", .text = "x" });
	add_file(&tar, &(struct file)PUBSPEC);
	add_end(&tar);
	cr_assert_eq(gzip_encode(tar.buf, 700, &gz), 0);
	cr_assert_eq(gzip_encode(tar.buf + 700, tar.len - 700, &gz), 0);
	expect_text(&gz, "name: foo\n");
	gz.buf[gz.len - 8] ^= 1;
	expect(&gz, -EINVAL, "no sound gzip");
	strbuf_release(&gz);
	strbuf_release(&tar);
}

Test(archive, a_pubspec_may_fill_its_buffer_and_no_more)
{
	static const struct file files[MAX_FILES] = { PUBSPEC };
	struct strbuf gz = STRBUF_INIT(BIG), pubspec = STRBUF_INIT(10), why = STRBUF_INIT(1000);
	struct body body;

	make_archive(files, &gz);
	body = body_of_strbuf(&gz);
	cr_assert_eq(archive_pubspec(&body, &pubspec, &why), 0);
	cr_assert_str_eq(pubspec.buf, "name: foo\n");
	strbuf_release(&pubspec);
	pubspec.max = 9;
	cr_assert_eq(archive_pubspec(&body, &pubspec, &why), -E2BIG);
	cr_assert_eq(pubspec.len, 0);
	strbuf_release(&gz);
	strbuf_release(&pubspec);
	strbuf_release(&why);
}

static ssize_t read_in_part(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	const struct strbuf *gz = body->ctx;

	cr_assert_leq(n, (size_t)64 << 10, "in pieces");
	if (offset >= gz->len)
		return -EIO;
	n = n < 100 ? n : 100;
	n = n < gz->len - offset ? n : gz->len - offset;
	memcpy(buf, gz->buf + offset, n);
	return (ssize_t)n;
}

Test(archive, a_body_is_read_in_pieces_and_its_failure_is_told)
{
	static const struct file files[MAX_FILES] = { PUBSPEC, { .path = "lib/a", .text = "x" } };
	struct strbuf gz = STRBUF_INIT(BIG), pubspec = STRBUF_INIT(100), why = STRBUF_INIT(1000);
	struct body body = { .fd = -1, .read = read_in_part, .ctx = &gz };

	make_archive(files, &gz);
	body.size = gz.len;
	cr_assert_eq(archive_pubspec(&body, &pubspec, &why), 0, "%s", why.buf);
	cr_assert_str_eq(pubspec.buf, "name: foo\n");
	strbuf_setlen(&gz, gz.len - 1);
	cr_assert_eq(archive_pubspec(&body, &pubspec, &why), -EIO);
	strbuf_release(&gz);
	strbuf_release(&pubspec);
	strbuf_release(&why);
}

/* 32 MiB of one file, of which nothing is kept: a reader that loads entries would not fit. */
Test(archive, files_are_skipped_not_loaded)
{
	struct strbuf gz = STRBUF_INIT(BIG), tar = STRBUF_INIT(BIG);
	size_t size = (size_t)32 << 20;
	char *at;

	add_block(&tar, &(struct file){ .path = "big" }, size);
	at = strbuf_reserve(&tar, size);
	cr_assert_not_null(at);
	memset(at, 'x', size);
	strbuf_setlen(&tar, tar.len + size);
	add_file(&tar, &(struct file)PUBSPEC);
	add_end(&tar);
	cr_assert_eq(gzip_encode(tar.buf, tar.len, &gz), 0);
	expect_text(&gz, "name: foo\n");
	strbuf_release(&gz);
	strbuf_release(&tar);
}
