/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics.c - numbers for a monitoring system, as OpenMetrics text. */
#include "metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "clock.h"
#include "strbuf.h"

static const struct {
	const char *name, *suffix;
} types[] = {
	[METRIC_GAUGE] = { "gauge", "" },
	[METRIC_COUNTER] = { "counter", "_total" },
};

static bool is_in_seconds(const char *name)
{
	static const char end[] = "_seconds";
	size_t n = strlen(name);

	return n >= strlen(end) && !strcmp(name + n - strlen(end), end);
}

static void begin_family(const char *name, const char *type, const char *help, struct strbuf *out)
{
	strbuf_addf(out, "# TYPE pubfs_%s %s\n", name, type);
	if (is_in_seconds(name))
		strbuf_addf(out, "# UNIT pubfs_%s seconds\n", name);
	strbuf_addf(out, "# HELP pubfs_%s %s\n", name, help);
}

static void add_seconds(uint64_t us, struct strbuf *out)
{
	static const uint64_t second = SECOND_US;

	strbuf_addf(out, "%" PRIu64 ".%06" PRIu64, us / second, us % second);
}

/* A label's value is a text: each bound has the one spelling that others give it, such as 1.0. */
static void add_bound(int64_t us, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(64);
	size_t n;

	add_seconds((uint64_t)us, &text);
	for (n = text.len; text.buf[n - 1] == '0' && text.buf[n - 2] != '.'; n--)
		;
	strbuf_add(out, text.buf, n);
}

static void add_sample(const struct metric *m, struct strbuf *out)
{
	strbuf_addf(out, "pubfs_%s%s", m->name, types[m->type].suffix);
	if (m->labels)
		strbuf_addf(out, "{%s}", m->labels);
	strbuf_addch(out, ' ');
	if (is_in_seconds(m->name))
		add_seconds(m->value, out);
	else
		strbuf_addf(out, "%" PRIu64, m->value);
	strbuf_addch(out, '\n');
}

void metrics_add(const struct metric *metrics, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(metrics[i - 1].name, metrics[i].name) != 0)
			begin_family(metrics[i].name, types[metrics[i].type].name,
				     metrics[i].help, out);
		add_sample(&metrics[i], out);
	}
}

void metrics_add_histogram(const char *name, const char *help, const struct metric_bucket *buckets,
			   size_t n_buckets, uint64_t n, uint64_t sum, struct strbuf *out)
{
	begin_family(name, "histogram", help, out);
	for (size_t i = 0; i < n_buckets; i++) {
		strbuf_addf(out, "pubfs_%s_bucket{le=\"", name);
		add_bound(buckets[i].bound, out);
		strbuf_addf(out, "\"} %" PRIu64 "\n", buckets[i].within);
	}
	strbuf_addf(out, "pubfs_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
	strbuf_addf(out, "pubfs_%s_sum ", name);
	add_seconds(sum, out);
	strbuf_addf(out, "\npubfs_%s_count %" PRIu64 "\n", name, n);
}

void metrics_end(struct strbuf *out)
{
	strbuf_addstr(out, "# EOF\n");
}
