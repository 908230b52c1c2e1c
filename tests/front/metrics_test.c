/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics_test.c - OpenMetrics text: families, samples, units. */
#include <criterion/criterion.h>

#include "../../fs/commands/metrics.h"
#include "memory.h"
#include "strbuf.h"

Test(metrics, samples_of_one_name_are_one_family_and_seconds_are_decimal)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);
	static const struct metric rows[] = {
		{ METRIC_COUNTER, "changes", "action=\"write\"", "Changes.", 3 },
		{ METRIC_COUNTER, "changes", "action=\"copy\"", NULL, 0 },
		{ METRIC_GAUGE, "longest_seconds", NULL, "The longest.", 61000001 },
	};

	metrics_add(rows, ARRAY_SIZE(rows), &out);
	metrics_add_histogram("wait_seconds", "How long.",
			      (const struct metric_bucket[]){ { 250000, 1 }, { 1000000, 4 } }, 2, 5,
			      3500000, &out);
	metrics_end(&out);
	cr_assert_str_eq(out.buf, "# TYPE pubfs_changes counter\n"
				  "# HELP pubfs_changes Changes.\n"
				  "pubfs_changes_total{action=\"write\"} 3\n"
				  "pubfs_changes_total{action=\"copy\"} 0\n"
				  "# TYPE pubfs_longest_seconds gauge\n"
				  "# UNIT pubfs_longest_seconds seconds\n"
				  "# HELP pubfs_longest_seconds The longest.\n"
				  "pubfs_longest_seconds 61.000001\n"
				  "# TYPE pubfs_wait_seconds histogram\n"
				  "# UNIT pubfs_wait_seconds seconds\n"
				  "# HELP pubfs_wait_seconds How long.\n"
				  "pubfs_wait_seconds_bucket{le=\"0.25\"} 1\n"
				  "pubfs_wait_seconds_bucket{le=\"1.0\"} 4\n"
				  "pubfs_wait_seconds_bucket{le=\"+Inf\"} 5\n"
				  "pubfs_wait_seconds_sum 3.500000\n"
				  "pubfs_wait_seconds_count 5\n"
				  "# EOF\n");
}
