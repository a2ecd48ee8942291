#include "fleet/wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void swg_wire_start(struct swg_wire *wire)
{
    wire->used = 0;
    wire->count = 0;
    wire->full = false;
}

__attribute__((format(printf, 2, 3))) static void put(struct swg_wire *wire, const char *format,
                                                      ...)
{
    size_t left = wire->size - wire->used;
    va_list ap;
    int length;

    va_start(ap, format);
    length = vsnprintf(wire->text + wire->used, left, format, ap);
    va_end(ap);
    if (length < 0 || (size_t)length >= left || wire->count == wire->room) {
        wire->full = true;
        return;
    }
    wire->argv[wire->count] = wire->text + wire->used;
    wire->lengths[wire->count++] = (size_t)length;
    wire->used += (size_t)length + 1;
}

void swg_wire_text(struct swg_wire *wire, const char *text)
{
    put(wire, "%s", text);
}

void swg_wire_number(struct swg_wire *wire, int64_t number)
{
    put(wire, "%" PRId64, number);
}

static void put_key(struct swg_wire *wire, const char *tag, const char *kind, const char *circuit)
{
    if (circuit)
        put(wire, "%s:%s:%s", tag, kind, circuit);
    else
        put(wire, "%s:%s", tag, kind);
}

static void put_head(struct swg_wire *wire, const char *sha1, int keys, const char *tag,
                     const char *fifth)
{
    static const char *const fixed[] = {"m", "st", "chg", "c"};

    swg_wire_start(wire);
    swg_wire_text(wire, "EVALSHA");
    swg_wire_text(wire, sha1);
    swg_wire_number(wire, keys);
    for (int i = 0; i < 4; i++)
        put_key(wire, tag, fixed[i], NULL);
    put_key(wire, tag, fifth, NULL);
}

static void put_clock(struct swg_wire *wire, struct swg_wire_clock clock, int schema)
{
    swg_wire_number(wire, clock.now);
    swg_wire_text(wire, clock.server);
    swg_wire_number(wire, schema);
}

static void put_config(struct swg_wire *wire, const struct swg_step_config *config)
{
    char text[SWG_CFG_COUNT * 21 + 1];
    size_t used = 0;

    for (int i = 0; i < SWG_CFG_COUNT; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? "|" : "",
                                 config->v[i]);
    swg_wire_text(wire, text);
}

static void put_result(struct swg_wire *wire, const struct swg_step_result *r)
{
    swg_wire_number(wire, r->epoch);
    swg_wire_number(wire, r->seq);
    swg_wire_number(wire, r->index);
    swg_wire_number(wire, r->outcome);
}

static void put_entry(struct swg_wire *wire, const struct swg_step_entry *e)
{
    const int64_t numbers[] = {e->seq, e->epoch, e->state,      e->remaining, e->n,  e->f,
                               e->s,   e->l,     e->local_open, e->want,      e->rev};

    swg_wire_text(wire, e->circuit);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        swg_wire_number(wire, numbers[i]);
    if (e->has_config)
        put_config(wire, &e->config);
    else
        swg_wire_text(wire, "");
    swg_wire_number(wire, e->results);
    for (int i = 0; i < e->results; i++)
        put_result(wire, &e->result[i]);
}

int swg_wire_sync(struct swg_wire *wire, const char *sha1, const char *tag,
                  struct swg_wire_clock clock, const struct swg_step_request *request)
{
    static const char *const kinds[] = {"b", "x", "l", "q"};

    put_head(wire, sha1, 5 + 4 * request->entries, tag, "r");
    for (int i = 0; i < request->entries; i++) {
        for (int k = 0; k < 4; k++)
            put_key(wire, tag, kinds[k], request->entry[i].circuit);
    }
    put_clock(wire, clock, request->schema);
    swg_wire_text(wire, request->reporter);
    swg_wire_number(wire, request->cursor);
    swg_wire_number(wire, request->entries);
    for (int i = 0; i < request->entries; i++)
        put_entry(wire, &request->entry[i]);
    return wire->full ? -1 : 0;
}

int swg_wire_admin(struct swg_wire *wire, const char *sha1, const char *tag,
                   struct swg_wire_clock clock, const struct swg_step_order *order)
{
    put_head(wire, sha1, 8, tag, "a");
    put_key(wire, tag, "b", order->circuit);
    put_key(wire, tag, "x", order->circuit);
    put_key(wire, tag, "l", order->circuit);
    put_clock(wire, clock, order->schema);
    swg_wire_text(wire, order->circuit);
    swg_wire_number(wire, order->state);
    swg_wire_number(wire, order->ttl);
    swg_wire_text(wire, order->who);
    swg_wire_text(wire, order->reason);
    return wire->full ? -1 : 0;
}
