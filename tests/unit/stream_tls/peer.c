/* SPDX-License-Identifier: MIT */
#include "unit/stream_tls/peer.h"

#include "base/base64.h"
#include "stream/tls_pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 16 };

char *
certificates_text(const char *name)
{
	char path[512], *text = malloc(FILE_MAX);
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", CERTIFICATES, name);
	f = fopen(path, "r");
	if (!f || !text)
		abort();
	n = fread(text, 1, FILE_MAX - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void
load_key(struct identity *id, const char *name)
{
	char file[64], *text, *from, *to;
	uint8_t der[4096];
	size_t n;

	snprintf(file, sizeof(file), "%s.key", name);
	text = certificates_text(file);
	from = strstr(text, "KEY-----");
	to = from ? strstr(from, "-----END") : NULL;
	if (!to)
		abort();
	from += strlen("KEY-----");
	if (base64_parse(der, sizeof(der), &n, from, (size_t)(to - from), BASE64_LENIENT))
		abort();
	br_skey_decoder_init(&id->key);
	br_skey_decoder_push(&id->key, der, n);
	if (br_skey_decoder_last_error(&id->key))
		abort();
	free(text);
}

static void
load_certificate(struct identity *id, const char *name)
{
	br_x509_certificate *c = &id->chain[id->n++];
	char file[64], *text;
	const char *at;
	size_t len;
	long n;

	snprintf(file, sizeof(file), "%s.pem", name);
	text = certificates_text(file);
	at = text;
	len = strlen(text);
	c->data = malloc(FILE_MAX);
	n = pem_certificate_next(&at, &len, c->data, FILE_MAX);
	if (n <= 0)
		abort();
	c->data_len = (size_t)n;
	free(text);
}

static void
set_up(struct identity *id)
{
	const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&id->key);
	const br_ec_private_key *ec = br_skey_decoder_get_ec(&id->key);

	if (rsa)
		br_ssl_server_init_full_rsa(&id->server, id->chain, id->n, rsa);
	else
		br_ssl_server_init_full_ec(
			&id->server, id->chain, id->n, BR_KEYTYPE_EC, ec);
	br_ssl_server_set_cache(&id->server, &id->sessions.vtable);
}

void
identity_load(struct identity *id, const char *key, const char *chain)
{
	char names[1024], *name, *rest = names;

	memset(id, 0, sizeof(*id));
	load_key(id, key);
	snprintf(names, sizeof(names), "%s", chain);
	while ((name = strsep(&rest, " ")))
		if (*name)
			load_certificate(id, name);
	br_ssl_session_cache_lru_init(
		&id->sessions, id->session_memory, sizeof(id->session_memory));
	set_up(id);
}

void
identity_free(struct identity *id)
{
	while (id->n)
		free(id->chain[--id->n].data);
}

void
peer_init(struct peer *p, struct identity *id, struct memory *m)
{
	memset(p, 0, sizeof(*p));
	p->m = m;
	p->server = id->server;
	br_ssl_engine_set_buffer(&p->server.eng, p->buffer, sizeof(p->buffer), 1);
	br_ssl_server_reset(&p->server);
}

static bool
say_records(struct peer *p)
{
	uint8_t *from;
	size_t len;

	from = br_ssl_engine_sendrec_buf(&p->server.eng, &len);
	if (!from)
		return false;
	memory_feed(p->m, from, len);
	br_ssl_engine_sendrec_ack(&p->server.eng, len);
	return true;
}

static bool
hear_records(struct peer *p)
{
	size_t n = p->m->out_len - p->heard, len;
	uint8_t *to;

	to = n && !p->deaf ? br_ssl_engine_recvrec_buf(&p->server.eng, &len) : NULL;
	if (!to)
		return false;
	n = n < len ? n : len;
	memcpy(to, p->m->out + p->heard, n);
	p->heard += n;
	br_ssl_engine_recvrec_ack(&p->server.eng, n);
	return true;
}

static bool
hear_payload(struct peer *p)
{
	uint8_t *from;
	size_t len;

	from = br_ssl_engine_recvapp_buf(&p->server.eng, &len);
	if (!from)
		return false;
	if (p->got)
		p->got(p->arg, from, len);
	br_ssl_engine_recvapp_ack(&p->server.eng, len);
	return true;
}

void
peer_pump(struct peer *p)
{
	while (say_records(p) || hear_payload(p) || hear_records(p))
		;
}

void
peer_say(struct peer *p, const uint8_t *bytes, size_t len)
{
	uint8_t *to;
	size_t n;

	while (len) {
		to = br_ssl_engine_sendapp_buf(&p->server.eng, &n);
		if (!to)
			abort();
		n = n < len ? n : len;
		memcpy(to, bytes, n);
		br_ssl_engine_sendapp_ack(&p->server.eng, n);
		br_ssl_engine_flush(&p->server.eng, 0);
		bytes += n;
		len -= n;
		while (say_records(p))
			;
	}
}

void
peer_end(struct peer *p)
{
	br_ssl_engine_close(&p->server.eng);
	peer_pump(p);
}

bool
peer_ended(const struct peer *p)
{
	return br_ssl_engine_current_state(&p->server.eng) == BR_SSL_CLOSED &&
		br_ssl_engine_last_error(&p->server.eng) == BR_ERR_OK;
}
