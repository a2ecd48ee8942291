/* A socket as OpenSSL sees it. */
#ifndef SWG_FLEET_NET_SOCKET_H
#define SWG_FLEET_NET_SOCKET_H

#include <openssl/bio.h>

/* The socket stays the caller's. NULL: no memory. */
BIO *swg__net_socket(int fd);

#endif
