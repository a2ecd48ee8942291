/* A socket as OpenSSL sees it. OpenSSL's own is written to with write(), so that a peer that hung
 * up a moment ago would end the program.
 *
 * Keeps: no signal is raised, whatever the other end does. */
#include "net_socket.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* one for all, to the end of the program */

static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int write_some(BIO *bio, const char *bytes, int count)
{
    BIO_clear_retry_flags(bio);
    const int sent = (int)send(fd_of(bio), bytes, (size_t)count, MSG_NOSIGNAL);
    if (sent < 0 && BIO_sock_should_retry(sent))
        BIO_set_retry_write(bio);
    return sent;
}

static int read_some(BIO *bio, char *bytes, int room)
{
    BIO_clear_retry_flags(bio);
    const int came = (int)recv(fd_of(bio), bytes, (size_t)room, 0);
    if (came < 0 && BIO_sock_should_retry(came))
        BIO_set_retry_read(bio);
    return came;
}

/* Nothing is kept back, so that there is never anything to flush. */
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
    const int index = BIO_get_new_index();
    BIO_METHOD *made = index < 0 ? NULL : BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "socket");
    if (made && BIO_meth_set_write(made, write_some) && BIO_meth_set_read(made, read_some) &&
        BIO_meth_set_ctrl(made, control))
        method = made;
    else
        BIO_meth_free(made);
}

BIO *swg__net_socket(int fd)
{
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, (void *)(intptr_t)fd);
        BIO_set_init(bio, 1);
    }
    return bio;
}
