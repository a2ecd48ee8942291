/* Random operation sequences on the library and on the reference; they must agree at every step. A
 * sequence that does not is shortened as far as it still fails, and printed with its seed.
 *
 * SWG_SEED=N plays one sequence; SWG_LONG=1 plays a hundred times as many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"

#define MS INT64_C(1000000)
#define STEPS 200
#define FAST_SEQUENCES 4000

typedef enum op_kind { GET, PUT, BACK, RESET, OVERRIDE, CONFIGURE } op_kind;

typedef struct op {
    op_kind kind;
    int64_t step_ns; /* time goes on by this first */
    uint32_t a, b;
    bool skip;
} op;

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % below);
}

static uint32_t maybe(uint32_t value)
{
    return draw(2) ? value : SWG_NONE;
}

static void draw_config(swg_circuit_config *c)
{
    *c = (swg_circuit_config){
        .size = sizeof(*c),
        .failure_pct = draw(4) ? 10 + draw(91) : SWG_NONE,
        .slow_pct = maybe(20 + draw(81)),
        .slow_ms = 1 + draw(30),
        .failure_threshold = maybe(1 + draw(6)),
        .recovery_ms = 5 + draw(60),
        .recovery_ms_max = 100 + draw(300),
        .recovery_jitter_pct = SWG_NONE,
        .probes = 1 + draw(5),
        .probe_ms = 10 + draw(100),
        .inflight_max = draw(3) == 0 ? 1 + draw(6) : SWG_NONE,
        .rate_per_s = draw(4) == 0 ? 1 + draw(2000) : SWG_NONE,
    };
    if (draw(2)) {
        c->window_calls = 1 + draw(60);
        c->calls_min = 1 + draw(c->window_calls);
    } else {
        c->window_ms = 10 * (1 + draw(30));
        c->calls_min = 1 + draw(20);
    }
}

static op draw_op(void)
{
    const uint32_t dice = draw(1000);
    op o = {.a = draw(1 << 30), .b = draw(1 << 30)};
    o.kind = dice < 470   ? GET
             : dice < 960 ? PUT
             : dice < 975 ? BACK
             : dice < 982 ? RESET
             : dice < 991 ? OVERRIDE
                          : CONFIGURE;
    const uint32_t time = draw(100);
    o.step_ns = time < 40   ? 0
                : time < 90 ? draw(4000) * 1000
                : time < 99 ? draw(200) * MS
                            : draw(100000) * MS;
    if (draw(3) == 0) {
        o.step_ns = o.step_ns / MS * MS;
    }
    return o;
}

typedef struct game {
    ref r;
    swg_circuit *circuit;
    swg_permit permits[REF_PERMITS_MAX];
    int64_t now_ns;
    char why[256];
} game;

static swg_outcome outcome_of(uint32_t dice, uint64_t mood)
{
    dice %= 100;
    const uint32_t bad = (uint32_t)(mood % 70);
    if (dice < bad) {
        return dice % 3 ? SWG_FAILURE : SWG_TIMEOUT;
    }
    return dice > 96 ? SWG_IGNORED : dice > 94 ? SWG_CANCELLED : SWG_SUCCESS;
}

/* Prefers a permit not yet released; sometimes takes a spent one. */
static int choose(const ref *r, uint32_t dice)
{
    if (r->permit_count == 0) {
        return -1;
    }
    for (int i = 0; i < 8; i++) {
        const int span = r->permit_count < 20 ? r->permit_count : 20;
        const int at = r->permit_count - 1 - (int)((dice + (uint32_t)i * 7) % (uint32_t)span);
        if (r->permits[at].live) {
            return at;
        }
    }
    return (int)(dice % (uint32_t)r->permit_count);
}

static bool settle(swg_circuit *circuit, swg_circuit_config *settled)
{
    swg_snapshot s;
    swg_circuit_read(circuit, 0, &s);
    *settled = s.config;
    return true;
}

static bool differ(game *g, const char *what, int64_t got, int64_t expected)
{
    snprintf(g->why, sizeof(g->why), "%s: library %lld, reference %lld", what, (long long)got,
             (long long)expected);
    return false;
}

static bool compare(game *g)
{
    swg_snapshot s;
    unsigned calls, failures, slow;
    swg_circuit_read(g->circuit, g->now_ns, &s);
    ref_window(&g->r, g->now_ns, &calls, &failures, &slow);
    if (s.state != ref_state(&g->r, g->now_ns)) {
        return differ(g, "state", s.state, ref_state(&g->r, g->now_ns));
    }
    if (s.epoch != g->r.epoch) {
        return differ(g, "epoch", (int64_t)s.epoch, (int64_t)g->r.epoch);
    }
    if (s.inflight != g->r.inflight) {
        return differ(g, "in flight", s.inflight, g->r.inflight);
    }
    if (g->r.state == SWG_CLOSED) {
        if (s.window_calls != calls) {
            return differ(g, "calls in the window", (int64_t)s.window_calls, calls);
        }
        if (s.window_failures != failures) {
            return differ(g, "failures in the window", (int64_t)s.window_failures, failures);
        }
        if (s.window_slow != slow) {
            return differ(g, "slow calls in the window", (int64_t)s.window_slow, slow);
        }
        if (s.consecutive_failures != g->r.in_a_row) {
            return differ(g, "failures in a row", s.consecutive_failures, g->r.in_a_row);
        }
    }
    return true;
}

