/* switchgear fleet doctor: findings as they come, and a verdict. */
#include "fleet.h"

typedef struct round {
    fleet f;
    json_t *findings;
    int counts[4];
} round_of;

static const struct {
    const char *sign;
    out_style style;
} marks[] = {{"●", OUT_GOOD}, {"·", OUT_PLAIN}, {"◆", OUT_WAIT}, {"■", OUT_BAD}};

static void show(out *o, const swg_fleet_finding *x)
{
    const char *color = out_paint(o, marks[x->severity].style), *plain = out_paint(o, OUT_PLAIN);
    out_line(o, "%s%s %-7s%s  %-12s  %s%s%s", color, marks[x->severity].sign,
             swg_fleet_severity_name((swg_fleet_severity)x->severity), plain, x->id, x->node,
             x->node[0] ? "  " : "", x->seen);
    if (x->fix[0])
        out_line(o, "%25s→ %s", "", x->fix);
}

static json_t *text_or_none(const char *text)
{
    return text[0] ? fleet_text_json(text) : NULL;
}

static void take(void *arg, const swg_fleet_finding *x)
{
    round_of *r = arg;
    const char *severity = swg_fleet_severity_name((swg_fleet_severity)x->severity);
    r->counts[x->severity]++;
    switch (r->f.form) {
    case FLEET_TABLE:
        show(&r->f.out, x);
        break;
    case FLEET_TSV:
        printf("%s\t%s\t%s\t%s\t%s\n", severity, x->id, x->node, x->seen, x->fix);
        fflush(stdout);
        break;
    default:
        json_array_append_new(r->findings,
                              json_pack("{s:s, s:s, s:o*, s:o, s:o*}", "check", x->id, "severity",
                                        severity, "node", text_or_none(x->node), "seen",
                                        fleet_text_json(x->seen), "fix", text_or_none(x->fix)));
    }
}

static const char *verdict_word(int code)
{
    return code == CLI_FINE     ? "fit for a fleet"
           : code == CLI_FALSE  ? "not fit for a fleet"
           : code == CLI_NOBODY ? "nothing to talk to"
                                : "could not finish";
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

static void end(round_of *r, int code)
{
    const int *n = r->counts;
    char text[OUT_LINE_MAX];
    if (r->f.form == FLEET_JSON) {
        fleet_print_json(
            json_pack("{s:s, s:o, s:s, s:s, s:b, s:o, s:{s:i, s:i, s:i, s:i}}", "schema",
                      "switchgear.fleet.doctor/1", "url", fleet_text_json(r->f.url), "space",
                      r->f.redis.space ? r->f.redis.space : "default", "verdict",
                      verdict_word(code), "fit", code == CLI_FINE, "findings", r->findings,
                      "counts", "fine", n[0], "note", n[1], "warning", n[2], "problem", n[3]));
        return;
    }
    snprintf(text, sizeof text, "%.900s: %s; %d problem%s, %d warning%s, %d note%s", r->f.url,
             verdict_word(code), n[3], plural(n[3]), n[2], plural(n[2]), n[1], plural(n[1]));
    if (r->f.form == FLEET_TABLE)
        out_line(&r->f.out, "%s", text);
    else
        fprintf(stderr, "%s\n", text);
}

int fleet_doctor_run(const cli_args *args)
{
    round_of r = {0};
    int code = fleet_begin(&r.f, args);
    if (code != CLI_FINE)
        return code;
    if (r.f.form == FLEET_JSON)
        r.findings = json_array();
    const int result = swg_fleet_doctor(fleet_redis(&r.f), take, &r);
    if (result == SWG_EINVAL || result == SWG_ENOMEM) {
        json_decref(r.findings);
        return fleet_failed(&r.f, result);
    }
    if (result == SWG_OK)
        code = r.counts[SWG_FLEET_PROBLEM] > 0 ? CLI_FALSE : CLI_FINE;
    else
        code = result == SWG_ENOENT ? CLI_NOBODY : CLI_FAILED;
    end(&r, code);
    return fleet_end(&r.f, code);
}
