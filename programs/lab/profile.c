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

/* One of the library's setters, with its struct's type forgotten. */
typedef int setter(void *config, const char *key, const char *value);

static int set_circuit(void *config, const char *key, const char *value)
{
    return swg_config_set(config, key, value);
}

static int set_retry(void *config, const char *key, const char *value)
{
    return swg_retry_set(config, key, value);
}

static int set(void *config, setter *set_field, const cli_args *args, const char *option,
               const char *pair)
{
    char key[64];
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof key)
        return cli_usage(args, "--%s wants KEY=VALUE, not '%s'", option, pair);
    snprintf(key, sizeof key, "%.*s", (int)(equals - pair), pair);
    switch (set_field(config, key, equals + 1)) {
    case SWG_OK:
        return CLI_FINE;
    case SWG_ENOENT:
        return cli_usage(args, "--%s: there is no field called '%s'", option, key);
    default:
        return cli_usage(args, "--%s: %s cannot be '%s'", option, key, equals + 1);
    }
}

int profile_from_args(swg_circuit_config *config, const cli_args *args)
{
    static const char *const none[] = {NULL};
    return profile_with(config, args, none);
}

int profile_with(swg_circuit_config *config, const cli_args *args, const char *const *usual)
{
    const char *pair, *field, *reason;
    int at = 0;
    *config = *find(cli_text(args, "profile", "classic"));
    for (; *usual && !cli_text(args, "profile", NULL); usual++)
        set(config, set_circuit, args, "set", *usual);
    while ((pair = cli_next(args, "set", &at))) {
        int result = set(config, set_circuit, args, "set", pair);
        if (result != CLI_FINE)
            return result;
    }
    if (swg_config_check(config, &field, &reason) != SWG_OK)
        return cli_usage(args, "--set: %s %s", field, reason);
    return CLI_FINE;
}

int retry_from_args(swg_retry_config *config, bool *retries, const cli_args *args)
{
    const char *pair, *field, *reason;
    int at = 0;
    *config = (swg_retry_config){.size = sizeof *config};
    *retries = false;
    while ((pair = cli_next(args, "retry", &at))) {
        int result = set(config, set_retry, args, "retry", pair);
        if (result != CLI_FINE)
            return result;
        *retries = true;
    }
    if (swg_retry_check(config, &field, &reason) != SWG_OK)
        return cli_usage(args, "--retry: %s %s", field, reason);
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
