/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_NFT_WATCH_H
#define PLATFORM_LINUX_NFT_WATCH_H

#include <stddef.h>

/* What is known of our rule sets, in NET_RULES_ bits. */
struct nft_news {
	unsigned lost;     /* taken away, or somebody has changed them */
	unsigned made;     /* the caller has made them since it read the last news */
	unsigned changed;  /* it has changed them, which has not been told of yet */
	unsigned making;   /* by the transaction that is being told of */
	unsigned changing; /* the same */
};

/*
 * News of rule sets, `n` bytes of netlink messages at p, which is aligned for
 * them.  A table of `made` is whole again where it is made; of the others that
 * is somebody else's doing.  Of `changed` the first change is the caller's: was
 * it another's, then the caller's is the second, and the table is lost all the
 * same.
 */
void nft_news_read(struct nft_news *w, const void *p, size_t n);

#endif
