/* SPDX-License-Identifier: BSD-3-Clause */
/* order.c - in which order the objects of a prefix come and go (spec, section 11). */
#include "order.h"

#include <string.h>

#include "catalog.h"

enum order order_of(const char *key)
{
	static const char archives[] = "/api/archives/";
	const char *name = strchr(key, '/');
	struct object_name parts;
	enum kind kind;

	if (name && !strncmp(name, archives, strlen(archives)))
		return ORDER_ARCHIVES;
	kind = catalog_match(key, &parts);
	if (kind == KIND_ADVISORIES)
		return ORDER_ADVISORIES;
	return kind == KIND_LISTING ? ORDER_LISTINGS : ORDER_REST;
}
