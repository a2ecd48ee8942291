#include "replay.h"

#include <stdio.h>
#include <string.h>

#define BASE_MS (REPLAY_START / 1000 - INT64_C(1704067200000) + 50000)
#define CALLS 10
#define FIRST_SERVER "0000000000000000000000000000000000000000"

enum { NONE, OKR, FAILR };

/* One line `serve`. */
struct serve {
    int instance, again, row, ep, st, bad, want, id, result, result_ep, result_id, over;
    int to_st, to_ep, to_ps, to_px, to_due, to_hold, granted, rows;
    int lease[REPLAY_ROWS], evidence[REPLAY_ROWS];
};

/* What the model knows and the store's data do not say. */
struct flags {
    bool due, hold, expired[REPLAY_ROWS];
};

struct play {
    const struct replay_store *store;
    struct replay_result result;
    struct swg_step_config config;
    struct replay_state at;
    struct flags now, replica;
    int64_t time, next_wrong;
    int failovers;
    int64_t last[REPLAY_ROWS];            /* sequence number handed out last */
    int64_t second[REPLAY_ROWS];          /* by instance: of the request that comes again or late */
    int64_t seq[REPLAY_ROWS][REPLAY_IDS]; /* by row: what a lease id stands for */
};

/* Ahead of the clock by less than a server forbids: epochs then rise by one, as the model's do. */
int64_t replay_epoch(int ep)
{
    return ep ? (BASE_MS + ep / 2) * 4096 + ep % 2 : 0;
}

void replay_reporter(char name[SWG_STEP_NAME], int row)
{
    snprintf(name, SWG_STEP_NAME, "host-%d", row);
}

static void fail(struct play *p, enum replay_end end, const char *what, int64_t is, int64_t told)
{
    if (p->result.end != REPLAY_AGREES)
        return;
    p->result.end = end;
    snprintf(p->result.why, sizeof p->result.why, "%s is %lld, not %lld", what, (long long)is,
             (long long)told);
}

static bool parse_rows(const char *text, struct serve *s)
{
    int used;

    for (s->rows = 0; s->rows < REPLAY_ROWS; s->rows++) {
        if (sscanf(text, " %d:%d%n", &s->lease[s->rows], &s->evidence[s->rows], &used) != 2)
            break;
        text += used;
    }
    return s->rows > 0;
}

static bool in(int value, int limit)
{
    return value >= 0 && value < limit;
}

static bool parse_serve(const char *line, struct serve *s)
{
    int used = 0;

    memset(s, 0, sizeof *s);
    return sscanf(line,
                  "serve %d z=%d row=%d late=%*d ep=%d st=%d bad=%d want=%d id=%d res=%d of=%d/%d "
                  "over=%d => st=%d ep=%d ps=%d px=%d due=%d hold=%d granted=%d rows%n",
                  &s->instance, &s->again, &s->row, &s->ep, &s->st, &s->bad, &s->want, &s->id,
                  &s->result, &s->result_ep, &s->result_id, &s->over, &s->to_st, &s->to_ep,
                  &s->to_ps, &s->to_px, &s->to_due, &s->to_hold, &s->granted, &used) == 19 &&
           used > 0 && parse_rows(line + used, s) && in(s->instance, REPLAY_ROWS) &&
           in(s->row, REPLAY_ROWS) && in(s->id, REPLAY_IDS) && in(s->result_id, REPLAY_IDS);
}

