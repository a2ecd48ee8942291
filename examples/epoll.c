/* The same on an event loop of one's own: epoll for curl's sockets, and one time-out for both
 * curl's timer and the adapter's. Reads URLs from standard input, one a line, and calls each as it
 * comes.
 *
 *     cc epoll.c $(pkg-config --cflags --libs switchgear-curl) -o epoll
 *     yes http://127.0.0.1:9000/ | head -n 100 | ./epoll
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/curl.h>
#include <switchgear/switchgear.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)

typedef struct loop {
    int epoll;
    CURLM *multi;
    swg_curl *curl;
    swg_circuit *circuit;
    int64_t curl_due_ns; /* INT64_MAX: none */
} loop;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    const loop *l = arg;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events =
        ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
    if (epoll_ctl(l->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) {
        curl_multi_assign(l->multi, fd, arg); /* known from now on */
    }
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    loop *l = arg;
    (void)multi;
    l->curl_due_ns = timeout_ms < 0 ? INT64_MAX : swg_clock_ns() + timeout_ms * NS_PER_MS;
    return 0;
}

static void done(void *arg, const swg_curl_result *result)
{
    char *url = NULL;
    (void)arg;
    curl_easy_getinfo(result->easy, CURLINFO_EFFECTIVE_URL, &url);
    printf("%-8s %ld %u %s\n",
           result->verdict == SWG_PERMITTED ? swg_outcome_name(result->outcome)
                                            : swg_verdict_name(result->verdict),
           result->status, result->attempts, url);
    curl_easy_cleanup(result->easy);
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static void begin(void *arg, CURL *easy, uint32_t attempt)
{
    (void)arg;
    (void)easy;
    (void)attempt;
}

static const swg_curl_config config = {
    .size = sizeof(config),
    .timeout_ms = 2000,
    .begin = begin,
    .retry = &(const swg_retry_config){.size = sizeof(swg_retry_config), .deadline_ms = 5000}};

static void start(const loop *l, const char *url)
{
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    const int error =
        swg_curl_start(l->curl, l->circuit, easy, &config, done, NULL, swg_clock_ns());
    if (error != SWG_OK) {
        fprintf(stderr, "%s: %s\n", url, swg_error_text(error));
        curl_easy_cleanup(easy);
    }
}

/* Milliseconds until curl or the adapter has something to do; -1: nothing to wait for. */
static int timeout_ms(const loop *l, int64_t step_ns)
{
    const int64_t now_ns = swg_clock_ns();
    int64_t wait_ns = step_ns >= 0 ? step_ns : INT64_MAX;
    if (l->curl_due_ns != INT64_MAX) {
        const int64_t curl_ns = l->curl_due_ns > now_ns ? l->curl_due_ns - now_ns : 0;
        wait_ns = curl_ns < wait_ns ? curl_ns : wait_ns;
    }
    return wait_ns == INT64_MAX ? -1 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void drive(loop *l, curl_socket_t fd, int what)
{
    int active;
    curl_multi_socket_action(l->multi, fd, what, &active);
}

/* True: there may be more to read. */
static bool read_urls(const loop *l)
{
    static char text[65536];
    static size_t length;
    const ssize_t got = read(0, text + length, sizeof(text) - 1 - length);
    if (got <= 0) {
        return got < 0 && errno == EINTR;
    }
    length += (size_t)got;
    text[length] = '\0';
    char *line = text;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        start(l, line);
    }
    length -= (size_t)(line - text);
    memmove(text, line, length);
    return length < sizeof(text) - 1;
}

static void run(loop *l)
{
    struct epoll_event events[64];
    struct epoll_event input = {.events = EPOLLIN, .data.fd = 0};
    const bool polled = epoll_ctl(l->epoll, EPOLL_CTL_ADD, 0, &input) == 0;
    bool reading = true;
    while (!polled && reading) { /* standard input is a file */
        reading = read_urls(l);
    }
    for (;;) {
        const int64_t step_ns = swg_curl_step(l->curl, swg_clock_ns());
        if (!reading && swg_curl_pending(l->curl) == 0) {
            return;
        }
        const int count = epoll_wait(l->epoll, events, 64, timeout_ms(l, step_ns));
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == 0) {
                reading = read_urls(l);
                if (!reading) {
                    epoll_ctl(l->epoll, EPOLL_CTL_DEL, 0, NULL);
                }
                continue;
            }
            drive(l, events[i].data.fd,
                  ((events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                      ((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                      ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0));
        }
        if (swg_clock_ns() >= l->curl_due_ns) {
            l->curl_due_ns = INT64_MAX;
            drive(l, CURL_SOCKET_TIMEOUT, 0);
        }
    }
}

int main(void)
{
    swg_panel *panel;
    loop l = {.epoll = epoll_create1(EPOLL_CLOEXEC),
              .multi = curl_multi_init(),
              .curl_due_ns = INT64_MAX};
    if (l.epoll < 0 || l.multi == NULL || swg_panel_open(&panel, NULL, NULL) < SWG_OK ||
        swg_circuit_open(&l.circuit, panel, "epoll", &swg_profile_http) < SWG_OK ||
        swg_curl_open(&l.curl, l.multi) < SWG_OK) {
        fprintf(stderr, "epoll: cannot start\n");
        return 1;
    }
    curl_multi_setopt(l.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(l.multi, CURLMOPT_SOCKETDATA, &l);
    curl_multi_setopt(l.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(l.multi, CURLMOPT_TIMERDATA, &l);
    run(&l);
    swg_curl_close(&l.curl);
    curl_multi_cleanup(l.multi);
    swg_panel_close(&panel);
    close(l.epoll);
    return 0;
}
