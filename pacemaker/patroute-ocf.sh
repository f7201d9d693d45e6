# shellcheck shell=sh
# patroute-ocf.sh - what the resource agents share: the actions, for a daemon
# that stays in the foreground and keeps no pidfile of its own.
# Who sources it has these functions, and calls main():
#   describe    its meta-data's descriptions and own parameters
#   check       is the configuration right? Says what is not
#   run         launches the daemon, by launch()
#   ask LEVEL   0 it answers, 1 it does not, else it cannot be asked; sets why
#   reload      has the daemon read its configuration again
#   drain       what comes before TERM

: "${OCF_FUNCTIONS_DIR=${OCF_ROOT}/lib/heartbeat}"
# shellcheck source=/dev/null
. "$OCF_FUNCTIONS_DIR/ocf-shellfuncs"

GRACE_S=3 # after TERM our daemons are gone within two seconds, or never

# read_process PID: its state, session, and when it began, in ticks since boot;
# fails if there is none.
read_process()
{
	read -r line 2>/dev/null <"/proc/$1/stat" || return 1
	# The program's name, in brackets, may hold anything.
	read -r state _ _ session _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ began _ <<END
${line##*) }
END
	[ "$state" != Z ]
}

# runs_program PID: or what launch() goes through to it. An upgrade replaces the
# file under it, and a symbolic link may lead elsewhere meanwhile.
runs_program()
{
	found=$(readlink "/proc/$1/exe") || return 1
	case ${found% (deleted)} in
	"$exe" | "$(readlink -f "$OCF_RESKEY_binary")") ;;
	*/dash | */bash | */busybox | */systemd-cat | */nice) ;;
	*) return 1 ;;
	esac
}

# What start launched: its pid and when it began are no other's. Sets pid, was
# and exe as they were noted.
is_alive()
{
	pid='' was='' exe=''
	{ read -r pid && read -r was exe; } 2>/dev/null <"$pidfile" || return 1
	case $pid in '' | 0* | *[!0-9]*) was='' && return 1 ;; esac
	read_process "$pid" && [ "$began" = "$was" ]
}

is_running()
{
	is_alive && runs_program "$pid"
}

# After is_alive. The program's processes of the session that launch() made:
# the daemon, its children, and those that outlived it.
members()
{
	[ -n "$was" ] || return 0
	# Another process has the pid: nothing of the session was left, then.
	! read_process "$pid" || [ "$began" = "$was" ] || return 0
	for dir in /proc/[0-9]*; do
		read_process "${dir##*/}" && [ "$session" = "$pid" ] &&
		    runs_program "${dir##*/}" && echo "${dir##*/}"
	done
}

# is_gone_in SECONDS: the daemon and all that is its own.
is_gone_in()
{
	end=$(($(date +%s) + $1))
	while is_running || [ -n "$(members)" ]; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# launch COMMAND...: in a session of its own, which a cluster that kills this
# agent does not reach, and noted before it is the program.
launch()
{
	log=${OCF_RESKEY_log:-/var/log/$name.log}
	if [ -z "$OCF_RESKEY_log" ] && [ -d /run/systemd/system ]; then
		log=/dev/null
		set -- systemd-cat -t "$name" "$@"
	fi
	setsid sh -s "$pidfile" "$(readlink -f "$OCF_RESKEY_binary")" "$oom" \
	    "$@" >>"$log" 2>&1 <<-'END' &
		pidfile=$1 exe=$2 oom=$3
		shift 3
		cd /
		began=$(sed 's/.*) //' "/proc/$$/stat" | cut -d ' ' -f 20)
		printf '%s\n%s %s\n' "$$" "$began" "$exe" >"$pidfile.new" &&
		    mv "$pidfile.new" "$pidfile" || exit 1
		echo "$oom" 2>/dev/null >"/proc/$$/oom_score_adj"
		exec "$@" </dev/null
	END
	while [ ! -e "$pidfile" ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
}

# fail WHY...: the answer of what neither runs well nor is stopped.
fail()
{
	ocf_exit_reason "%s" "$*"
	return "$OCF_ERR_GENERIC"
}

validate()
{
	[ -x "$OCF_RESKEY_binary" ] || fail "$OCF_RESKEY_binary is not there" ||
	    return "$OCF_ERR_INSTALLED"
	# A file of this host's: another host's may be right.
	why=$(check 2>&1) || fail "$why" || return "$OCF_ERR_ARGS"
}

monitor()
{
	if ! is_running; then
		[ -z "$(members)" ] ||
		    fail "$name is gone, children of it are left" || return
		[ "$__OCF_ACTION" != monitor ] || ocf_is_probe ||
		    fail "$name does not run"
		return "$OCF_NOT_RUNNING"
	fi
	ask "${OCF_CHECK_LEVEL:-0}"
	case $? in
	0) return "$OCF_SUCCESS" ;;
	1) fail "$name does not answer: $why" || return ;;
	esac
	# A broken configuration, an upgrade under way: no word on the daemon,
	# and a restart would make it worse.
	ocf_log warn "$name runs, and cannot be asked: $why"
	return "$OCF_SUCCESS"
}

