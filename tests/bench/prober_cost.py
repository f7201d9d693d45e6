"""
prober_cost.py: what patroute-prober costs, by the number of clusters of three.

    tests/install build check lab bench
    PATROUTE_BUILD=BUILD /usr/bin/python3 tests/bench/prober_cost.py \
        [-n 1,10,100,300] [--tls | --plain] [-s SECONDS] [-o ROWS] [--plot PNG]

Each measurement has a network namespace of its own, and in it: a real etcd
whose keys change as Patroni changes them, stub_site for all the members'
Patronis and PostgreSQLs (SCRAM), a real HAProxy that checks CLUSTER_write and
CLUSTER_read by the prober, and a real agent on its feed. The members' WAL grows
by 1 MB/s each. What counts is the prober's own processor time, from schedstat,
over SECONDS of steady work. A JSON line for each, on standard output and at
the end of ROWS, then each target; --plot draws what stands in ROWS.
"""
import argparse
import base64
import contextlib
import datetime
import http.client
import ipaddress
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROUTE_BUILD", "build/release"))
REST, SQL, ETCD, PROBER = 8008, 5432, 2379, 7100
USER, GROUP = "nobody", "nogroup"
PASSWORD = "bench"
SETTLE_S = 8            # after the first 200: names, states, weights settle
LOOP_WAIT_S = 10        # Patroni's: how often it writes its keys

# (what, clusters, of TLS too, limit)
TARGETS = [("cpu_percent", 1, None, 0.5), ("rss_mib", 1, None, 15),
           ("cpu_percent", 100, False, 10), ("cpu_percent", 100, True, 20),
           ("rss_mib", 100, None, 60)]
TURN_MS = 20            # of the loop, its longest, by processor time


def member_ip(cluster, member):
    """As stub_site has them; both from 1."""
    at = cluster - 1
    return f"127.{100 + at // 200}.{at % 200 + 1}.{member}"


# --- certificates -----------------------------------------------------------

def make_certificates(folder, clusters):
    """An authority's file and the members' one; P-256, as is usual."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.utcnow()

    def issue(name, key, issuer, signer, extension):
        return (x509.CertificateBuilder()
                .subject_name(name).issuer_name(issuer)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=2))
                .add_extension(extension, True)
                .sign(signer, hashes.SHA256()))

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in "ab")
    ca = issue(named("bench CA"), ca_key, named("bench CA"), ca_key,
               x509.BasicConstraints(True, None))
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    with open(folder / "site.pem", "wb") as out:
        out.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()))
        for c in range(1, clusters + 1):
            names = x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(member_ip(c, m)))
                 for m in (1, 2, 3)])
            out.write(issue(named(f"c{c}"), key, ca.subject, ca_key,
                            names).public_bytes(pem))


# --- the parts --------------------------------------------------------------

def wait_until(question, what, seconds=60.0, step=0.01):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise RuntimeError(f"not in {seconds} s: {what}")
        time.sleep(step)


class Parts:
    """Whatever is started, ended in reverse order."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, name, *args, **more):
        log = open(self.folder / f"{name}.log", "ab")
        more.setdefault("stdout", log)
        p = subprocess.Popen([str(a) for a in args], stderr=log, **more)
        self.running.append(p)
        return p

    def end(self):
        for p in reversed(self.running):
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


def get(path):
    c = http.client.HTTPConnection("127.0.0.1", PROBER, timeout=20)
    with contextlib.closing(c):
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode()


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Keys:
    """What Patroni keeps in etcd, and writes anew once each LOOP_WAIT_S."""

    def __init__(self, clusters, tls):
        self.clusters, self.scheme = clusters, "https" if tls else "http"
        self.wal = 1 << 32
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.go_on, daemon=True)

    def put(self, etcd, cluster, keys):
        ops = [{"request_put": {"key": b64(f"/service/c{cluster}/{k}"),
                                "value": b64(v)}} for k, v in keys.items()]
        etcd.request("POST", "/v3/kv/txn", json.dumps({"success": ops}))
        r = etcd.getresponse()
        body = r.read()
        if r.status != 200:
            raise RuntimeError(body.decode())

    def members(self, cluster):
        self.wal += 1000
        keys = {"status": json.dumps({"optime": self.wal})}
        for m in (1, 2, 3):
            ip = member_ip(cluster, m)
            keys[f"members/node{m}"] = json.dumps({
                "conn_url": f"postgres://{ip}:{SQL}/postgres",
                "api_url": f"{self.scheme}://{ip}:{REST}/patroni",
                "state": "running", "role": "master" if m == 1 else "replica",
                "version": "3.0.2", "xlog_location": self.wal, "timeline": 1})
        return keys

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", ETCD, timeout=20)

    def first(self):
        with contextlib.closing(self.connect()) as etcd:
            for c in range(1, self.clusters + 1):
                self.put(etcd, c, {
                    **self.members(c), "leader": "node1",
                    "initialize": "7000000000000000001",
                    "config": json.dumps({"ttl": 30, "loop_wait": 10})})

    def go_on(self):
        with contextlib.closing(self.connect()) as etcd:
            while True:
                for c in range(1, self.clusters + 1):
                    if self.done.wait(LOOP_WAIT_S / self.clusters):
                        return
                    self.put(etcd, c, self.members(c))


