/* Can we talk to it at all, privately, as whom? */
#include "fleet/doctor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- no talk ------------------------------------------------------------------------------- */

static void advise_tls(doctor *d)
{
    const char *why = d->node->talk.why;

    if (strstr(why, "wrong version") || strstr(why, "hung up"))
        swg__doctor_fix(d, "this port does not speak TLS: use redis://, or redis.conf: tls-port");
    else if (strstr(why, "mismatch"))
        swg__doctor_fix(d, "use the name the certificate was made for, or make one for this name");
    else if (!strstr(why, "TLS:"))
        swg__doctor_fix(d,
                        "a readable PEM file (ca_file, cert_file, key_file: --ca, --cert, --key)");
    else
        swg__doctor_fix(d, "trust who signed it (ca_file, --ca), or give the server another "
                           "(redis.conf: tls-cert-file)");
}

static void advise_reach(doctor *d)
{
    switch (d->node->talk.end) {
    case TALK_NOBODY:
        if (strstr(d->v.why, "name look-up"))
            swg__doctor_fix(d, "is the name right, and known to this host: getent hosts NAME");
        else
            swg__doctor_fix(d, "is it running, does it listen there (redis.conf: bind, port, "
                               "unixsocket), does a firewall stand between?");
        break;
    case TALK_LATE:
        swg__doctor_fix(
            d, d->v.url.tls ? "frozen, too busy, or this port does not speak TLS: redis://"
                            : "it accepts connections, and answers nothing: frozen, or too busy");
        break;
    case TALK_LOST:
        swg__doctor_fix(d, "is it a TLS port? then rediss://");
        break;
    default:
        swg__doctor_fix(d, "is it another service's port?");
        break;
    }
}

static int no_talk(doctor *d)
{
    const talk_end end = d->node->talk.end;

    if (end == TALK_REFUSED) {
        advise_tls(d);
        swg__doctor_say(d, SWG_FLEET_CHECK_TLS, SWG_FLEET_PROBLEM, "%s", d->v.why);
        return SWG_OK;
    }
    advise_reach(d);
    swg__doctor_say(d, SWG_FLEET_CHECK_REACH, SWG_FLEET_PROBLEM, "%s", d->v.why);
    if (end == TALK_LOST || end == TALK_NONSENSE)
        return SWG_ENOENT;
    return swg__visit_end_of(&d->v, d->node);
}

/* ---- refusals ------------------------------------------------------------------------------ */

static int not_let_in(doctor *d)
{
    if (!d->v.password)
        swg__doctor_fix(
            d, "give a password: SWITCHGEAR_REDIS_PASSWORD, or redis://USER:PASSWORD@HOST");
    else
        swg__doctor_fix(d, "another password or user; who there is: redis-cli ACL LIST");
    swg__doctor_say(d, SWG_FLEET_CHECK_AUTH, SWG_FLEET_PROBLEM, "%s", d->v.why);
    return SWG_OK;
}

static int not_now(doctor *d)
{
    const char *words = d->v.why;

    if (strstr(words, "LOADING"))
        swg__doctor_fix(d, "wait until it has read its data");
    else if (strstr(words, "BUSY"))
        swg__doctor_fix(d, "another client's script runs too long: redis-cli SCRIPT KILL");
    else if (strstr(words, "DENIED"))
        swg__doctor_fix(d, "redis.conf: a user with a password, or bind and protected-mode no");
    else if (strstr(words, "max number of clients"))
        swg__doctor_fix(d, "redis.conf: maxclients, at least two for each host of the fleet");
    else if (strstr(words, "DB index"))
        swg__doctor_fix(d, "another database in the URL, or redis.conf: databases");
    swg__doctor_say(d, SWG_FLEET_CHECK_REACH, SWG_FLEET_PROBLEM, "%s", words);
    return SWG_OK;
}

/* ---- greeted ------------------------------------------------------------------------------- */

static bool is_local(int fd)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;

    if (getpeername(fd, (struct sockaddr *)&at, &length) != 0)
        return false;
    if (at.ss_family == AF_INET)
        return ntohl(((struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24 == 127;
    return at.ss_family != AF_INET6 ||
           IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&at)->sin6_addr);
}

static void say_tls(doctor *d)
{
    const SSL *ssl = d->node->talk.link.ssl;

    if (ssl)
        swg__doctor_say(d, SWG_FLEET_CHECK_TLS, SWG_FLEET_FINE, "%s, the certificate is %s's",
                        SSL_get_version(ssl), d->node->to.host);
    else if (d->local)
        swg__doctor_say(d, SWG_FLEET_CHECK_TLS, SWG_FLEET_FINE,
                        "none, and nothing leaves this host");
    else {
        swg__doctor_fix(d, "redis.conf: tls-port 6379, port 0; and rediss:// here");
        swg__doctor_say(d, SWG_FLEET_CHECK_TLS, d->v.password ? SWG_FLEET_WARNING : SWG_FLEET_NOTE,
                        "not encrypted: %s crosses the network in the clear",
                        d->v.password ? "the password" : "what is said");
    }
}

static void say_auth(doctor *d)
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "ACL WHOAMI");
    const char *user = swg__text(reply);

    snprintf(d->user, sizeof d->user, "%s", user ? user : d->v.user ? d->v.user : "default");
    swg__free(reply);
    if (d->node->needless) {
        swg__doctor_fix(d, "redis.conf: requirepass, or leave the password out");
        swg__doctor_say(d, SWG_FLEET_CHECK_AUTH, SWG_FLEET_WARNING,
                        "a password was given, and none is wanted");
    } else if (d->v.password) {
        swg__doctor_say(d, SWG_FLEET_CHECK_AUTH, SWG_FLEET_FINE, "let in as %s", d->user);
    } else {
        char rule[DOCTOR_TEXT];
        swg__doctor_fix(d, "redis.conf: user switchgear on >PASSWORD %s",
                        swg__doctor_rule(d, rule));
        swg__doctor_say(d, SWG_FLEET_CHECK_AUTH, d->local ? SWG_FLEET_NOTE : SWG_FLEET_WARNING,
                        "no password: whoever reaches this port commands the fleet");
    }
}

int swg__doctor_reach(doctor *d, bool *goes_on)
{
    const visit_greeting greeting = swg__visit_greet(&d->v, d->node);

    if (greeting == GREET_NO_TALK)
        return no_talk(d);
    if (greeting == GREET_AUTH)
        return not_let_in(d);
    if (greeting == GREET_NOT_NOW)
        return not_now(d);
    d->local = is_local(d->node->talk.link.fd);
    swg__doctor_say(d, SWG_FLEET_CHECK_REACH, SWG_FLEET_FINE, "%s answers", d->node->address);
    say_tls(d);
    say_auth(d);
    *goes_on = true;
    return SWG_OK;
}
