#include "port.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool port_is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_free;
}

/* The inode of the socket that listens on the port, from a table such as /proc/net/tcp; 0 if none.
 */
static unsigned long listening_inode(const char *table, uint16_t port)
{
    enum { LISTEN = 0x0A };
    char line[512];
    unsigned long found = 0;
    FILE *file = fopen(table, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == LISTEN)
            found = inode;
    }
    if (file)
        fclose(file);
    return found;
}

static bool holds(const char *pid, const char *socket_name)
{
    char directory[300], path[600], target[64];
    bool found = false;
    snprintf(directory, sizeof directory, "/proc/%s/fd", pid);
    DIR *fds = opendir(directory);
    for (struct dirent *e; fds && !found && (e = readdir(fds));) {
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        found = strcmp(target, socket_name) == 0;
    }
    if (fds)
        closedir(fds);
    return found;
}

static void name_process(char *text, size_t size, const char *pid)
{
    char path[300], comm[64] = "a process";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(comm, sizeof comm, file))
        comm[strcspn(comm, "\n")] = '\0';
    if (file)
        fclose(file);
    snprintf(text, size, "%s (pid %s)", comm, pid);
}

const char *port_holder(char *text, size_t size, uint16_t port)
{
    unsigned long inode = listening_inode("/proc/net/tcp", port);
    if (!inode)
        inode = listening_inode("/proc/net/tcp6", port);
    snprintf(text, size, "%s",
             inode ? "a process of another user" : "a connection that has not ended yet");
    char socket_name[64];
    snprintf(socket_name, sizeof socket_name, "socket:[%lu]", inode);
    DIR *processes = inode ? opendir("/proc") : NULL;
    for (struct dirent *e; processes && (e = readdir(processes));) {
        if (isdigit((unsigned char)e->d_name[0]) && holds(e->d_name, socket_name)) {
            name_process(text, size, e->d_name);
            break;
        }
    }
    if (processes)
        closedir(processes);
    return text;
}
