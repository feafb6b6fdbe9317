/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "rules/geodat.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *label;
	uint8_t in[16];
	size_t len;
	int want;
	uint64_t value;
} fields[] = {
	{ "nothing", { 0 }, 0, 0, 0 },
	{ "a number", { 0x08, 0x01 }, 2, 1, 1 },
	{ "a number of two bytes", { 0x08, 0xac, 0x02 }, 3, 1, 300 },
	{ "the largest number", { 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 },
		11, 1, UINT64_MAX },
	{ "one bit too many", { 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 },
		11, -EBADMSG, 0 },
	{ "a number without end",
		{ 0x08, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0 }, 12,
		-EBADMSG, 0 },
	{ "a number cut short", { 0x08, 0x80 }, 2, -EBADMSG, 0 },
	{ "a key cut short", { 0x80 }, 1, -EBADMSG, 0 },
	{ "field 0", { 0x00, 0x01 }, 2, -EBADMSG, 0 },
	{ "bytes", { 0x0a, 0x02, 'a', 'b' }, 4, 1, 0 },
	{ "bytes cut short", { 0x0a, 0x03, 'a', 'b' }, 4, -EBADMSG, 0 },
	{ "a length beyond 32 bits", { 0x0a, 255, 255, 255, 255, 255, 1 }, 7, -EBADMSG,
		0 },
	{ "eight bytes", { 0x09, 1, 2, 3, 4, 5, 6, 7, 8 }, 9, 1, 0 },
	{ "eight bytes cut short", { 0x09, 1, 2, 3 }, 4, -EBADMSG, 0 },
	{ "four bytes", { 0x0d, 1, 2, 3, 4 }, 5, 1, 0 },
	{ "a group", { 0x0b }, 1, -EBADMSG, 0 },
};

static void
wire(void **state)
{
	struct wire_field f;
	struct reader r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(fields); i++) {
		reader_init(&r, fields[i].in, fields[i].len);
		if (wire_next(&r, &f) != fields[i].want)
			fail_msg("%s", fields[i].label);
		if (fields[i].want == 1)
			assert_int_equal(f.value, fields[i].value);
		if (fields[i].want < 0)
			assert_int_equal(wire_next(&r, &f), -EBADMSG);
	}
}

static size_t
sites_make(uint8_t *mem, size_t cap)
{
	uint8_t values[1024];
	struct writer w, v;

	writer_init(&w, mem, cap);
	writer_init(&v, values, sizeof(values));
	wire_domain(&v, 2, "a.example", NULL, NULL);
	wire_domain(&v, 0, "word", "ads", NULL);
	wire_domain(&v, 3, "b.example", "ADS", "cn");
	wire_list(&w, "FIRST", &v);
	writer_init(&v, values, sizeof(values));
	wire_domain(&v, 1, "^x", "!cn", NULL);
	wire_list(&w, "SECOND-LIST", &v);
	return w.len;
}

static const struct {
	const char *list, *attrs;
	int count; /* -1: no such list */
	const char *first;
} asked[] = {
	{ "first", "", 3, "a.example" },
	{ "FIRST", "ads", 2, "word" },
	{ "First", "ads@cn", 1, "b.example" },
	{ "first", "cn@ADS", 1, "b.example" },
	{ "first", "gone", 0, NULL },
	{ "second-list", "!cn", 1, "^x" },
	{ "fir", "", -1, NULL },
	{ "firsts", "", -1, NULL },
};

static void
sites(void **state)
{
	struct geosite_domain d, first = { 0 };
	uint8_t mem[2048];
	struct reader list;
	int n, r;
	size_t i, len = sites_make(mem, sizeof(mem));

	(void)state;
	for (i = 0; i < COUNT(asked); i++) {
		r = geodat_find(mem, len, asked[i].list, &list);
		assert_int_equal(r, asked[i].count < 0 ? -ENOENT : 0);
		if (r < 0)
			continue;
		for (n = 0; (r = geosite_next(&list, asked[i].attrs, &d)) > 0; n++)
			if (n == 0)
				first = d;
		assert_int_equal(r, 0);
		assert_int_equal(n, asked[i].count);
		if (n > 0)
			assert_memory_equal(first.value, asked[i].first, first.len);
	}
}

static void
nearest(void **state)
{
	char near[GEODAT_NAME];
	uint8_t mem[2048];
	size_t len = sites_make(mem, sizeof(mem));

	(void)state;
	assert_string_equal(geodat_nearest(mem, len, "frist", near), "FIRST");
	assert_string_equal(geodat_nearest(mem, len, "secondlist", near), "SECOND-LIST");
	assert_string_equal(geodat_nearest(mem, len, "something", near), "");
	assert_string_equal(geodat_nearest(mem, len, "fi", near), "");
}

/* Cut anywhere, it ends in an error or in what came before; never beyond the bytes. */
static void
cut_short(void **state)
{
	struct geosite_domain d;
	struct reader list;
	uint8_t mem[2048], *copy;
	size_t len = sites_make(mem, sizeof(mem)), n;
	int r;

	(void)state;
	for (n = 0; n < len; n++) {
		copy = test_malloc(n + 1);
		memcpy(copy, mem, n);
		r = geodat_find(copy, n, "second-list", &list);
		assert_true(r == -EBADMSG || r == -ENOENT);
		if (geodat_find(copy, n, "first", &list) == 0)
			while ((r = geosite_next(&list, "", &d)) > 0)
				;
		test_free(copy);
	}
}

static void
networks(void **state)
{
	uint8_t mem[1024], values[512], net[4] = { 192, 0, 2, 0 };
	struct writer w, v, bad;
	struct reader list;
	char text[CIDR_TEXT];
	struct cidr c;

	(void)state;
	writer_init(&w, mem, sizeof(mem));
	writer_init(&v, values, sizeof(values));
	wire_network(&v, "192.0.2.0/24");
	wire_network(&v, "2001:db8::/32");
	wire_list(&w, "XA", &v);
	assert_int_equal(geodat_find(w.mem, w.len, "xa", &list), 0);
	assert_int_equal(geoipdat_next(&list, &c), 1);
	assert_string_equal(cidr_format(&c, text), "192.0.2.0/24");
	assert_int_equal(geoipdat_next(&list, &c), 1);
	assert_string_equal(cidr_format(&c, text), "2001:db8::/32");
	assert_int_equal(geoipdat_next(&list, &c), 0);
	/* A length that no address has, and a prefix longer than the address. */
	writer_init(&v, values, sizeof(values));
	writer_init(&bad, mem, sizeof(mem));
	wire_bytes(&bad, 1, net, 3);
	wire_bytes(&v, 2, bad.mem, bad.len);
	reader_init(&list, v.mem, v.len);
	assert_int_equal(geoipdat_next(&list, &c), -EBADMSG);
	writer_init(&v, values, sizeof(values));
	writer_init(&bad, mem, sizeof(mem));
	wire_bytes(&bad, 1, net, 4);
	wire_number(&bad, 2, 33);
	wire_bytes(&v, 2, bad.mem, bad.len);
	reader_init(&list, v.mem, v.len);
	assert_int_equal(geoipdat_next(&list, &c), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire),
		cmocka_unit_test(sites),
		cmocka_unit_test(nearest),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
