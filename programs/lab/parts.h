/* The lab's programs, as the command table runs them. */
#ifndef SWG_LAB_PARTS_H
#define SWG_LAB_PARTS_H

#include "../common/cli.h"
#include "redis.h"

int lab_simple_run(const cli_args *args);
int lab_stage_run(const cli_args *args); /* independent, and the stages like it */
int lab_storm_run(const cli_args *args);
int lab_redis_run(const cli_args *args);
int lab_service_run(const cli_args *args);
int lab_instance_run(const cli_args *args);
int lab_load_run(const cli_args *args);
int lab_redis_tell(const cli_args *args, const redis_order *order);
int lab_break_run(const cli_args *args);
int lab_heal_run(const cli_args *args);

/* `switchgear lab` and everything below it. */
extern const cli_command lab_command;

#endif
