/* SPDX-License-Identifier: MIT */
#ifndef STACK_LWIPOPTS_H
#define STACK_LWIPOPTS_H

/*
 * How lwIP is compiled.  It does TCP and nothing else: packets are taken apart,
 * checked and put together again by this room before lwIP sees a segment, and
 * UDP and ICMP never reach it.
 */
#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS          0 /* tcp_tmr is called by port.c */
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_STATS           0

#define LWIP_IPV4                       1
#define LWIP_IPV6                       1
#define LWIP_TCP                        1
#define LWIP_UDP                        0
#define LWIP_RAW                        0
#define LWIP_ICMP                       0
#define LWIP_ICMP6                      1 /* ip6.c wants its symbols; nothing enters it */
#define LWIP_ARP                        0
#define LWIP_ETHERNET                   0
#define LWIP_IPV6_MLD                   0
#define LWIP_IPV6_SCOPES                0
#define LWIP_IPV6_NUM_ADDRESSES         1
#define LWIP_IPV6_AUTOCONFIG            0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   0
#define LWIP_ND6_QUEUEING               0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define IP_REASSEMBLY                   0
#define IP_FRAG                         0
#define LWIP_IPV6_REASS                 0
#define LWIP_IPV6_FRAG                  0
#define IP_DEFAULT_TTL                  64

/* One device, which every connection is bound to: nothing is routed. */
#define LWIP_SINGLE_NETIF 1
#define LWIP_HAVE_LOOPIF  0
#define PBUF_LINK_HLEN    0

/* Incoming checksums are verified, or trusted, before lwIP. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* All memory goes through port.c, which counts and bounds it.  2.2 has a name for that;
 * 2.1 calls the C library by macros (SLUICE_LWIP_CLIB comes from lwip.cmake). */
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT   8
#ifdef SLUICE_LWIP_CLIB
#define MEM_LIBC_MALLOC 1
#define mem_clib_malloc port_block_new
#define mem_clib_calloc port_block_new_zeroed
#define mem_clib_free   port_block_free
#else
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC    port_block_new
#define MEM_CUSTOM_CALLOC    port_block_new_zeroed
#define MEM_CUSTOM_FREE      port_block_free
#endif

/* One function hears of all connections (events.c); none keeps pointers to its own. */
#define LWIP_EVENT_API    1
#define LWIP_CALLBACK_API 0

/* The largest segment; the device's MTU and the peer's option set the real one. */
#define TCP_MSS        16000
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE  7
#define TCP_WND        (4 * 1024 * 1024)
#define TCP_SND_BUF    (4 * 1024 * 1024)
/* Pieces (a header and a body each) of a full buffer at an MSS of 536. */
#define TCP_SND_QUEUELEN         16384
#define TCP_SNDLOWAT             1024 /* for sockets, of which there are none */
#define TCP_SNDQUEUELOWAT        5
#define TCP_WND_UPDATE_THRESHOLD 5840 /* bytes: four segments of Ethernet's size */
#define TCP_OVERSIZE             0
/* Large packets stay in the memory that they were read into: lent.c. */
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define TCP_QUEUE_OOSEQ          1
#define TCP_OOSEQ_MAX_BYTES      (256 * 1024)
#define TCP_OOSEQ_MAX_PBUFS      256
#define LWIP_TCP_SACK_OUT        1
#define LWIP_TCP_MAX_SACK_NUM    3 /* that there is room for beside a timestamp */
#define LWIP_TCP_TIMESTAMPS      1 /* without them no port in TIME_WAIT is used again */
#define LWIP_TCP_KEEPALIVE       0
#define TCP_LISTEN_BACKLOG       0
/* The network is a queue inside this machine: nothing old can still arrive. */
#define TCP_MSL                   1000UL
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1

#define LWIP_HOOK_FILENAME "stack/hooks.h"

#endif
