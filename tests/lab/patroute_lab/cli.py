"""The command `lab`: one table of verbs, for dispatch and for help."""

import os
import signal
import sys

from . import door, settings, state
from .errors import LabError
from .hosts import CLIENT
from .lab import Lab
from .machine import LAB_DIR


def _up(lab, args):
    pairs = []
    while args:
        word = args.pop(0)
        if word == "--set" and args:
            pairs.append(args.pop(0))
        elif word.startswith("--set="):
            pairs.append(word[len("--set="):])
        elif pairs and not word.startswith("-"):
            pairs.append(word)          # --set A=1 B=2
        else:
            raise LabError(f'up: "{word}": expected --set KEY=VALUE…')
    lab.up(pairs)


def _status(lab, args):
    if args not in ([], ["--json"]):
        raise LabError(f'status: "{" ".join(args)}": expected --json')
    if args:
        print(lab.status_json())
    else:
        print(lab.status_text())


def _psql(lab, args):
    _need(args, "psql", "PORT [ARGS]")
    if not args[0].isdigit():
        raise LabError(f'psql: "{args[0]}": expected a port')
    _become(lab, CLIENT, lab.psql_argv(args[0], args[1:]))


def _exec(lab, args):
    if len(args) > 1 and args[1] == "--":
        del args[1]
    if len(args) < 2:
        raise LabError("exec: expected HOST CMD…")
    _become(lab, args[0], args[1:])


def _become(lab, host, argv):
    """This process becomes the command: terminal, signals and exit
    status are the command's own."""
    command = lab.command(host, argv, os.getcwd())
    sys.stdout.flush()
    os.execvpe(command[0], command, lab.environment())


def _demo(lab, args):
    _at_most(args, 0, "demo", "nothing more")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, f"{LAB_DIR}/demo.py"])


def _vip(lab, args):
    _at_most(args, 1, "vip", "[TO]")
    print(lab.vip(*args) or "no host")


def _switchover(lab, args):
    _at_most(args, 1, "switchover", "[TO]")
    print(lab.switchover(*args))


def _logs(lab, args):
    lines = 40
    if len(args) > 1 and args[0] == "-n" and args[1].isdigit():
        lines = int(args[1])
        del args[:2]
    _need(args, "logs", "[-n LINES] HOST [PROGRAM]")
    _at_most(args, 2, "logs", "[-n LINES] HOST [PROGRAM]")
    print(lab.log(*args, lines=lines))


def _on_host(verb, most, usage, method):
    def run(lab, args):
        _need(args, verb, usage)
        _at_most(args, most, verb, usage)
        method(lab, *args)
    return usage, run


def _plain(verb, method):
    def run(lab, args):
        _at_most(args, 0, verb, "nothing more")
        method(lab)
    return "", run


def _need(args, verb, usage):
    if not args:
        raise LabError(f"{verb}: expected {usage}")


def _at_most(args, most, verb, usage):
    if len(args) > most:
        raise LabError(f'{verb}: "{args[most]}" is too much, expected '
                       f"{usage}")


# verb: ((arguments, function), help)
VERBS = {
    "up": (("[--set KEY=VALUE…]", _up),
           "bring the lab to its healthy state"),
    "down": (_plain("down", Lab.down), "remove everything it made"),
    "demo": (("", _demo),
             "up, then a switchover, a death and a move of the VIP, measured"),
    "status": (("[--json]", _status), "who leads, runs, is cut"),
    "psql": (("PORT [ARGS]", _psql), f"psql on {CLIENT}, through the VIP"),
    "switchover": (("[TO]", _switchover),
                   "planned; returns when Patroni says it is done"),
    "vip": (("[TO]", _vip), "where the VIP is; has Pacemaker move it there"),
    "standby": (_on_host("standby", 1, "HOST", Lab.standby),
                "Pacemaker gives up what it runs there"),
    "unstandby": (_on_host("unstandby", 1, "HOST", Lab.unstandby),
                  "Pacemaker may use it again"),
    "kill": (_on_host("kill", 1, "HOST", Lab.kill),
             "power off: link down, then all processes"),
    "start": (_on_host("start", 1, "HOST", Lab.start),
              "a killed host, or what stopped on it"),
    "stop-patroni": (_on_host("stop-patroni", 1, "HOST", Lab.stop_patroni),
                     "as its service would be stopped"),
    "freeze": (_on_host("freeze", 2, "HOST [PROGRAM|all]", Lab.freeze),
               "SIGSTOP: patroni, postgres, …; all by default"),
    "thaw": (_on_host("thaw", 2, "HOST [PROGRAM|all]", Lab.thaw),
             "SIGCONT"),
    "cut": (_on_host("cut", 3, "HOST [etcd|db|sql|rest|all] [in|out|both]",
                     Lab.cut),
            "drop that traffic of the host"),
    "heal": (_on_host("heal", 1, "HOST", Lab.heal), "end its cuts"),
    "reload": (_on_host("reload", 2, "HOST [haproxy]", Lab.reload),
               "HAProxy's seamless reload"),
    "exec": (("HOST CMD…", _exec), "run a command on a host"),
    "logs": (("[-n LINES] HOST [PROGRAM]", _logs), "the ends of its logs"),
}


def usage():
    """What --help prints."""
    lines = ["usage: lab VERB …", ""]
    for verb, ((args, _), text) in VERBS.items():
        lines.append(f"  {verb + ' ' + args:46}{text}")
    lines += ["", "Options of up, with their defaults:",
              settings.usage(), "",
              "Hosts: dc1-psql-node1..3 (or node1..3), hap1..3, etcd1..3, "
              "app1.", "PROGRAM: patroni, postgres, etcd, haproxy, prober, "
              "agent,", "corosync, pacemaker.",
              "LAB_NAME in the environment names the lab (default: lab); "
              "several can", "be up side by side. All verbs work within "
              "the hosts too."]
    return "\n".join(lines)


def main(args):
    """Runs one verb; the exit status."""
    if not args or args[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if args else 2
    if os.path.exists(f"{state.INSIDE}/inside"):
        return door.knock(args)
    # Ended by TERM as by ^C: context managers let go of what they hold.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if args[0] not in VERBS:
            raise LabError(f'no verb "{args[0]}", expected one of: '
                           + " ".join(VERBS))
        VERBS[args[0]][0][1](Lab(), args[1:])
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return 0
