#include "policy/fields.h"

#include <string.h>

static uint32_t get(const void *config, const swg__field *f)
{
    uint32_t value;
    memcpy(&value, (const char *)config + f->offset, sizeof(value));
    return value;
}

static void set(void *config, const swg__field *f, uint32_t value)
{
    memcpy((char *)config + f->offset, &value, sizeof(value));
}

int swg__fields_take(const swg__fields *f, void *full, const void *given, const char **name,
                     const char **reason)
{
    uint32_t size;
    memset(full, 0, f->bytes);
    if (given == NULL) {
        return SWG_OK;
    }
    memcpy(&size, given, sizeof(size));
    *name = "size";
    if (size < sizeof(size)) {
        *reason = f->wrong_size;
        return SWG_EINVAL;
    }
    const size_t known = size < f->bytes ? size : f->bytes;
    for (size_t i = known; i < size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            *reason = "sets a field this version of the library does not know";
            return SWG_ENEWER;
        }
    }
    memcpy(full, given, known);
    return SWG_OK;
}

int swg__fields_settle(const swg__fields *f, void *settled, const void *asked, const char **name,
                       const char **reason)
{
    for (size_t i = 0; i < f->count; i++) {
        const swg__field *row = &f->rows[i];
        const uint32_t value = get(asked, row) != 0 ? get(asked, row) : row->fallback;
        const bool off = value == SWG_NONE && row->optional;
        if (!off && (value < row->low || value > row->high)) {
            *name = row->name;
            *reason = row->reason;
            return SWG_EINVAL;
        }
        set(settled, row, value);
    }
    return SWG_OK;
}

int swg__fields_check(swg__settler *settle, void *settled, const void *given, const char **name,
                      const char **reason)
{
    const char *unasked;
    name = name != NULL ? name : &unasked;
    reason = reason != NULL ? reason : &unasked;
    *name = "";
    *reason = "";
    if (given == NULL) {
        *name = "config";
        *reason = "is NULL";
        return SWG_EINVAL;
    }
    const int result = settle(settled, given, name, reason);
    if (result == SWG_OK) {
        *name = "";
        *reason = "";
    }
    return result;
}

/* "window_ms", and "window" for it, where the value brings its unit. */
static const swg__field *find(const swg__fields *f, const char *key)
{
    const size_t length = strlen(key);
    for (size_t i = 0; i < f->count; i++) {
        const char *name = f->rows[i].name;
        if (strcmp(name, key) == 0) {
            return &f->rows[i];
        }
        const char *ms = strstr(name, "_ms");
        if (ms != NULL && length == strlen(name) - 3 &&
            strncmp(name, key, (size_t)(ms - name)) == 0 &&
            strcmp(ms + 3, key + (ms - name)) == 0) {
            return &f->rows[i];
        }
    }
    return NULL;
}

/* 0: the unit is unknown for such a field. */
static uint64_t scale(const char *text, swg__field_kind kind, bool bare_key)
{
    if (kind == SWG__TIME) {
        const struct {
            const char *name;
            uint64_t ms;
        } times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", SWG__HOUR_MS}};
        for (size_t i = 0; i < 4; i++) {
            if (strcmp(text, times[i].name) == 0) {
                return times[i].ms;
            }
        }
        return *text == '\0' && !bare_key ? 1 : 0;
    }
    return *text == '\0' || (kind == SWG__PERCENT && strcmp(text, "%") == 0) ? 1 : 0;
}

static bool parse(const swg__field *f, const char *key, const char *text, uint32_t *value)
{
    if (strcmp(text, "none") == 0) {
        *value = SWG_NONE;
        return f->optional;
    }
    if (strcmp(text, "default") == 0) {
        *value = 0;
        return true;
    }
    uint64_t number = 0;
    const char *c = text;
    while (*c >= '0' && *c <= '9' && number <= UINT32_MAX) {
        number = number * 10 + (uint64_t)(*c++ - '0');
    }
    if (c == text || number > UINT32_MAX) {
        return false;
    }
    while (*c == ' ') {
        c++;
    }
    number *= scale(c, f->kind, strcmp(key, f->name) != 0);
    *value = (uint32_t)number;
    return number >= f->low && number <= f->high;
}

int swg__fields_set(const swg__fields *f, void *given, const char *key, const char *value)
{
    if (given == NULL || key == NULL || value == NULL) {
        return SWG_EINVAL;
    }
    const swg__field *row = find(f, key);
    if (row == NULL) {
        return SWG_ENOENT;
    }
    uint32_t size;
    memcpy(&size, given, sizeof(size));
    uint32_t number;
    if (size < row->offset + sizeof(uint32_t) || !parse(row, key, value, &number)) {
        return SWG_EINVAL;
    }
    set(given, row, number);
    return SWG_OK;
}
