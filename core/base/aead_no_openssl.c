/* SPDX-License-Identifier: MIT */
#include "base/aead_inside.h"

/* In the place of aead_openssl.c in a build without OpenSSL. */

const struct aead_library *
aead_openssl(void)
{
	return NULL;
}

bool
aead_openssl_in_hardware(void)
{
	return false;
}