def start_etcd(parts):
    url = f"http://127.0.0.1:{ETCD}"
    parts.start("etcd", "etcd", "--data-dir", parts.folder / "etcd",
                "--listen-client-urls", url, "--advertise-client-urls", url)

    def is_up():
        with contextlib.suppress(OSError), \
                contextlib.closing(Keys(1, False).connect()) as c:
            c.request("GET", "/health")
            return c.getresponse().status == 200
        return False
    wait_until(is_up, "etcd")


class Site:
    """stub_site, and how many GETs each of its Patronis had."""

    def __init__(self, parts, clusters, tls):
        args = [BUILD / "tests/bench/stub_site", "-n", clusters,
                "-r", REST, "-p", SQL, "-w", PASSWORD]
        if tls:
            args += ["-t", parts.folder / "site.pem"]
        self.process = parts.start("site", *args, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def gets(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


HAPROXY = """\
global
    stats socket {folder}/admin.sock mode 666 level admin
    maxconn 8000
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 500ms
backend agent
.if version_atleast(3.1)
    mode spop
.endif
    option spop-check
    timeout check 200ms
    server agent unix@{folder}/agent.sock check inter 500ms fall 2 rise 1
"""


def shipped_checks(role):
    """What haproxy/patroute.cfg says of a backend's checks by the prober."""
    text = (TOP / "haproxy/patroute.cfg").read_text()
    begin = text.index(f"backend main_{role} from ")
    found = re.findall(
        r"^    (?:option httpchk|http-check |default-server check ).*\n",
        text[begin:text.index("\nbackend ", begin)], re.M)
    if not found or f" addr 127.0.0.1 port {PROBER} " not in found[-1]:
        raise RuntimeError(f"patroute.cfg has other checks: {found}")
    return "".join(found)


def start_haproxy(parts, binary, clusters):
    text = [HAPROXY.format(folder=parts.folder, port=PROBER)]
    for c in range(1, clusters + 1):
        servers = "".join(f"    server node{m} {member_ip(c, m)}:{SQL}\n"
                          for m in (1, 2, 3))
        for role in ("write", "read", "fallback"):
            text.append(f"backend c{c}_{role}\n{shipped_checks(role)}"
                        f"{servers}")
        text.append(f"backend c{c}_prober\n"
                    f"    option httpchk GET /healthz/c{c}\n"
                    f"    server prober 127.0.0.1:{PROBER} check inter "
                    "200ms fall 2 rise 5\n")
    cfg = parts.folder / "haproxy.cfg"
    cfg.write_text("".join(text))
    parts.start("haproxy", binary, "-db", "-f", cfg)
    wait_until((parts.folder / "admin.sock").exists, "HAProxy")


def write_conf(parts, clusters, tls):
    passfile = parts.folder / "pgpass"
    passfile.write_text(f"*:*:*:patroute:{PASSWORD}\n")
    passfile.chmod(0o600)
    os.chown(passfile, pwd.getpwnam(USER).pw_uid, -1)
    text = [f'user = "{USER}"\ngroup = "{GROUP}"\n']
    ca = f'\trest_ca = "{parts.folder}/ca.pem"\n' if tls else ""
    for c in range(1, clusters + 1):
        text.append(
            f'cluster c{c} {{\n\tetcd = {{"http://127.0.0.1:{ETCD}"}}\n'
            f'\tprobe_user = "patroute"\n\tprobe_passfile = "{passfile}"\n'
            f'{ca}}}\n')
        for i, target in enumerate(("primary", "replica")):
            text.append(f'listen {target}{c} {{\n\tport = '
                        f'{10000 + 2 * c + i}\n\tcluster = c{c}\n'
                        f'\ttarget = {target}\n}}\n')
    text.append(
        f'prober {{\n\tfeed_socket = "{parts.folder}/feed.sock"\n'
        f'\thttp_socket = "{parts.folder}/http.sock"\n'
        f'\tstate_dir = "{parts.folder}/state"\n'
        f'\thttp_port = {PROBER}\n'
        f'\thaproxy_socket = "{parts.folder}/admin.sock"\n}}\n'
        f'agent {{\n\tlisten = {{"unix:{parts.folder}/agent.sock"}}\n'
        f'\tdesk_socket = "{parts.folder}/desk.sock"\n}}\n')
    (parts.folder / "patroute.conf").write_text("".join(text))


# --- measuring --------------------------------------------------------------

def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":", 1) for line in text.splitlines())


