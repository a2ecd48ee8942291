/* switchgear fleet audit: who ordered what. */
#include "fleet.h"

#include <string.h>

typedef struct reading {
    fleet f;
    json_t *actions;
    int count;
} reading;

static void show(out *o, const swg_fleet_action *a)
{
    char at[FLEET_TIME_MAX], span[FLEET_SPAN_MAX];
    out_line(o, "%s  %s%s%s %s  %s → %s%s%s  %s: %s", fleet_time(at, a->at_ms),
             out_paint(o, fleet_state_style(a->to)), fleet_state_sign(a->to),
             out_paint(o, OUT_PLAIN), a->circuit, fleet_state_word(a->from),
             fleet_state_word(a->to), a->ttl_ms > 0 ? " for " : "",
             a->ttl_ms > 0 ? fleet_span(span, a->ttl_ms) : "", a->who, a->reason);
}

static void take(void *arg, const swg_fleet_action *a)
{
    reading *r = arg;
    char at[FLEET_TIME_MAX];
    const char *from = swg_fleet_state_name((swg_fleet_state)a->from);
    const char *to = swg_fleet_state_name((swg_fleet_state)a->to);
    r->count++;
    if (r->f.form == FLEET_TABLE)
        show(&r->f.out, a);
    if (r->f.form == FLEET_TSV)
        printf("%s\t%s\t%s\t%s\t%lld\t%s\t%s\t%llu\n", fleet_time(at, a->at_ms), a->circuit, from,
               to, (long long)a->ttl_ms, a->who, a->reason, (unsigned long long)a->epoch);
    if (r->f.form == FLEET_JSON)
        json_array_append_new(r->actions,
                              json_pack("{s:o, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:i}", "time",
                                        fleet_time_json(a->at_ms), "circuit", a->circuit, "from",
                                        from, "to", to, "ttl_ms", (json_int_t)a->ttl_ms, "who",
                                        a->who, "reason", a->reason, "epoch", (json_int_t)a->epoch,
                                        "shard", a->shard));
}

int fleet_audit_run(const cli_args *args)
{
    reading r = {0};
    const int code = fleet_begin(&r.f, args);
    if (code != CLI_FINE)
        return code;
    r.actions = json_array();
    const int result = swg_fleet_audit(fleet_redis(&r.f), take, &r);
    if (result == SWG_OK)
        fleet_doubt(&r.f);
    if (result == SWG_OK && r.f.form == FLEET_JSON)
        fleet_print_json(json_pack("{s:s, s:o, s:s, s:O}", "schema", "switchgear.fleet.audit/1",
                                   "url", fleet_text_json(r.f.url), "space",
                                   r.f.redis.space ? r.f.redis.space : "default", "actions",
                                   r.actions));
    if (result == SWG_OK && r.f.form == FLEET_TABLE && r.count == 0)
        out_line(&r.f.out, "no orders");
    json_decref(r.actions);
    return result == SWG_OK ? fleet_end(&r.f, CLI_FINE) : fleet_failed(&r.f, result);
}
