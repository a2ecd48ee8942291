/* redis://, rediss://, unix:// taken apart. */
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>

#define DATABASE_MAX 1048575ul

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

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT */
static const char *address(swg_fleet_url *u, const char *from, const char *to)
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
    }
    if (end == from || !decode(u->host, sizeof u->host, from, end))
        return "has no host, or one that is too long";
    strcpy(u->port, "6379");
    if (port &&
        (!decode(u->port, sizeof u->port, port, to) || !number(&n, u->port, 65535) || n == 0))
        return "has a port that is not 1 to 65535";
    return NULL;
}

static const char *parse_host(swg_fleet_url *u, const char *rest)
{
    const char *slash = strchr(rest, '/');
    const char *end = slash ? slash : rest + strlen(rest);
    const char *at = memchr(rest, '@', (size_t)(end - rest));
    const char *reason = at ? credentials(u, rest, at) : NULL;
    if (!reason)
        reason = address(u, at ? at + 1 : rest, end);
    if (!reason && slash && slash[1] && !number(&u->database, slash + 1, DATABASE_MAX))
        reason = "has a database that is not a number";
    return reason;
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

int swg_fleet_url_parse(swg_fleet_url *parsed, const char *url, const char **reason)
{
    const char *why = "begins with neither redis://, rediss:// nor unix://";
    if (!parsed || !url)
        return SWG_EINVAL;
    memset(parsed, 0, sizeof *parsed);
    if (strncmp(url, "redis://", 8) == 0) {
        why = parse_host(parsed, url + 8);
    } else if (strncmp(url, "rediss://", 9) == 0) {
        parsed->tls = 1;
        why = parse_host(parsed, url + 9);
    } else if (strncmp(url, "unix://", 7) == 0) {
        why = parse_path(parsed, url + 7);
    }
    if (reason)
        *reason = why ? why : "";
    return why ? SWG_EINVAL : SWG_OK;
}
