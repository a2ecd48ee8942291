/* Windows out of counters that only grow: what is counted now less what was counted then. */
#include "fleet/client.h"

static struct client_sample sample(const swg_gate_reading *r, int64_t now)
{
    return (struct client_sample){.at = now,
                                  .calls = r->calls,
                                  .failures = r->failures,
                                  .local = r->local,
                                  .slow = r->slow,
                                  .ended = r->ended,
                                  .inflight = r->inflight};
}

static struct client_sample *nth(struct client_window *w, int i)
{
    return &w->ring[(w->first + i) % (CLIENT_SLOTS + 1)];
}

void swg__client_window_restart(struct client_circuit *c, const swg_gate_reading *reading,
                                int64_t now)
{
    c->window.first = 0;
    c->window.count = 1;
    c->window.ring[0] = sample(reading, now);
    c->sums = c->told = c->sent_sums = (struct client_sums){0};
}

/* Two counters are not read at one moment: a difference may come out below zero. */
static int64_t grown(uint64_t now, uint64_t then)
{
    return now > then ? (int64_t)swg__client_min((int64_t)(now - then), INT64_C(1) << 50) : 0;
}

/* Of the calls in flight slow_ms ago, so many must still be: hung, and slow already. */
static int64_t hung(struct client_circuit *c, const swg_gate_reading *r, int64_t now)
{
    for (int i = c->window.count - 1; c->slow > 0 && i >= 0; i--) {
        const struct client_sample *then = nth(&c->window, i);

        if (then->at <= now - c->slow)
            return swg__client_max((int64_t)then->inflight - grown(r->ended, then->ended), 0);
    }
    return 0;
}

static void sum(struct client_circuit *c, const swg_gate_reading *r, int64_t now)
{
    const struct client_sample *base = nth(&c->window, 0);
    int64_t stuck = hung(c, r, now);
    int64_t n = grown(r->calls, base->calls) + stuck;
    int64_t f = swg__client_min(grown(r->failures, base->failures), n);
    int64_t l = swg__client_min(grown(r->local, base->local), f);
    int64_t s = swg__client_min(grown(r->slow, base->slow) + stuck, n);

    while (n > SWG_STEP_CALLS) { /* only the shares matter */
        n /= 2;
        f /= 2;
        s /= 2;
        l /= 2;
    }
    c->sums = (struct client_sums){.n = n, .f = f - l, .s = s, .l = l};
}

void swg__client_window_add(struct client_circuit *c, const swg_gate_reading *reading, int64_t now)
{
    struct client_window *w = &c->window;
    int64_t length = c->config.v[SWG_CFG_WINDOW] * US;

    if (w->count == 0) {
        swg__client_window_restart(c, reading, now);
        return;
    }
    if (now - nth(w, w->count - 1)->at >= length / CLIENT_SLOTS) {
        if (w->count == CLIENT_SLOTS + 1) {
            w->first = (w->first + 1) % (CLIENT_SLOTS + 1);
            w->count--;
        }
        *nth(w, w->count++) = sample(reading, now);
    }
    while (w->count > 1 && nth(w, 0)->at < now - length) {
        w->first = (w->first + 1) % (CLIENT_SLOTS + 1);
        w->count--;
    }
    sum(c, reading, now);
}
