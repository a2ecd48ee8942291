/* swg_call() on a clock of one's own, for tests. */
#ifndef SWG_POLICY_CALL_H
#define SWG_POLICY_CALL_H

#include <switchgear/retry.h>

typedef struct swg__time {
    int64_t (*now_ns)(void *arg);
    void (*sleep)(void *arg, int64_t ns);
    void *arg;
} swg__time;

swg_verdict swg__call(swg_circuit *circuit, const swg_retry_config *config, swg_work work,
                      void *arg, swg_call_report *report, const swg__time *time);

#endif
