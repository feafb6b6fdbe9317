/* SPDX-License-Identifier: MIT */
#include "unit/daemon_import/importing.h"

#include <stdlib.h>

/* Lists of links, as they are and in Base64, and the limits of it all. */

/* "one" and "two" are names that differ, {1} and {2} links of theirs, {b} a bad one, {w}
 * the first one wrapped at n letters. */
static const struct {
	const char *label, *text;
	int servers;
	const char *said; /* or the error, where servers is 0 */
} cases[] = {
	{ "two", "{1}\n{2}\n", 2,
		"in: 2 servers; one, the first, is used, and the others are "
		"kept for rules to name\n" },
	{ "no end of line", "{1}", 1, "" },
	{ "CRLF and space", "\r\n  {1} \r\n\r\n", 1, "" },
	{ "a byte order mark", "\xef\xbb\xbf{1}", 1, "" },
	{ "comments",
		"#profile-title: base64:VGVzdA==\n//profile-web-page-url: https://"
		"a.example\n{1}\n",
		1, "" },
	{ "a comment with a brace", "# {\n{1}\n", 1, "" },
	{ "a bad line", "{1}\nvmess://!!!\n", 1,
		"in: line 2: is broken Base64; left out\n" },
	{ "bad lines first", "vmess://!\nvmess://?\n\n{1}\n", 1,
		"in: line 1: is broken Base64; left out\n"
		"in: line 2: is empty; left out\n" },
	{ "one that the configuration's reader refuses", "{1}\n{b}\n{2}\n", 2,
		"in: line 2: streamSettings.tlsSettings.pinnedPeerCertSha256: zz is not a "
		"SHA-256 (64 hex digits, or Base64); left out\n"
		"in: 2 servers; one, the first, is used, and the others are kept for rules "
		"to name\n" },
	{ "others between", "ss://x\n{1}\ntrojan://y\nhello\n", 1,
		"in: line 1: ss:// links are not spoken, only vmess://; left out\n"
		"in: line 3: trojan:// links are not spoken, only vmess://; left out\n"
		"in: line 4: is not a link; left out\n" },
	{ "only others", "ss://x\nvless://y\n", 0,
		"in: no VMess server that can be used" },
	{ "one bad line", "\nvmess://!!!\n", 0, "in: line 2: is broken Base64" },
	{ "comments alone", "# nothing\n//\n\n", 0, "in: is empty" },
	{ "nothing", "", 0, "in: is empty" },
	{ "space", " \r\n\t", 0, "in: is empty" },
	{ "the same name twice", "{1}\n{1}\n{1}\n", 3,
		"in: 3 servers; one, the first, is used, and the others are kept for rules "
		"to name\n" },
	{ "wrapped", "{w}", 1, "" },
	{ "wrapped among others", "{2}\n{w}\n{2}\n", 3,
		"in: 3 servers; two, the first, is used, and the others are kept for rules "
		"to name\n" },
	{ "a word behind a link", "{1}\nhello\n", 1,
		"in: line 2: is not a link; left out\n" },
	{ "a word behind a wrapped link", "{w}hello\n", 1, NULL },
};

static const char one[] = "{\"ps\":\"one\",\"add\":\"a.example\",\"port\":1,\"id\":\"" ID
			  "\"}";
static const char two[] = "{\"ps\":\"two\",\"add\":\"a.example\",\"port\":1,\"id\":\"" ID
			  "\"}";

static const char bad[] = "{\"add\":\"a.example\",\"port\":1,\"id\":\"" ID
			  "\",\"tls\":\"tls\",\"pcs\":\"zz\"}";

static void
put_wrapped(char *out, size_t cap, const char *link, size_t width)
{
	size_t n = strlen(out), i;

	assert_true(n + 2 * strlen(link) + 2 < cap);
	for (i = 0; link[i]; i++) {
		if (i && i % width == 0)
			out[n++] = '\n';
		out[n++] = link[i];
	}
	out[n++] = '\n';
	out[n] = '\0';
}

static void
expand(char *out, size_t cap, const char *text, size_t width)
{
	size_t n;

	out[0] = '\0';
	for (; *text; text++) {
		n = strlen(out);
		assert_true(n + 1024 < cap);
		if (strncmp(text, "{1}", 3) == 0)
			strcat(out, link_of(one));
		else if (strncmp(text, "{2}", 3) == 0)
			strcat(out, link_of(two));
		else if (strncmp(text, "{b}", 3) == 0)
			strcat(out, link_of(bad));
		else if (strncmp(text, "{w}", 3) == 0)
			put_wrapped(out, cap, link_of(one), width);
		if (*text == '{' && text[1] && text[2] == '}') {
			text += 2;
			continue;
		}
		if (out[n]) /* an expansion has been made */
			continue;
		out[n] = *text;
		out[n + 1] = '\0';
	}
}

static void
judge(size_t i, const struct imported *im)
{
	if (cases[i].servers == 0) {
		assert_string_equal(im->err.text, cases[i].said);
		return;
	}
	assert_string_equal(im->err.text, "");
	assert_int_equal(imported_count(im), cases[i].servers + 1);
	if (cases[i].said)
		assert_string_equal(im->said, cases[i].said);
}

