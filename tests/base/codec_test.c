/* SPDX-License-Identifier: BSD-3-Clause */
/* codec_test.c - digests, hexadecimal and gzip. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "codec.h"
#include "strbuf.h"

Test(codec, digests_are_the_published_ones_of_abc)
{
	unsigned char sha[SHA256_SIZE], md[MD5_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	struct body body = body_of_bytes("abc", 3);

	sha256("abc", 3, sha);
	hex_encode(sha, sizeof(sha), hex);
	cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	md5("abc", 3, md);
	hex_encode(md, sizeof(md), hex);
	cr_assert_str_eq(hex, "900150983cd24fb0d6963f7d28e17f72");

	memset(sha, 0, sizeof(sha));
	cr_assert_eq(digest_body(&body, sha, md), 0);
	hex_encode(sha, sizeof(sha), hex);
	cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(codec, a_file_and_its_bytes_have_the_same_digests)
{
	char name[] = "/tmp/pubfs-codec-XXXXXX";
	int fd = mkstemp(name);
	size_t n = 200000;
	char *bytes = malloc(n);
	unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
	struct body file, memory;

	cr_assert_geq(fd, 0);
	unlink(name);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 7 % 251);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	file = body_of_file(fd, n);
	memory = body_of_bytes(bytes, n);
	cr_assert_eq(digest_body(&file, a, NULL), 0);
	cr_assert_eq(digest_body(&memory, b, NULL), 0);
	cr_assert_arr_eq(a, b, SHA256_SIZE);
	file.size++;
	cr_assert_eq(digest_body(&file, a, NULL), -EIO, "a file shorter than it said");
	free(bytes);
	close(fd);
}

Test(codec, hex_takes_both_cases_and_nothing_else)
{
	unsigned char bytes[2] = { 1, 2 };

	cr_assert_eq(hex_decode("aBfF", bytes, 2), 0);
	cr_assert_eq(bytes[0], 0xab);
	cr_assert_eq(bytes[1], 0xff);
	cr_assert_eq(hex_decode("aBf", bytes, 2), -EINVAL);
	cr_assert_eq(hex_decode("aBfFf", bytes, 2), -EINVAL);
	cr_assert_eq(hex_decode("0g00", bytes, 2), -EINVAL);
	cr_assert_eq(bytes[0], 0xab);
}

Test(codec, gzip_has_no_time_no_name_and_a_fixed_os_byte)
{
	struct strbuf out = STRBUF_INIT(1000);

	cr_assert_eq(gzip_encode("{}", 2, &out), 0);
	cr_assert_arr_eq(out.buf, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
	strbuf_release(&out);
}

/* Frozen bytes: an object must not be sent again because pubfs ran on another day or host. */
Test(codec, gzip_gives_the_same_bytes_on_every_run)
{
	static const unsigned char expected[] = {
		0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x01, 0x0e, 0x00,
		0xf1, 0xff, 0x7b, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0x66, 0x6f,
		0x6f, 0x22, 0x7d, 0x1a, 0x2b, 0x84, 0x87, 0x0e, 0x00, 0x00, 0x00,
	};
	struct strbuf out = STRBUF_INIT(1000), back = STRBUF_INIT(1000);

	cr_assert_eq(gzip_encode("{\"name\":\"foo\"}", 14, &out), 0);
	cr_assert_eq(out.len, sizeof(expected));
	cr_assert_arr_eq(out.buf, expected, sizeof(expected));
	cr_assert_eq(gzip_decode(out.buf, out.len, &back), 0);
	cr_assert_str_eq(back.buf, "{\"name\":\"foo\"}");
	strbuf_release(&out);
	strbuf_release(&back);
}

Test(codec, gunzip_reads_many_members_and_sizes_that_lie)
{
	struct strbuf out = STRBUF_INIT(1 << 20), back = STRBUF_INIT(1 << 20);
	char zeros[100000] = { 0 };

	cr_assert_eq(gzip_encode(zeros, sizeof(zeros), &out), 0);
	cr_assert_eq(gzip_encode("tail", 4, &out), 0);
	cr_assert_eq(gzip_decode(out.buf, out.len, &back), 0);
	cr_assert_eq(back.len, sizeof(zeros) + 4);
	cr_assert_str_eq(back.buf + sizeof(zeros), "tail");
	strbuf_release(&out);
	strbuf_release(&back);
}

Test(codec, gunzip_refuses_what_is_cut_damaged_or_too_big)
{
	struct strbuf out = STRBUF_INIT(1 << 20), back = STRBUF_INIT(99999);
	char zeros[100000] = { 0 };

	cr_assert_eq(gzip_decode("", 0, &back), -EBADMSG);
	cr_assert_eq(gzip_decode("plain", 5, &back), -EBADMSG);
	cr_assert_eq(gzip_encode(zeros, sizeof(zeros), &out), 0);
	cr_assert_eq(gzip_decode(out.buf, out.len, &back), -E2BIG);
	back.max++;
	strbuf_reset(&back);
	cr_assert_eq(gzip_decode(out.buf, out.len, &back), 0, "exactly the maximum");
	strbuf_reset(&back);
	cr_assert_eq(gzip_decode(out.buf, out.len - 4, &back), -EBADMSG);
	cr_assert_lt(gzip_decode(out.buf, out.len - 1, &back), 0);
	out.buf[out.len - 8] ^= 1;
	cr_assert_eq(gzip_decode(out.buf, out.len, &back), -EBADMSG, "a wrong checksum");
	cr_assert_eq(back.len, 0);
	strbuf_release(&out);
	strbuf_release(&back);
}
