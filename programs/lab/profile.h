/* Which configuration a circuit of the lab gets: --profile NAME, then each --set key=value. */
#ifndef SWG_LAB_PROFILE_H
#define SWG_LAB_PROFILE_H

#include "../common/cli.h"

#include <switchgear/retry.h>

extern const char *const profile_choices[];

#define PROFILE_OPTIONS                                                                            \
    {"profile",                                                                                    \
     CLI_CHOICE,                                                                                   \
     "NAME",                                                                                       \
     "how the circuits are set: classic (5 failures in a row open it, 5 s, one probe), http, "     \
     "database, default",                                                                          \
     0,                                                                                            \
     0,                                                                                            \
     profile_choices},                                                                             \
    {                                                                                              \
        "set", CLI_TEXT, "KEY=VALUE", "change one field of it, e.g. recovery=1s; repeatable", 0,   \
            0, NULL                                                                                \
    }

/* CLI_FINE, or CLI_USAGE after saying what is wrong with which field. */
int profile_from_args(swg_circuit_config *config, const cli_args *args);

/* The same with other usual values of the classic profile: KEY=VALUE, ends with NULL. */
int profile_with(swg_circuit_config *config, const cli_args *args, const char *const *usual);

/* The same for --retry; without one there are no retries. */
int retry_from_args(swg_retry_config *config, bool *retries, const cli_args *args);

enum { PROFILE_TEXT_MAX = 160 };

/* "5 failures in a row open it, for 5 s, then 1 probe" */
const char *profile_text(char *text, const swg_circuit_config *config);

#endif
