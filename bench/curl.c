/* HTTP on loopback, bare and through a circuit: pairs of short runs in turn, against a server that
 * does nothing but answer. */
#include "curl.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <switchgear/curl.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Answers whatever comes on any connection, until it is killed. */
static void serve(int listener)
{
    const int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    while (epoll_wait(poll, &event, 1, -1) > 0 || true) {
        char request[4096];
        const int fd = event.data.fd;
        if (fd == listener) {
            struct epoll_event one = {.events = EPOLLIN, .data.fd = accept(listener, NULL, NULL)};
            epoll_ctl(poll, EPOLL_CTL_ADD, one.data.fd, &one);
        } else if (read(fd, request, sizeof(request)) <= 0 ||
                   write(fd, answer, sizeof(answer) - 1) < 0) {
            close(fd);
        }
    }
}

static pid_t start_server(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, length) != 0 ||
        listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *)&at, &length) != 0) {
        return -1;
    }
    *port = ntohs(at.sin_port);
    const pid_t pid = fork();
    if (pid == 0) {
        serve(listener);
    }
    close(listener);
    return pid;
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

/* Requests a second. */
static double bare(CURL *easy, int requests)
{
    const int64_t began = swg_clock_ns();
    for (int i = 0; i < requests; i++) {
        if (curl_easy_perform(easy) != CURLE_OK) {
            return 0;
        }
    }
    return requests * 1e9 / (double)(swg_clock_ns() - began);
}

static double guarded(CURL *easy, swg_circuit *circuit, int requests)
{
    const int64_t began = swg_clock_ns();
    for (int i = 0; i < requests; i++) {
        swg_curl_result result;
        if (swg_curl_perform(circuit, easy, NULL, &result) != SWG_OK ||
            result.outcome != SWG_SUCCESS) {
            return 0;
        }
    }
    return requests * 1e9 / (double)(swg_clock_ns() - began);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return values[count / 2];
}

static void measure(CURL *easy, swg_circuit *circuit, int pairs, int requests)
{
    double alone[512], through[512], less[512];
    bare(easy, requests);
    guarded(easy, circuit, requests);
    for (int i = 0; i < pairs; i++) {
        const bool first = i % 2 == 0; /* neither always goes first */
        double a = first ? bare(easy, requests) : 0;
        const double b = guarded(easy, circuit, requests);
        a = first ? a : bare(easy, requests);
        alone[i] = a;
        through[i] = b;
        less[i] = 100 * (1 - b / a);
    }
    printf("curl: bare                        %10.0f requests/s\n", median(alone, pairs));
    printf("curl: through a circuit           %10.0f requests/s\n", median(through, pairs));
    const double cost = median(less, pairs);
    printf("curl: fewer, median of %3d pairs  %10.2f %%   2: %s (quartiles %.2f to %.2f)\n", pairs,
           cost, cost <= 2 ? "yes" : "no", less[pairs / 4], less[pairs * 3 / 4]);
}

int bench_curl(bool quick)
{
    uint16_t port;
    char url[64];
    swg_panel *panel;
    swg_circuit *circuit;
    const pid_t server = start_server(&port);
    if (server < 0 || swg_panel_open(&panel, NULL, NULL) != SWG_OK ||
        swg_circuit_open(&circuit, panel, "http", SWG_CIRCUIT(.inflight_max = 100)) != SWG_OK) {
        perror("swg_bench: curl");
        return 1;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    measure(easy, circuit, quick ? 3 : 101, quick ? 20 : 1000);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    swg_panel_close(&panel);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
