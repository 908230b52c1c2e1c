/* SPDX-License-Identifier: BSD-3-Clause */
/* path.h - the one rule between keys and paths. Pure; never depends on what else is there. */
#ifndef PUBFS_PATH_H
#define PUBFS_PATH_H

#include "compiler.h"

struct strbuf;

/*
 * A key is its path, but what lies below a package is in the folder `<package>.d` beside it:
 * latest/api/packages/http/advisories <-> latest/api/packages/http.d/advisories. The rule holds
 * for the fourth part of any name whose second and third are `api/packages`, where more follows.
 * Both append to `out` (-E2BIG: it is full); a key or path that ends in '/' (a folder) is mapped as
 * one, and "" is the root.
 */

#define PATH_PART_MAX 255  /* bytes, the kernel's NAME_MAX */
#define KEY_MAX	      1024 /* bytes, what GCS takes */

/* -EINVAL: no path can show this key (an empty, "." or ".." part, a part over 255 bytes as it
 * would stand in the path, a control character, invalid UTF-8, over KEY_MAX; `.pubfs` on top,
 * which is the control folder, or `.pubfs-store`, which is the `dir:` store's own). */
int path_from_key(const char *key, struct strbuf *out) MUST_CHECK;
/* -ENOENT: no key could have this path. */
int path_to_key(const char *path, struct strbuf *out) MUST_CHECK;

#endif
