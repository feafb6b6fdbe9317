/* SPDX-License-Identifier: MIT */
#include "rules/rules.h"

#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LETTERS = 26,
	SEEN = 1024, /* records that a scan remembers: there are hardly more countries */
};

/*
 * The country database, a file of MaxMind's format, mapped into memory.  Two
 * layouts of a record are in use: {"country": {"iso_code": "XA"}} (MaxMind,
 * DB-IP) and {"country_code": "XA"} (ip-location-db).  Both are read, wherever
 * they stand in one file.
 */
struct geoip {
	MMDB_s db;
	bool scanned; /* for the countries that there are */
	bool country[LETTERS * LETTERS];
};

/* Addresses all over both families, looked up once in a new file: damage in the tree or
 * in the records shows as an error.  Which country they are in does not matter. */
static const char *const probes[] = { "0.0.0.0", "1.1.1.1", "8.8.8.8", "41.0.0.1",
	"62.0.0.1", "91.0.0.1", "127.0.0.1", "140.0.0.1", "177.0.0.1", "192.0.2.1",
	"198.51.100.1", "203.0.113.1", "223.0.0.1", "255.255.255.255", "::", "::1",
	"2001:4860:4860::8888", "2001:db8::1", "2400::1", "2600::1", "2800::1", "2a00::1",
	"2c00::1", "fe80::1", "ffff:ffff::1" };

/* The two letters in upper case, or "" and false when it is not two letters. */
static bool
code_take(const MMDB_entry_data_s *d, char cc[static 3])
{
	char c;
	int i;

	cc[0] = '\0';
	if (!d->has_data || d->type != MMDB_DATA_TYPE_UTF8_STRING || d->data_size != 2)
		return false;
	for (i = 0; i < 2; i++) {
		c = d->utf8_string[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c + 'A' - 'a');
		if (c < 'A' || c > 'Z') {
			cc[0] = '\0';
			return false;
		}
		cc[i] = c;
	}
	cc[2] = '\0';
	return true;
}

/* 0, or an error of the library; a record without a country is no error. */
static int
code_find(MMDB_entry_s *entry, char cc[static 3])
{
	static const char *const nested[] = { "country", "iso_code", NULL };
	static const char *const flat[] = { "country_code", NULL };
	MMDB_entry_data_s found;
	int r;

	cc[0] = '\0';
	r = MMDB_aget_value(entry, &found, nested);
	if (r == MMDB_SUCCESS && code_take(&found, cc))
		return MMDB_SUCCESS;
	if (r != MMDB_SUCCESS && r != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
		return r;
	r = MMDB_aget_value(entry, &found, flat);
	if (r == MMDB_SUCCESS)
		code_take(&found, cc);
	return r == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR ? MMDB_SUCCESS : r;
}

/* 0 and the country or "", or an error of the library. */
static int
look_up(const struct geoip *g, const struct ip *ip, char cc[static 3])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *sa = (const struct sockaddr *)&in;
	MMDB_lookup_result_s found;
	int r = MMDB_SUCCESS;

	cc[0] = '\0';
	if (ip->family == 6) {
		memcpy(&in6.sin6_addr, ip->b, 16);
		sa = (const struct sockaddr *)&in6;
	} else {
		memcpy(&in.sin_addr, ip->b, 4);
	}
	if (ip->family == 6 && g->db.metadata.ip_version == 4)
		return MMDB_SUCCESS;
	found = MMDB_lookup_sockaddr(&g->db, sa, &r);
	if (r != MMDB_SUCCESS || !found.found_entry)
		return r;
	return code_find(&found.entry, cc);
}

static int
probe(const struct geoip *g, const char *path, struct err *e)
{
	char cc[3];
	struct ip ip;
	size_t i;
	int r;

	for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (!ip_parse(&ip, probes[i]))
			continue;
		r = look_up(g, &ip, cc);
		if (r != MMDB_SUCCESS)
			return err_set(e,
				"%s: the country database is damaged (%s: %s); "
				"fetch it again with tools/geodata",
				path, probes[i], MMDB_strerror(r));
	}
	return 0;
}

struct geoip *
geoip_open(const char *path, struct err *e)
{
	struct geoip *g = calloc(1, sizeof(*g));
	int r;

	if (!g) {
		err_set(e, "%s: no memory for the country database", path);
		return NULL;
	}
	r = MMDB_open(path, MMDB_MODE_MMAP, &g->db);
	if (r != MMDB_SUCCESS) {
		err_set(e, "%s: not a country database that can be read: %s", path,
			r == MMDB_FILE_OPEN_ERROR || r == MMDB_IO_ERROR
				? strerror(errno)
				: MMDB_strerror(r));
		free(g);
		return NULL;
	}
	if (probe(g, path, e) < 0) {
		geoip_free(g);
		return NULL;
	}
	return g;
}

void
geoip_free(struct geoip *g)
{
	if (!g)
		return;
	MMDB_close(&g->db);
	free(g);
}

int
geoip_country(const struct geoip *g, const struct ip *ip, char cc[static 3])
{
	struct ip plain = ip_unmapped(*ip);

	cc[0] = '\0';
	if (plain.family == 0 || look_up(g, &plain, cc) != MMDB_SUCCESS)
		cc[0] = '\0';
	return cc[0] ? 0 : -ENOENT;
}

static bool *
country_at(struct geoip *g, const char *cc)
{
	int a = (cc[0] | 0x20) - 'a', b = (cc[1] | 0x20) - 'a';

	if (a < 0 || a >= LETTERS || b < 0 || b >= LETTERS || cc[2])
		return NULL;
	return &g->country[a * LETTERS + b];
}

/* Most records stand in the tree many times, and are looked at once. */
static void
record_scan(struct geoip *g, uint8_t type, MMDB_entry_s *entry, uint32_t seen[SEEN])
{
	uint32_t *slot = &seen[entry->offset % SEEN];
	char cc[3];

	if (type != MMDB_RECORD_TYPE_DATA || *slot == entry->offset + 1)
		return;
	*slot = entry->offset + 1;
	if (code_find(entry, cc) == MMDB_SUCCESS && cc[0])
		*country_at(g, cc) = true;
}

static void
scan(struct geoip *g)
{
	uint32_t seen[SEEN] = { 0 }, i;
	MMDB_search_node_s node;

	g->scanned = true;
	for (i = 0; i < g->db.metadata.node_count; i++) {
		if (MMDB_read_node(&g->db, i, &node) != MMDB_SUCCESS) {
			memset(g->country, true, sizeof(g->country));
			return;
		}
		record_scan(g, node.left_record_type, &node.left_record_entry, seen);
		record_scan(g, node.right_record_type, &node.right_record_entry, seen);
	}
}

bool
geoip_has_country(struct geoip *g, const char *cc)
{
	const bool *has = country_at(g, cc);

	if (!g->scanned)
		scan(g);
	return has && *has;
}

const char *
geoip_describe(const struct geoip *g, char *buf, size_t cap)
{
	const MMDB_metadata_s *m = &g->db.metadata;
	time_t built = (time_t)m->build_epoch;
	char day[16] = "?";
	struct tm tm;

	if (m->build_epoch < 1ull << 40 && gmtime_r(&built, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	snprintf(buf, cap, "%.64s, built %s, %s, %lu nodes",
		m->database_type ? m->database_type : "?", day,
		m->ip_version == 4 ? "IPv4 only" : "IPv4 and IPv6",
		(unsigned long)m->node_count);
	return buf;
}
