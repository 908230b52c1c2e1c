/* SPDX-License-Identifier: BSD-3-Clause */
/* mount_options.c - the words behind -o. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "mount.h"

void mount_options_init(struct mount_options *options)
{
	*options = (struct mount_options){ .uid = getuid(), .gid = getgid() };
}

static int parse_number(const char *text, int base, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, base);
	return errno || end == text || *end || *text == '-' || *ret > UINT32_MAX ? -EINVAL : 0;
}

static int parse_flag(struct mount_options *o, const char *word)
{
	const struct {
		const char *name;
		bool *flag, value;
	} flags[] = {
		{ "ro", &o->read_only, true },
		{ "rw", &o->read_only, false },
		{ "allow_other", &o->allow_other, true },
		{ "default_permissions", &o->default_permissions, true },
		{ "noxattr", &o->no_xattr, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(word, flags[i].name)) {
			*flags[i].flag = flags[i].value;
			return 0;
		}
	return -EINVAL;
}

static int parse_word(struct mount_options *o, const char *word)
{
	unsigned long number;

	if (!strncmp(word, "uid=", 4) && !parse_number(word + 4, 10, &number))
		o->uid = (uid_t)number;
	else if (!strncmp(word, "gid=", 4) && !parse_number(word + 4, 10, &number))
		o->gid = (gid_t)number;
	else if (!strncmp(word, "umask=", 6) && !parse_number(word + 6, 8, &number) &&
		 number <= 0777)
		o->umask = (mode_t)number;
	else if (parse_flag(o, word) < 0)
		return fail(-EINVAL, "-o %s: there is no such mount option, or not with that value",
			    word);
	return 0;
}

int mount_options_parse(struct mount_options *options, const char *text)
{
	CLEANUP(free_char) char *words = xstrdup(text);
	struct mount_options parsed = *options;
	char *rest = words, *word;
	int r = 0;

	while (!r && (word = strsep(&rest, ",")))
		if (*word)
			r = parse_word(&parsed, word);
	if (!r && parsed.allow_other && !parsed.default_permissions)
		r = fail(-EINVAL,
			 "-o allow_other lets everybody write, whatever the modes say: add "
			 "default_permissions");
	if (!r)
		*options = parsed;
	return r;
}
