/* SPDX-License-Identifier: MIT */
#include "platform/linux/script.h"

#include "platform/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	NFT_WAIT = 10000, /* ms for one run */
	NFT_REFUSED = 1,  /* its exit status */
	PROBE_SCRIPT = 1024,
};

static const char *
nft_path(void)
{
	static const char *const usual[] = {
		"/usr/sbin/nft",
		"/sbin/nft",
		"/usr/local/sbin/nft",
		"/usr/bin/nft",
		"/bin/nft",
		"/usr/local/bin/nft",
	};
	size_t i;

	for (i = 0; i < sizeof usual / sizeof *usual; i++) {
		if (access(usual[i], X_OK) == 0)
			return usual[i];
	}
	return NULL;
}

struct script *
script_new(size_t cap)
{
	struct script *s = calloc(1, sizeof *s);

	if (s)
		s->text = calloc(1, cap);
	if (s && !s->text) {
		free(s);
		return NULL;
	}
	if (s)
		s->cap = cap;
	return s;
}

void
script_free(struct script *s)
{
	if (!s)
		return;
	free(s->text);
	free(s);
}

void
script_add(struct script *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, s->cap - s->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= s->cap - s->len)
		s->cut = true;
	else
		s->len += (size_t)n;
}

static int
nft_run(const struct script *s, const char *const argv[], struct err *e)
{
	int status;

	if (!argv[0])
		return err_set(e,
			"the program `nft` is not installed (or not executable), and "
			"without it the way out cannot be kept apart from the way in; "
			"install the package nftables");
	if (s->cut)
		return err_set(e, "nft: the rule set has no room");
	status = sys_run(argv, s->text, NFT_WAIT, e);
	if (status == NFT_REFUSED)
		return -EINVAL;
	return status == 0 ? 0 : -EIO;
}

int
script_run(const struct script *s, struct err *e)
{
	const char *argv[] = { nft_path(), "-f", "-", NULL };

	return nft_run(s, argv, e);
}

/* As script_run of such a table would be; changes nothing. */
static int
probe(const char *family, const char *rules)
{
	const char *argv[] = { nft_path(), "-c", "-f", "-", NULL };
	struct script *s = script_new(PROBE_SCRIPT);
	struct err e;
	int r;

	if (!s)
		return -ENOMEM;
	script_add(s, "table %s sluice_probe {\n%s}\n", family, rules);
	r = nft_run(s, argv, &e);
	script_free(s);
	return r;
}

bool
script_is_missing(const char *family, const char *rules)
{
	return probe(family, rules) == -EINVAL && probe(family, "") == 0;
}

int
script_name_missing(const char *family, const struct script_piece *piece, size_t n,
	const char *whom, struct err *e)
{
	int r = 0;
	size_t i;

	for (i = 0; i < n && r == 0; i++)
		r = probe(family, piece[i].rules);
	if (r == -EINVAL && piece[i - 1].what != NULL)
		(void)err_set(e, "this system lacks %s%s", piece[i - 1].what, whom);
	return -1;
}
