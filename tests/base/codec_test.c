/* SPDX-License-Identifier: BSD-3-Clause */
/* codec_test.c - digests, hexadecimal and gzip. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "codec.h"
#include "memory.h"
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

Test(codec, crc32c_of_the_published_vectors_whole_and_in_parts)
{
	unsigned char zeros[32] = { 0 }, ones[32];
	CLEANUP(free_char) char *long_text = xmalloc(200000);

	memset(ones, 0xff, sizeof(ones));
	memset(long_text, 'x', 200000);
	cr_assert_eq(crc32c(0, "", 0), 0);
	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283); /* and RFC 3720, B.4: */
	cr_assert_eq(crc32c(0, zeros, 32), 0x8a9136aa);
	cr_assert_eq(crc32c(0, ones, 32), 0x62a8ab43);
	cr_assert_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	cr_assert_eq(crc32c(crc32c(0, long_text, 77777), long_text + 77777, 200000 - 77777),
		     crc32c(0, long_text, 200000));
}

static ssize_t read_cut(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	(void)body;
	(void)n;
	memset(buf, '1', 1);
	return offset < 8;
}

Test(codec, a_body_gives_both_checksums_in_one_reading)
{
	struct body body = body_of_bytes("123456789", 9);
	struct body cut = { .size = 9, .fd = -1, .read = read_cut };
	unsigned char sum[MD5_SIZE], expected[MD5_SIZE];
	uint32_t crc = 7;

	md5("123456789", 9, expected);
	cr_assert_eq(checksum_body(&body, sum, &crc), 0);
	cr_assert_arr_eq(sum, expected, MD5_SIZE);
	cr_assert_eq(crc, 0xe3069283);
	crc = 7;
	cr_assert_lt(checksum_body(&cut, sum, &crc), 0);
	cr_assert_eq(crc, 7, "outputs are untouched on failure");
}

Test(codec, base64_of_the_vectors_of_its_rfc)
{
	static const struct {
		const char *bytes, *text, *url;
	} rows[] = {
		{ "", "", "" },
		{ "f", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg==", "Zm9vYg" },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xff\xbe", "+/++", "-_--" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100), url = STRBUF_INIT(100);
		size_t n = strlen(rows[i].bytes);
		unsigned char back[8];

		strbuf_addch(&url, '=');
		base64_encode(rows[i].bytes, n, &out);
		base64url_encode(rows[i].bytes, n, &url);
		cr_assert_str_eq(out.buf, rows[i].text);
		cr_assert_str_eq(url.buf + 1, rows[i].url);
		cr_assert_eq(base64_decode(rows[i].text, back, n), 0);
		cr_assert_arr_eq(back, rows[i].bytes, n);
	}
}

Test(codec, base64_of_another_form_or_length_is_refused)
{
	static const char *const texts[] = { "",     "Zg=",	"Zg==\n", " Zg==", "Zm8=",
					     "Zm9v", "Z===",	"Zg=a",	  "====",  "Zg==Zg==",
					     "Z_==", "\xc3\xa9==" };
	unsigned char byte = 42;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_eq(base64_decode(texts[i], &byte, 1), -EINVAL, "%s", texts[i]);
	cr_assert_eq(byte, 42);
}

Test(codec, sha512_of_a_known_text)
{
	unsigned char sum[SHA512_SIZE];
	char hex[2 * SHA512_SIZE + 1];

	sha512("abc", 3, sum);
	hex_encode(sum, sizeof(sum), hex);
	cr_assert_str_eq(hex, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}
