/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include "base/list.h"
#include "base/text.h"
#include "daemon/config_json.h"
#include "daemon/config_text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* The top of the file, and its small parts: log, policy, sluice. */

enum {
	/* What v2ray's and Xray's code takes, whatever their pages say. */
	HANDSHAKE_SECONDS = 60,
	IDLE_SECONDS = 300,
	CERTIFICATE_TEXT_MAX = 256 * 1024, /* bytes of one file */
};

static const char no_counterpart[] = "has no counterpart here, and no effect";

static const struct key top_keys[] = {
	{ "log", KEY_SPARED },
	{ "dns", KEY_READ },
	{ "routing", KEY_READ },
	{ "policy", KEY_SPARED },
	{ "inbounds", KEY_READ },
	{ "outbounds", KEY_READ },
	{ "sluice", KEY_READ },
	{ "inbound", KEY_READ },
	{ "inboundDetour", KEY_READ },
	{ "outbound", KEY_READ },
	{ "outboundDetour", KEY_READ },
	{ "transport", KEY_READ },
	{ "stats", KEY_SPARED },
	{ "api", KEY_IDLE, "there is no such interface here; without effect" },
	{ "metrics", KEY_IDLE, no_counterpart },
	{ "observatory", KEY_IDLE, "only balancers need it, and there are none yet" },
	{ "burstObservatory", KEY_IDLE,
		"only balancers need it, and there are none yet" },
	{ "fakedns", KEY_IDLE, "false addresses are not handed out yet; without effect" },
	{ "reverse", KEY_REFUSED, "the reverse proxy is not supported" },
	{ "version", KEY_SILENT },
	{ "remarks", KEY_SILENT },
	{ NULL },
};

/* A warning of its own: the object is nearly always empty, and still means counters. */
static int
stats_read(const struct node *root)
{
	struct node stats = node_get(root, "stats");

	if (stats.json)
		node_warn(&stats, "%s", no_counterpart);
	return 0;
}

/* Settings of transports for the whole file (v2ray before 5), read by each outbound that
 * has none of its own. */
static int
transport_read(const struct node *root)
{
	static const struct key keys[] = {
		{ "tcpSettings", KEY_READ },
		{ "rawSettings", KEY_READ },
		{ "kcpSettings", KEY_SILENT },
		{ "wsSettings", KEY_READ },
		{ "httpSettings", KEY_SILENT },
		{ "dsSettings", KEY_SILENT },
		{ "quicSettings", KEY_SILENT },
		{ "grpcSettings", KEY_SILENT },
		{ "gunSettings", KEY_SILENT },
		{ "httpupgradeSettings", KEY_READ },
		{ NULL },
	};
	struct node t = node_get(root, "transport");

	return node_keys(&t, keys);
}

/* v2ray 5 says { "type": "Console", "level": "Info" } where others have a file's name. */
static int
log_target_read(const struct node *n, const struct node **level)
{
	static const struct key keys[] = {
		{ "type", KEY_READ },
		{ "path", KEY_SILENT },
		{ "level", KEY_READ },
		{ NULL },
	};
	const char *s = "";
	struct node v;

	if (node_is_object(n)) {
		v = node_get(n, "level");
		if (level && v.json)
			*level = node_keep(&v);
		v = node_get(n, "type");
		if (node_keys(n, keys) == -1 || node_text(&v, &s) == -1)
			return -1;
		if (strcasecmp(s, "File") != 0)
			return 0;
	} else if (node_text(n, &s) == -1) {
		return -1;
	}
	if (s[0] && strcasecmp(s, "none") != 0)
		node_warn(n, "log files are not written; the log goes to standard error");
	return 0;
}

static int
log_level_read(const struct node *n, enum log_level *out)
{
	static const char *const words[] = { "debug", "info", "warning", "error", "none",
		NULL };
	static const enum log_level levels[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING,
		LOG_ERROR, LOG_NONE };
	const char *s, *near;
	int i = 2;

	if (node_word(n, words, &i, &s) == -1)
		return -1;
	if (i < 0 && s[0]) {
		near = text_nearest(s, words);
		node_warn(n,
			"%s is not a level (debug, info, warning, error, none); warning is "
			"taken%s%s%s",
			shown(s).text, near ? " (did you mean " : "", near ? near : "",
			near ? "?)" : "");
	}
	*out = levels[i < 0 ? 2 : i];
	return 0;
}

static int
log_read(const struct node *root)
{
	static const struct key keys[] = {
		{ "loglevel", KEY_READ },
		{ "access", KEY_READ },
		{ "error", KEY_READ },
		{ "dnsLog", KEY_IDLE, "queries are not logged" },
		{ "maskAddress", KEY_IDLE, "addresses are logged as they are" },
		{ NULL },
	};
	struct node log = node_get(root, "log");
	struct node level = node_get(&log, "loglevel");
	struct node access = node_get(&log, "access");
	struct node error = node_get(&log, "error");
	const struct node *v5 = &level;

	if (node_keys(&log, keys) == -1 || log_target_read(&access, NULL) == -1 ||
		log_target_read(&error, &v5) == -1)
		return -1;
	return log_level_read(level.json ? &level : v5, &root->reader->config->log_level);
}

