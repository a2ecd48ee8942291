/* Who listens on a TCP port of this machine? */
#ifndef SWG_PROGRAMS_PORT_H
#define SWG_PROGRAMS_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Could a server bind 127.0.0.1:port right now? */
bool port_is_free(uint16_t port);

/* "nginx (pid 812)", or what can be said without permission to look. */
const char *port_holder(char *text, size_t size, uint16_t port);

#endif
