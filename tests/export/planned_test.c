/* SPDX-License-Identifier: BSD-3-Clause */
/* planned_test.c - the lines and the sums of a dry run. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "compiler.h"
#include "memory.h"
#include "planned.h"

static const struct planned lines[] = {
	{ PLANNED_COPY, "latest/api/archives/foo-1.0.0.tar.gz", "the archive is new", 0, 700,
	  false },
	{ PLANNED_WRITE, "latest/api/packages/foo", "the package changed", 41, 90, false },
	{ PLANNED_WRITE, "latest/api/packages/bar", "the package is new", 0, 10, false },
	{ PLANNED_WRITE, "latest/api/packages/baz", "the package changed", 43, 5, true },
	{ PLANNED_REMOVE, "2020.01.01/\"odd\"", "its version is too old", 44, 8, false },
};

static char *print(bool json)
{
	struct planned_out out = { .json = json };
	char *text = NULL;
	size_t n;

	out.file = open_memstream(&text, &n);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		planned_print(&out, &lines[i]);
	planned_print_sums(&out);
	fclose(out.file);
	return text;
}

Test(planned, a_line_says_what_which_generation_and_why_and_the_sums_how_much)
{
	CLEANUP(free_char) char *text = print(false);

	cr_assert_str_eq(text,
			 "copy latest/api/archives/foo-1.0.0.tar.gz: the archive is new\n"
			 "write latest/api/packages/foo (generation 41): the package changed\n"
			 "write latest/api/packages/bar: the package is new\n"
			 "held write latest/api/packages/baz (generation 43): the package changed\n"
			 "remove 2020.01.01/\"odd\" (generation 44): its version is too old\n"
			 "in all: copy archive: 1, 700 bytes\n"
			 "in all: write listing: 2, 100 bytes\n"
			 "in all: remove other: 1, 8 bytes\n"
			 "in all: held write listing: 1, 5 bytes\n",
			 "%s", text);
}

Test(planned, as_json_it_is_an_object_a_line)
{
	CLEANUP(free_char) char *text = print(true);

	cr_assert_str_eq(
		text,
		"{\"action\":\"copy\",\"key\":\"latest/api/archives/foo-1.0.0.tar.gz\","
		"\"kind\":\"archive\",\"generation\":null,\"bytes\":700,"
		"\"why\":\"the archive is new\",\"held\":false}\n"
		"{\"action\":\"write\",\"key\":\"latest/api/packages/foo\",\"kind\":\"listing\","
		"\"generation\":\"41\",\"bytes\":90,\"why\":\"the package "
		"changed\",\"held\":false}\n"
		"{\"action\":\"write\",\"key\":\"latest/api/packages/bar\",\"kind\":\"listing\","
		"\"generation\":null,\"bytes\":10,\"why\":\"the package is new\",\"held\":false}\n"
		"{\"action\":\"write\",\"key\":\"latest/api/packages/baz\",\"kind\":\"listing\","
		"\"generation\":\"43\",\"bytes\":5,\"why\":\"the package changed\",\"held\":true}\n"
		"{\"action\":\"remove\",\"key\":\"2020.01.01/\\\"odd\\\"\",\"kind\":\"other\","
		"\"generation\":\"44\",\"bytes\":8,\"why\":\"its version is too "
		"old\",\"held\":false}\n"
		"{\"sums\":[{\"action\":\"copy\",\"kind\":\"archive\",\"held\":false,\"count\":1,"
		"\"bytes\":700},{\"action\":\"write\",\"kind\":\"listing\",\"held\":false,"
		"\"count\":2,"
		"\"bytes\":100},{\"action\":\"remove\",\"kind\":\"other\",\"held\":false,\"count\":"
		"1,"
		"\"bytes\":8},{\"action\":\"write\",\"kind\":\"listing\",\"held\":true,\"count\":1,"
		"\"bytes\":5}]}\n",
		"%s", text);
}
