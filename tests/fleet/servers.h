/* Real redis-servers of the test's own: each with a folder, a port of 127.0.0.1, and no longer life
 * than the test. All functions end the program with a message when they cannot do their part. */
#ifndef SERVERS_H
#define SERVERS_H

#include "scratch.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERVER_ARGS = 40 };

struct server {
    char dir[SCRATCH_PATH]; /* of its own; the server's output is in its file "log" */
    int port;               /* 0: it listens on dir/redis.sock alone */
    pid_t pid;
    const char *args[SERVER_ARGS]; /* after "redis-server", up to NULL */
    char text[16];                 /* the port */
    const char *password;          /* NULL: none */
    char files[3][96];             /* certificates */
};

/* Free, and out of the range that outgoing connections take theirs from. */
int server_free_port(void);

/* A folder and a port, or none. Arguments come from the test: port, folder and "no saving" are
 * there already. */
void server_make(struct server *s, bool has_port);
void server_add(struct server *s, const char *arg, const char *value);

void server_protect(struct server *s, const char *password);

/* TLS on its port and nothing else there; certificates as below, in `dir`. */
void server_secure(struct server *s, const char *dir);

/* Runs it until it takes connections. */
void server_start(struct server *s);
void server_signal(const struct server *s, int signal);
void server_kill(struct server *s); /* with SIGKILL; it may be started again */
void server_end(struct server *s);  /* and its folder is gone */

redisContext *server_connect(const struct server *s);

/* Clients that listen to news of this shard of the namespace "default". */
uint64_t server_listeners(const struct server *s, uint32_t shard);

/* A question on a new connection, or on another if that breaks; the reply is the caller's. */
redisReply *server_ask(const struct server *s, const char *format, ...);
/* A command, once, whose answer is no error. */
void server_tell(const struct server *s, const char *format, ...);
/* The answer to a command has these words in it. */
bool server_says(const struct server *s, const char *words, const char *format, ...);

/* In a folder: ca.pem, cert.pem and key.pem for these names ("DNS:localhost,IP:127.0.0.1"), and
 * other.pem, an authority that signed nothing. */
void server_certificates(const char *dir, const char *names);

#endif
