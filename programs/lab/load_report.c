#include "load_report.h"

#include <string.h>

enum { JSON_MS = 200, TEXT_MS = 1000, NS_PER_MS = 1000000 };

const char *const load_class_names[LOAD_CLASSES] = {"answered", "rejected", "failed", "lost"};

void load_report_begin(load_report *r, const part *p, int64_t now_ns)
{
    int64_t period_ns = (p->json ? JSON_MS : TEXT_MS) * (int64_t)NS_PER_MS;
    *r = (load_report){.period_ns = period_ns, .next_ns = now_ns + period_ns};
    for (int i = 0; i < LOAD_PHASES; i++)
        r->phases[i].phase = i - LOAD_PHASES; /* none that is ever used */
}

static load_phase *phase_of(load_report *r, int phase)
{
    load_phase *p = &r->phases[(unsigned)phase % LOAD_PHASES];
    if (p->phase != phase)
        *p = (load_phase){.phase = phase};
    return p;
}

void load_report_sent(load_report *r, int phase)
{
    phase_of(r, phase)->sent++;
    if (++r->waiting > r->waiting_max)
        r->waiting_max = r->waiting;
}

void load_report_came(load_report *r, int phase, load_class class, int64_t latency_ns)
{
    r->waiting--;
    histogram_add(&phase_of(r, phase)->classes[class], latency_ns);
}

static json_t *phase_json(const load_phase *p)
{
    json_t *object = json_pack("{s:i, s:I}", "phase", p->phase, "sent", (json_int_t)p->sent);
    for (int i = 0; i < LOAD_CLASSES; i++)
        if (p->classes[i].count)
            json_object_set_new(object, load_class_names[i], histogram_json(&p->classes[i]));
    return object;
}

static bool is_empty(const load_phase *p)
{
    uint64_t calls = p->sent;
    for (int i = 0; i < LOAD_CLASSES; i++)
        calls += p->classes[i].count;
    return calls == 0;
}

static void print_json(const load_report *r, const part *p, int64_t now_ns)
{
    json_t *phases = json_array();
    for (int i = 0; i < LOAD_PHASES; i++)
        if (!is_empty(&r->phases[i]))
            json_array_append_new(phases, phase_json(&r->phases[i]));
    part_json(p, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "schema", "switchgear.lab.load/1",
                           "type", "load", "at_ns", (json_int_t)now_ns, "waiting",
                           (json_int_t)r->waiting, "waiting_max", (json_int_t)r->waiting_max,
                           "skipped", (json_int_t)r->skipped, "phases", phases));
}

static void print_text(const load_report *r, const part *p)
{
    static load_phase sum;
    histogram *all = &sum.classes[0];
    uint64_t counts[LOAD_CLASSES] = {0};
    char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX], clock[16];
    sum = (load_phase){0};
    for (int i = 0; i < LOAD_PHASES; i++) {
        for (int c = 0; c < LOAD_CLASSES; c++) {
            counts[c] += r->phases[i].classes[c].count;
            histogram_merge(all, &r->phases[i].classes[c]);
        }
    }
    if (all->count == 0 && r->waiting == 0)
        return;
    out_line((out *)&p->out,
             "%s  answered %4llu  rejected %4llu  failed %4llu  lost %llu  waiting %llu  p50 %s  "
             "p99 %s",
             part_clock(clock), (unsigned long long)counts[LOAD_ANSWERED],
             (unsigned long long)counts[LOAD_REJECTED], (unsigned long long)counts[LOAD_FAILED],
             (unsigned long long)counts[LOAD_LOST], (unsigned long long)r->waiting,
             out_latency(p50, histogram_at(all, 50)), out_latency(p99, histogram_at(all, 99)));
}

static void start_anew(load_report *r)
{
    r->waiting_max = r->waiting;
    r->skipped = 0;
    for (int i = 0; i < LOAD_PHASES; i++)
        r->phases[i] = (load_phase){.phase = r->phases[i].phase};
}

void load_report_end(load_report *r, const part *p, int64_t now_ns)
{
    if (p->json)
        print_json(r, p, now_ns);
    else
        print_text(r, p);
    start_anew(r);
}

void load_report_tick(load_report *r, const part *p, int64_t now_ns)
{
    if (now_ns < r->next_ns)
        return;
    load_report_end(r, p, now_ns);
    while (r->next_ns <= now_ns)
        r->next_ns += r->period_ns;
}
