/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
wire_varint(struct writer *w, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		writer_u8(w, (uint8_t)(v | 0x80));
	writer_u8(w, (uint8_t)v);
}

void
wire_number(struct writer *w, unsigned field, uint64_t v)
{
	wire_varint(w, field << 3);
	wire_varint(w, v);
}

void
wire_bytes(struct writer *w, unsigned field, const void *p, size_t len)
{
	wire_varint(w, field << 3 | 2);
	wire_varint(w, len);
	writer_bytes(w, p, len);
}

static void
wire_attribute(struct writer *w, const char *key)
{
	uint8_t mem[128];
	struct writer a;

	if (!key)
		return;
	writer_init(&a, mem, sizeof(mem));
	wire_bytes(&a, 1, key, strlen(key));
	wire_number(&a, 2, 1);
	wire_bytes(w, 3, a.mem, a.len);
}

void
wire_domain(struct writer *w, unsigned type, const char *value, const char *attr,
	const char *other)
{
	uint8_t mem[512];
	struct writer d;

	writer_init(&d, mem, sizeof(mem));
	if (type)
		wire_number(&d, 1, type);
	wire_bytes(&d, 2, value, strlen(value));
	wire_attribute(&d, attr);
	wire_attribute(&d, other);
	wire_bytes(w, 2, d.mem, d.len);
}

void
wire_network(struct writer *w, const char *cidr)
{
	uint8_t mem[64];
	struct writer n;
	struct cidr c;

	assert_true(cidr_parse(&c, cidr));
	writer_init(&n, mem, sizeof(mem));
	wire_bytes(&n, 1, c.ip.b, c.ip.family == 4 ? 4 : 16);
	wire_number(&n, 2, c.bits);
	wire_bytes(w, 2, n.mem, n.len);
}

void
wire_list(struct writer *w, const char *name, const struct writer *values)
{
	uint8_t mem[8192];
	struct writer l;

	writer_init(&l, mem, sizeof(mem));
	wire_bytes(&l, 1, name, strlen(name));
	writer_bytes(&l, values->mem, values->len);
	assert_false(l.bad);
	wire_bytes(w, 1, l.mem, l.len);
}

static void
geosite_write(struct fixture *x)
{
	uint8_t mem[8192], values[4096];
	struct writer w, v;

	writer_init(&w, mem, sizeof(mem));
	writer_init(&v, values, sizeof(values));
	wire_domain(&v, 2, "Example.com", NULL, NULL);
	wire_domain(&v, 3, "only.example.net", "ads", NULL);
	wire_domain(&v, 0, "tracker", "ads", "cn");
	wire_domain(&v, 1, "^r[0-9]+\\.example\\.org$", NULL, NULL);
	wire_list(&w, "TEST", &v);
	writer_init(&v, values, sizeof(values));
	wire_domain(&v, 1, "(unclosed", NULL, NULL);
	wire_domain(&v, 2, "good.example", NULL, NULL);
	wire_list(&w, "WITH-REGEXP", &v);
	writer_init(&v, values, sizeof(values));
	wire_domain(&v, 9, "no.such.type", NULL, NULL);
	wire_list(&w, "BROKEN", &v);
	fixture_write(x, "geosite.dat", w.mem, w.len);
}

static void
geoip_write(struct fixture *x)
{
	uint8_t mem[8192], values[4096];
	struct writer w, v;

	writer_init(&w, mem, sizeof(mem));
	writer_init(&v, values, sizeof(values));
	wire_network(&v, "198.51.100.128/25");
	wire_network(&v, "2001:db8:7::/48");
	wire_list(&w, "TELEGRAM", &v);
	writer_init(&v, values, sizeof(values));
	wire_network(&v, "192.0.2.0/24");
	wire_number(&v, 3, 1);
	wire_list(&w, "INVERSE", &v);
	fixture_write(x, "geoip.dat", w.mem, w.len);
}

static int
fixture_open(struct rules_files *files, const char *name, char *path, size_t cap,
	struct err *e)
{
	struct fixture *x = (struct fixture *)files;

	x->opened++;
	if (strcmp(name, "geoip") != 0)
		snprintf(path, cap, "%s/%s", x->dir, name);
	else if (x->geoip)
		snprintf(path, cap, "%s", x->geoip);
	else
		return err_set(e, "no country database; tools/geodata fetches one");
	return access(path, R_OK) == 0 ? 0 : err_set(e, "%s: no such file", name);
}

void
fixture_init(struct fixture *x)
{
	memset(x, 0, sizeof(*x));
	x->files.open = fixture_open;
	x->geoip = FIXTURE_FLAT;
	snprintf(x->dir, sizeof(x->dir), "/tmp/sluice-rules-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	geosite_write(x);
	geoip_write(x);
}

void
fixture_fini(struct fixture *x)
{
	static const char *const names[] = { "geosite.dat", "geoip.dat", "other.dat",
		"bad.mmdb" };
	char path[256];
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", x->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(x->dir), 0);
}

void
fixture_write(struct fixture *x, const char *name, const void *p, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct ip
ip_of(const char *s)
{
	struct ip ip;

	if (!ip_parse(&ip, s))
		fail_msg("%s is not an address", s);
	return ip;
}

struct rules *
rules_of(const struct rule_spec *rule, size_t n, enum domain_resolve s, struct fixture *x)
{
	struct rules_spec spec = { rule, n, s, x ? &x->files : NULL };
	struct err e = { "" };
	struct rules *r;

	r = rules_load(&spec, &e);
	if (!r)
		fail_msg("%s", e.text);
	return r;
}

uint32_t
dice(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}
