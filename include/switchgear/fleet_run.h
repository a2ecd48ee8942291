/* The transport of a fleet's client (fleet.h), for those who have no event loop to lend it: one
 * blocking function for a thread of the caller's choosing. TCP, UNIX sockets and TLS, each step
 * under a deadline. */
#ifndef SWITCHGEAR_FLEET_RUN_H
#define SWITCHGEAR_FLEET_RUN_H

#include <switchgear/fleet.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A URL in its parts: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, or
 * unix:///PATH[?db=DATABASE]. %XX stands for a byte. */
typedef struct swg_fleet_url {
    char host[256]; /* empty: a UNIX socket */
    char port[8];   /* "6379" */
    char path[108];
    char user[64]; /* empty: none */
    char password[256];
    uint32_t database;
    uint32_t tls;
    uint32_t reserved[6];
} swg_fleet_url;

/* Takes a URL apart. On SWG_EINVAL `*reason` (may be NULL) says what is wrong; the text is static.
 * Errors: SWG_EINVAL.  Threads: any. */
int swg_fleet_url_parse(swg_fleet_url *parsed, const char *url, const char **reason);

/* 0 or NULL = default. Set `size`, or use SWG_FLEET_RUN(). */
typedef struct swg_fleet_run_config {
    uint32_t size;
    uint32_t connect_ms; /* 1 000; 10 to 60 000: for name, connection and TLS together */
    const char *url;     /* required. Its user, password and database are those of the client: give
                            them to swg_fleet_open() */
    const char *ca_file; /* TLS: PEM file of who may sign; NULL: the system's */
    const char *cert_file; /* TLS: ours, PEM; NULL: none */
    const char *key_file;
    int stop_fd; /* swg_fleet_run() returns when this can be read; an eventfd or pipe. 0: never */
    uint32_t reserved;
    /* Each event of swg_fleet_poll(), from the running thread. May be NULL. */
    void (*event)(void *arg, const swg_fleet_event *event);
    /* The connection failed, and why: "TLS: certificate verify failed", "connect: Connection
     * refused". First of its kind in a row only. May be NULL. */
    void (*trouble)(void *arg, const char *what);
    void *arg;
    /* Called every look_ms (1 000; 10 to 60 000) from the running thread, to read the client or
     * give it orders. May be NULL. */
    void (*look)(void *arg, swg_fleet *fleet);
    uint32_t look_ms;
    uint32_t reserved2;
    struct swg_strict *strict; /* see fleet_strict.h; NULL: none */
} swg_fleet_run_config;
#define SWG_FLEET_RUN(...)                                                                         \
    (&(swg_fleet_run_config){.size = sizeof(swg_fleet_run_config), __VA_ARGS__})

/* Carries the client's bytes until stop_fd says stop, connecting again as often as it takes. With
 * TLS the certificate and its host name are always checked. The client must not be used by others
 * meanwhile, but from within the callbacks (`look` is made for that). Errors: SWG_EINVAL
 * (configuration, URL), SWG_ENEWER, SWG_ENOMEM, SWG_ESYS; SWG_EACCESS (a TLS file cannot be read:
 * `trouble` names it). */
int swg_fleet_run(swg_fleet *fleet, const swg_fleet_run_config *config);

#ifdef __cplusplus
}
#endif
#endif
