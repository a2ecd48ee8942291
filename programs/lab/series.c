#include "series.h"

#include <string.h>

enum { HALF_NS = 500000000 };

void series_ended(series *s, int64_t at_ns, const uint64_t counts[LOAD_CLASSES])
{
    if (s->sample_count == SERIES_MAX)
        return;
    series_sample *sample = &s->samples[s->sample_count++];
    sample->at_ns = at_ns;
    memcpy(sample->counts, counts, sizeof sample->counts);
}

void series_arrived(series *s, int64_t at_ns, uint64_t total)
{
    if (s->arrivals_count < SERIES_MAX)
        s->arrivals[s->arrivals_count++] =
            (series_arrivals){.at_ns = at_ns, .calls = total - s->arrived};
    s->arrived = total;
}

/* How much of what was reported at `at_ns`, about the time since `since_ns`, falls into the second
 * around `middle_ns`. */
static double overlap(int64_t since_ns, int64_t at_ns, int64_t middle_ns)
{
    int64_t from_ns = since_ns > middle_ns - HALF_NS ? since_ns : middle_ns - HALF_NS;
    int64_t to_ns = at_ns < middle_ns + HALF_NS ? at_ns : middle_ns + HALF_NS;
    return at_ns > since_ns && to_ns > from_ns
               ? (double)(to_ns - from_ns) / (double)(at_ns - since_ns)
               : 0;
}

/* At its ends there is less than a second to look at. */
static double per_second(double sum, int64_t first_ns, int64_t last_ns, int64_t middle_ns)
{
    int64_t from_ns = first_ns > middle_ns - HALF_NS ? first_ns : middle_ns - HALF_NS;
    int64_t to_ns = last_ns < middle_ns + HALF_NS ? last_ns : middle_ns + HALF_NS;
    return to_ns > from_ns ? sum * 1e9 / (double)(to_ns - from_ns) : 0;
}

double series_rate(const series *s, load_class class, int64_t at_ns)
{
    double sum = 0;
    int last = s->sample_count - 1;
    for (int i = 1; i < s->sample_count; i++)
        sum += (double)s->samples[i].counts[class] *
               overlap(s->samples[i - 1].at_ns, s->samples[i].at_ns, at_ns);
    return last < 1 ? 0 : per_second(sum, s->samples[0].at_ns, s->samples[last].at_ns, at_ns);
}

double series_arrival_rate(const series *s, int64_t at_ns)
{
    double sum = 0;
    int last = s->arrivals_count - 1;
    for (int i = 1; i < s->arrivals_count; i++)
        sum += (double)s->arrivals[i].calls *
               overlap(s->arrivals[i - 1].at_ns, s->arrivals[i].at_ns, at_ns);
    return last < 1 ? 0 : per_second(sum, s->arrivals[0].at_ns, s->arrivals[last].at_ns, at_ns);
}