static void fill(struct play *p, const struct serve *s, struct swg_step_request *q)
{
    struct swg_step_entry *e = q->entry;

    q->schema = SWG_STEP_SCHEMA;
    q->entries = 1;
    replay_reporter(q->reporter, s->row);
    q->cursor = SWG_STEP_NUMBER;
    memset(e, 0, sizeof *e);
    strcpy(e->circuit, "db");
    e->seq = s->again ? p->second[s->instance] : ++p->last[s->row];
    e->epoch = replay_epoch(s->ep);
    e->state = s->st;
    e->remaining = s->st == SWG_STEP_OPEN && !s->over ? REPLAY_LEASE : 0;
    e->n = e->f = s->bad ? CALLS : 0;
    e->want = s->want;
    e->rev = 1;
    e->has_config = true;
    e->config = p->config;
    if (s->want)
        p->seq[s->row][s->id] = e->seq;
    if (s->result == NONE)
        return;
    e->results = 1;
    e->result[0].epoch = replay_epoch(s->result_ep);
    e->result[0].seq = p->seq[s->row][s->result_id];
    e->result[0].outcome = s->result == OKR ? SWG_STEP_OK : SWG_STEP_FAILED;
}

/* Has something ended by real time that the model lets go on? */
static bool forced(const struct play *p)
{
    const struct replay_state *at = &p->at;

    if (at->state == SWG_STEP_OPEN && !p->now.due && at->until <= p->time)
        return true;
    if (p->now.hold && at->since + REPLAY_LEASE <= p->time)
        return true;
    for (int i = 0; i < REPLAY_ROWS; i++) {
        if (at->lease[i] && !p->now.expired[i] && at->expiry[i] <= p->time)
            return true;
    }
    return false;
}

static void want(struct play *p, const char *what, int64_t is, int64_t told)
{
    if (is != told)
        fail(p, REPLAY_DIVERGES, what, is, told);
}

static void compare(struct play *p, const struct serve *s, int granted)
{
    const struct replay_state *at = &p->at;

    want(p, "the state", at->state, s->to_st);
    want(p, "the epoch", at->epoch, replay_epoch(s->to_ep));
    want(p, "the count of successes", at->ps, s->to_ps);
    want(p, "the count of expired leases", at->px, s->to_px);
    want(p, "due", at->state == SWG_STEP_OPEN && at->until <= p->time, s->to_due);
    want(p, "the hold-off", at->since > 0 && at->since + REPLAY_LEASE > p->time, s->to_hold);
    want(p, "the number of permits", granted, s->granted != 0);
    for (int i = 0; i < s->rows; i++) {
        want(p, "a lease", at->lease[i], s->lease[i] ? p->seq[i][s->lease[i]] : 0);
        want(p, "a record", at->bad[i], s->evidence[i]);
    }
}

static void take_flags(struct play *p, const struct serve *s, const struct replay_state *before)
{
    p->now.due = s->to_due;
    p->now.hold = s->to_hold;
    for (int i = 0; i < REPLAY_ROWS; i++)
        p->now.expired[i] = p->now.expired[i] && p->at.lease[i] == before->lease[i];
}

static void serve(struct play *p, const char *line)
{
    static struct swg_step_request request;
    char server[41] = FIRST_SERVER;
    struct replay_state before;
    struct serve s;
    int granted;

    if (!parse_serve(line, &s)) {
        fail(p, REPLAY_BROKEN, "the line", 0, 0);
        return;
    }
    if (forced(p)) {
        fail(p, REPLAY_CUT, "time", 1, 0);
        return;
    }
    server[2] = (char)('0' + p->failovers);
    fill(p, &s, &request);
    before = p->at;
    granted = p->store->sync(p->store->self, p->time, server, &request);
    p->store->look(p->store->self, &p->at);
    compare(p, &s, granted);
    take_flags(p, &s, &before);
    p->time++;
    p->result.requests += p->result.end == REPLAY_AGREES;
    p->result.after += p->result.end == REPLAY_AGREES && p->failovers > 0;
}

static void wait_until(struct play *p, int64_t time)
{
    if (p->time < time)
        p->time = time;
}

static void expire(struct play *p, int row)
{
    wait_until(p, p->at.expiry[row]);
    p->now.expired[row] = true;
}

