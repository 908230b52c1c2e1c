/* SPDX-License-Identifier: BSD-3-Clause */
/* documents.h - the bodies that the table in render.c names; see struct document in render.h. */
#ifndef PUBFS_DOCUMENTS_H
#define PUBFS_DOCUMENTS_H

#include "compiler.h"
#include "render.h"

int advisories_body(const struct package *pkg, const struct release_list *releases,
		    const struct rendering *how, struct strbuf *out) MUST_CHECK;
int listing_body(const struct package *pkg, const struct release_list *releases,
		 const struct rendering *how, struct strbuf *out) MUST_CHECK;

int likes_body(const struct package *pkg, const struct release_list *releases,
	       const struct rendering *how, struct strbuf *out) MUST_CHECK;
int options_body(const struct package *pkg, const struct release_list *releases,
		 const struct rendering *how, struct strbuf *out) MUST_CHECK;
int publisher_body(const struct package *pkg, const struct release_list *releases,
		   const struct rendering *how, struct strbuf *out) MUST_CHECK;
int score_body(const struct package *pkg, const struct release_list *releases,
	       const struct rendering *how, struct strbuf *out) MUST_CHECK;
int feed_body(const struct package *pkg, const struct release_list *releases,
	      const struct rendering *how, struct strbuf *out) MUST_CHECK;

/* Appends `"name":"<time>"`, as both documents have it. */
void add_time_member(struct strbuf *out, const char *name, int64_t us);

#endif
