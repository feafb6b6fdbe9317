/* SPDX-License-Identifier: MIT */
#include "daemon/config_text.h"

#include <stdbool.h>
#include <string.h>

/* Where the walk over the text is. */
struct walk {
	const char *file;
	char *text;
	size_t len, at;
	size_t comma; /* the last significant byte, when it is a comma; else NOWHERE */
	size_t open[CONFIG_DEPTH_MAX]; /* offsets of the brackets that are open */
	unsigned depth;
	struct err *err;
};

static const size_t NOWHERE = (size_t)-1;

struct config_spot
config_text_spot(const char *text, size_t offset)
{
	struct config_spot s = { 1, 1 };
	size_t i;

	for (i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			s.line++;
			s.column = 1;
		} else if (((unsigned char)text[i] & 0xC0) != 0x80) {
			s.column++;
		}
	}
	return s;
}

static int
fail(struct walk *w, size_t at, const char *why)
{
	struct config_spot s = config_text_spot(w->text, at);

	return err_set(w->err, "%s:%u:%u: %s", w->file, s.line, s.column, why);
}

/* The end of the line that holds `at`. */
static size_t
line_end(const struct walk *w, size_t at)
{
	const char *p = memchr(w->text + at, '\n', w->len - at);

	return p ? (size_t)(p - w->text) : w->len;
}

static void
blank(struct walk *w, size_t from, size_t to)
{
	for (; from < to; from++)
		if (w->text[from] != '\n' && w->text[from] != '\r')
			w->text[from] = ' ';
}

/* 1 when there was a comment (or space), which is blanked and passed; 0; -1 and why. */
static int
gap_pass(struct walk *w)
{
	const char *p = w->text + w->at, *end;
	size_t to;

	if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
		w->at++;
		return 1;
	}
	if (*p == '#' || (*p == '/' && p[1] == '/')) {
		to = line_end(w, w->at);
	} else if (*p == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		if (!end)
			return fail(w, w->at, "a comment without its end (*/)");
		to = (size_t)(end + 2 - w->text);
	} else {
		return 0;
	}
	blank(w, w->at, to);
	w->at = to;
	return 1;
}

static int
string_pass(struct walk *w)
{
	size_t i;

	for (i = w->at + 1; i < w->len && w->text[i] != '\n'; i++) {
		if (w->text[i] == '"') {
			w->at = i + 1;
			return 0;
		}
		if (w->text[i] == '\\')
			i++;
	}
	return fail(w, w->at, "a string that does not end on its line");
}

static int
bracket_open(struct walk *w)
{
	if (w->depth == CONFIG_DEPTH_MAX)
		return fail(w, w->at, "brackets are nested more than 64 deep");
	w->open[w->depth++] = w->at++;
	return 0;
}

static int
bracket_close(struct walk *w)
{
	char open = w->text[w->at] == '}' ? '{' : '[';

	if (w->depth == 0 || w->text[w->open[w->depth - 1]] != open)
		return fail(w, w->at, "a closing bracket that nothing opened");
	if (w->comma != NOWHERE)
		w->text[w->comma] = ' ';
	w->depth--;
	w->at++;
	return 0;
}

/* One significant thing: a string, a bracket, a comma, or a byte of something else. */
static int
token_pass(struct walk *w)
{
	char c = w->text[w->at];
	size_t comma = NOWHERE;
	int r = 0;

	if (c == '"') {
		r = string_pass(w);
	} else if (c == '{' || c == '[') {
		r = bracket_open(w);
	} else if (c == '}' || c == ']') {
		r = bracket_close(w);
	} else if (c == '\'') {
		/* json-c lets it pass as a key, even where it is strict. */
		r = fail(w, w->at, "a single quote; strings stand in double ones");
	} else {
		if (c == ',')
			comma = w->at;
		w->at++;
	}
	w->comma = comma;
	return r;
}

/* Passes space and comments. 0, or -1 and why. */
static int
gaps_pass(struct walk *w)
{
	int r = 1;

	while (r == 1 && w->at < w->len)
		r = gap_pass(w);
	return r < 0 ? -1 : 0;
}

static int
begin_check(struct walk *w)
{
	static const char bom[] = "\xEF\xBB\xBF";

	if (w->len >= 2 &&
		(memcmp(w->text, "\xFF\xFE", 2) == 0 ||
			memcmp(w->text, "\xFE\xFF", 2) == 0))
		return fail(w, 0, "the text is UTF-16; save it as UTF-8");
	if (w->len >= 3 && memcmp(w->text, bom, 3) == 0)
		blank(w, 0, 3);
	if (strlen(w->text) != w->len)
		return fail(w, strlen(w->text), "a zero byte: this is not text");
	if (gaps_pass(w) < 0)
		return -1;
	if (w->at == w->len)
		return fail(w, 0, "the file is empty");
	if (w->text[w->at] == '[')
		return fail(w, w->at,
			"an array, where one configuration (an object) is meant");
	if (w->text[w->at] != '{')
		return fail(w, w->at, "this is not JSON: it does not begin with {");
	return 0;
}

int
config_text_clean(const char *file, char *text, size_t *len, struct config_spot *second,
	struct err *e)
{
	struct walk w = { file, text, *len, 0, NOWHERE, { 0 }, 0, e };

	second->line = second->column = 0;
	if (*len > CONFIG_TEXT_MAX)
		return err_set(e, "%s: larger than 16 MB", file);
	if (begin_check(&w) < 0)
		return -1;
	do {
		if (token_pass(&w) < 0)
			return -1;
		if (w.depth == 0)
			break;
		if (gaps_pass(&w) < 0)
			return -1;
	} while (w.at < w.len);
	if (w.depth > 0)
		return fail(&w, w.open[w.depth - 1], "this bracket is never closed");
	*len = w.at;
	/* What is wrong behind the first document is nobody's concern. */
	if (gaps_pass(&w) == 0 && w.at < w.len)
		*second = config_text_spot(text, w.at);
	text[*len] = '\0';
	return 0;
}
