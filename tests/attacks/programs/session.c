// Doing something to the session, then connecting.
#include "attack.h"

int main(int argc, char **argv) {
    begin(argc, argv);
    int pid = session();
    if (pid) {
        struct rlimit none = {0, 0};
        if (is("kill")) must(kill(pid, SIGKILL));
        else if (is("stop")) {
            must(kill(pid, SIGSTOP));
            if (fork() == 0) { sleep(3); kill(pid, SIGCONT); _exit(0); }
        } else if (is("starve")) {
            must(prlimit(pid, RLIMIT_NOFILE, &none, NULL));
            prlimit(pid, RLIMIT_NPROC, &none, NULL);
        }
        usleep(50000);
    }
    reach(SOCK_STREAM, 0);
    return 0;
}