static void change_server(struct play *p)
{
    p->store->failover(p->store->self);
    p->store->look(p->store->self, &p->at);
    p->failovers++;
    p->now = p->replica;
    p->now.due = false;
}

static void set(struct play *p, const char *name, int value)
{
    static const struct {
        const char *name;
        int field;
    } known[] = {{"probes", SWG_CFG_PROBES},
                 {"need", SWG_CFG_NEED},
                 {"quorum", SWG_CFG_QUORUM},
                 {"expiry_limit", SWG_CFG_EXPIRY_LIMIT}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            p->config.v[known[i].field] = value;
            return;
        }
    }
    fail(p, REPLAY_BROKEN, name, value, 0);
}

static bool time_event(struct play *p, const char *word, int a)
{
    if (strcmp(word, "due") == 0) {
        wait_until(p, p->at.until);
        p->now.due = true;
    } else if (strcmp(word, "release") == 0) {
        wait_until(p, p->at.since + REPLAY_LEASE);
        p->now.hold = false;
    } else if (strcmp(word, "expire") == 0 && in(a, REPLAY_ROWS)) {
        expire(p, a);
    } else {
        return false;
    }
    return true;
}

static bool server_event(struct play *p, const char *word)
{
    if (strcmp(word, "replicate") == 0) {
        p->store->replicate(p->store->self);
        p->replica = p->now;
    } else if (strcmp(word, "failover") == 0) {
        change_server(p);
    } else {
        return false;
    }
    return true;
}

static void event(struct play *p, const char *line)
{
    char word[32] = "", name[32] = "";
    int a = -1, row = -1;

    sscanf(line, "%31s", word);
    sscanf(line, "%*s %d row=%d", &a, &row);
    if (strcmp(word, "serve") == 0)
        serve(p, line);
    else if (strcmp(word, "set") == 0 && sscanf(line, "%*s %31s %d", name, &a) == 2)
        set(p, name, a);
    else if (strcmp(word, "mutant") == 0)
        sscanf(line, "%*s %31s", p->result.mutant);
    else if (strcmp(word, "wrong") == 0)
        p->result.wrong = p->result.line + 1;
    else if (strcmp(word, "twice") == 0 && in(a, REPLAY_ROWS) && in(row, REPLAY_ROWS))
        p->second[a] = p->last[row];
    else if (strcmp(word, "late") == 0 && in(a, REPLAY_ROWS) && in(row, REPLAY_ROWS))
        p->second[a] = ++p->last[row];
    else if (strcmp(word, "forget") == 0)
        fail(p, REPLAY_CUT, "a record of long ago", 1, 0);
    else if (word[0] != 0 && word[0] != '#' && strcmp(word, "crash") != 0 &&
             !time_event(p, word, a) && !server_event(p, word))
        fail(p, REPLAY_BROKEN, word, 0, 0);
}

static void configure(struct swg_step_config *config)
{
    int64_t *v = config->v;

    swg_step_config_default(config);
    v[SWG_CFG_CALLS_MIN] = 1;
    v[SWG_CFG_WINDOW] = swg_step_config_ranges[SWG_CFG_WINDOW].max;
    v[SWG_CFG_FAIL_LIMIT] = 1;
    v[SWG_CFG_OPEN] = v[SWG_CFG_OPEN_MAX] = v[SWG_CFG_LEASE] = REPLAY_LEASE;
    v[SWG_CFG_RAMP] = v[SWG_CFG_QUARANTINE] = 0;
}

struct replay_result replay(const char *text, const struct replay_store *store)
{
    struct play p = {.store = store, .time = REPLAY_START};
    char line[512];

    configure(&p.config);
    store->reset(store->self, BASE_MS * 4096, FIRST_SERVER);
    while (*text && p.result.end == REPLAY_AGREES) {
        size_t length = strcspn(text, "\n");

        p.result.line++;
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        event(&p, line);
        text += length + (text[length] != 0);
    }
    return p.result;
}
