/* Two calls through a shared library that do nothing: the floor of any acquire and release. */
#include "empty.h"

int empty_acquire(void *circuit, void *permit, int64_t now_ns)
{
    (void)circuit;
    (void)permit;
    return now_ns < 0;
}

void empty_release(void *circuit, void *permit, int outcome, int64_t now_ns)
{
    (void)circuit;
    (void)permit;
    (void)outcome;
    (void)now_ns;
}
