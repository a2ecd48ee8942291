#include "histogram.h"

#include <math.h>

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS };

static int bucket_of(uint64_t us)
{
    if (us < SUB)
        return (int)us;
    int shift = 63 - __builtin_clzll(us) - SUB_BITS;
    int bucket = (shift + 1) * SUB + (int)(us >> shift) - SUB;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value a bucket stands for. */
static uint64_t bucket_top(int bucket)
{
    if (bucket < SUB)
        return (uint64_t)bucket;
    int shift = bucket / SUB - 1;
    return ((uint64_t)(bucket % SUB + SUB + 1) << shift) - 1;
}

void histogram_add(histogram *h, int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    h->count++;
    h->sum_us += us;
    h->buckets[bucket_of(us)]++;
}

void histogram_merge(histogram *to, const histogram *from)
{
    to->count += from->count;
    to->sum_us += from->sum_us;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

int64_t histogram_at(const histogram *h, double percent)
{
    uint64_t seen = 0, wanted = (uint64_t)ceil((double)h->count * percent / 100);
    for (int i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
        seen += h->buckets[i];
        if (seen >= wanted && seen > 0)
            return (int64_t)bucket_top(i) * 1000;
    }
    return 0;
}

json_t *histogram_json(const histogram *h)
{
    json_t *buckets = json_array();
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->buckets[i]) {
            json_array_append_new(buckets, json_integer(i));
            json_array_append_new(buckets, json_integer(h->buckets[i]));
        }
    }
    return json_pack("{s:I, s:o}", "sum_us", (json_int_t)h->sum_us, "buckets", buckets);
}

bool histogram_merge_json(histogram *h, const json_t *object)
{
    const json_t *buckets = json_object_get(object, "buckets");
    if (!json_is_array(buckets))
        return false;
    for (size_t i = 0; i + 1 < json_array_size(buckets); i += 2) {
        json_int_t bucket = json_integer_value(json_array_get(buckets, i));
        json_int_t count = json_integer_value(json_array_get(buckets, i + 1));
        if (bucket < 0 || bucket >= HISTOGRAM_BUCKETS || count < 0)
            return false;
        h->buckets[bucket] += (uint32_t)count;
        h->count += (uint64_t)count;
    }
    h->sum_us += (uint64_t)json_integer_value(json_object_get(object, "sum_us"));
    return true;
}
