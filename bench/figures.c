#include "figures.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_at_share(double *values, int count, double share)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    const int place = (int)(share * count);
    return values[place < count ? place : count - 1];
}

double bench_median(double *values, int count)
{
    return bench_at_share(values, count, 0.5);
}

const char *bench_holds(bool holds)
{
    return holds ? "yes" : "no";
}
