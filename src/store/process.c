#include "store/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backoff.h"
#include "core/probe.h"
#include "store/directory.h"
#include "store/journal.h"

#define PID_BITS 22
#define START_BITS 34
#define PID_MASK ((UINT64_C(1) << PID_BITS) - 1)
#define START_MASK ((UINT64_C(1) << START_BITS) - 1)

typedef enum life { GONE, THERE, UNKNOWN } life;

static char *after_spaces(char *field, int count)
{
    for (int i = 0; i < count && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    return field;
}

/* Field 22 of /proc/PID/stat, the start time in clock ticks since boot. The command name, field 2,
 * may hold anything; the last ')' ends it. A zombie is gone, unless it is only the main thread that
 * ended (field 20 counts the others). UNKNOWN: /proc does not tell. */
static life look_up(pid_t pid, uint64_t *start)
{
    char path[32];
    char text[1024];
    *start = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return UNKNOWN;
    }
    const ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    if (length <= 0) {
        return UNKNOWN;
    }
    text[length] = '\0';
    char *field = strrchr(text, ')');
    if (field == NULL || field[1] != ' ') {
        return UNKNOWN;
    }
    const bool ended = field[2] == 'Z' || field[2] == 'X';
    field = after_spaces(field, 20 - 2);
    if (ended && (field == NULL || strtoul(field, NULL, 10) <= 1)) {
        return GONE;
    }
    field = after_spaces(field, 22 - 20);
    *start = field == NULL ? 0 : strtoull(field, NULL, 10) & START_MASK;
    return THERE;
}

/* The pid namespace: a pid means nothing outside it. 0: not known. */
static uint64_t pid_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static uint64_t identity(pid_t pid, uint64_t start, uint64_t space)
{
    return swg__mix(space, 0) >> 56 << (PID_BITS + START_BITS) | start << PID_BITS |
           ((uint64_t)pid & PID_MASK);
}

/* In doubt a process lives: giving back what the living hold would break a limit. */
static bool alive(const swg_process *row, uint64_t id)
{
    const uint64_t space = pid_namespace();
    const uint64_t theirs = swg__load_seq_u64(&row->space);
    const pid_t pid = (pid_t)(id & PID_MASK);
    uint64_t start;
    if ((theirs != 0 && theirs != space) ||
        (identity(0, 0, space) ^ id) >> (PID_BITS + START_BITS) != 0) {
        return true;
    }
    if (kill(pid, 0) != 0 && errno == ESRCH) {
        return false;
    }
    const life found = look_up(pid, &start);
    const uint64_t started = id >> PID_BITS & START_MASK;
    return found == UNKNOWN || (found == THERE && (started == 0 || started == start));
}

uint16_t swg__process_enter(const swg__block *block)
{
    const uint64_t space = pid_namespace();
    uint64_t start;
    look_up(getpid(), &start);
    const uint64_t id = identity(getpid(), start, space);
    for (uint32_t row = 1; row < block->process_count; row++) {
        uint64_t none = 0;
        if (swg__cas_seq_u64(&block->processes[row].id, &none, id)) {
            swg__store_release_u64(&block->processes[row].space, space);
            return (uint16_t)row;
        }
    }
    return 0;
}

bool swg__process_alive(const swg__block *block, uint16_t owner)
{
    if (owner == 0 || owner >= block->process_count) {
        return false;
    }
    const uint64_t id = swg__load_seq_u64(&block->processes[owner].id);
    return id != 0 && alive(&block->processes[owner], id);
}

int32_t swg__process_pid(const swg__block *block, uint16_t owner)
{
    if (owner >= block->process_count) {
        return 0;
    }
    return (int32_t)(swg__load_seq_u64(&block->processes[owner].id) & PID_MASK);
}

/* Every step may be done twice or left off: whoever comes next finds the row still there. */
static bool give_back(const swg__block *block, uint16_t owner, uint64_t id)
{
    swg_au64 *row = &block->processes[owner].id;
    for (uint32_t i = 0; i < block->circuit_count; i++) {
        swg_cell *cell = &block->cells[i];
        if ((swg__load_seq_u32(&cell->claim) & 3) == SWG__CLAIM_FREE) {
            continue;
        }
        swg__bulkhead_reap(&cell->inflight, swg__block_holdings(block, i), owner, row, id);
        swg__probe_reap(&block->windows[i], owner, row, id);
        swg__directory_reap(block, i, owner, id);
    }
    swg__journal_reap(block, owner, id);
    uint64_t expected = id;
    return swg__cas_seq_u64(row, &expected, 0);
}

void swg__process_leave(const swg__block *block, uint16_t owner)
{
    if (owner != 0 && owner < block->process_count) {
        give_back(block, owner, swg__load_seq_u64(&block->processes[owner].id));
    }
}

int swg__process_reap(const swg__block *block, uint16_t others)
{
    int reaped = 0;
    for (uint32_t row = 1; row < block->process_count; row++) {
        const uint64_t id = swg__load_seq_u64(&block->processes[row].id);
        if (id == 0 || row == others || (others == 0 && alive(&block->processes[row], id))) {
            continue;
        }
        if (give_back(block, (uint16_t)row, id)) {
            swg__add_seq_u64(&block->header->reaped, 1);
            reaped++;
        }
    }
    return reaped;
}
