"""Answering one's own question, or another's. Same arguments as the C programs."""
import glob, json, os, socket, subprocess, sys, time

way, hallpass = sys.argv[1], sys.argv[8]
own = os.environ.get("HALLPASS", "").split(";")[0]
directory = os.environ["XDG_RUNTIME_DIR"] + "/hallpass/"


def fail(error):
    print("failed:", error, flush=True)


def answer(path):
    """Says yes to whatever is asked there."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(path)
    said = client.makefile("r")
    requests = 0

    def request(it):
        nonlocal requests
        requests += 1
        client.sendall(json.dumps({"id": requests, **it}).encode() + b"\n")
        return said.readline()

    if '"hello"' not in request({"do": "hello", "version": 1, "client": "target"}):
        raise OSError(0, "kept out")
    # The question may still be on its way.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if '"done"' in request({"do": "answer", "question": 1, "verdict": "allow"}):
            return
        time.sleep(0.1)
    raise OSError(0, "no question")


def reach():
    return subprocess.Popen([sys.argv[7], "tcp", *sys.argv[2:7], "-"])


def own_control():
    (path,) = glob.glob(directory + own + "/control")
    return path


def attempt(what):
    try:
        what()
    except OSError as error:
        fail(os.strerror(error.errno) if error.errno else error.strerror)


def linked():
    path, other = own_control(), os.environ["XDG_RUNTIME_DIR"] + "/innocent"
    for make in os.link, os.symlink, os.rename:
        try:
            make(path, other)
        except OSError:
            continue
        attempt(lambda: answer(other))
        os.rename(other, path) if make is os.rename else os.unlink(other)


def orphan():
    """By a process that nobody of the family waits for."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(0.2)
            attempt(lambda: answer(own_control()))
            os._exit(0)
        os._exit(0)
    os.wait()
    time.sleep(1)


if way.startswith("another"):
    if own and way == "another-moved":
        # So that nobody can tell who the session is.
        os.rename(directory + own, os.environ["HOME"] + "/" + own)
    for path in glob.glob(directory + "*/control"):
        if own == "" or own not in path:
            other = path
            if way == "another-moved":
                other = os.environ["HOME"] + "/innocent"
                os.rename(path, other)
            attempt(lambda: answer(other))
            os.rename(other, path)
    if own and way == "another-moved":
        os.rename(os.environ["HOME"] + "/" + own, directory + own)
    sys.exit()
child = reach()
if own:
    time.sleep(0.7)
    if way == "command":
        done = subprocess.run([hallpass, "answer", "allow"], capture_output=True, text=True)
        fail(f"exit {done.returncode}")
    elif way == "socket":
        attempt(lambda: answer(own_control()))
    elif way == "linked":
        linked()
    elif way == "orphan":
        orphan()
child.wait()
