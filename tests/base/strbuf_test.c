/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf_test.c - the buffer with a maximum. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "strbuf.h"

Test(strbuf, an_empty_one_is_a_string_and_needs_no_memory)
{
	struct strbuf sb = STRBUF_INIT(10);

	cr_assert_str_eq(sb.buf, "");
	cr_assert_eq(sb.alloc, 0);
	strbuf_release(&sb);
}

Test(strbuf, takes_exactly_its_maximum_and_not_one_byte_more)
{
	struct strbuf sb = STRBUF_INIT(5);

	strbuf_addstr(&sb, "12345");
	cr_assert_eq(strbuf_error(&sb), 0);
	strbuf_addch(&sb, '6');
	cr_assert_eq(strbuf_error(&sb), -E2BIG);
	cr_assert_str_eq(sb.buf, "12345");
	strbuf_release(&sb);
}

Test(strbuf, after_an_overflow_nothing_more_is_added_even_if_it_would_fit)
{
	struct strbuf sb = STRBUF_INIT(5);

	strbuf_addstr(&sb, "123456789");
	strbuf_addstr(&sb, "1");
	cr_assert_eq(sb.len, 0);
	cr_assert_eq(strbuf_error(&sb), -E2BIG);
	strbuf_reset(&sb);
	strbuf_addstr(&sb, "12"); /* there is room for more, now */
	strbuf_addstr(&sb, "3456");
	strbuf_addstr(&sb, "3");
	cr_assert_str_eq(sb.buf, "12");
	cr_assert_eq(strbuf_error(&sb), -E2BIG);
	strbuf_reset(&sb);
	strbuf_addstr(&sb, "1");
	cr_assert_eq(strbuf_error(&sb), 0);
	cr_assert_str_eq(sb.buf, "1");
	strbuf_release(&sb);
}

Test(strbuf, keeps_bytes_that_are_nul)
{
	struct strbuf sb = STRBUF_INIT(100);

	strbuf_add(&sb, "a\0b", 3);
	strbuf_addf(&sb, "%03d", 7);
	cr_assert_eq(sb.len, 6);
	cr_assert_arr_eq(sb.buf, "a\0b007", 7);
	strbuf_release(&sb);
}

Test(strbuf, a_detached_text_is_the_callers_and_the_buffer_is_empty)
{
	struct strbuf sb = STRBUF_INIT(100);
	char *text;

	text = strbuf_detach(&sb);
	cr_assert_str_eq(text, "");
	free(text);
	strbuf_addstr(&sb, "text");
	text = strbuf_detach(&sb);
	cr_assert_str_eq(text, "text");
	cr_assert_eq(sb.len, 0);
	free(text);
}

Test(strbuf, in_memory_of_the_callers_its_size_is_the_maximum)
{
	char room[6] = "junk";
	struct strbuf sb = strbuf_on(room, sizeof(room));

	cr_assert_str_eq(sb.buf, "");
	strbuf_addstr(&sb, "12345");
	cr_assert_eq(strbuf_error(&sb), 0);
	cr_assert_str_eq(room, "12345");
	strbuf_addch(&sb, '6');
	cr_assert_eq(strbuf_error(&sb), -E2BIG);
	strbuf_reset(&sb);
	cr_assert_str_eq(room, "");
	cr_assert_eq(sb.buf, room);
}
