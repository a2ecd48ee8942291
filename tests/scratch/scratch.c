#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OF_USE_S = 3600, DEPTH = 16 };

static pid_t runner;

__attribute__((constructor)) static void note_runner(void)
{
    runner = getpid();
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *place)
{
    (void)s, (void)type, (void)place;
    return remove(path);
}

void scratch_remove(const char *path)
{
    if (nftw(path, remove_entry, DEPTH, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        perror(path);
}

/* A number that was given to another process meanwhile keeps it: for longer, not for ever. */
static bool is_left_over(const char *name, char path[SCRATCH_PATH])
{
    struct stat s;
    int pid, end = 0;
    if (sscanf(name, "swg-%*[a-z]-%d-%*s%n", &pid, &end) != 1 || end == 0 || name[end] ||
        snprintf(path, SCRATCH_PATH, "/tmp/%s", name) >= SCRATCH_PATH)
        return false;
    return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH && lstat(path, &s) == 0 &&
           s.st_uid == geteuid() && time(NULL) - s.st_mtime >= OF_USE_S;
}

static void sweep(void)
{
    char path[SCRATCH_PATH];
    DIR *all = opendir("/tmp");
    for (const struct dirent *e; all && (e = readdir(all));)
        if (is_left_over(e->d_name, path))
            scratch_remove(path);
    if (all)
        closedir(all);
}

void scratch_make(char path[SCRATCH_PATH], const char *kind)
{
    if (getpid() != runner)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    sweep();
    snprintf(path, SCRATCH_PATH, "/tmp/swg-%s-%d-XXXXXX", kind, (int)getpid());
    if (mkdtemp(path))
        return;
    perror(path);
    exit(2);
}
