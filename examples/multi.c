/* A thousand transfers in flight on one thread, each through the circuit, each with its retries;
 * the wait between two attempts blocks nobody.
 *
 *     cc multi.c $(pkg-config --cflags --libs switchgear-curl) -o multi
 *     ./multi http://127.0.0.1:9000/ [CALLS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <switchgear/curl.h>
#include <switchgear/switchgear.h>

typedef struct tally {
    unsigned long ok, failed, rejected, attempts;
} tally;

static void done(void *arg, const swg_curl_result *result)
{
    tally *t = arg;
    t->attempts += result->attempts;
    if (result->verdict != SWG_PERMITTED) {
        t->rejected++;
    } else if (result->outcome == SWG_SUCCESS) {
        t->ok++;
    } else {
        t->failed++;
    }
    curl_easy_cleanup(result->easy);
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

/* The bodies are thrown away, so there is nothing to forget before an attempt. */
static void begin(void *arg, CURL *easy, uint32_t attempt)
{
    (void)arg;
    (void)easy;
    (void)attempt;
}

int main(int argc, char **argv)
{
    const long calls = argc > 2 ? atol(argv[2]) : 1000;
    if (argc < 2 || calls < 1) {
        fprintf(stderr, "usage: %s URL [CALLS]\n", argv[0]);
        return 2;
    }
    swg_panel *panel;
    swg_circuit *circuit;
    swg_curl *curl;
    tally t = {0};
    if (swg_panel_open(&panel, NULL, NULL) < SWG_OK ||
        swg_circuit_open(&circuit, panel, "multi", &swg_profile_http) < SWG_OK ||
        swg_curl_open(&curl, NULL) < SWG_OK) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    const swg_retry_config retry = {.size = sizeof(retry), .attempts = 3};
    const swg_curl_config config = {
        .size = sizeof(config), .timeout_ms = 5000, .retry = &retry, .begin = begin};
    for (long i = 0; i < calls; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
        swg_curl_start(curl, circuit, easy, &config, done, &t, swg_clock_ns());
    }
    while (swg_curl_pending(curl) > 0 && swg_curl_run(curl, 1000) >= 0) {
    }
    printf("%lu ok, %lu failed, %lu rejected, %lu attempts\n", t.ok, t.failed, t.rejected,
           t.attempts);
    swg_curl_close(&curl);
    swg_panel_close(&panel);
    return t.ok == (unsigned long)calls ? 0 : 1;
}
