/* One call over HTTP, through a circuit, retried within a budget. Every process that opens the
 * panel
 * "/examples" shares the circuit.
 *
 *     cc blocking.c $(pkg-config --cflags --libs switchgear-curl) -o blocking
 *     ./blocking http://127.0.0.1:9000/
 */
#include <stdio.h>
#include <switchgear/curl.h>
#include <switchgear/switchgear.h>

static int show(const swg_curl_result *result, const swg_curl_body *body)
{
    if (result->verdict != SWG_PERMITTED) {
        fprintf(stderr, "rejected: the circuit is %s\n", swg_verdict_name(result->verdict));
        return 3;
    }
    if (result->outcome != SWG_SUCCESS) {
        fprintf(stderr, "%s after %u attempts: %s, status %ld\n", swg_outcome_name(result->outcome),
                result->attempts, curl_easy_strerror(result->code), result->status);
        return 1;
    }
    printf("%s", body->data != NULL ? body->data : "");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    swg_panel *panel;
    swg_circuit *circuit;
    int error = swg_panel_open(&panel, "/examples", NULL);
    if (error >= SWG_OK) {
        error = swg_circuit_open(&circuit, panel, "blocking", &swg_profile_http);
    }
    if (error < SWG_OK) {
        fprintf(stderr, "%s\n", swg_error_text(error));
        return 1;
    }
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    swg_curl_body body = {0};
    swg_curl_result result;
    error = swg_curl_perform(circuit, easy,
                             SWG_CURL(.body = &body, .timeout_ms = 2000,
                                      .retry = SWG_RETRY(.attempts = 3, .deadline_ms = 5000)),
                             &result);
    const int status = error == SWG_OK ? show(&result, &body) : 1;

    swg_curl_body_free(&body);
    curl_easy_cleanup(easy);
    swg_panel_close(&panel);
    return status;
}
