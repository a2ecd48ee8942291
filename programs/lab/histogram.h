/* A latency histogram: microseconds in buckets at most 1/32 wide of their value, up to 134 s. */
#ifndef SWG_LAB_HISTOGRAM_H
#define SWG_LAB_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum { HISTOGRAM_BUCKETS = 768 };

typedef struct histogram {
    uint64_t count;
    uint64_t sum_us;
    uint32_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, int64_t ns);
void histogram_merge(histogram *to, const histogram *from);

/* The value, in ns, that `percent` of all are at or below (to the bucket's width); 0 if there are
 * none. percent = 100 is the largest. */
int64_t histogram_at(const histogram *h, double percent);

/* Only the buckets in use: {"sum_us": n, "buckets": [bucket, count, ...]}. */
json_t *histogram_json(const histogram *h);

/* Adds what histogram_json() wrote. False if it is not that. */
bool histogram_merge_json(histogram *h, const json_t *object);

#endif
