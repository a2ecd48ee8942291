#include "instance_fleet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/* The lab has one circuit, so one shard: an exchange carries one circuit's news, and their number a
 * second is that of a real fleet's client for each of its shards. A probe here is over within the
 * instance's timeout of 250 ms, so a lease of a second is long; after a restart of Redis nothing is
 * granted for as long as one, and a lab is short. No ramp, and the first probe that fails decides:
 * so it is in the worlds beside. */
enum { SHARDS = 1, LEASE_MS = 1000, FAIL_LIMIT = 1 };

struct instance_fleet {
    swg_fleet *fleet;
    swg_fleet_run_config run;
    pthread_t thread;
};

static void on_trouble(void *arg, const char *what)
{
    (void)arg;
    fprintf(stderr, "Redis: %s\n", what);
}

static void *carry(void *closure)
{
    instance_fleet *f = closure;
    int result = swg_fleet_run(f->fleet, &f->run);
    if (result != SWG_OK)
        fprintf(stderr, "the fleet's client ended: %s\n", swg_error_text(result));
    return NULL;
}

static int join(instance_fleet *f, swg_panel *panel, const char *name, const char **field,
                const char **reason)
{
    uint64_t seed;
    swg_fleet_url url;
    int result = swg_fleet_url_parse(&url, f->run.url, reason);
    if (result != SWG_OK || getrandom(&seed, sizeof seed, 0) != sizeof seed)
        return result != SWG_OK ? result : SWG_ESYS;
    const swg_fleet_config *config =
        SWG_FLEET(.space = "lab", .shards = SHARDS, .host = name, .lease_ms = LEASE_MS,
                  .ramp_ms = SWG_NONE, .fail_limit = FAIL_LIMIT);
    if ((result = swg_fleet_config_check(config, field, reason)) != SWG_OK)
        return result;
    return swg_fleet_open(&f->fleet, panel, config, seed, swg_clock_ns());
}

instance_fleet *instance_fleet_open(swg_panel *panel, const char *name, const char *url, bool talks)
{
    instance_fleet *f = calloc(1, sizeof *f);
    const char *field = "", *reason = "";
    int result = SWG_ENOMEM;
    if (!f)
        return NULL;
    f->run = (swg_fleet_run_config){.size = sizeof f->run,
                                    .url = url,
                                    .stop_fd = eventfd(0, EFD_CLOEXEC),
                                    .trouble = talks ? on_trouble : NULL};
    if (f->run.stop_fd >= 0 && (result = join(f, panel, name, &field, &reason)) == SWG_OK &&
        pthread_create(&f->thread, NULL, carry, f) == 0)
        return f;
    fprintf(stderr, "instance: cannot join the fleet at %s: %s%s%s\n", url, field,
            field[0] ? " " : "", reason[0] ? reason : swg_error_text(result));
    swg_fleet_close(&f->fleet);
    if (f->run.stop_fd >= 0)
        close(f->run.stop_fd);
    free(f);
    return NULL;
}

void instance_fleet_close(instance_fleet *f)
{
    const uint64_t one = 1;
    if (!f)
        return;
    if (write(f->run.stop_fd, &one, sizeof one) == sizeof one)
        pthread_join(f->thread, NULL);
    swg_fleet_close(&f->fleet);
    close(f->run.stop_fd);
    free(f);
}
