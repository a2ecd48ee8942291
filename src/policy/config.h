/* Configurations as callers give them: sizes, defaults, ranges. */
#ifndef SWG_POLICY_CONFIG_H
#define SWG_POLICY_CONFIG_H

#include <switchgear/circuit.h>

/* Resolves defaults and checks ranges. NULL config: all defaults. `*field` and `*reason` (never
 * NULL) are set on SWG_EINVAL. */
int swg__config_settle(swg_circuit_config *settled, const swg_circuit_config *config,
                       const char **field, const char **reason);

#endif
