/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * An error for people: what, where (file and path of the value), what to do.
 * Functions that can fail for a reason worth a sentence take a `struct err *`
 * as their last parameter, and fill it exactly when they return below zero
 * (or NULL).  One line, no final newline, no secrets.
 */
struct err {
	char text[512];
};

/* Formats the text, cut to fit, and returns -1, so that `return err_set(e, ...)` reads
 * well. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before the text that is there, cut to fit, and returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
