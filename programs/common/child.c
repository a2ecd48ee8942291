#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- lines -------------------------------------------------------------------------------- */

static void take_lines(line_reader *reader, line_taker take, void *context)
{
    char *from = reader->buffer, *end = reader->buffer + reader->length, *newline;
    while ((newline = memchr(from, '\n', (size_t)(end - from)))) {
        *newline = '\0';
        if (!reader->overlong)
            take(context, from);
        reader->overlong = false;
        from = newline + 1;
    }
    reader->length = (size_t)(end - from);
    memmove(reader->buffer, from, reader->length);
    if (reader->length == sizeof reader->buffer) {
        reader->overlong = true;
        reader->length = 0;
    }
}

bool line_reader_drain(line_reader *reader, line_taker take, void *context)
{
    while (reader->fd >= 0) {
        size_t room = sizeof reader->buffer - reader->length;
        ssize_t bytes = read(reader->fd, reader->buffer + reader->length, room);
        if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (bytes <= 0) {
            close(reader->fd);
            reader->fd = -1;
            break;
        }
        reader->length += (size_t)bytes;
        take_lines(reader, take, context);
    }
    return false;
}

/* ---- starting ------------------------------------------------------------------------------ */

typedef struct pipes {
    int in[2], out[2], err[2];
} pipes;

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static bool open_pipes(pipes *p)
{
    *p = (pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 &&
        pipe2(p->err, O_CLOEXEC) == 0)
        return true;
    int error = errno;
    close_pair(p->in);
    close_pair(p->out);
    close_pair(p->err);
    errno = error;
    return false;
}

/* Only what is safe between fork and exec. The parent may have died before prctl took hold. */
static void become(const pipes *p, pid_t parent, char *const argv[])
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(p->in[0], STDIN_FILENO);
    dup2(p->out[1], STDOUT_FILENO);
    dup2(p->err[1], STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(argv[0], argv);
    _exit(127);
}

bool child_start(child *c, char *const argv[])
{
    pipes p;
    if (!open_pipes(&p))
        return false;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(&p, parent, argv);
    int error = errno;
    close(p.in[0]);
    close(p.out[1]);
    close(p.err[1]);
    if (pid < 0) {
        close(p.in[1]);
        close(p.out[0]);
        close(p.err[0]);
        errno = error;
        return false;
    }
    setpgid(pid, pid);
    fcntl(p.in[1], F_SETFL, O_NONBLOCK);
    fcntl(p.out[0], F_SETFL, O_NONBLOCK);
    fcntl(p.err[0], F_SETFL, O_NONBLOCK);
    *c = (child){.pid = pid, .input = p.in[1], .output.fd = p.out[0], .errors.fd = p.err[0]};
    return true;
}

/* ---- ending -------------------------------------------------------------------------------- */

static void close_input(child *c)
{
    if (c->input >= 0)
        close(c->input);
    c->input = -1;
}

bool child_reap(child *c)
{
    if (c->pid == 0 || waitpid(c->pid, &c->status, WNOHANG) != c->pid)
        return false;
    c->pid = 0;
    close_input(c);
    return true;
}

static bool all_gone(child **children, size_t count)
{
    bool gone = true;
    for (size_t i = 0; i < count; i++) {
        child_reap(children[i]);
        gone = gone && children[i]->pid == 0;
    }
    return gone;
}

static void signal_all(child **children, size_t count, int signal_number)
{
    for (size_t i = 0; i < count; i++)
        if (children[i]->pid > 0)
            kill(-children[i]->pid, signal_number);
}

static void discard(void *context, char *line)
{
    (void)context;
    (void)line;
}

/* A child that is ending may still have much to say; nobody listens, but the pipe must not fill. */
static void drain_all(child **children, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        line_reader_drain(&children[i]->output, discard, NULL);
        line_reader_drain(&children[i]->errors, discard, NULL);
    }
}

static void close_all(child **children, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        line_reader *readers[] = {&children[i]->output, &children[i]->errors};
        for (int r = 0; r < 2; r++) {
            if (readers[r]->fd >= 0)
                close(readers[r]->fd);
            readers[r]->fd = -1;
        }
    }
}

void child_stop(child **children, size_t count, int grace_ms)
{
    enum { STEP_MS = 5 };
    for (size_t i = 0; i < count; i++)
        close_input(children[i]);
    signal_all(children, count, SIGTERM);
    for (int waited = 0; !all_gone(children, count) && waited < grace_ms; waited += STEP_MS) {
        drain_all(children, count);
        poll(NULL, 0, STEP_MS);
    }
    signal_all(children, count, SIGKILL);
    while (!all_gone(children, count))
        poll(NULL, 0, STEP_MS);
    close_all(children, count);
}

const char *child_fate(char *text, size_t size, int status)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
    return text;
}

static void *watch_stdin(void *unused)
{
    char ignored[256];
    ssize_t bytes;
    (void)unused;
    while ((bytes = read(STDIN_FILENO, ignored, sizeof ignored)) > 0 ||
           (bytes < 0 && errno == EINTR))
        ;
    _exit(0);
}

void child_die_with_parent(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_stdin, NULL) == 0)
        pthread_detach(thread);
}
