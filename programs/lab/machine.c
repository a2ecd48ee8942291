#include "machine.h"

#include <stdio.h>
#include <unistd.h>

machine_time machine_now(void)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    unsigned long long ticks[FIELDS] = {0};
    machine_time t = {0};
    FILE *file = fopen("/proc/stat", "r");
    if (!file)
        return t;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[USER], &ticks[NICE],
               &ticks[SYSTEM], &ticks[IDLE], &ticks[IOWAIT], &ticks[IRQ], &ticks[SOFTIRQ],
               &ticks[STEAL]) == FIELDS)
        t.idle = ticks[IDLE] + ticks[IOWAIT];
    for (int i = 0; i < FIELDS; i++)
        t.all += ticks[i];
    fclose(file);
    return t;
}

double machine_busy_pct(const machine_time *since)
{
    machine_time now = machine_now();
    if (now.all <= since->all)
        return -1;
    return 100 - (double)(now.idle - since->idle) * 100 / (double)(now.all - since->all);
}

int machine_processors(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
