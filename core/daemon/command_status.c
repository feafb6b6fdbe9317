/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/command.h"
#include "daemon/status_print.h"
#include "keeper/journal.h"
#include "keeper/leftovers.h"
#include "keeper/status.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

/* As `systemctl status` has it. */
enum { EXIT_NOT_RUNNING = 3 };
/* The keeper may be running `nft`; the engine has nothing to wait for. */
enum { KEEPER_MS = 5000, ENGINE_MS = 2000 };

static const char help[] =
	"usage: sluice status [--json] [--state DIR]\n"
	"\n"
	"Says how the sluice that runs on this machine is: its processes and how often the\n"
	"engine was started again, the device, who carries direct flows, the flows of now and\n"
	"what passed since the engine began, memory, and each outbound with its last answer\n"
	"and its last failure.  Needs root.\n"
	"\n"
	"      --json       the same for programs\n"
	"      --state DIR  as in `sluice run` (default /run/sluice)\n"
	"\n"
	"Exit status: 0 when it runs, 1 when it runs but its engine does not answer (it is\n"
	"starting, being started again or ending, or hangs) or when it cannot be asked, 2 for\n"
	"wrong usage, 3 when it does not run.\n"
	"\n"
	"--json prints an object. Its keys stay as they are; others may be added. What there\n"
	"is not is null.\n"
	"\n"
	"  state      running, starting, restarting, ending, not answering; or not running,\n"
	"             or unknown: then there is only `why` beside it\n"
	"  version    of the sluice that runs\n"
	"  keeper     pid, age_ms\n"
	"  engine     pid, age_ms, restarts, last_end (how the last one ended),\n"
	"             last_end_ago_ms\n"
	"  device     name, mtu; ipv4, ipv6, dns: led into it (where one of ipv4 and ipv6 is,\n"
	"             the other is unreachable meanwhile); firewall_lost,\n"
	"             routes_lost: somebody changed what is ours, and it is not back; mended\n"
	"             (how often it was put back), mended_ago_ms;\n"
	"             led_back (packets that rules of others led into the device, though they\n"
	"             had to leave: those that were told of), led_back_ago_ms, led_back_mark;\n"
	"             ipv4_past, ipv6_past: the interface by which the family leaves past the\n"
	"             device all the same, by rules or routes of others that come first\n"
	"\n"
	"and where the state is `running`:\n"
	"\n"
	"  offload    of the device: checksums, tcp, udp\n"
	"  direct     who carries direct flows: ipv4, ipv6 (stack, kernel, none, or auto: the\n"
	"             kernel what loses nothing by it); ipv4_why, ipv6_why: why the kernel\n"
	"             does not, though it was asked to\n"
	"  flows      now: tcp, udp, kernel, held (SYNs), kernel_counted (of kernel: whose\n"
	"             bytes so far are in what follows); tcp_limit, udp_limit\n"
	"  totals     since the engine began: tcp, udp, kernel (of both), up_bytes, down_bytes,\n"
	"             refused, dropped, broken, over_limits (no room, or no memory),\n"
	"             packets_in, packets_out, dns_questions\n"
	"  memory     used_bytes, limit_bytes (sluice.memory)\n"
	"  outbounds  a list: tag, protocol, server, flows, up_bytes, down_bytes,\n"
	"             answered_ago_ms, failed_ago_ms, failures (how many flows), failure (the\n"
	"             last), stack_why (why sluice carries its direct flows where the kernel\n"
	"             carries others); the first 64 of outbounds_in_all\n"
	"\n"
	"up_bytes and down_bytes are the applications' own; of flows that the kernel carries\n"
	"they have the headers, too.  That one of those was answered is known once it has\n"
	"ended, or when somebody asks.\n";

enum { OPTION_JSON = 256, OPTION_STATE };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct words {
	const char *state_dir;
	bool json;
};

/* STATUS_OK to go on; 1 for --help; STATUS_USAGE after a line on standard error. */
static int
words_parse(int argc, char **argv, struct words *w)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON:
			w->json = true;
			break;
		case OPTION_STATE:
			w->state_dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			return command_usage("status");
		}
	}
	if (optind == argc)
		return STATUS_OK;
	fputs("sluice: status takes no words; see sluice status --help\n", stderr);
	return STATUS_USAGE;
}

/* Each change is written down before it is made, and crossed out when it is undone. */
static bool
has_left_changes(const char *state_dir)
{
	char path[JOURNAL_PATH];
	struct stat about;
	int n = snprintf(path, sizeof(path), "%s/journal", state_dir);

	return n > 0 && (size_t)n < sizeof(path) && stat(path, &about) == 0 &&
		about.st_size > 0;
}

static void
remains_tell(const char *state_dir, struct err *e)
{
	enum leftovers found;
	char dev[TUN_NAME];

	if (has_left_changes(state_dir)) {
		err_set(e,
			"sluice does not run, but was killed, or could not undo all that it "
			"had changed: changes of the system are left (%s/journal), and "
			"\"sudo sluice recover\" puts them back",
			state_dir);
		return;
	}
	found = leftovers_look(dev);
	if (found == LEFTOVERS_RUNNING)
		err_set(e,
			"nobody answers in %s, but sluice runs (device %s) with another "
			"--state; name that one",
			state_dir, dev);
	else if (found == LEFTOVERS_REMAIN)
		err_set(e,
			"sluice does not run, but was killed, or lost power: its "
			"resolv.conf, routing rules or firewall table are left, and \"sudo "
			"sluice recover\" puts them back");
}

/* There is nothing to tell of. */
static int
nothing_print(const struct words *w, const char *state, struct err *e)
{
	text_clean(e->text);
	if (w->json)
		status_print_json_state(state, e->text);
	fprintf(stderr, "sluice: %s\n", e->text);
	return STATUS_WRONG;
}

/* The engine is not told that the keeper holds it off. */
static void
direct_correct(struct direct_report *d, const char *held)
{
	if (!*held || (d->way != REPORT_WAY_SAFE && d->way != REPORT_WAY_KERNEL))
		return;
	d->way = REPORT_WAY_STACK;
	snprintf(d->why, sizeof(d->why), "%s", held);
}

static int
heard_print(const struct words *w, struct status_heard *s)
{
	direct_correct(&s->engine.direct[0], s->keeper.held4);
	direct_correct(&s->engine.direct[1], s->keeper.held6);
	if (w->json)
		status_print_json(s);
	else
		status_print(s);
	return s->whole ? STATUS_OK : STATUS_WRONG;
}

int
command_status(int argc, char **argv)
{
	static const struct status_patience patience = { KEEPER_MS, ENGINE_MS };
	struct words w = { .state_dir = command_state_dir };
	struct status_heard s = { .whole = false };
	struct err e;
	int r = words_parse(argc, argv, &w);

	if (r != STATUS_OK)
		return r == STATUS_USAGE ? r : STATUS_OK;
	switch (status_ask(w.state_dir, &patience, &s.keeper, &s.engine, &e)) {
	case ASKED_WHOLE:
		s.whole = true;
		return heard_print(&w, &s);
	case ASKED_SILENT:
		s.silent = true;
		return heard_print(&w, &s);
	case ASKED_PART:
		return heard_print(&w, &s);
	case ASKED_NOBODY:
		remains_tell(w.state_dir, &e);
		nothing_print(&w, "not running", &e);
		return EXIT_NOT_RUNNING;
	case ASKED_FAILED:
		break;
	}
	return nothing_print(&w, "unknown", &e);
}
