/* What TLS must not bring into a program: a signal when the other end hangs up, and a question on
 * the terminal. */
#include "fleet/net_link.h"
#include "servers.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_NS INT64_C(20000000000)

static struct server files; /* its folder only */
static int listener;
static swg_fleet_url url;

static void begin(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    char text[64];

    server_make(&files, false);
    server_certificates(files.dir, "IP:127.0.0.1");
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    getsockname(listener, (struct sockaddr *)&at, &length);
    snprintf(text, sizeof text, "rediss://127.0.0.1:%d", ntohs(at.sin_port));
    ck_assert_int_eq(swg_fleet_url_parse(&url, text, NULL), SWG_OK);
}

static void end(void)
{
    close(listener);
    server_end(&files);
}

static const char *file(const char *name)
{
    static char paths[3][128];
    static int turn;
    char *path = paths[turn++ % 3];

    snprintf(path, sizeof paths[0], "%s/%s", files.dir, name);
    return path;
}

/* Shakes hands and hangs up. */
static void *peer(void *arg)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int fd = accept(listener, NULL, NULL);
    SSL *ssl;

    (void)arg;
    if (fd < 0 || !context || SSL_CTX_use_certificate_chain_file(context, file("cert.pem")) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, file("key.pem"), SSL_FILETYPE_PEM) != 1)
        abort();
    ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_accept(ssl) != 1)
        abort();
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(context);
    return NULL;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

START_TEST(a_peer_that_hangs_up_raises_no_signal)
{
    const int64_t until = swg_clock_ns() + DEADLINE_NS;
    pthread_t thread;
    net_link link;
    ssize_t sent = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, peer, NULL), 0);
    ck_assert(
        swg__link_open(&link, &url, SWG_FLEET_RUN(.ca_file = file("ca.pem"), .connect_ms = 20000)));
    while (!swg__link_step(&link, swg_clock_ns())) {
        ck_assert_msg(link.state != NET_DOWN, "%s", link.trouble);
        pause_briefly();
    }
    pthread_join(thread, NULL);
    for (; sent >= 0 && swg_clock_ns() < until; pause_briefly())
        sent = swg__link_write(&link, "PING\r\n", 6);
    ck_assert_int_eq(sent, -1);
    swg__link_close(&link);
}
END_TEST

START_TEST(nobody_is_asked_for_the_password_of_a_key)
{
    char command[256];
    int silent[2];
    net_link link;

    snprintf(command, sizeof command,
             "openssl rsa -aes128 -passout pass:x -in %s -out %s 2>>%s/certificates.log",
             file("key.pem"), file("locked.pem"), files.dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(pipe(silent), 0);
    dup2(silent[0], 0); /* where it would wait, for there is no terminal */
    setsid();
    ck_assert(
        !swg__link_open(&link, &url,
                        SWG_FLEET_RUN(.ca_file = file("ca.pem"), .cert_file = file("cert.pem"),
                                      .key_file = file("locked.pem"))));
    ck_assert_ptr_nonnull(strstr(link.trouble, "locked.pem"));
    swg__link_close(&link);
    close(silent[0]);
    close(silent[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet tls");
    TCase *tls = tcase_create("tls");

    tcase_set_timeout(tls, 30);
    tcase_add_checked_fixture(tls, begin, end);
    tcase_add_test(tls, a_peer_that_hangs_up_raises_no_signal);
    tcase_add_test(tls, nobody_is_asked_for_the_password_of_a_key);
    suite_add_tcase(suite, tls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
