/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics.h - numbers for a monitoring system, as OpenMetrics text. */
#ifndef PUBFS_METRICS_H
#define PUBFS_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER, /* its name without the `_total` that it gets */
};

struct metric {
	enum metric_type type;
	const char *name;   /* without the `pubfs_` that it gets; `_seconds` at its end is a unit */
	const char *labels; /* `plan="gc"`; NULL: none */
	const char *help;
	uint64_t value; /* of one in seconds: microseconds */
};

/* Those of one name stand together. */
void metrics_add(const struct metric *metrics, size_t n, struct strbuf *out);
/* How many took no longer than `bound` microseconds, of n that took `sum` in all. The name is in
 * seconds. */
struct metric_bucket {
	int64_t bound;
	uint64_t within;
};
void metrics_add_histogram(const char *name, const char *help, const struct metric_bucket *buckets,
			   size_t n_buckets, uint64_t n, uint64_t sum, struct strbuf *out);
/* Behind the last one. */
void metrics_end(struct strbuf *out);

#endif
