#include "verdict.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char why[2 * WHY_MAX];

static void write_lines(const json_t *lines, char path[64])
{
    const json_t *line;
    size_t i;
    FILE *to;
    int fd;

    snprintf(path, 64, "/tmp/swg-recording-%d-XXXXXX", (int)getpid());
    fd = mkstemp(path);
    ck_assert(fd >= 0);
    to = fdopen(fd, "w");
    json_array_foreach(lines, i, line)
    {
        if (json_is_string(line)) /* text as it is */
            fputs(json_string_value(line), to);
        else
            json_dumpf(line, to, JSON_COMPACT);
        fputc('\n', to);
    }
    ck_assert(fclose(to) == 0);
}

static bool run(const json_t *lines, unsigned allow, struct report *report)
{
    struct recording recording = {0};
    char path[64];
    bool good;

    *why = 0;
    write_lines(lines, path);
    report_free(report);
    good = recording_read(&recording, path, report, why) &&
           check_recording(&recording, allow, report, why);
    recording_free(&recording);
    if (!getenv("SWG_KEEP"))
        unlink(path);
    return good;
}

void judge(const json_t *lines, unsigned allow, struct report *report)
{
    if (!run(lines, allow, report))
        ck_abort_msg("%s", why);
}

const char *judge_why(const json_t *lines)
{
    struct report report = {0};

    run(lines, 0, &report);
    report_free(&report);
    return why;
}