class Now:
    """A process's counters at one instant."""

    def __init__(self, pid, site):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().split(") ")[1]
        status = status_of(pid)
        sched = pathlib.Path(f"/proc/{pid}/schedstat").read_text()
        tick = os.sysconf("SC_CLK_TCK")
        self.user, self.system = (int(n) / tick
                                  for n in stat.split()[11:13])
        self.cpu = int(sched.split()[0]) / 1e9
        self.switches = [int(status[k]) for k in (
            "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
        self.rss = int(status["VmRSS"].split()[0]) / 1024
        self.peak = int(status["VmHWM"].split()[0]) / 1024
        self.gets, self.at = site.gets(), time.monotonic()


def loop_metrics():
    text = get("/metrics")[1]
    found = re.findall(r"^patroute_(loop_\w+?)(?:{[^}]*})? (\S+)$", text, re.M)
    return {k: float(v) for k, v in found}


def slow_turns(folder):
    """What the watchdog said in the log, in ms."""
    return [int(n) for n in re.findall(
        r"timeout loop cpu_ms=(\d+)", (folder / "prober.log").read_text())]


def is_healthy():
    with contextlib.suppress(OSError):
        return get("/healthz")[0] == 200
    return False


def share(then, now):
    s = now.at - then.at
    user, system = now.user - then.user, now.system - then.system
    gets = [(b - a) for a, b in zip(then.gets, now.gets)]
    return {"seconds": round(s, 2),
            "cpu_percent": round((now.cpu - then.cpu) / s * 100, 3),
            "of_it_user": round(user / max(user + system, 1e-9), 2),
            "voluntary_switches_per_s": round(
                (now.switches[0] - then.switches[0]) / s, 1),
            "involuntary_switches_per_s": round(
                (now.switches[1] - then.switches[1]) / s, 1),
            # A window of n seconds may see n + 1 of what comes once a second.
            "rest_gets_per_s_least": round(min(gets) / s, 3),
            "rest_gets_per_s_most": round(max(gets) / s, 3),
            "rss_mib": round(now.rss, 1), "rss_peak_mib": round(now.peak, 1)}


def measure(parts, o, clusters, tls):
    if tls:
        make_certificates(parts.folder, clusters)
    start_etcd(parts)
    keys = Keys(clusters, tls)
    keys.first()
    site = Site(parts, clusters, tls)
    write_conf(parts, clusters, tls)
    if not o.alone:
        start_haproxy(parts, o.haproxy, clusters)
    conf = parts.folder / "patroute.conf"
    began = time.monotonic()
    prober = parts.start("prober", BUILD / "prober/patroute-prober", "-c",
                         conf)
    wait_until(is_healthy, "healthz 200")
    ready = time.monotonic() - began
    start_cpu = Now(prober.pid, site).cpu
    if not o.alone:
        parts.start("agent", BUILD / "spoa/patroute-spoa", "-c", conf)
    keys.thread.start()
    time.sleep(SETTLE_S)
    slow_before = len(slow_turns(parts.folder))
    then = Now(prober.pid, site)
    if o.during:
        subprocess.run(o.during.replace("PID", str(prober.pid)), shell=True,
                       check=True)
    time.sleep(max(0, o.seconds - (time.monotonic() - then.at)))
    now = Now(prober.pid, site)
    keys.done.set()
    keys.thread.join()
    slow = slow_turns(parts.folder)
    return {"clusters": clusters, "tls": tls, "alone": o.alone,
            **share(then, now), "ready_s": round(ready, 2),
            "start_cpu_s": round(start_cpu, 3),
            "fds": len(os.listdir(f"/proc/{prober.pid}/fd")),
            "slow_turns_ms": slow, "slow_turns_steady": slow[slow_before:],
            **loop_metrics(),
            "healthy": is_healthy(),
            "load_average": round(os.getloadavg()[0], 2),
            "at": time.strftime("%F %T")}


def run_one(o, clusters, tls):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="patroute-cost-"))
    folder.chmod(0o777)
    parts = Parts(folder)
    try:
        row = measure(parts, o, clusters, tls)
    finally:
        parts.end()
        if not o.keep:
            shutil.rmtree(folder)
    text = json.dumps(row)
    print(text, flush=True)
    if o.rows:
        with open(o.rows, "a") as out:
            out.write(text + "\n")


