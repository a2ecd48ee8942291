/* The likely order of a shard's exchanges: as the replies came, but where two were under way
 * together, by the server's time. */
#include "checker.h"

#include <string.h>

/* Had `a` been answered before `b` was sent? Then it ran before it. */
static bool before(const struct exchange *a, const struct exchange *b)
{
    return a->answered_ns < b->sent_ns;
}

static void sink(struct shard_run *run, long i)
{
    struct exchange *x = run->item[i];

    for (; i > 0 && run->item[i - 1]->now > x->now && !before(run->item[i - 1], x); i--)
        run->item[i] = run->item[i - 1];
    run->item[i] = x;
}

static bool minted_by(int64_t epoch, const char *server)
{
    static const char digits[] = "0123456789abcdef";
    const char tag[4] = {digits[epoch / 256 % 16], digits[epoch / 16 % 16], digits[epoch % 16], 0};

    return strncmp(server, tag, 3) == 0;
}

/* The answer to an order names no server, but its epoch carries twelve bits of one. The nearest
 * exchange that ran on such a server tells the rest. */
static void find_server(struct shard_run *run, struct exchange *x, long at)
{
    if (*x->asked_server)
        return;
    for (long d = 1; d < run->items; d++) {
        const long near[] = {at - d, at + d};

        for (int k = 0; k < 2; k++) {
            const struct answer *a =
                near[k] >= 0 && near[k] < run->items ? run->item[near[k]]->answer : NULL;

            if (a && minted_by(x->epoch, a->server)) {
                memcpy(x->asked_server, a->server, sizeof x->asked_server);
                return;
            }
        }
    }
}

void order_items(struct shard_run *run)
{
    for (long i = 1; i < run->items; i++)
        sink(run, i);
    for (long i = 0; i < run->items; i++) {
        if (run->item[i]->kind == EXCHANGE_ADMIN)
            find_server(run, run->item[i], i);
    }
}