static void
lists(void **state)
{
	char text[8192], encoded[12 * 1024];
	struct imported im;
	size_t i, width;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("%s\n", cases[i].label);
		for (width = 20; width < 80; width += 7) {
			expand(text, sizeof(text), cases[i].text, width);
			import_text(&im, text);
			judge(i, &im);
			imported_free(&im);
		}
		if (!strstr(text, "://"))
			continue;
		assert_int_equal(base64_encode(encoded, sizeof(encoded), text,
					 strlen(text), BASE64_URL | BASE64_BARE),
			0);
		import_text(&im, encoded);
		judge(i, &im);
		imported_free(&im);
	}
}

static void
names(void **state)
{
	static const char *const tags[] = { "one", "one 2", "one 3" };
	char text[2048] = "";
	struct imported im;
	struct json_object *list, *tag;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		strcat(text, link_of(one));
		strcat(text, "\n");
	}
	import_text(&im, text);
	assert_true(json_object_object_get_ex(im.json, "outbounds", &list));
	for (i = 0; i < 3; i++) {
		assert_true(json_object_object_get_ex(
			json_object_array_get_idx(list, i), "tag", &tag));
		assert_string_equal(json_object_get_string(tag), tags[i]);
	}
	imported_free(&im);
}

/* A name is cut where a character ends, and stays a tag (63 bytes). */
static void
long_name(void **state)
{
	char object[1024] = "{\"add\":\"a.example\",\"port\":1,\"id\":\"" ID
			    "\",\"ps\":\"a";
	struct json_object *list, *tag;
	struct imported im;
	size_t i, len;

	(void)state;
	for (i = 0; i < 100; i++)
		strcat(object, "\xe2\x82\xac");
	strcat(object, "\"}");
	import_text(&im, link_of(object));
	assert_true(json_object_object_get_ex(im.json, "outbounds", &list));
	assert_true(json_object_object_get_ex(
		json_object_array_get_idx(list, 0), "tag", &tag));
	len = (size_t)json_object_get_string_len(tag);
	assert_true(len == 61);
	imported_free(&im);
}

static void
zero_bytes(void **state)
{
	static const char inside[] = "vmess://\0AAAA";
	char encoded[64];
	struct imported im;

	(void)state;
	import_bytes(&im, inside, sizeof(inside) - 1, NULL);
	assert_string_equal(im.err.text, "in: has a zero byte");
	imported_free(&im);
	base64_encode(encoded, sizeof(encoded), inside, sizeof(inside) - 1, 0);
	import_text(&im, encoded);
	assert_string_equal(im.err.text, "in: is no link, and not the Base64 of links");
	imported_free(&im);
}

static size_t
lines_count(const char *said)
{
	size_t n = 0;

	for (; *said; said++)
		n += *said == '\n';
	return n;
}

/* 1 MB of each kind of rubbish: an error of one line, and of warnings no more than there
 * is a limit for, a line each. */
static void
a_megabyte(void **state)
{
	static const struct {
		const char *unit, *want;
		size_t lines; /* beside the error */
	} kinds[] = {
		{ "A", "in: is no link, and not the Base64 of links" },
		{ "{", "in:1:65: brackets are nested more than 64 deep" },
		{ "vmess://", "in: is longer than 65536 bytes" },
		{ "vmess://\n", "in: no VMess server that can be used", 201 },
		{ "x://", "in: x:// links are not spoken, only vmess://" },
		{ "proxies: [", "in:1: broken YAML: is nested more than 64 deep" },
		{ "[", "in: is a list of configurations; import them one by one" },
		{ "# x\n", "in: is empty" },
		{ "%", "in: is not a link" },
	};
	const size_t size = 1 << 20;
	char *text = malloc(size + 1);
	struct imported im;
	size_t i, n;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		print_message("%s", kinds[i].unit);
		for (n = 0; n < size; n++)
			text[n] = kinds[i].unit[n % strlen(kinds[i].unit)];
		text[size] = '\0';
		import_text(&im, text);
		assert_string_equal(im.err.text, kinds[i].want);
		assert_int_equal(lines_count(im.said), kinds[i].lines);
		if (kinds[i].lines)
			assert_non_null(
				strstr(im.said, "\nin: more warnings are left out\n"));
		imported_free(&im);
	}
	/* One link of 1 MB. */
	memset(text, 'A', size);
	memcpy(text, "vmess://", 8);
	import_text(&im, text);
	assert_string_equal(im.err.text, "in: is longer than 65536 bytes");
	assert_string_equal(im.said, "");
	imported_free(&im);
	free(text);
}

/* What is said is bounded, and so is the number of servers. */
static void
many(void **state)
{
	const char *link = link_of(two);
	size_t n = strlen(link), i;
	char *text = malloc(1100 * (n + 1) + 1), *p;
	struct imported im;

	(void)state;
	assert_non_null(text);
	for (i = 0, p = text; i < 1100; i++, p += n + 1) {
		memcpy(p, link, n);
		p[n] = '\n';
	}
	*p = '\0';
	import_text(&im, text);
	assert_int_equal(imported_count(&im), IMPORT_SERVERS_MAX + 1);
	assert_non_null(
		strstr(im.said, "in: more than 1000 servers; the rest is left out"));
	imported_free(&im);
	for (i = 0, p = text; i < 1000; i++)
		p += sprintf(p, "ss://%zu\n", i);
	p += sprintf(p, "%s\n", link);
	import_text(&im, text);
	assert_int_equal(imported_count(&im), 2);
	assert_int_equal(lines_count(im.said), 201);
	imported_free(&im);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(names),
		cmocka_unit_test(long_name),
		cmocka_unit_test(zero_bytes),
		cmocka_unit_test(a_megabyte),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