def last_of(rows):
    """The last row of each size and kind."""
    return {(r["clusters"], r["tls"]): r for r in rows if not r["alone"]}


def targets_of(row):
    """(what, value, limit) of those that are about such a row."""
    for what, clusters, tls, limit in TARGETS:
        if clusters == row["clusters"] and tls in (None, row["tls"]):
            yield what, row[what], limit
    yield ("rest_gets_per_s_most", row["rest_gets_per_s_most"],
           round(1 + 1 / row["seconds"], 3))
    yield ("longest_turn_ms", round(row["loop_longest_seconds"] * 1000, 1),
           TURN_MS)


def judge(rows):
    """Each target, and whether the last row that it is about meets it: a
    prober that has lost its verdicts meets none."""
    for (clusters, tls), row in last_of(rows).items():
        for what, value, limit in targets_of(row):
            yield {"target": what, "clusters": clusters, "tls": tls,
                   "value": value, "limit": limit, "healthy": row["healthy"],
                   "met": row["healthy"] and value <= limit}


# --- the plot ---------------------------------------------------------------

def plot(rows, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    last = last_of(rows)
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    for ax, what, title in zip(axes, ("cpu_percent", "rss_mib"), (
            "processor, % of a core", "resident memory, MiB")):
        for tls, color in ((False, "tab:blue"), (True, "tab:red")):
            points = sorted((n, r[what]) for (n, t), r in last.items()
                            if t == tls)
            if points:
                ax.plot(*zip(*points), "o-", color=color,
                        label="REST by TLS" if tls else "REST in cleartext")
                for n, v in points:
                    ax.annotate(f"{v:g}", (n, v), color=color, fontsize=8,
                                xytext=(4, -10 if tls else 6),
                                textcoords="offset points")
        for name, n, tls, limit in TARGETS:
            if name == what:
                ax.plot([n], [limit], "v", markersize=7, color={
                    None: "black", False: "tab:blue", True: "tab:red"}[tls],
                    fillstyle="none")
        ax.plot([], [], "v", color="black", fillstyle="none",
                label="at most (target)")
        ax.set(title=title, xlabel="clusters of three members", xlim=(0, None),
               ylim=(0, None))
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    figure.suptitle("patroute-prober, steady, HAProxy's checks included")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


# --- the program ------------------------------------------------------------

def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("-n", default="1,10,100,300", help="clusters, by commas")
    p.add_argument("-s", "--seconds", type=float, default=30)
    p.add_argument("--tls", action="store_true", help="of TLS only")
    p.add_argument("--plain", action="store_true", help="without TLS only")
    p.add_argument("--alone", action="store_true",
                   help="no HAProxy and no agent")
    p.add_argument("--haproxy", default="haproxy", metavar="PATH")
    p.add_argument("--during", metavar="COMMAND", help="a shell's, run while "
                   "it is measured; PID is the prober's: perf, strace")
    p.add_argument("--keep", action="store_true", help="the folders")
    p.add_argument("-o", "--rows", metavar="FILE")
    p.add_argument("--plot", metavar="PNG", help="of the rows; measures "
                   "nothing with -n ''")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return p.parse_args()


def main():
    o = options()
    sizes = [int(n) for n in o.n.split(",") if n]
    kinds = [t for t, no in ((False, o.tls), (True, o.plain)) if not no]
    if o.inside:
        run_one(o, sizes[0], o.tls)
        return
    for n in sizes:
        for tls in kinds:
            again = [a for a in sys.argv[1:] if a not in ("--tls", "--plain")]
            subprocess.run(
                ["unshare", "--net", "sh", "-c",
                 'ip link set lo up && exec "$@"', "sh", sys.executable,
                 __file__, *again, "-n", str(n), "--inside",
                 "--tls" if tls else "--plain"], check=True)
    if o.rows:
        with open(o.rows) as f:
            rows = [json.loads(line) for line in f]
        for verdict in judge(rows):
            print(json.dumps(verdict))
        if o.plot:
            plot(rows, o.plot)


if __name__ == "__main__":
    main()
