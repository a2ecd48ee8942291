/* Structs of numbers with defaults, ranges and names: one table row a field, which serves checking,
 * setting from text and tests. All fields are uint32_t, 0 is "the default", the first is `size`. */
#ifndef SWG_POLICY_FIELDS_H
#define SWG_POLICY_FIELDS_H

#include <switchgear/types.h>

#define SWG__DAY_MS 86400000u
#define SWG__HOUR_MS 3600000u

typedef enum swg__field_kind { SWG__COUNT, SWG__PERCENT, SWG__TIME } swg__field_kind;

typedef struct swg__field {
    const char *name;
    size_t offset;
    uint32_t fallback;
    uint32_t low;
    uint32_t high;
    bool optional; /* SWG_NONE is allowed */
    swg__field_kind kind;
    const char *reason;
} swg__field;

typedef struct swg__fields {
    const swg__field *rows;
    size_t count;
    uint32_t bytes; /* of the struct, as this library knows it */
    const char *wrong_size;
} swg__fields;

/* What a caller gave, in full: a shorter struct is an older caller's, whose rest is zero; a longer
 * one may only add zeros. NULL: all zero. SWG_EINVAL, SWG_ENEWER. */
int swg__fields_take(const swg__fields *f, void *full, const void *given, const char **name,
                     const char **reason);

/* Defaults filled in, ranges checked. SWG_EINVAL. */
int swg__fields_settle(const swg__fields *f, void *settled, const void *asked, const char **name,
                       const char **reason);

/* One field from text. SWG_ENOENT, SWG_EINVAL. */
int swg__fields_set(const swg__fields *f, void *given, const char *key, const char *value);

/* A public check: names what is wrong, or nothing. */
typedef int swg__settler(void *settled, const void *given, const char **name, const char **reason);
int swg__fields_check(swg__settler *settle, void *settled, const void *given, const char **name,
                      const char **reason);

#endif
