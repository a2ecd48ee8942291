/* The lab's child processes: one service, three instances and one load generator for each world. */
#include "lab.h"

#include "../common/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

enum { ARGV_MAX = 64, TEXT_MAX = 4096, SERVICE_PORT = 9000, INSTANCE_PORT = 8001, ROW = 10 };

uint16_t lab_service_port(const lab *l, const stage_world *plan)
{
    return (uint16_t)((l->ports ? l->ports : SERVICE_PORT) + plan->port_row * ROW);
}

uint16_t lab_instance_port(const lab *l, const stage_world *plan, int index)
{
    int first = l->ports ? l->ports + 1 : INSTANCE_PORT;
    return (uint16_t)(first + plan->port_row * ROW + index);
}

/* ---- ports --------------------------------------------------------------------------------- */

static bool port_free(uint16_t port)
{
    char holder[128];
    if (port_is_free(port))
        return true;
    fprintf(stderr, "port %u is taken by %s\n", port, port_holder(holder, sizeof holder, port));
    return false;
}

bool lab_ports_free(lab *l)
{
    bool all = true;
    for (int w = 0; w < l->world_count; w++) {
        const stage_world *plan = l->worlds[w].plan;
        all &= port_free(lab_service_port(l, plan));
        for (int i = 0; i < STAGE_INSTANCES; i++)
            all &= port_free(lab_instance_port(l, plan, i));
    }
    if (!all)
        fprintf(stderr,
                "The lab needs it: end that program, or run the lab on other ports, such "
                "as --ports %d\n",
                l->ports == 20000 ? 21000 : 20000);
    return all;
}

/* ---- starting ------------------------------------------------------------------------------ */

typedef struct command {
    char *argv[ARGV_MAX + 1];
    int count;
    char text[TEXT_MAX];
    size_t used;
} command;

static void add(command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(command *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(c->text + c->used, sizeof c->text - c->used, format, list);
    va_end(list);
    if (c->count == ARGV_MAX || c->used + (size_t)length + 1 >= sizeof c->text)
        return;
    c->argv[c->count++] = c->text + c->used;
    c->used += (size_t)length + 1;
}

static void begin(command *c, const lab *l, const char *name)
{
    *c = (command){0};
    add(c, "%s", l->program);
    add(c, "lab");
    add(c, "%s", name);
    add(c, "--json");
    add(c, "--supervised");
}

static bool start(member *m, command *c)
{
    m->started = child_start(&m->child, c->argv);
    if (!m->started)
        fprintf(stderr, "cannot start %s: %s\n", m->label, strerror(errno));
    return m->started;
}

static bool start_service(world *w)
{
    command c;
    const lab *l = w->lab;
    w->service = (member){
        .world = w, .role = ROLE_SERVICE, .port = lab_service_port(l, w->plan), .label = "service"};
    begin(&c, l, "service");
    add(&c, "--port=%u", w->service.port);
    add(&c, "--seed=%llu", (unsigned long long)l->seed);
    add(&c, "--slow=%lldms", (long long)l->times.slow_ms);
    add(&c, "--hang=%lldms", (long long)l->times.hang_ms);
    add(&c, "--flap=%lldms", (long long)l->times.flap_ms);
    return start(&w->service, &c);
}

static void add_circuit(command *c, const world *w)
{
    const cli_args *args = w->lab->args;
    const char *pair;
    int at = 0;
    if (!w->plan->breakers) {
        add(c, "--no-breaker");
        return;
    }
    add(c, "--profile=%s", cli_text(args, "profile", "classic"));
    while ((pair = cli_next(args, "set", &at)))
        add(c, "--set=%s", pair);
    if (w->plan->panel)
        add(c, "--panel=%s-%d", w->plan->panel, (int)getpid());
}

static bool start_instance(world *w, int index)
{
    command c;
    member *m = &w->instances[index];
    *m = (member){.world = w,
                  .role = ROLE_INSTANCE,
                  .index = index,
                  .port = lab_instance_port(w->lab, w->plan, index)};
    snprintf(m->label, sizeof m->label, "Instance-%c", 'A' + index);
    begin(&c, w->lab, "instance");
    add(&c, "--name=%c", 'A' + index);
    add(&c, "--port=%u", m->port);
    add(&c, "--service=%u", w->service.port);
    add(&c, "--timeout=%lldms", (long long)w->lab->script.timeout_ms);
    add_circuit(&c, w);
    return start(m, &c);
}

bool lab_start_members(lab *l)
{
    for (int w = 0; w < l->world_count; w++) {
        if (!start_service(&l->worlds[w]))
            return false;
        for (int i = 0; i < STAGE_INSTANCES; i++)
            if (!start_instance(&l->worlds[w], i))
                return false;
    }
    return true;
}

bool lab_start_loads(lab *l)
{
    for (int i = 0; i < l->world_count; i++) {
        command c;
        world *w = &l->worlds[i];
        w->load = (member){.world = w, .role = ROLE_LOAD, .label = "load generator"};
        begin(&c, l, "load");
        add(&c, "--targets=%u,%u,%u", w->instances[0].port, w->instances[1].port,
            w->instances[2].port);
        add(&c, "--rate=%lld", (long long)l->script.calls_per_s);
        add(&c, "--seed=%llu", (unsigned long long)l->seed);
        if (!start(&w->load, &c))
            return false;
    }
    return true;
}

void lab_forget_panels(lab *l)
{
    for (int i = 0; i < l->world_count; i++) {
        char name[64];
        if (!l->worlds[i].plan->panel)
            continue;
        snprintf(name, sizeof name, "%s-%d", l->worlds[i].plan->panel, (int)getpid());
        swg_panel_unlink(name);
    }
}

/* ---- the rest of their lives ---------------------------------------------------------------- */

static size_t keep_started(member **members, size_t count, member *m)
{
    if (m->started)
        members[count++] = m;
    return count;
}

size_t lab_members(lab *l, member **members)
{
    size_t count = 0;
    for (int i = 0; i < l->world_count; i++) {
        world *w = &l->worlds[i];
        count = keep_started(members, count, &w->load);
        for (int k = 0; k < STAGE_INSTANCES; k++)
            count = keep_started(members, count, &w->instances[k]);
        count = keep_started(members, count, &w->service);
    }
    return count;
}

bool lab_all_ready(lab *l)
{
    member *members[STAGE_WORLDS_MAX * MEMBERS_MAX];
    size_t count = lab_members(l, members);
    for (size_t i = 0; i < count; i++)
        if (!members[i]->ready)
            return false;
    return true;
}

void lab_stop_members(lab *l)
{
    enum { GRACE_MS = 500 };
    member *members[STAGE_WORLDS_MAX * MEMBERS_MAX];
    child *children[STAGE_WORLDS_MAX * MEMBERS_MAX];
    size_t count = lab_members(l, members);
    for (size_t i = 0; i < count; i++)
        children[i] = &members[i]->child;
    child_stop(children, count, GRACE_MS);
}

/* A load generator that is gone is noticed elsewhere. */
void lab_mark_phase(lab *l)
{
    char order[32];
    int length = snprintf(order, sizeof order, "phase %d\n", l->load_phase);
    for (int i = 0; i < l->world_count; i++) {
        int fd = l->worlds[i].load.child.input;
        if (l->worlds[i].load.started && fd >= 0 && write(fd, order, (size_t)length) != length)
            l->trouble = true;
    }
}
