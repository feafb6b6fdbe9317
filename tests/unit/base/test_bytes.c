/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/bytes.h"
#include "base/random.h"

static const uint8_t count[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void
fields_are_big_endian(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, count, sizeof count);
	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_be16(&r), 0x0203);
	assert_int_equal(reader_be32(&r), 0x04050607);
	assert_true(reader_be64(&r) == 0x08090a0b0c0d0e0f);
	assert_false(r.bad);
	assert_int_equal(r.len, 0);
}

static void
a_missing_field_stays_missing(void **state)
{
	uint8_t to[4] = { 9, 9, 9, 9 };
	struct reader r, part;

	(void)state;
	reader_init(&r, count, 3);
	assert_int_equal(reader_be32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(reader_u8(&r), 0); /* though three bytes are there */
	assert_null(reader_bytes(&r, 0));
	reader_copy(&r, to, sizeof to);
	assert_hex(to, 4, "00000000");
	reader_part(&r, 1, &part);
	assert_true(part.bad);
	assert_int_equal(part.len, 0);
	reader_init(&r, NULL, 0);
	assert_false(r.bad);
	reader_skip(&r, SIZE_MAX);
	assert_true(r.bad);
}

static void
a_part_ends_where_it_ends(void **state)
{
	struct reader r, part;

	(void)state;
	reader_init(&r, count, 5);
	reader_part(&r, 2, &part);
	assert_int_equal(reader_be16(&part), 0x0102);
	assert_int_equal(reader_u8(&part), 0);
	assert_true(part.bad);
	assert_false(r.bad);
	reader_skip(&r, 1);
	assert_ptr_equal(reader_bytes(&r, 2), count + 3);
	reader_part(&r, 1, &part);
	assert_true(part.bad && r.bad);
}

static void
a_writer_stops_at_its_end(void **state)
{
	uint8_t mem[17];
	struct writer w;

	(void)state;
	memset(mem, 0xee, sizeof mem);
	writer_init(&w, mem, 16);
	writer_u8(&w, 1);
	writer_be16(&w, 0x0203);
	writer_be32(&w, 0x04050607);
	writer_be64(&w, 0x08090a0b0c0d0e0f);
	assert_false(w.bad);
	assert_memory_equal(mem, count, 15);
	writer_be16(&w, 0xffff);
	assert_true(w.bad);
	writer_u8(&w, 0xff); /* there is room, and it is too late */
	writer_bytes(&w, count, 1);
	assert_int_equal(w.len, 15);
	assert_int_equal(mem[15], 0xee);
	writer_init(&w, mem, 2);
	writer_bytes(&w, NULL, 0);
	writer_bytes(&w, count, 2);
	assert_false(w.bad);
	assert_int_equal(w.len, 2);
}

/* RFC 1071, 1, as it is written there. */
static uint16_t
slow_checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
checksums(void **state)
{
	static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6,
		0xf7 };
	uint8_t p[1501], ones[65536];
	uint32_t sum = 0;
	size_t len, split;

	(void)state;
	/* RFC 1071, 3: the sum is ddf2. */
	assert_int_equal(checksum_fold(checksum_add(0, example, sizeof example)), 0x220d);
	random_bytes(p, sizeof p);
	for (len = 0; len <= sizeof p; len++) {
		split = len / 3 & ~(size_t)1;
		sum = checksum_add(checksum_add(0, p, split), p + split, len - split);
		assert_int_equal(checksum_fold(sum), slow_checksum(p, len));
	}
	memset(ones, 0xff, sizeof ones);
	assert_int_equal(checksum_fold(checksum_add(UINT32_MAX, ones, sizeof ones)), 0);
	assert_int_equal(checksum_fold(checksum_add(0, NULL, 0)), 0xffff);
}

static void
secrets(void **state)
{
	uint8_t a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_true(bytes_equal_secret(a, b, 4));
	b[3] = 5;
	assert_false(bytes_equal_secret(a, b, 4));
	assert_true(bytes_equal_secret(a, b, 3));
	assert_true(bytes_equal_secret(NULL, NULL, 0));
	bytes_wipe(a, 3);
	assert_hex(a, 4, "00000004");
	bytes_wipe(NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_big_endian),
		cmocka_unit_test(a_missing_field_stays_missing),
		cmocka_unit_test(a_part_ends_where_it_ends),
		cmocka_unit_test(a_writer_stops_at_its_end),
		cmocka_unit_test(checksums),
		cmocka_unit_test(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
