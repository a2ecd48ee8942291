/* POSIX shared memory. A block is formatted in a file without a name and then given one, by
 * link(2), which only one of many starters can win; so a block that can be found is a whole one,
 * and a starter that dies leaves nothing behind. */
#include <limits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/panel.h"

#define FOLDER "/dev/shm"
#define ATTEMPTS 100 /* joins that lost a race with an unlink */

static bool name_ok(const char *name)
{
    const size_t length = strnlen(name, NAME_MAX + 2);
    return name[0] == '/' && length >= 2 && length <= NAME_MAX && strchr(name + 1, '/') == NULL &&
           strcmp(name, "/.") != 0 && strcmp(name, "/..") != 0;
}

static void path_of(char path[sizeof(FOLDER) + NAME_MAX + 1], const char *name)
{
    snprintf(path, sizeof(FOLDER) + NAME_MAX + 1, FOLDER "%s", name);
}

static bool in_group(gid_t group)
{
    gid_t groups[256];
    const int count = getgroups(256, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == group) {
            return true;
        }
    }
    return group == getegid();
}

/* Ours; or, where the group was asked for, our group's. Never open to all. */
static bool trusted(const struct stat *file, uint32_t access)
{
    const mode_t mode = file->st_mode;
    if (!S_ISREG(mode) || (mode & S_IRWXO) != 0) {
        return false;
    }
    const bool group = (mode & S_IRGRP) != 0 && (mode & S_IWGRP) != 0 && in_group(file->st_gid);
    return file->st_uid == geteuid() || (access == SWG_ACCESS_GROUP && group);
}

static int map_file(void **memory, size_t bytes, int file)
{
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        return errno == ENOMEM ? SWG_ENOMEM : SWG_ESYS;
    }
    *memory = mapped;
    return SWG_OK;
}

static bool same_sizes(const swg_header *header, const swg_panel_config *settled)
{
    return header->circuits == settled->circuits && header->processes == settled->processes &&
           header->journal == settled->journal && header->access == settled->access;
}

static int join_file(void **memory, size_t *bytes, int file, uint32_t access)
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return SWG_ESYS;
    }
    if (!trusted(&status, access)) {
        return SWG_EACCESS;
    }
    if (status.st_size < (off_t)sizeof(swg_header)) {
        return SWG_EMAGIC;
    }
    *bytes = (size_t)status.st_size;
    return map_file(memory, *bytes, file);
}

/* SWG_ENOENT: there is none. */
static int join(void **memory, size_t *bytes, const char *path, uint32_t access)
{
    const int file = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        if (errno == ELOOP || errno == EACCES || errno == EPERM || errno == EISDIR) {
            return SWG_EACCESS;
        }
        return errno == ENOENT ? SWG_ENOENT : SWG_ESYS;
    }
    const int error = join_file(memory, bytes, file, access);
    close(file);
    return error;
}

/* Room is taken now, for running out of it later would be a signal in somebody's request. */
static int lay_out(void **memory, int file, const swg_panel_config *settled)
{
    const size_t bytes = swg__block_bytes(settled);
    const mode_t mode = settled->access == SWG_ACCESS_GROUP ? 0660 : 0600;
    if (fchmod(file, mode) != 0 || ftruncate(file, (off_t)bytes) != 0) {
        return SWG_ESYS;
    }
    const int full = posix_fallocate(file, 0, (off_t)bytes);
    if (full != 0) {
        errno = full;
        return SWG_ESYS;
    }
    const int error = map_file(memory, bytes, file);
    return error != SWG_OK ? error : swg__block_format(*memory, bytes, settled, true);
}

/* SWG_ENOENT: somebody else's block has the name now. */
static int create(void **memory, size_t *bytes, const char *path, const swg_panel_config *settled)
{
    const int file = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) {
        return SWG_ESYS;
    }
    *bytes = swg__block_bytes(settled);
    int error = lay_out(memory, file, settled);
    if (error == SWG_OK) {
        char nameless[32];
        snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", file);
        if (linkat(AT_FDCWD, nameless, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0) {
            error = errno == EEXIST ? SWG_ENOENT : SWG_ESYS;
            munmap(*memory, *bytes);
        }
    }
    const int kept = errno;
    close(file);
    errno = kept;
    return error;
}

/* Joined: the sizes of the header, as far as they can be believed before swg__block_map. */
static int compare(void *memory, const swg_panel_config *settled, bool asked)
{
    return !asked || same_sizes(memory, settled) ? SWG_OK : SWG_DIFFERS;
}

int swg__shared_open(void **memory, size_t *bytes, const char *name, const swg_panel_config *config)
{
    char path[sizeof(FOLDER) + NAME_MAX + 1];
    swg_panel_config settled;
    int error = swg__panel_settle(&settled, config);
    if (error != SWG_OK) {
        return error;
    }
    if (!name_ok(name)) {
        return SWG_EINVAL;
    }
    path_of(path, name);
    for (int i = 0; i < ATTEMPTS; i++) {
        error = join(memory, bytes, path, settled.access);
        if (error == SWG_OK) {
            return compare(*memory, &settled, config != NULL);
        }
        if (error == SWG_ENOENT) {
            error = create(memory, bytes, path, &settled);
        }
        if (error != SWG_ENOENT) {
            return error;
        }
    }
    errno = EAGAIN;
    return SWG_ESYS;
}

int swg_panel_unlink(const char *name)
{
    char path[sizeof(FOLDER) + NAME_MAX + 1];
    if (name == NULL || !name_ok(name)) {
        return SWG_EINVAL;
    }
    path_of(path, name);
    if (unlink(path) == 0) {
        return SWG_OK;
    }
    return errno == ENOENT ? SWG_ENOENT : SWG_ESYS;
}
