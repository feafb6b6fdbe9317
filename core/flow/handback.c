/* SPDX-License-Identifier: MIT */
#include "flow/handback.h"

#include "base/bytes.h"
#include "flow/cut.h"
#include "flow/facts.h"
#include "flow/flows.h"
#include "platform/direct.h"

#include <errno.h>

enum {
	QUIC_PORT = 443,
	QUIC_FIRST =
		1200, /* bytes of a client's first datagram at least, RFC 9000 14.1 */
	UDP_HEADER = 8,
};

/* What the rules said of a flow that may be handed back. */
struct choice {
	struct verdict verdict;
	struct outbound *outbound;
};

static int
socket_for(const struct flows *fs, const struct ip *target)
{
	return target->family == 6 ? fs->handback.fd6 : fs->handback.fd4;
}

/* What is forwarded was given its limit in platform/linux/nft_direct.c; the translation on
 * its way here would clash with another one. */
bool
handback_is_own(const struct flows *fs, const struct ip *source)
{
	const struct stack_packet *k = stack_packet(fs->stack);

	return k != NULL && k->p[source->family == 6 ? 7 : 8] > 1 &&
		flows_device(fs, source) >= 0;
}

/* Names are learned from queries to anybody's port 53. */
static bool
is_query(const struct flows *fs, enum network network, const struct endpoint *target)
{
	return network != NETWORK_ICMP && fs->dns != NULL && target->port == 53;
}

/* Whether the rules say of this flow, now and by this packet alone, that it leaves as it
 * is. */
static bool
is_direct(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target, struct choice *c)
{
	struct target to = { .ip = target->ip, .port = target->port };
	enum inquiry_answer a;
	struct inquiry q;

	if (socket_for(fs, &target->ip) < 0 || !handback_is_own(fs, &source->ip) ||
		flows_refuse(&target->ip) || flows_lead_back(fs, &target->ip) ||
		is_query(fs, network, target))
		return false;
	inquiry_begin(&q, fs->setup, fs->dns, fs->names);
	inquiry_about(&q, network, source, &to);
	a = inquiry_decide(&q, &c->verdict, NULL);
	c->outbound = a == INQUIRY_DECIDED ? inquiry_outbound(&q, &c->verdict) : NULL;
	inquiry_fini(&q);
	return c->outbound != NULL && c->outbound->plain &&
		!flow_policy_limits(&fs->setup->policy, &c->outbound->policy);
}

/* 0: nobody knows. */
static size_t
mtu_towards(const struct flows *fs, const struct ip *target)
{
	int mtu = net_direct_mtu(socket_for(fs, target), target);

	return mtu > 0 ? (size_t)mtu : 0;
}

/* One that is too long for its way, in pieces that are not: segments or fragments, which
 * the system makes a whole of before it tracks it. 0, or -errno. */
static int
hand_on_pieces(struct flows *fs, const struct ip *target, struct cut *c)
{
	size_t mtu = mtu_towards(fs, target);
	int err = -EMSGSIZE;

	if (cut_again(c, mtu))
		return 0;
	while (cut_fragment(c, mtu, &fs->handback.fragment_id)) {
		err = net_direct_send(socket_for(fs, target), target, c->v, 2);
		if (err < 0)
			break;
	}
	return err;
}

/*
 * The packet that the stack was given. 0, or -errno: (some of) it did not leave.
 * The device's MTU, by which the application cuts, may be larger than that of
 * the way: what may be cut is cut once more, as nobody else tells the
 * application.
 */
static int
hand_on(struct flows *fs, enum network network, const struct ip *target)
{
	struct cut c;
	int err = 0;

	if (!cut_begin(&c, stack_packet(fs->stack), network))
		return -EMSGSIZE;
	while (err == 0 && cut_next(&c)) {
		err = net_direct_send(socket_for(fs, target), target, c.v, 2);
		if (err == -EMSGSIZE)
			err = hand_on_pieces(fs, target, &c);
	}
	return err;
}

static int
outbound_number(const struct flows *fs, const struct outbound *o)
{
	for (size_t i = 0; i < fs->setup->noutbound; i++)
		if (fs->setup->outbound[i] == o)
			return (int)i;
	return -1;
}

static void
note(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target, const struct choice *c)
{
	const struct stack_packet *k = stack_packet(fs->stack);
	uint32_t syn = network == NETWORK_TCP ? be32_get(k->p + k->at + 4) : 0;

	handed_note(fs, network, source, target, syn, &c->verdict,
		outbound_number(fs, c->outbound));
}

/*
 * From here on these ends are the stack's.  What was handed on before for an
 * older flow of theirs may have had them noted once more, behind the SYN, which
 * takes them out when it enters the device.  All that is older has been read by
 * now, and the application goes on only when it is answered: no order of
 * packets leaves them noted.  False: it failed, and nothing may be answered.
 */
static bool
take_back(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	int fd = socket_for(fs, &target->ip);

	return fd < 0 || flows_device(fs, &source->ip) < 0 ||
		is_query(fs, network, target) ||
		net_direct_withdraw(fd, network, source, target) == 0;
}

/*
 * What the kernel says at once is the truth about the target, but where a
 * firewall or a full table refused the packet: there the stack may fare better.
 */
