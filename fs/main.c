/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - argv to command. */
int main(void)
{
	return 2;
}
