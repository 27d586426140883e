"""The sources of the real world that a program can use: time, chance, identity, and waiting. The table defines what a
simulated rank gets from each.

On a simulated rank a source is virtual, refused, or a hole: a hole is real, so a program that uses it may differ
between two runs. A name in the modules of `WALKED` that is in no row and not in `HARMLESS` makes a test fail: a newer
Python has a new source, which needs a decision.

This file has data only. `virtual` has the virtual sources, and `substitutes` installs them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Treatment(Enum):
    """What becomes of a source on a simulated rank."""

    VIRTUAL = "virtual"
    REFUSED = "refused"
    HOLE = "hole"


class Row(NamedTuple):
    """Sources that are treated in the same way.

    :ivar kind: what becomes of them.
    :ivar names: theirs, as Python writes them; ``*`` at the end stands for all that begins so.
    :ivar what: what a rank gets, or why not.
    :ivar refused_by_name: whether the functions themselves are replaced by ones that refuse; else what they call is
        refused.
    """

    kind: Treatment
    names: tuple[str, ...]
    what: str
    refused_by_name: bool = False


def _row(kind: Treatment, names: str, what: str, refused_by_name: bool = False) -> Row:
    return Row(kind, tuple(names.split()), what, refused_by_name)


TABLE = (
    # -- time ------------------------------------------------------------------------------------------
    _row(Treatment.VIRTUAL, "time.sleep", "takes virtual time"),
    _row(
        Treatment.VIRTUAL,
        "time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time "
        "time.process_time_ns time.thread_time time.thread_time_ns os.times resource.getrusage",
        "begin at 0; a rank's processor is always at work",
    ),
    _row(
        Treatment.VIRTUAL,
        "time.time time.time_ns datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today "
        "datetime.date.today",
        "begin at 2000-01-01 00:00 UTC",
    ),
    _row(
        Treatment.VIRTUAL,
        "time.clock_gettime time.clock_gettime_ns time.clock_getres time.get_clock_info",
        "CLOCK_REALTIME is `time.time`, all others are `time.monotonic`, to the nanosecond",
    ),
    _row(
        Treatment.VIRTUAL,
        "time.localtime time.gmtime time.mktime time.ctime time.asctime time.strftime time.tzset "
        "datetime.datetime.fromtimestamp datetime.date.fromtimestamp datetime.datetime.timestamp "
        "datetime.datetime.astimezone",
        "local time is UTC",
    ),
    _row(Treatment.VIRTUAL, "sched.scheduler", "runs in virtual time, unless it is given clocks of its own"),
    _row(
        Treatment.REFUSED,
        "time.clock_settime time.clock_settime_ns",
        "it sets the clock of the machine",
        refused_by_name=True,
    ),
    _row(
        Treatment.REFUSED,
        "signal.alarm signal.setitimer signal.pause signal.sigwait signal.sigwaitinfo signal.sigtimedwait "
        "os.timerfd_create",
        "signals and timers come in real time: wait with time.sleep",
        refused_by_name=True,
    ),
    # -- chance ----------------------------------------------------------------------------------------
    _row(
        Treatment.VIRTUAL,
        "random.random random.betavariate random.binomialvariate random.choice random.choices random.expovariate "
        "random.gammavariate random.gauss random.getrandbits random.lognormvariate random.normalvariate "
        "random.paretovariate random.randbytes random.randint random.randrange random.sample random.seed "
        "random.shuffle random.triangular random.uniform random.vonmisesvariate random.weibullvariate "
        "random.getstate random.setstate numpy.random.seed numpy.random.rand numpy.random.randint",
        "drawn from the seed, by each rank from a generator of its own",
    ),
    _row(
        Treatment.VIRTUAL,
        "random.Random random.SystemRandom os.urandom os.getrandom secrets.* uuid.uuid4 numpy.random.default_rng "
        "numpy.random.RandomState",
        "unseeded ones are drawn from the seed, for each rank",
    ),
    _row(
        Treatment.VIRTUAL,
        "tempfile.mktemp tempfile.mkstemp tempfile.mkdtemp tempfile.NamedTemporaryFile tempfile.TemporaryFile "
        "tempfile.TemporaryDirectory tempfile.SpooledTemporaryFile",
        "names are drawn from the seed; of those the first that is free",
    ),
    _row(
        Treatment.HOLE,
        "builtins.hash builtins.id",
        "the order of a set of strings follows PYTHONHASHSEED, and addresses the memory: sort",
    ),
    # -- identity --------------------------------------------------------------------------------------
    _row(Treatment.VIRTUAL, "os.getpid os.getppid", "1000 + rank, and 999"),
    _row(
        Treatment.VIRTUAL,
        "threading.get_ident threading.get_native_id threading.current_thread threading.main_thread "
        "threading.enumerate threading.active_count threading.Thread.ident threading.Thread.native_id "
        "threading.stack_size threading.settrace threading.settrace_all_threads threading.gettrace "
        "threading.setprofile threading.setprofile_all_threads threading.getprofile",
        "of the threads of the rank; the number of its main thread is 1000 + rank",
    ),
    _row(
        Treatment.VIRTUAL,
        "socket.gethostname socket.getfqdn platform.node platform.uname os.uname",
        "the name is `simulated-0`, or that of another simulated host, as that of MPI; "
        "what else there is to know of the machine is real",
    ),
    _row(Treatment.VIRTUAL, "uuid.uuid1 uuid.getnode", "of virtual time, host and rank"),
    _row(
        Treatment.VIRTUAL,
        "os.cpu_count os.process_cpu_count os.sched_getaffinity os.getloadavg",
        "a rank has one processor, without load",
    ),
    _row(
        Treatment.VIRTUAL, "os._exit os.abort os.kill", "end this rank, as `kill -9` would; os.kill can do nothing else"
    ),
    _row(
        Treatment.REFUSED,
        "os.killpg signal.raise_signal signal.pthread_kill signal.pidfd_send_signal os.pidfd_open",
        "it would reach the process that simulates: os.kill(os.getpid(), signal.SIGKILL) ends a rank",
        refused_by_name=True,
    ),
    _row(
        Treatment.HOLE,
        "os.getsid os.getpgid os.getpgrp os.getpriority",
        "of the process that simulates, which all ranks share",
    ),
    _row(
        Treatment.HOLE,
        "os.getuid os.geteuid os.getgid os.getegid os.getgroups os.getgrouplist os.getresuid os.getresgid os.getlogin "
        "getpass.getuser os.getenv os.getenvb os.environ os.sysconf os.confstr platform.* time.tzname time.timezone "
        "time.altzone time.daylight sys.getswitchinterval sys.getallocatedblocks sys.getrefcount "
        "sys.getunicodeinternedsize sys.getsizeof",
        "of this user, machine, environment and Python",
    ),
    # -- waiting, and who else there is ----------------------------------------------------------------
    _row(
        Treatment.VIRTUAL,
        "threading.Thread threading.Timer threading.local threading.Lock threading.RLock threading.Condition "
        "threading.Event "
        "threading.Semaphore threading.BoundedSemaphore threading.Barrier queue.Queue queue.LifoQueue "
        "queue.PriorityQueue queue.SimpleQueue concurrent.futures.ThreadPoolExecutor concurrent.futures.Executor "
        "concurrent.futures.Future concurrent.futures.wait concurrent.futures.as_completed _thread.start_new_thread",
        "a thread is a task of the simulation: it runs until it waits, and waits in virtual time",
    ),
    _row(
        Treatment.VIRTUAL,
        "asyncio.*",
        "event loops wait in virtual time, for timers and threads; what takes a socket, a pipe, a signal or a process "
        "is refused",
    ),
    _row(Treatment.VIRTUAL, "select.select", "without files it sleeps; with files it is refused"),
    _row(
        Treatment.REFUSED,
        "select.poll select.epoll select.kqueue os.wait os.waitpid os.waitid os.wait3 os.wait4",
        "what it waits for lives in real time: use the communicator",
        refused_by_name=True,
    ),
    _row(
        Treatment.REFUSED,
        "subprocess.* multiprocessing.* concurrent.futures.ProcessPoolExecutor os.fork os.forkpty os.popen os.system "
        "os.posix_spawn os.posix_spawnp os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp "
        "os.spawnvpe os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe os.startfile",
        "a real process",
    ),
    _row(
        Treatment.REFUSED,
        "socket.socket socket.SocketType socket.socketpair socket.fromfd socket.create_connection socket.create_server "
        "socket.getaddrinfo socket.gethostbyname socket.gethostbyname_ex socket.gethostbyaddr socket.getnameinfo "
        "socket.has_dualstack_ipv6 socket.send_fds socket.recv_fds",
        "a socket, or a question to the network",
    ),
    _row(
        Treatment.HOLE,
        "selectors.*",
        "it waits for files, in real time: one that has to wait stops the process",
    ),
    _row(
        Treatment.HOLE,
        "signal.signal signal.set_wakeup_fd signal.siginterrupt signal.getitimer signal.sigpending "
        "signal.pthread_sigmask",
        "a signal comes in real time, to whatever rank runs then",
    ),
    _row(
        Treatment.HOLE,
        "os.stat os.lstat os.fstat os.listdir os.scandir os.walk os.fwalk os.DirEntry os.utime os.getcwd os.getcwdb "
        "os.chdir os.fchdir os.read os.readv os.pread os.preadv os.open os.lockf os.eventfd_read os.umask "
        "os.memfd_create os.get_terminal_size os.statvfs os.fstatvfs getpass.getpass builtins.input builtins.open "
        "os.putenv os.unsetenv tempfile.gettempdir tempfile.gettempdirb socket.if_nameindex socket.if_indextoname "
        "socket.if_nametoindex",
        "files, their times and their order, the terminal and the folder are those of this machine, for all ranks",
    ),
)

#: The modules that a test walks through.
WALKED = (
    "time", "datetime", "random", "secrets", "uuid", "os", "tempfile", "socket", "platform", "threading", "queue",
    "select", "selectors", "signal", "sched", "asyncio", "multiprocessing", "concurrent.futures", "subprocess",
    "resource", "getpass", "sys",
)  # fmt: skip

#: What is there besides: it tells nothing of time, chance or identity, and waits for nobody.
HARMLESS = {
    "time": "strptime struct_time pthread_getcpuclockid",
    "datetime": "datetime date time timedelta timezone tzinfo",
    "uuid": "Enum SafeUUID UUID bytes_ int_ main uuid3 uuid5",
    "os": """
        WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG access chmod chown chroot
        close closerange copy_file_range ctermid device_encoding dup dup2 eventfd eventfd_write fchmod fchown fdatasync
        fdopen fpathconf fsdecode fsencode fspath fsync ftruncate get_blocking get_exec_path get_inheritable getxattr
        grantpt initgroups isatty lchmod lchown link listxattr login_tty lseek major makedev makedirs minor mkdir mkfifo
        mknod nice openpty pathconf pipe pipe2 posix_fadvise posix_fallocate posix_openpt ptsname pwrite pwritev
        readlink register_at_fork remove removedirs removexattr rename renames replace rmdir sched_get_priority_max
        sched_get_priority_min sched_getparam sched_getscheduler sched_param sched_rr_get_interval sched_setaffinity
        sched_setparam sched_setscheduler sched_yield sendfile set_blocking set_inheritable setegid seteuid setgid
        setgroups setns setpgid setpgrp setpriority setregid setresgid setresuid setreuid setsid setuid setxattr splice
        stat_result statvfs_result strerror symlink sync tcgetpgrp tcsetpgrp terminal_size timerfd_gettime
        timerfd_gettime_ns timerfd_settime timerfd_settime_ns times_result truncate ttyname uname_result unlink unlockpt
        unshare waitid_result waitstatus_to_exitcode write writev
        """,
    "tempfile": "gettempprefix gettempprefixb",
    "socket": """
        AddressFamily AddressInfo CMSG_LEN CMSG_SPACE MsgFlag SocketKind close dup getdefaulttimeout getprotobyname
        getservbyname getservbyport htonl htons inet_aton inet_ntoa inet_ntop inet_pton ntohl ntohs setdefaulttimeout
        sethostname
        """,
    "threading": """
        ExceptHookArgs excepthook
        """,
    "signal": "Handlers Sigmasks Signals default_int_handler getsignal strsignal struct_siginfo valid_signals",
    "resource": "getpagesize getrlimit prlimit setrlimit struct_rusage",
    "sys": """
        activate_stack_trampoline addaudithook audit breakpointhook call_tracing deactivate_stack_trampoline displayhook
        exc_info excepthook exception exit get_asyncgen_hooks get_coroutine_origin_tracking_depth
        get_int_max_str_digits getdefaultencoding getdlopenflags getfilesystemencodeerrors getfilesystemencoding
        getprofile getrecursionlimit gettrace intern is_finalizing is_stack_trampoline_active set_asyncgen_hooks
        set_coroutine_origin_tracking_depth set_int_max_str_digits setdlopenflags setprofile setrecursionlimit
        setswitchinterval settrace unraisablehook
        """,
}


def row_of(name: str) -> Row | None:
    """Return the row of a source: the one that names it, else the one with the longest matching beginning."""
    found, longest = None, -1
    for row in TABLE:
        for each in row.names:
            if each == name:
                return row
            if each.endswith("*") and name.startswith(each[:-1]) and len(each) > longest:
                found, longest = row, len(each)
    return found


def is_harmless(name: str) -> bool:
    """Return whether a name is one of those that need no row."""
    module, _, rest = name.rpartition(".")
    return rest in HARMLESS.get(module, "").split()