bool
handback_syn(struct flows *fs, const struct endpoint *source,
	const struct endpoint *target, enum stack_answer *a)
{
	struct choice c;
	int err;

	handed_revoke(fs, NETWORK_TCP, source, target);
	*a = STACK_IGNORE;
	if (!is_direct(fs, NETWORK_TCP, source, target, &c))
		return !take_back(fs, NETWORK_TCP, source, target);
	err = hand_on(fs, NETWORK_TCP, &target->ip);
	if (err == 0)
		note(fs, NETWORK_TCP, source, target, &c);
	else if (err == -ENETUNREACH)
		*a = STACK_NO_NET;
	else if (err == -EHOSTUNREACH)
		*a = STACK_NO_HOST;
	else if (err != -EAGAIN && err != -ENOBUFS)
		return !take_back(fs, NETWORK_TCP, source, target);
	return true;
}

/*
 * By other rules the flow was direct, maybe, for an engine before: the kernel
 * then takes this for its end, and the server hears of it.  What the kernel
 * does not carry the table does not let out.
 */
static void
end_stray(struct flows *fs, const struct ip *target)
{
	struct cut c;

	if (!cut_begin(&c, stack_packet(fs->stack), NETWORK_TCP))
		return;
	cut_reset(&c);
	(void)net_direct_send(socket_for(fs, target), target, c.v, 2);
}

/*
 * Of a flow that was handed back, or of one from before this engine: the
 * kernel knows it, or answers with a reset.  One that the rules send elsewhere
 * has nobody to belong to; nor has one that is not known, where nothing leaves.
 */
bool
handback_stray(
	struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	struct choice c;
	enum handed_state h;
	int err;

	if (socket_for(fs, &target->ip) < 0 || !handback_is_own(fs, &source->ip))
		return false;
	h = handed_look(fs, NETWORK_TCP, source, target);
	if (h == HANDED_OVER)
		return false;
	if (h == HANDED_NOT && !is_direct(fs, NETWORK_TCP, source, target, &c)) {
		end_stray(fs, &target->ip);
		return false;
	}
	err = hand_on(fs, NETWORK_TCP, &target->ip);
	if (h == HANDED_NOT && err == -EINVAL)
		return false;
	if (h == HANDED_NOT)
		note(fs, NETWORK_TCP, source, target, &c);
	/* What did not leave is sent again by the application. */
	return true;
}

/*
 * The kernel lets in answers of those alone who were asked, and gives a socket
 * another port where a stranger's datagram was faster than its own: calls and
 * games, which meet their peers by one port that all may send to, would lose.
 * A QUIC client has one server.  Its first datagram is known by its long header
 * with a version (RFC 9000 17.2) and by its length; a socket that the stack has
 * a port for keeps it.
 */
static bool
is_quic(struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	const struct stack_packet *k = stack_packet(fs->stack);
	const uint8_t *p = k->p + k->at + UDP_HEADER;

	return target->port == QUIC_PORT && k->len >= k->at + UDP_HEADER + QUIC_FIRST &&
		p[0] >> 6 == 3 && be32_get(p + 1) != 0 && !assoc_is_open(fs, source);
}

/*
 * Of a flow that was handed back: whoever forbids fragments is told, as a
 * router would, and keeps its port.
 */
static bool
tell_too_big(
	struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	enum { UNCUT = 0x40 }; /* of byte 6, RFC 791 3.1 */
	const struct stack_packet *k = stack_packet(fs->stack);
	bool six = target->ip.family == 6, several = k->offload.gso != OFFLOAD_NONE;
	size_t mtu = mtu_towards(fs, &target->ip), headers = (six ? 40 : 20) + UDP_HEADER;
	size_t len = several ? k->offload.segment : k->len - k->at - UDP_HEADER;

	if ((!six && !(k->p[6] & UNCUT)) || mtu <= headers || mtu >= headers + len)
		return false;
	stack_udp_too_big(fs->stack, source, target, len, mtu - headers);
	return true;
}

bool
handback_datagram(
	struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	struct choice c;
	bool known;
	int err;

	if (socket_for(fs, &target->ip) < 0 || !handback_is_own(fs, &source->ip))
		return false;
	known = handed_look(fs, NETWORK_UDP, source, target) == HANDED_OPEN;
	if (!known && assoc_has(fs, source, target))
		return false;
	if (!known &&
		((fs->handback.quic_alone && !is_quic(fs, source, target)) ||
			!is_direct(fs, NETWORK_UDP, source, target, &c)))
		return !take_back(fs, NETWORK_UDP, source, target);
	err = hand_on(fs, NETWORK_UDP, &target->ip);
	if (err == 0 && !known)
		note(fs, NETWORK_UDP, source, target, &c);
	if (err == 0 || err == -EAGAIN || err == -ENOBUFS)
		return true;
	/* Lost, as it may be: soon it leaves again, or the flow is known no more. */
	if (err == -EINVAL && known)
		return true;
	if (err == -EMSGSIZE && known && tell_too_big(fs, source, target))
		return true;
	handed_revoke(fs, NETWORK_UDP, source, target);
	return !take_back(fs, NETWORK_UDP, source, target);
}

bool
handback_echo(struct flows *fs, const struct ip *source, const struct ip *target)
{
	struct endpoint from = { .ip = *source }, to = { .ip = *target };
	struct choice c;

	return is_direct(fs, NETWORK_ICMP, &from, &to, &c) &&
		hand_on(fs, NETWORK_ICMP, target) == 0;
}

void
flows_hand_back(struct flows *fs, int family, int fd, enum flows_handed what)
{
	fs->handback.quic_alone = what == FLOWS_HANDED_SAFE;
	if (family == 6)
		fs->handback.fd6 = fd;
	else
		fs->handback.fd4 = fd;
}
