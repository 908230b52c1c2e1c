/* SPDX-License-Identifier: BSD-3-Clause */
/* manual_test.c - the manual page and `help` name every command and option, for the right commands,
 * and nothing else. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "memory.h"
#include "options.h"
#include "strbuf.h"

#define LINES_MAX 2048

static char *lines[LINES_MAX];
static size_t n_lines;

static void read_manual(void)
{
	FILE *f = fopen(MANUAL, "r");
	char *line = NULL;
	size_t size = 0;

	cr_assert_not_null(f, "%s", MANUAL);
	while (getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		cr_assert_lt(n_lines, LINES_MAX);
		lines[n_lines++] = xstrdup(line);
	}
	free(line);
	fclose(f);
}

static void free_manual(void)
{
	while (n_lines)
		free(lines[--n_lines]);
}

TestSuite(manual, .init = read_manual, .fini = free_manual);

/* The section that line i stands in begins with this word. */
static bool in_section(size_t i, const char *name)
{
	while (i-- > 0)
		if (!strncmp(lines[i], ".Sh ", 4))
			return !strcmp(lines[i] + 4, name);
	return false;
}

/* The first word behind `lead`, in a buffer of the caller; false: the line begins otherwise. */
static bool item_of(size_t i, const char *lead, const char *section, char word[64])
{
	return !strncmp(lines[i], lead, strlen(lead)) && in_section(i, section) &&
	       sscanf(lines[i] + strlen(lead), "%63s", word) == 1;
}

/* The commands of a line such as ".Pq Cm cat , ls". */
static unsigned commands_of(const char *line)
{
	CLEANUP(free_char) char *copy = xstrdup(line + strlen(".Pq Cm"));
	char *rest = copy, *word;
	unsigned bits = 0;

	while ((word = strsep(&rest, " ,"))) {
		if (!*word)
			continue;
		cr_assert_not_null(command_find(word), "%s: %s", line, word);
		bits |= 1u << command_find(word)->id;
	}
	return bits;
}

/* What the table has, in the manual's words: without `help` and `schema`, which take nothing. */
static unsigned working(void)
{
	return option_find("log-level", strlen("log-level"))->commands;
}

Test(manual, has_every_command_and_no_other)
{
	size_t found = 0;
	char word[64];

	for (size_t i = 0; i < n_lines; i++) {
		if (!item_of(i, ".It Cm ", "DESCRIPTION", word))
			continue;
		cr_assert_lt(found, n_commands, "%s", word);
		cr_assert_str_eq(word, commands[found].name, "in the table's order");
		found++;
	}
	cr_assert_eq(found, n_commands);
}

static const struct option_row *row_of(const char *word)
{
	if (*word == '-')
		return option_find(word + 1, strlen(word + 1));
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].letter == *word && !word[1])
			return &option_rows[i];
	return NULL;
}

Test(manual, has_every_option_and_no_other)
{
	unsigned seen[64] = { 0 };
	char word[64];

	for (size_t i = 0; i < n_lines; i++) {
		const struct option_row *row;

		if (!item_of(i, ".It Fl ", "OPTIONS", word))
			continue;
		row = row_of(word);
		cr_assert_not_null(row, "there is no option %s", word);
		cr_assert_eq(!strstr(lines[i], " Ar "), !row->argument, "%s", lines[i]);
		seen[row - option_rows]++;
	}
	for (size_t i = 0; i < n_option_rows; i++)
		cr_assert_eq(seen[i], 1, "%s%c", option_rows[i].name ? option_rows[i].name : "",
			     option_rows[i].letter ? option_rows[i].letter : ' ');
}

Test(manual, says_which_commands_take_an_option)
{
	char word[64];

	for (size_t i = 0; i + 1 < n_lines; i++) {
		unsigned wanted;

		if (!item_of(i, ".It Fl ", "OPTIONS", word))
			continue;
		wanted = row_of(word)->commands;
		if (!strncmp(lines[i + 1], ".Pq Cm", 6))
			cr_assert_eq(commands_of(lines[i + 1]), wanted, "%s", word);
		else
			cr_assert(wanted == working() || !strcmp(word, "-help") ||
					  !strcmp(word, "-version"),
				  "%s is not for all commands", word);
	}
}

Test(manual, says_what_stands_on_the_command_line_alone)
{
	char text[1024] = "";
	bool in_list = false;

	for (size_t i = 0; i < n_lines; i++) {
		in_list = in_list ? !strncmp(lines[i], ".Fl", 3)
				  : !strncmp(lines[i], ".Fl -allow-mass-change ,", 24);
		if (in_list)
			strncat(text, lines[i], sizeof(text) - strlen(text) - 1);
	}
	strncat(text, " ", sizeof(text) - strlen(text) - 1);
	for (size_t i = 0; i < n_option_rows; i++) {
		char words[64];

		if (!option_rows[i].name)
			continue;
		snprintf(words, sizeof(words), " -%s ", option_rows[i].name);
		cr_assert_eq(!strstr(text, words), option_rows[i].in_config, "%s",
			     option_rows[i].name);
	}
}

/* As one line, each run of blanks a single one. */
static void flatten(struct strbuf *text)
{
	char *to = text->buf;

	for (const char *from = text->buf; *from; from++)
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > text->buf && to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
}

static void assert_fits_a_terminal(const char *text)
{
	for (; *text; text += strspn(text, "\n")) {
		size_t n = strcspn(text, "\n");

		cr_assert_leq(n, 80, "%.*s", (int)n, text);
		cr_assert_neq(text[n - 1], ' ', "'%.*s'", (int)n, text);
		text += n;
	}
}

Test(help, of_a_command_has_exactly_what_it_takes)
{
	for (size_t i = 0; i < n_commands; i++) {
		CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(1 << 16);

		options_usage(&commands[i], &text);
		assert_fits_a_terminal(text.buf);
		flatten(&text);
		cr_assert(strstr(text.buf, commands[i].arguments));
		cr_assert(strstr(text.buf, commands[i].summary));
		for (size_t k = 0; k < n_option_rows; k++) {
			const struct option_row *row = &option_rows[k];
			CLEANUP(strbuf_release) struct strbuf words = STRBUF_INIT(256);

			strbuf_addch(&words, ' ');
			option_spell(row, &words);
			strbuf_addf(&words, "%s%s %s ", row->argument ? " " : "",
				    row->argument ? row->argument : "", row->help);
			cr_assert_eq(strstr(text.buf, words.buf) != NULL,
				     option_is_taken(row, &commands[i]), "pubfs %s:%s",
				     commands[i].name, words.buf);
		}
	}
}

Test(help, of_all_has_every_command)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(1 << 16);

	options_overview(&text);
	assert_fits_a_terminal(text.buf);
	flatten(&text);
	for (size_t i = 0; i < n_commands; i++) {
		CLEANUP(strbuf_release) struct strbuf words = STRBUF_INIT(256);

		strbuf_addf(&words, " %s %s%s%s ", commands[i].name, commands[i].arguments,
			    *commands[i].arguments ? " " : "", commands[i].summary);
		cr_assert(strstr(text.buf, words.buf), "%s", words.buf);
		cr_assert_eq(command_find(commands[i].name), &commands[i]);
	}
	cr_assert_null(command_find("frobnicate"));
	cr_assert_null(command_find("l"));
}