static int
seconds_read(const struct node *level, const char *key, unsigned *out)
{
	struct node n = node_get(level, key);
	uint64_t v = *out;

	if (node_number(&n, "a number of seconds", 0, SECONDS_MAX, &v) == -1)
		return -1;
	*out = (unsigned)v;
	return 0;
}

static int
level_read(const struct node *n, void *arg)
{
	static const struct key keys[] = {
		{ "handshake", KEY_READ },
		{ "connIdle", KEY_READ },
		{ "uplinkOnly", KEY_READ },
		{ "downlinkOnly", KEY_READ },
		{ "statsUserUplink", KEY_IDLE, no_counterpart },
		{ "statsUserDownlink", KEY_IDLE, no_counterpart },
		{ "statsUserOnline", KEY_IDLE, no_counterpart },
		{ "bufferSize", KEY_IDLE,
			"buffers are bounded by sluice itself; without effect" },
		{ NULL },
	};
	struct flow_policy *p = &n->reader->config->policy;
	struct node idle = node_get(n, "connIdle");

	if (node_keys(n, keys) == -1)
		return -1;
	/* Everything that comes out of the TUN has one level. */
	if (strcmp(n->key, arg) != 0)
		return 0;
	p->conn_idle_set = idle.json != NULL;
	if (seconds_read(n, "handshake", &p->handshake) == -1 ||
		seconds_read(n, "connIdle", &p->conn_idle) == -1 ||
		seconds_read(n, "uplinkOnly", &p->uplink_only) == -1)
		return -1;
	return seconds_read(n, "downlinkOnly", &p->downlink_only);
}

/* The policy level of the tun inbound; "0" is everybody's without a word. */
static int
user_level_read(const struct node *root, char *buf, size_t cap)
{
	struct node inbounds = node_get(root, "inbounds");
	uint64_t level = 0;
	size_t i;

	for (i = 0; i < node_count(&inbounds); i++) {
		struct node in = node_at(&inbounds, i);
		struct node protocol = node_get(&in, "protocol");
		struct node settings = node_get(&in, "settings");
		struct node n = node_get(&settings, "userLevel");
		static const char *const tun[] = { "tun", NULL };
		int found = -1;

		if (node_word(&protocol, tun, &found, NULL) == -1 ||
			(found == 0 &&
				node_number(&n, "a level", 0, UINT32_MAX, &level) == -1))
			return -1;
	}
	snprintf(buf, cap, "%llu", (unsigned long long)level);
	root->reader->config->level = (unsigned)level;
	return 0;
}

static int
policy_read(const struct node *root)
{
	static const struct key keys[] = {
		{ "levels", KEY_READ },
		{ "system", KEY_IDLE, no_counterpart },
		{ NULL },
	};
	struct node policy = node_get(root, "policy");
	struct node levels = node_get(&policy, "levels");
	char level[24];

	root->reader->config->policy.handshake = HANDSHAKE_SECONDS;
	root->reader->config->policy.conn_idle = IDLE_SECONDS;
	if (node_keys(&policy, keys) == -1 ||
		user_level_read(root, level, sizeof(level)) == -1)
		return -1;
	if (levels.json && !node_is_object(&levels) && !node_is_empty(&levels))
		return node_fail(&levels, "is not an object of levels");
	return node_each(&levels, level_read, level);
}

static int
top_keys_read(const struct node *root)
{
	return node_keys(root, top_keys);
}

/* Rules are checked against the tags of both; what the rules reach decides which outbounds
 * must be understood. */
static int
ways_read(const struct node *root)
{
	if (config_read_inbounds(root) == -1 || config_find_outbounds(root) == -1 ||
		config_read_routing(root) == -1)
		return -1;
	return config_read_outbounds(root);
}

static int
document_read(const struct node *root)
{
	static int (*const parts[])(const struct node *root) = { top_keys_read, log_read,
		policy_read, transport_read, stats_read, ways_read, config_read_dns,
		config_read_own };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i](root) == -1 && !config_goes_on(root->reader))
			return -1;
	return root->reader->errors ? -1 : 0;
}

/* Strict JSON by now. NULL and why. */
static struct json_object *
text_parse(const char *file, const char *text, size_t len, struct err *e)
{
	struct json_tokener *t = json_tokener_new_ex(CONFIG_DEPTH_MAX + 2);
	struct json_object *json;
	struct config_spot s;
	enum json_tokener_error why;
	size_t end;

	if (!t) {
		err_set(e, "%s: no memory", file);
		return NULL;
	}
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	json = json_tokener_parse_ex(t, text, (int)len);
	why = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (why == json_tokener_success && json)
		return json;
	s = config_text_spot(text, end);
	/* The place alone: what stands there may be an id or a key, and this is logged. */
	err_set(e, "%s:%u:%u: broken JSON%s%s", file, s.line, s.column,
		why == json_tokener_success ? "" : ": ",
		why == json_tokener_success ? "" : json_tokener_error_desc(why));
	json_object_put(json);
	return NULL;
}