static bool step(game *g, const op *o, uint64_t mood)
{
    int at;
    g->now_ns += o->step_ns;
    switch (o->kind) {
    case GET: {
        swg_permit permit;
        const swg_verdict got = swg_acquire(g->circuit, &permit, g->now_ns);
        const swg_verdict expected = ref_acquire(&g->r, g->now_ns, &at);
        if (got != expected) {
            return differ(g, "verdict", got, expected);
        }
        if (at >= 0) {
            g->permits[at] = permit;
        }
        break;
    }
    case PUT:
        at = choose(&g->r, o->a);
        if (at >= 0) {
            const swg_outcome outcome = outcome_of(o->b, mood);
            swg_release(g->circuit, &g->permits[at], outcome, g->now_ns);
            ref_release(&g->r, at, outcome, g->now_ns);
        }
        break;
    case BACK:
        g->now_ns -= o->a % 2 ? o->a % 1000 * 1000 : (int64_t)(o->a % 300) * MS;
        break;
    case RESET:
        swg_circuit_reset(g->circuit, g->now_ns);
        ref_reset(&g->r, g->now_ns);
        break;
    case OVERRIDE: {
        const swg_override kind = (swg_override)(o->a % SWG_OVERRIDE_COUNT);
        const int64_t until_ns = g->now_ns + (int64_t)(o->b % 200 + 1) * MS;
        swg_circuit_override(g->circuit, kind, until_ns, "random");
        ref_override(&g->r, kind, until_ns);
        break;
    }
    case CONFIGURE: {
        swg_circuit_config config;
        swg_circuit_config settled;
        const uint64_t kept = random_state;
        random_state = o->a;
        draw_config(&config);
        random_state = kept;
        config.inflight_max = g->r.config.inflight_max;
        config.rate_per_s = g->r.config.rate_per_s;
        config.rate_burst = g->r.config.rate_burst;
        swg_circuit_configure(g->circuit, &config);
        settle(g->circuit, &settled);
        ref_configure(&g->r, &settled);
        break;
    }
    }
    return compare(g);
}

/* Plays a sequence; -1 if all agreed, else the step at which they did not. */
static int play(game *g, uint64_t seed, const op *ops, int count)
{
    swg_panel *panel;
    swg_circuit_config config;
    swg_circuit_config settled;
    int failed_at = -1;
    random_state = seed;
    draw_config(&config);
    const uint64_t mood = draw(1000000);
    if (swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 1, .processes = 2, .journal = 16)) !=
            SWG_OK ||
        swg_circuit_open(&g->circuit, panel, "c", &config) != SWG_OK) {
        snprintf(g->why, sizeof(g->why), "the configuration was refused");
        return 0;
    }
    settle(g->circuit, &settled);
    ref_init(&g->r, &settled);
    g->now_ns = INT64_C(5000000) * MS + draw(1000000);
    for (int i = 0; i < count && failed_at < 0; i++) {
        if (!ops[i].skip && !step(g, &ops[i], mood)) {
            failed_at = i;
        }
    }
    swg_panel_close(&panel);
    return failed_at;
}

static void draw_sequence(uint64_t seed, op *ops)
{
    random_state = seed ^ UINT64_C(0x5eed);
    for (int i = 0; i < STEPS; i++) {
        ops[i] = draw_op();
    }
}

static const char *const kinds[] = {"acquire", "release",  "clock back",
                                    "reset",   "override", "configure"};

static void report(game *g, uint64_t seed, op *ops)
{
    int end = play(g, seed, ops, STEPS) + 1;
    for (bool shorter = true; shorter;) {
        shorter = false;
        for (int i = 0; i < end; i++) {
            if (ops[i].skip) {
                continue;
            }
            ops[i].skip = true;
            const int again = play(g, seed, ops, end);
            shorter = shorter || again >= 0;
            ops[i].skip = again >= 0;
            end = again >= 0 ? again + 1 : end;
        }
    }
    play(g, seed, ops, end);
    printf("SWG_SEED=%llu: %s\n", (unsigned long long)seed, g->why);
    for (int i = 0; i < end; i++) {
        if (!ops[i].skip) {
            printf("  +%.6f ms %s %u %u\n", (double)ops[i].step_ns / 1e6, kinds[ops[i].kind],
                   ops[i].a, ops[i].b);
        }
    }
    swg_circuit_config *c = &g->r.config;
    printf("  window %u ms / %u calls, min %u, failures %u %%, slow %u %% > %u ms, row %u, "
           "recovery %u-%u, "
           "probes %u for %u ms, in flight %u, rate %u\n",
           c->window_ms, c->window_calls, c->calls_min, c->failure_pct, c->slow_pct, c->slow_ms,
           c->failure_threshold, c->recovery_ms, c->recovery_ms_max, c->probes, c->probe_ms,
           c->inflight_max, c->rate_per_s);
}

int main(void)
{
    static game g;
    static op ops[STEPS];
    const char *only = getenv("SWG_SEED");
    const uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    const uint64_t count = only != NULL                 ? 1
                           : getenv("SWG_LONG") != NULL ? 100 * FAST_SEQUENCES
                                                        : FAST_SEQUENCES;
    uint64_t states[3] = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        draw_sequence(seed, ops);
        if (play(&g, seed, ops, STEPS) >= 0) {
            report(&g, seed, ops);
            return 1;
        }
        states[g.r.state]++;
    }
    printf("%llu sequences of %d operations from seed %llu agree (ended closed %llu, open %llu, "
           "half-open %llu)\n",
           (unsigned long long)count, STEPS, (unsigned long long)first,
           (unsigned long long)states[0], (unsigned long long)states[1],
           (unsigned long long)states[2]);
    return 0;
}
