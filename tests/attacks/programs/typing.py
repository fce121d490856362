"""Answering at the terminal, in a person's place."""
import errno, fcntl, os, sys, time

way = sys.argv[1]
program = os.getpid()
if os.environ.get("HALLPASS") and os.fork() == 0:
    # In the background, where the prompt does not stop it.
    os.setpgid(0, 0)
    terminal = os.open("/dev/tty", os.O_RDWR)
    time.sleep(1.5)
    if way == "title":
        # xterm's CSI 21 t: the terminal writes its own title as if it were typed.
        os.write(terminal, b"\x1b]2;y\x07\x1b[21t")
    else:
        request = 0x5412 if way == "tiocsti" else 0x541C
        try:
            # What is typed before the question is shown answers nothing, and that may take long on
            # a busy machine.
            while os.getppid() == program:
                fcntl.ioctl(terminal, request, b"y" if way == "tiocsti" else b"\x03")
                time.sleep(0.7)
        except OSError as error:
            with open("typing.failed", "w") as file:
                file.write(errno.errorcode[error.errno])
    os._exit(0)
os.execv(sys.argv[7], [sys.argv[7], "tcp", *sys.argv[2:7], "-"])
