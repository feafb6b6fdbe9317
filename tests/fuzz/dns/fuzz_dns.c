/* SPDX-License-Identifier: MIT */
/*
 * DNS messages: the codec, and what dns does with a stranger's query and
 * answer.  What can be read can be written, and reads the same again.
 */
#include "dns/dns.h"
#include "fuzz/fuzz.h"
#include "names/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct dns *dns;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct ip ip[2];
	static const struct names_host host[] = {
		{ "w.example", ip, 2, NULL },
		{ "a.example", NULL, 0, "w.example" },
	};
	struct dns_config c = { .host = host, .nhost = 2, .nserver = 2, .seen_max = 64 };

	(void)argc;
	(void)argv;
	must(ip_parse(&ip[0], "192.0.2.1") && ip_parse(&ip[1], "2001:db8::1"));
	must(endpoint_parse(&c.server[0], "192.0.2.53:53"));
	must(endpoint_parse(&c.server[1], "[2001:db8::53]:53"));
	dns = dns_new(loop_new(), &c);
	must(dns != NULL);
	return 0;
}

/* The question survives being written and read again. */
static void
round_trip(const struct dns_message *m)
{
	struct dns_message again;
	struct ip ip[DNS_ANSWERS];
	uint8_t out[2048];
	int i, n;

	for (i = 0; i < m->nanswer; i++)
		ip[i] = m->answer[i].ip;
	n = dns_write_answer(out, sizeof(out), m, m->rcode, ip, (size_t)m->nanswer, 60);
	must(n > 0);
	if (m->question.type == 0)
		return;
	must(dns_read(&again, out, (size_t)n) == 0);
	must(strcmp(again.question.name, m->question.name) == 0);
	must(again.id == m->id && again.question.type == m->question.type);
	must(m->rcode != DNS_NOERROR || m->question.class != 1 ||
		again.nanswer == m->nanswer);
	n = dns_write_query(out, sizeof(out), m->id, m->question.name, m->question.type);
	must(n > 0 && dns_read(&again, out, (size_t)n) == 0);
	must(strcmp(again.question.name, m->question.name) == 0);
}

/* The question to which it is an answer. */
static void
ask(const struct endpoint *who, const uint8_t *p, size_t len)
{
	uint8_t *query = malloc(len + 1);

	must(query != NULL);
	memcpy(query, p, len);
	if (len > 2)
		query[2] &= 0x7f;
	dns_asked(dns, who, who, query, len);
	free(query);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct endpoint source = { { 4, { 198, 18, 0, 1 } }, 40000 }, server;
	struct dns_message m;
	uint8_t reply[512];
	const char *name;
	int i, n;

	if (dns_read(&m, p, len) == 0) {
		must(dns_question_len(p, len) > 0 && m.nanswer <= DNS_ANSWERS);
		must(strlen(m.question.name) < DNS_NAME_TEXT);
		round_trip(&m);
	}
	n = dns_query(dns, &source, p, len, reply, sizeof(reply), &server);
	must(n <= (int)sizeof(reply));
	must(n <= 0 || (reply[2] & 0x80));
	ask(&source, p, len);
	dns_note(dns, &source, &source, p, len);
	for (i = 0; i < m.nanswer; i++) {
		name = dns_name_of(dns, &m.answer[i].ip);
		must(!name || name[0]);
	}
	return 0;
}
