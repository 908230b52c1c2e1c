/* SPDX-License-Identifier: BSD-3-Clause */
/* archives.c - package archives for a bench, as many as lines "PACKAGE VERSION" on its input.
 *
 *	archives FOLDER
 */
#include <err.h>
#include <stdio.h>

#include "../export/archive_make.h"
#include "catalog.h"
#include "compiler.h"
#include "memory.h"
#include "strbuf.h"

static void make(const char *folder, const char *package, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(ARCHIVE_MAX);
	CLEANUP(free_char)
	char *path = xasprintf("%s/%s-%s.tar.gz", folder, package, version);
	FILE *f = fopen(path, "we");

	archive_make(package, version, &bytes);
	if (!f || fwrite(bytes.buf, 1, bytes.len, f) != bytes.len || fclose(f))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	char package[65], version[65];

	if (argc != 2)
		errx(2, "usage: archives FOLDER");
	while (scanf("%64s %64s", package, version) == 2)
		make(argv[1], package, version);
	return 0;
}