start()
{
	validate || return
	monitor && return
	! is_running && [ -z "$(members)" ] || return "$OCF_ERR_GENERIC"
	mkdir -p "$HA_RSCTMP"
	rm -f "$pidfile" "$started"
	pid='' # nobody's yet
	! ask 0 || fail "another $name than the cluster's runs here" || return
	run
	end=$(($(date +%s) + timeout_s - 2))
	# What cannot be asked is at least the program itself by then.
	until is_running && { ask 0 || { [ $? -ne 1 ] &&
	    [ "${found% (deleted)}" = "$exe" ]; }; }; do
		is_alive || fail "$name ended: $(tail -n 1 "$log")" || return
		[ "$(date +%s)" -lt "$end" ] ||
		    fail "$name is not ready: $why" || return
		sleep 0.1
	done
}

stop()
{
	if is_running; then
		drain
		# After a drain the pid may be another's.
		! is_running || kill -TERM "$pid" 2>/dev/null
		is_gone_in "$GRACE_S" || ocf_log warn "$name ignores TERM"
	fi
	# Until it is gone, or the cluster's patience is at its end.
	while ! is_gone_in 0; do
		for left in $(members); do
			kill -KILL "$left"
		done 2>/dev/null
		sleep 0.1
	done
	rm -f "$pidfile" "$started"
}

# A daemon that runs goes on running: after a failure the cluster would restart
# it, by a configuration that does not let it start.
reload_agent()
{
	is_running || return "$OCF_NOT_RUNNING"
	why=$(validate 2>&1) && reload && return
	ocf_log err "$name goes on as before: ${why#ocf-exit-reason:}"
	return "$OCF_SUCCESS"
}

# parameter NAME TYPE RELOADABLE DEFAULT SHORT LONG
parameter()
{
	cat <<END
<parameter name="$1" reloadable="$3">
<longdesc lang="en">$6</longdesc>
<shortdesc lang="en">$5</shortdesc><content type="$2" default="$4"/>
</parameter>
END
}

# The DTD is OCF 1.0's; what 1.1 added to it is declared here.
meta_data()
{
	cat <<END
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd" [
<!ATTLIST parameter reloadable (1|0) #IMPLIED>
<!ATTLIST action name CDATA #REQUIRED>]>
<resource-agent name="$name" version="1.0">
<version>1.1</version>
END
	describe
	parameter binary string 0 "/usr/sbin/$name" Program "Its path."
	parameter log string 0 "" "Log file" "Empty: the journal where systemd
runs, else /var/log/$name.log."
	parameter revision string 1 "" "Change it to reload" "Any text. When it
changes each host reads its configuration again, without a restart; where that
is wrong the old one stays, and the cluster's log says so."
	cat <<END
</parameters><actions>
<action name="start" timeout="20s"/><action name="meta-data" timeout="5s"/>
<action name="stop" timeout="20s"/><action name="reload-agent" timeout="20s"/>
<action name="monitor" timeout="10s" interval="2s" depth="0"/>
<action name="monitor" timeout="10s" interval="30s" depth="10"/>
<action name="validate-all" timeout="10s"/>
</actions></resource-agent>
END
}

# main NAME OOM: the program's name, and its oom_score_adj.
main()
{
	name=$1 oom=$2
	: "${OCF_RESKEY_binary=/usr/sbin/$name}" "${OCF_RESKEY_log=}"
	pidfile=$HA_RSCTMP/$name-$OCF_RESOURCE_INSTANCE.pid
	started=$HA_RSCTMP/$name-$OCF_RESOURCE_INSTANCE.conf
	timeout_s=$((${OCF_RESKEY_CRM_meta_timeout:-20000} / 1000))
	case $__OCF_ACTION in
	start) start ;;
	stop) stop ;;
	monitor) monitor ;;
	reload-agent) reload_agent ;;
	validate-all) validate ;;
	meta-data) meta_data ;;
	*)
		echo "$0 start|stop|monitor|reload-agent|validate-all|meta-data"
		exit "$OCF_ERR_UNIMPLEMENTED"
		;;
	esac
	rc=$?
	ocf_log debug "$OCF_RESOURCE_INSTANCE $__OCF_ACTION: $rc"
	exit "$rc"
}
