/* URLs taken apart: redis://, redis+sentinel://, redis+cluster://, the same over TLS, and unix://.
 *
 * Keeps: what is wrong is named, and nothing is guessed: an odd byte is an error. */
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>

#define DATABASE_MAX 1048575ul

static const struct {
    const char *scheme;
    swg_fleet_kind kind;
    uint32_t tls;
    const char *port;
} schemes[] = {
    {"redis://", SWG_FLEET_SINGLE, 0, "6379"},
    {"rediss://", SWG_FLEET_SINGLE, 1, "6379"},
    {"redis+sentinel://", SWG_FLEET_SENTINEL, 0, "26379"},
    {"rediss+sentinel://", SWG_FLEET_SENTINEL, 1, "26379"},
    {"redis+cluster://", SWG_FLEET_CLUSTER, 0, "6379"},
    {"rediss+cluster://", SWG_FLEET_CLUSTER, 1, "6379"},
};

/* Copies [from, to), with %XX decoded; false: too long, or not a text. */
static bool decode(char *out, size_t room, const char *from, const char *to)
{
    size_t used = 0;
    while (from < to) {
        unsigned char byte = (unsigned char)*from++;
        if (byte == '%') {
            char hex[3] = {from < to ? from[0] : 0, to - from > 1 ? from[1] : 0, 0};
            char *end;
            byte = (unsigned char)strtoul(hex, &end, 16);
            if (end != hex + 2)
                return false;
            from += 2;
        }
        if (byte < ' ' || byte == 127 || used + 1 >= room)
            return false;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return true;
}

static bool number(uint32_t *value, const char *text, unsigned long most)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || n > most)
        return false;
    *value = (uint32_t)n;
    return true;
}

static const char *credentials(swg_fleet_url *u, const char *from, const char *at)
{
    const char *colon = memchr(from, ':', (size_t)(at - from));
    if (!colon)
        return "has a user without a password: USER:PASSWORD@HOST";
    if (!decode(u->user, sizeof u->user, from, colon) ||
        !decode(u->password, sizeof u->password, colon + 1, at))
        return "has a user or password that is too long or holds an odd byte: %XX for those";
    return NULL;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT. `a->port` is the default port already. */
static const char *address(swg_fleet_address *a, const char *from, const char *to)
{
    const char *end = to, *port = NULL;
    uint32_t n;
    if (from < to && *from == '[') {
        end = memchr(from, ']', (size_t)(to - from));
        if (!end || (end + 1 < to && end[1] != ':'))
            return "has a '[' without its ']'";
        port = end + 1 < to ? end + 2 : NULL;
        from++;
    } else {
        const char *colon = memchr(from, ':', (size_t)(to - from));
        end = colon ? colon : to;
        port = colon ? colon + 1 : NULL;
        if (port && memchr(port, ':', (size_t)(to - port)))
            return "has a host with colons: an IPv6 address goes in brackets";
    }
    if (end == from || !decode(a->host, sizeof a->host, from, end))
        return "has no host, or one that is too long";
    if (port &&
        (!decode(a->port, sizeof a->port, port, to) || !number(&n, a->port, 65535) || n == 0))
        return "has a port that is not 1 to 65535";
    return NULL;
}

static const char *addresses(swg_fleet_url *u, const char *from, const char *to, const char *usual)
{
    const char *reason = NULL;
    for (bool more = true; more && !reason;) {
        const char *comma = memchr(from, ',', (size_t)(to - from));
        if (u->seeds == SWG_FLEET_SEEDS_MAX)
            return "lists more than 16 hosts";
        swg_fleet_address *a = &u->seed[u->seeds++];
        strcpy(a->port, usual);
        reason = address(a, from, comma ? comma : to);
        more = comma != NULL;
        from = comma ? comma + 1 : to;
    }
    if (!reason && u->seeds > 1 && u->kind == SWG_FLEET_SINGLE)
        return "lists several hosts: only redis+sentinel:// and redis+cluster:// do";
    memcpy(u->host, u->seed[0].host, sizeof u->host);
    memcpy(u->port, u->seed[0].port, sizeof u->port);
    return reason;
}

/* What comes after the hosts; "" for nothing. */
static const char *tail(swg_fleet_url *u, const char *rest)
{
    const char *end = rest + strcspn(rest, "/");
    if (u->kind == SWG_FLEET_SENTINEL) {
        if (end == rest || !decode(u->master, sizeof u->master, rest, end))
            return "does not name the master: redis+sentinel://HOST/MASTER, at most 127 bytes";
        rest = *end ? end + 1 : end;
    }
    if (*rest && !number(&u->database, rest, DATABASE_MAX))
        return "has a database that is not a number";
    if (u->kind == SWG_FLEET_CLUSTER && u->database != 0)
        return "has a database: a Redis Cluster has only 0";
    return NULL;
}

static const char *parse_hosts(swg_fleet_url *u, const char *rest, const char *port)
{
    const char *slash = strchr(rest, '/');
    const char *end = slash ? slash : rest + strlen(rest);
    const char *at = memchr(rest, '@', (size_t)(end - rest));
    const char *reason = at ? credentials(u, rest, at) : NULL;
    if (!reason)
        reason = addresses(u, at ? at + 1 : rest, end, port);
    return reason ? reason : tail(u, slash ? slash + 1 : "");
}

static const char *parse_path(swg_fleet_url *u, const char *rest)
{
    const char *query = strchr(rest, '?');
    const char *end = query ? query : rest + strlen(rest);
    if (*rest != '/' || !decode(u->path, sizeof u->path, rest, end))
        return "has no absolute path of at most 107 bytes: unix:///run/redis/redis.sock";
    if (query && (strncmp(query, "?db=", 4) != 0 || !number(&u->database, query + 4, DATABASE_MAX)))
        return "has a query that is not ?db=NUMBER";
    return NULL;
}

static const char *parse(swg_fleet_url *u, const char *url)
{
    if (strncmp(url, "unix://", 7) == 0)
        return parse_path(u, url + 7);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const size_t length = strlen(schemes[i].scheme);
        if (strncmp(url, schemes[i].scheme, length) != 0)
            continue;
        u->kind = schemes[i].kind;
        u->tls = schemes[i].tls;
        return parse_hosts(u, url + length, schemes[i].port);
    }
    return "begins with none of redis://, redis+sentinel://, redis+cluster:// (rediss for TLS) and "
           "unix://";
}

int swg_fleet_url_parse(swg_fleet_url *parsed, const char *url, const char **reason)
{
    if (!parsed || !url)
        return SWG_EINVAL;
    memset(parsed, 0, sizeof *parsed);
    const char *why = parse(parsed, url);
    if (reason)
        *reason = why ? why : "";
    return why ? SWG_EINVAL : SWG_OK;
}
