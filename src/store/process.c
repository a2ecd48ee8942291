#include "store/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/probe.h"
#include "store/directory.h"

#define PID_BITS 22
#define PID_MASK ((UINT64_C(1) << PID_BITS) - 1)

/* Field 22 of /proc/PID/stat, the start time in clock ticks since boot; 0 if it cannot be read.
 * The command name, field 2, may hold anything; the last ')' ends it. Zombies count as gone. */
static uint64_t start_time(pid_t pid)
{
    char path[32];
    char text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    const ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    char *field = strrchr(text, ')');
    if (field == NULL || field[1] != ' ' || field[2] == 'Z' || field[2] == 'X') {
        return 0;
    }
    for (int i = 2; i < 22 && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    return field == NULL ? 0 : strtoull(field, NULL, 10);
}

static uint64_t identity(pid_t pid)
{
    return start_time(pid) << PID_BITS | ((uint64_t)pid & PID_MASK);
}

/* Without /proc a process counts as alive while its pid does. */
static bool alive(uint64_t id)
{
    const pid_t pid = (pid_t)(id & PID_MASK);
    if (kill(pid, 0) != 0 && errno == ESRCH) {
        return false;
    }
    if (start_time(getpid()) == 0) {
        return true;
    }
    const uint64_t start = start_time(pid);
    return start != 0 && (id >> PID_BITS == 0 || identity(pid) == id);
}

uint16_t swg__process_enter(const swg__block *block)
{
    const uint64_t id = identity(getpid());
    for (uint32_t row = 1; row < block->process_count; row++) {
        uint64_t none = 0;
        if (swg__cas_seq_u64(&block->processes[row].id, &none, id)) {
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
    return id != 0 && alive(id);
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
        if (swg__load_seq_u32(&cell->claim) == SWG__CLAIM_FREE) {
            continue;
        }
        swg__bulkhead_reap(&cell->inflight, swg__block_holdings(block, i), owner, row, id);
        swg__probe_reap(&block->windows[i], owner, row, id);
        swg__directory_reap(block, i, owner);
    }
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
        if (id == 0 || row == others || (others == 0 && alive(id))) {
            continue;
        }
        if (give_back(block, (uint16_t)row, id)) {
            swg__add_seq_u64(&block->header->reaped, 1);
            reaped++;
        }
    }
    return reaped;
}
