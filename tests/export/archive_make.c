/* SPDX-License-Identifier: BSD-3-Clause */
/* archive_make.c - a package archive with nothing but its pubspec. */
#include "archive_make.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "codec.h"
#include "strbuf.h"

void archive_make(const char *package, const char *version, struct strbuf *out)
{
	CLEANUP(strbuf_release)
	struct strbuf tar = STRBUF_INIT(ARCHIVE_MAX),
		      text = STRBUF_INIT(1000);
	static const char zeros[1024];
	char header[512] = "pubspec.yaml";
	unsigned sum = 0;
	int r;

	strbuf_addf(&text, "name: %s\nversion: %s\n", package, version);
	snprintf(header + 100, 8, "%07o", 0644);
	snprintf(header + 108, 8, "%07o", 0);
	snprintf(header + 116, 8, "%07o", 0);
	snprintf(header + 124, 12, "%011zo", text.len);
	snprintf(header + 136, 12, "%011o", 0);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	strbuf_add(&tar, header, sizeof(header));
	strbuf_add(&tar, text.buf, text.len);
	strbuf_add(&tar, zeros, 512 - text.len % 512);
	strbuf_add(&tar, zeros, sizeof(zeros));
	r = gzip_encode(tar.buf, tar.len, out);
	assert(!r);
}
