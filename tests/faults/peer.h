/* Both ends of the proxy with faults, for its test: a server behind it and clients before it.
 *
 * The server answers the n-th request it gets, whoever sends it, with the number n; what is no RESP
 * it echoes. So a request that was lost, or sent twice, shows in the next answer. */
#ifndef FAULTS_PEER_H
#define FAULTS_PEER_H

#include "chaos.h"
#include "scratch.h"

#include <check.h>
#include <sys/types.h>

#define MS INT64_C(1000000)
#define PING "*1\r\n$4\r\nPING\r\n"

enum { PATIENCE_MS = 10000 };

struct peer {
    char folder[SCRATCH_PATH], control[96], record[96];
    pid_t proxy, server;
    char answer[CHAOS_LINE_MAX];
};

extern struct peer peer;

/* A folder, and a server in it; everything gone. */
void peer_begin(void);
void peer_end(void);
void peer_serve(const char *name); /* one more server */
void peer_stop(pid_t *pid);

/* Starts the proxy with routes A and B, over TCP or UNIX sockets. */
void peer_go(bool tcp);
void tell(const char *command);
unsigned status_of(char route, const char *key); /* a number of `route A status` */
void await_count(char route, const char *key, unsigned count);

/* Clients. -1 with errno if it is refused. */
int try_connect(char route);
int dial(char route);
void say(int fd, const char *bytes);
/* -1: the connection was reset; 0: it ended; else so many bytes. */
ssize_t hear(int fd, char *bytes, size_t room);
void expect(int fd, const char *bytes);
void expect_end(int fd);
bool is_silent(int fd);

#endif
