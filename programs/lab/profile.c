#include "profile.h"

#include <stdio.h>
#include <string.h>

const char *const profile_choices[] = {"classic", "http", "database", "default", NULL};

static const swg_circuit_config *find(const char *name)
{
    static const swg_circuit_config plain = {.size = sizeof plain};
    if (strcmp(name, "http") == 0)
        return &swg_profile_http;
    if (strcmp(name, "database") == 0)
        return &swg_profile_database;
    return strcmp(name, "classic") == 0 ? &swg_profile_classic : &plain;
}

static int set(swg_circuit_config *config, const cli_args *args, const char *pair)
{
    char key[64];
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof key)
        return cli_usage(args, "--set wants KEY=VALUE, such as recovery=1s, not '%s'", pair);
    snprintf(key, sizeof key, "%.*s", (int)(equals - pair), pair);
    switch (swg_config_set(config, key, equals + 1)) {
    case SWG_OK:
        return CLI_FINE;
    case SWG_ENOENT:
        return cli_usage(args, "--set: no field of a circuit is called '%s'", key);
    default:
        return cli_usage(args, "--set: %s cannot be '%s'", key, equals + 1);
    }
}

int profile_from_args(swg_circuit_config *config, const cli_args *args)
{
    const char *pair, *field, *reason;
    int at = 0;
    *config = *find(cli_text(args, "profile", "classic"));
    while ((pair = cli_next(args, "set", &at))) {
        int result = set(config, args, pair);
        if (result != CLI_FINE)
            return result;
    }
    if (swg_config_check(config, &field, &reason) != SWG_OK)
        return cli_usage(args, "--set: %s %s", field, reason);
    return CLI_FINE;
}

static bool on(uint32_t value)
{
    return value != 0 && value != SWG_NONE;
}

/* The fields are read as they will be once defaults are resolved: by a circuit that has them. */
const char *profile_text(char *text, const swg_circuit_config *config)
{
    size_t used = 0;
    if (on(config->failure_threshold))
        used = (size_t)snprintf(text, PROFILE_TEXT_MAX, "%u failures in a row open it",
                                config->failure_threshold);
    else
        used = (size_t)snprintf(text, PROFILE_TEXT_MAX, "%u %% failures in %u+ calls open it",
                                config->failure_pct, config->calls_min);
    snprintf(text + used, PROFILE_TEXT_MAX - used, " for %.3g s, then %u probe%s",
             config->recovery_ms / 1000.0, config->probes, config->probes == 1 ? "" : "s");
    return text;
}
