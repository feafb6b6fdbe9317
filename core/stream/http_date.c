/* SPDX-License-Identifier: MIT */
#include "stream/http_date.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct date {
	int year, month, day, hour, minute, second; /* -1: it is none */
};

/*
 * What follows the name of the day.  A run of one of "YBDhms" is a field with so many
 * digits, but a month of letters; everything else stands for itself.
 */
static const char *const forms[] = {
	", DD BBB YYYY hh:mm:ss GMT", /* Sun, 06 Nov 1994 08:49:37 GMT */
	", DD-BBB-YY hh:mm:ss GMT",   /* Sunday, 06-Nov-94 08:49:37 GMT */
	" BBB DD hh:mm:ss YYYY",      /* Sun Nov  6 08:49:37 1994 */
};

/* The number that exactly n digits are, or -1. */
static int
digits(const char *s, size_t n)
{
	int v = 0;

	for (; n; n--, s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
	}
	return v;
}

static int
month_of(const char *s)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int i;

	for (i = 0; i < 12; i++)
		if (memcmp(names + 3 * i, s, 3) == 0)
			return i + 1;
	return -1;
}

static int
year_of(const char *s, size_t n)
{
	int year = digits(s, n);

	if (n > 2 || year < 0)
		return year;
	return year < 70 ? 2000 + year : 1900 + year;
}

static void
field_read(struct date *d, char which, const char *s, size_t n)
{
	switch (which) {
	case 'Y':
		d->year = year_of(s, n);
		break;
	case 'B':
		d->month = month_of(s);
		break;
	case 'D': /* of one digit behind a space, in the form that has no comma */
		d->day = *s == ' ' ? digits(s + 1, n - 1) : digits(s, n);
		break;
	case 'h':
		d->hour = digits(s, n);
		break;
	case 'm':
		d->minute = digits(s, n);
		break;
	case 's':
		d->second = digits(s, n);
		break;
	}
}

static bool
date_read(struct date *d, const char *form, const char *s)
{
	static const char fields[] = "YBDhms";
	size_t n;

	if (strlen(s) != strlen(form))
		return false;
	for (; *form; form += n, s += n) {
		n = strchr(fields, *form) ? strspn(form, (char[]){ *form, '\0' }) : 1;
		if (strchr(fields, *form))
			field_read(d, *form, s, n);
		else if (*form != *s)
			return false;
	}
	return true;
}

/* Days since 1 January 1970; years begin in March here, so that the day which comes
 * every four years is the last one. */
static int64_t
days(const struct date *d)
{
	int64_t y = d->year - (d->month <= 2);
	int64_t m = d->month > 2 ? d->month - 3 : d->month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d->day - 1 -
		719468;
}

static int64_t
unix_time(const struct date *d)
{
	if (d->day < 1 || d->day > 31 || d->month < 0 || d->year < 1970)
		return 0;
	if (d->hour < 0 || d->hour > 23 || d->minute < 0 || d->minute > 59)
		return 0;
	/* 60 is a leap second. */
	if (d->second < 0 || d->second > 60)
		return 0;
	return ((days(d) * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

int64_t
http_date_parse(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	size_t n = strspn(s, letters), i;
	struct date d = { 0 };

	if (n < 3 || n > strlen("Wednesday"))
		return 0;
	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (date_read(&d, forms[i], s + n))
			return unix_time(&d);
	return 0;
}