static struct json_object *
json_read(struct config_reader *r, const char *text, size_t len)
{
	char *copy = config_memory_text(r->memory, text, len);
	struct config_spot second;
	char line[512];

	if (config_text_clean(r->file, copy, &len, &second, r->err) == -1)
		return NULL;
	if (second.line && r->say) {
		snprintf(line, sizeof(line),
			"%s:%u:%u: a second document begins here; only the first is read",
			r->file, second.line, second.column);
		r->say->warn(r->say, line);
	}
	return text_parse(r->file, copy, len, r->err);
}

/*
 * What comes when it is full is lost: the 500 of the kernel's last no longer than the engine
 * may have to wait for a processor, which is 10 ms at 50,000 datagrams a second, and 5,000
 * not for all flows to say a word at once.  No more, since a flood of datagrams is bounded
 * by nothing else: by super-packets the queue is two and a half times `budget` of the
 * kernel's memory, and half a second for everybody.  TCP is bounded by its windows.
 */
static int
queue_of(size_t budget)
{
	size_t n = budget / (CONFIG_BUDGET / TUN_QUEUE_MAX);

	return n < TUN_QUEUE_MIN    ? TUN_QUEUE_MIN
		: n < TUN_QUEUE_MAX ? (int)n
				    : TUN_QUEUE_MAX;
}

struct config *
config_read(const char *file, const char *text, size_t len, struct config_say *say,
	struct err *e)
{
	struct config_memory *m = config_memory_new();
	struct config_reader r = { .memory = m, .say = say, .err = e };
	struct node root = { .reader = &r };
	int result;

	r.config = config_memory_take(m, 1, sizeof(*r.config));
	r.config->memory = m;
	r.config->file = r.file = config_memory_text(m, file, strlen(file));
	root.json = len > CONFIG_TEXT_MAX ? NULL : json_read(&r, text, len);
	if (len > CONFIG_TEXT_MAX)
		err_set(e, "%s: larger than 16 MB", file);
	result = root.json ? document_read(&root) : -1;
	json_object_put(root.json);
	if (result == -1) {
		config_memory_free(m);
		return NULL;
	}
	r.config->tun.queue = queue_of(r.config->budget);
	return r.config;
}

void
config_free(struct config *c)
{
	if (!c)
		return;
	rules_free(c->sniffing.excluded);
	config_memory_free(c->memory);
}

/* The text of a file in the configuration's memory. NULL and why. */
static const char *
certificate_text(
	struct config *c, const char *file, struct rules_files *files, struct err *e)
{
	char path[1024], *text;
	size_t len;
	FILE *f;

	if (files->open(files, file, path, sizeof(path), e) < 0)
		return NULL;
	f = fopen(path, "re");
	if (!f) {
		err_set(e, "%s: %s", file, strerror(errno));
		return NULL;
	}
	text = config_memory_take(c->memory, CERTIFICATE_TEXT_MAX + 1, 1);
	len = fread(text, 1, CERTIFICATE_TEXT_MAX + 1, f);
	fclose(f);
	if (len <= CERTIFICATE_TEXT_MAX)
		return text;
	err_set(e, "%s: larger than %d bytes", file, CERTIFICATE_TEXT_MAX);
	return NULL;
}

static int
certificates_load(struct config *c, struct rules_files *files, struct err *e)
{
	struct config_certificate *f;

	for (f = c->certificate; f; f = f->next) {
		*f->text = certificate_text(c, f->file, files, e);
		if (!*f->text)
			return err_prefix(e, "%s", f->path);
	}
	return 0;
}

/* What the rules say goes where the configuration's own warnings go. */
struct rules_ear {
	struct rules_say say;
	struct config_say *to; /* may be NULL */
};

static void
rules_warn(struct rules_say *say, const char *line)
{
	struct rules_ear *ear = container_of(say, struct rules_ear, say);

	if (ear->to)
		ear->to->warn(ear->to, line);
}

int
config_rules(struct config *c, struct rules_files *files, struct config_say *say,
	struct rules **rules, struct err *e)
{
	struct rules_ear ear = { { rules_warn }, say };
	struct rules_spec spec = { .rule = c->rule,
		.n = c->nrule,
		.strategy = c->strategy,
		.files = files,
		.say = &ear.say };

	*rules = NULL;
	if (certificates_load(c, files, e) < 0)
		return -1;
	*rules = rules_load(&spec, e);
	if (!*rules)
		return -1;
	if (sniffing_load(&c->sniffing, files, e) == 0)
		return 0;
	rules_free(*rules);
	*rules = NULL;
	return err_prefix(e, "%s", c->file);
}
