/* The certificates of a connection: who may sign, and who we are.
 *
 * Keeps: there is no TLS without a check of the other end, and nobody is asked for a password. */
#include "net_link.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static void say(net_link *l, const char *what, const char *why)
{
    snprintf(l->trouble, sizeof l->trouble, "%s: %s", what, why);
}

/* A file of ours is of no use. The first error is the cause, those after it are its consequences.
 */
static bool useless(net_link *l, const char *file, const char *lacks)
{
    const unsigned long code = ERR_peek_error();
    say(l, file, ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : lacks);
    ERR_clear_error();
    errno = EACCES;
    return false;
}

/* OpenSSL would ask for it on the terminal, and wait. */
static int no_password(char *text, int room, int writes, void *arg)
{
    (void)text;
    (void)room;
    (void)writes;
    (void)arg;
    return 0;
}

static bool load(net_link *l, const swg_fleet_run_config *c)
{
    ERR_clear_error();
    l->tls = SSL_CTX_new(TLS_client_method());
    if (!l->tls || SSL_CTX_set_min_proto_version(l->tls, TLS1_2_VERSION) != 1) {
        errno = ENOMEM;
        return false;
    }
    SSL_CTX_set_verify(l->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(l->tls, no_password);
    SSL_CTX_set_mode(l->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (c->ca_file ? SSL_CTX_load_verify_locations(l->tls, c->ca_file, NULL) != 1
                   : SSL_CTX_set_default_verify_paths(l->tls) != 1)
        return useless(l, c->ca_file ? c->ca_file : "the system's certificates",
                       "holds no certificate (PEM)");
    if (c->cert_file && SSL_CTX_use_certificate_chain_file(l->tls, c->cert_file) != 1)
        return useless(l, c->cert_file, "holds no certificate (PEM)");
    const char *key = c->key_file ? c->key_file : c->cert_file;
    if (c->cert_file && SSL_CTX_use_PrivateKey_file(l->tls, key, SSL_FILETYPE_PEM) != 1)
        return useless(l, key, "holds no private key of our certificate (PEM, without a password)");
    return true;
}

/* Who names certificates means TLS, and would not know that he talks without. */
static bool is_at_odds(net_link *l, const swg_fleet_url *url, const swg_fleet_run_config *c)
{
    const bool unused = !url->tls && (c->ca_file || c->cert_file || c->key_file);
    const bool alone = c->key_file && !c->cert_file;
    if (unused)
        say(l, "ca_file, cert_file, key_file", "the URL is without TLS, which begins with rediss");
    else if (alone)
        say(l, "key_file", "it is there without cert_file");
    errno = EINVAL;
    return unused || alone;
}

bool swg__tls_open(net_link *l, const swg_fleet_url *url, const swg_fleet_run_config *c)
{
    return !is_at_odds(l, url, c) && (!url->tls || load(l, c));
}
