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

static void begin_family(const struct metric *m, struct strbuf *out)
{
	strbuf_addf(out, "# TYPE pubfs_%s %s\n", m->name, types[m->type].name);
	if (is_in_seconds(m->name))
		strbuf_addf(out, "# UNIT pubfs_%s seconds\n", m->name);
	strbuf_addf(out, "# HELP pubfs_%s %s\n", m->name, m->help);
}

static void add_sample(const struct metric *m, struct strbuf *out)
{
	static const uint64_t second = SECOND_US;

	strbuf_addf(out, "pubfs_%s%s", m->name, types[m->type].suffix);
	if (m->labels)
		strbuf_addf(out, "{%s}", m->labels);
	if (is_in_seconds(m->name))
		strbuf_addf(out, " %" PRIu64 ".%06" PRIu64 "\n", m->value / second,
			    m->value % second);
	else
		strbuf_addf(out, " %" PRIu64 "\n", m->value);
}

void metrics_add(const struct metric *metrics, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(metrics[i - 1].name, metrics[i].name) != 0)
			begin_family(&metrics[i], out);
		add_sample(&metrics[i], out);
	}
}

void metrics_end(struct strbuf *out)
{
	strbuf_addstr(out, "# EOF\n");
}
