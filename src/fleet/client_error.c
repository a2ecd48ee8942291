/* Refusals. A server that refuses did not run the script: waiting and asking again is safe. */
#include "fleet/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MAX_NS (2000 * MS)

static const struct {
    const char *word;
    swg_fleet_error error;
} words[] = {
#define SWG_X(name, value, text) {text, name},
    SWG_FLEET_ERRORS(SWG_X)
#undef SWG_X
        {"NOAUTH", SWG_FLEET_AUTH},
    {"WRONGPASS", SWG_FLEET_AUTH},
    {"NOPERM", SWG_FLEET_AUTH},
};

swg_fleet_error swg__client_error_of(const char *text)
{
    /* a request of many words before AUTH is not even read */
    static const char unread[] = "ERR Protocol error: unauthenticated";
    size_t length = strcspn(text, " ");

    if (strncmp(text, unread, sizeof unread - 1) == 0)
        return SWG_FLEET_AUTH;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) == length && memcmp(words[i].word, text, length) == 0)
            return words[i].error;
    }
    return SWG_FLEET_OTHER;
}

/* In its own place, or, if it has none, among the talk. */
static void tell(swg_fleet *fleet, const struct client_shard *shard, uint32_t kind,
                 swg_fleet_event *place, int error, const char *text)
{
    swg_fleet_event event = {.kind = kind,
                             .shard = shard->number,
                             .link = shard->sent_link,
                             .slot = shard->slot,
                             .value = (uint32_t)error,
                             .error = SWG_EPROTO};

    snprintf(event.text, sizeof event.text, "%s", text);
    if (place)
        swg__client_press(fleet, place, &event);
    else
        swg__client_event(fleet, &event);
}

/* Again after a wait that doubles, apart from the others. */
static void back_off(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    unsigned times = shard->errors < 8 ? shard->errors : 8;
    int64_t wait =
        swg__client_min((int64_t)fleet->config.interval_ms * MS << times, BACKOFF_MAX_NS);

    shard->errors++;
    shard->due = now + wait / 2 + (int64_t)swg__client_random(fleet, (uint64_t)wait / 2 + 1);
}

void swg__client_failed(swg_fleet *fleet, struct client_shard *shard, swg_fleet_error error,
                        const char *text, int64_t now)
{
    fleet->stats.errors[error]++;
    if (shard->last_error != (int)error)
        tell(fleet, shard, SWG_FLEET_EVENT_ERROR, NULL, (int)error, text);
    shard->last_error = (int)error;
    shard->inflight = false;
    back_off(fleet, shard, now);
    swg__client_ask_done(shard, false, now);
}

/* "MOVED 3999 127.0.0.1:6381": the address is the third word. */
static void moved(swg_fleet *fleet, struct client_shard *shard, swg_fleet_error error,
                  const char *text)
{
    const char *address = strchr(text, ' ');

    address = address ? strchr(address + 1, ' ') : NULL;
    if (address && strlen(address + 1) < sizeof((swg_fleet_event *)0)->text)
        tell(fleet, shard, error == SWG_FLEET_ASK ? SWG_FLEET_EVENT_ASK : SWG_FLEET_EVENT_MOVED,
             &shard->redirect, (int)error, address + 1);
}

void swg__client_refused(swg_fleet *fleet, struct client_shard *shard, uint32_t number,
                         const char *text, int64_t now)
{
    struct client_link *link = &fleet->links[number];
    swg_fleet_error error = swg__client_error_of(text);
    bool first = shard->last_error != (int)error;

    swg__client_failed(fleet, shard, error, text, now);
    if (error == SWG_FLEET_NOSCRIPT) {
        swg__client_load_scripts(fleet, number, now);
        if (first)
            shard->due = now;
    }
    if (error == SWG_FLEET_MOVED || error == SWG_FLEET_ASK)
        moved(fleet, shard, error, text);
    if (error == SWG_FLEET_READONLY && !link->readonly) {
        link->readonly = true;
        tell(fleet, shard, SWG_FLEET_EVENT_READONLY, &link->replica, (int)error, text);
    }
}
