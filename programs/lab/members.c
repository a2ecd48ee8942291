/* The lab's child processes: for each world one service, three instances, one load generator, and a
 * Redis where it has one. */
#include "lab.h"

#include "../common/port.h"
#include "redis_server.h"

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

uint16_t lab_redis_port(const lab *l, const stage_world *plan)
{
    return (uint16_t)(lab_service_port(l, plan) + REDIS_PORT - SERVICE_PORT);
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
        if (plan->redis)
            all &= port_free(lab_redis_port(l, plan));
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

static void add_circuit(command *c, const world *w, int index)
{
    const cli_args *args = w->lab->args;
    const stage *of = w->lab->stage;
    const char *pair;
    int at = 0;
    if (!w->plan->breakers) {
        add(c, "--no-breaker");
        return;
    }
    add(c, "--profile=%s", cli_text(args, "profile", "classic"));
    for (int i = 0; of->circuit[i] && !cli_text(args, "profile", NULL); i++)
        add(c, "--set=%s", of->circuit[i]);
    while ((pair = cli_next(args, "set", &at)))
        add(c, "--set=%s", pair);
    if (w->plan->panel)
        add(c, "--panel=%s-%d", w->plan->panel, (int)getpid());
    if (w->plan->redis == REDIS_FOR_FLEET)
        add(c, "--fleet=unix://%s/%c.sock", w->folder, 'A' + index);
    if (w->plan->redis == REDIS_FOR_NAIVE)
        add(c, "--naive=%s/redis.sock", w->folder);
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
    add_circuit(&c, w, index);
    return start(m, &c);
}

/* The folder's name is new; the part makes it, and removes it when it ends. */
static bool start_redis(world *w)
{
    command c;
    const char *record = cli_text(w->lab->args, "record", NULL);
    w->redis = (member){.world = w,
                        .role = ROLE_REDIS,
                        .port = lab_redis_port(w->lab, w->plan),
                        .label = "keeper of Redis"};
    snprintf(w->folder, sizeof w->folder, "/tmp/switchgear-lab-%d-%llx", (int)getpid(),
             (unsigned long long)swg_clock_ns());
    begin(&c, w->lab, "redis");
    add(&c, "--port=%u", w->redis.port);
    add(&c, "--folder=%s", w->folder);
    if (w->plan->redis == REDIS_FOR_FLEET && record)
        add(&c, "--record=%s", record);
    return start(&w->redis, &c);
}

bool lab_has_redis(const lab *l)
{
    bool any = false;
    for (int w = 0; w < l->world_count; w++)
        any |= l->worlds[w].plan->redis != REDIS_NOT;
    return any;
}

bool lab_start_redis(lab *l)
{
    for (int w = 0; w < l->world_count; w++)
        if (l->worlds[w].plan->redis && !start_redis(&l->worlds[w]))
            return false;
    return true;
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

/* A target named twice gets twice the calls. */
static void add_targets(command *c, const world *w)
{
    char text[256] = "--targets=";
    size_t used = strlen(text);
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        int share = w->lab->stage->shares[i];
        for (int n = 0; n < (share ? share : 1); n++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%u,", w->instances[i].port);
    }
    text[used - 1] = '\0';
    add(c, "%s", text);
}

bool lab_start_loads(lab *l)
{
    for (int i = 0; i < l->world_count; i++) {
        command c;
        world *w = &l->worlds[i];
        w->load = (member){.world = w, .role = ROLE_LOAD, .label = "load generator"};
        begin(&c, l, "load");
        add_targets(&c, w);
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
        count = keep_started(members, count, &w->redis);
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
    for (int w = 0; w < l->world_count; w++) /* its keeper may have been killed */
        if (l->worlds[w].redis.started)
            redis_folder_remove(l->worlds[w].folder);
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
