# shellcheck shell=sh
# patroute-cluster.sh - what setup and teardown share: what the cluster is to
# be, and how it becomes so. Who sources it has set -eu.
#
# Pacemaker's own tools do the work, on a copy of the cluster's information
# base; what differs goes to the cluster at once, so that it never sees a half.
# crm or pcs, whichever is there, shows it in words. With CIB_file set nothing
# but that file is looked at and changed, as by those tools.
#
# Where the address goes. The highest sum of these has it; moving it cuts every
# session, so only what another host could do better is to move it:
#
#   HAPROXY_SCORE  1000  HAProxy runs there, by Pacemaker's word
#   patroute-health      what the prober's monitor says of the host: 100, less
#                        40 at most for what the second and third way mend; 0
#                        where HAProxy is dead, or members are out of reach that
#                        other hosts reach
#   UNSAID_SCORE     60  in its place where no prober says anything
#   STICKINESS       50  for the host that has it
#
# 100 against 60 + 50: it stays. 60 against 0 + 50: it goes. All at 0: it stays.
STICKINESS=50
UNSAID_SCORE=60
HAPROXY_SCORE=1000

# What setup reads of patroute.conf and of its arguments.
: "${config=}" "${given=}" "${address=}" "${prefix=}" "${nic=}" "${hosts=}"
# What it finds in the cluster.
: "${vip=}" "${apart=}"

# Nothing here means files by a pattern.
set -f

# Where it comes from: an installation, or the build that is tested.
: "${PATROUTE_PROBER:=patroute-prober}"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# What stands at the top of the program.
help()
{
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
	exit
}

# Sets work, a folder; cluster, what it is now.
begin()
{
	for tool in cibadmin crm_diff crm_resource; do
		command -v "$tool" >/dev/null ||
		    die "no $tool here, expected Pacemaker's command line tools"
	done
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	cibadmin --query >"$work/now" 2>"$work/said" || die "no cluster" \
	    "answers here, expected a running Pacemaker: $(cat "$work/said")"
	cp "$work/now" "$work/next"
	edited=$work/next
}

# On the copy: cib OPTION...
cib()
{
	CIB_file=$edited cibadmin "$@"
}

# The ids of what an XPath finds, a line each.
ids()
{
	cib --query --node-path --xpath "$1" 2>/dev/null |
	    sed -n "s/.*\[@id='\([^']*\)'\]\$/\1/p"
}

# merge SECTION: its elements get what standard input has, and keep the rest.
merge()
{
	cib --modify --allow-create --scope "$1" --xml-pipe
}

# remove XPATH: each of them.
remove()
{
	cib --query --xpath "$1" >/dev/null 2>&1 || return 0
	cib --delete --delete-all --force --xpath "$1"
}

# naming ID: of a constraint, that it names this resource.
naming()
{
	echo "@rsc='$1' or @with-rsc='$1' or @first='$1' or @then='$1' or
.//resource_ref[@id='$1']"
}

# remove_constraints ID: those that name this resource. Of a set only it goes,
# and the whole when there is nothing left to be said.
remove_constraints()
{
	remove "//constraints/*[not(.//resource_ref) and ($(naming "$1"))]"
	for constraint in $(ids "//constraints/*[.//resource_ref[@id='$1']]"); do
		of="//constraints/*[@id='$constraint']"
		remove "$of//resource_ref[@id='$1']"
		remove "$of//resource_set[not(resource_ref)]"
		remove "${of}[not(.//resource_ref) or (count(.//resource_ref)=1 and
(self::rsc_colocation or self::rsc_order))]"
	done
}

# The address that setup gave its place.
address_placed()
{
	cib --query --xpath "//rsc_location[@id='patroute-where']" 2>/dev/null |
	    sed -n 's/.* rsc="\([^"]*\)".*/\1/p'
}

# unleash ID...: they are managed, and run, whatever was said of or in them.
unleash()
{
	remove "//resources/descendant::*[contains(' $* ', concat(' ', @id, ' '))]
/descendant::nvpair[parent::meta_attributes and (@name='is-managed' or
@name='target-role')]"
}

# is_same FILE FILE
is_same()
{
	[ -z "$(crm_diff --no-version --original "$1" --new "$2")" ]
}

# words FILE: its configuration as crm or pcs has it, or as it is.
words()
{
	{ command -v crm >/dev/null && CIB_file=$1 crm configure show; } 2>/dev/null ||
	    { command -v pcs >/dev/null && pcs -f "$1" config; } 2>/dev/null ||
	    CIB_file=$1 cibadmin --query --scope configuration
}

# set_meta RESOURCE NAME VALUE, on the copy.
set_meta()
{
	CIB_file=$edited crm_resource --resource "$1" --meta \
	    --set-parameter "$2" --parameter-value "$3" >/dev/null
}

# Where there is nothing to do, that is said.
finish()
{
	is_same "$work/now" "$work/next" || return 0
	echo "nothing to change"
	exit
}

# What would change, and no more.
show()
{
	for file in now next; do
		words "$work/$file" >"$work/$file.words"
	done
	diff -U 1 "$work/now.words" "$work/next.words" | sed 1,2d
	exit
}

# The cluster becomes the copy. Sets now.
push()
{
	is_same "$work/now" "$edited" || {
		crm_diff --no-version --original "$work/now" --new "$edited" |
		    cibadmin --patch --xml-pipe ||
		    die "the cluster did not take the change"
	}
	cp "$edited" "$work/now"
}

# Until the cluster has done what it was told.
settle()
{
	[ -z "${CIB_file:-}" ] || return 0
	crm_resource --wait --timeout=90 ||
	    die "the cluster is not done after 90 s: see crm_mon"
}

# nv PREFIX NAME VALUE
nv()
{
	printf '<nvpair id="%s-%s" name="%s" value="%s"/>' "$1" "$2" "$2" \
	    "$(printf '%s' "$3" | sed 's/&/\&amp;/g; s/"/\&quot;/g
	    s/</\&lt;/g')"
}

# parameters RESOURCE [NAME VALUE]...: and those that --set gave.
parameters()
{
	of=$1
	shift
	for one in $given; do
		case $one in
		"$of".*=*)
			one=${one#"$of".}
			set -- "$@" "${one%%=*}" "${one#*=}"
			;;
		esac
	done
	[ $# -ge 2 ] || return 0
	echo "<instance_attributes id=\"$of-parameters\">"
	while [ $# -ge 2 ]; do
		nv "$of-parameters" "$1" "$2"
		shift 2
	done
	echo "</instance_attributes>"
}

# meta RESOURCE NAME VALUE...
meta()
{
	of=$1
	shift
	echo "<meta_attributes id=\"$of-meta\">"
	while [ $# -ge 2 ]; do
		nv "$of-meta" "$1" "$2"
		shift 2
	done
	echo "</meta_attributes>"
}

# operations RESOURCE SECONDS [DEEP]
operations()
{
	cat <<END
<operations>
<op id="$1-start" name="start" interval="0s" timeout="20s"/>
<op id="$1-stop" name="stop" interval="0s" timeout="20s"/>
<op id="$1-monitor" name="monitor" interval="$2s" timeout="10s"/>
END
	[ -z "${3:-}" ] || cat <<END
<op id="$1-deep" name="monitor" interval="$3s" timeout="10s">
<instance_attributes id="$1-deep-parameters">
$(nv "$1-deep-parameters" OCF_CHECK_LEVEL 10)
</instance_attributes></op>
END
	echo "</operations>"
}

# clone NAME AGENT, with what is in it on standard input.
clone()
{
	echo "<clone id=\"$1-clone\">"
	meta "$1-clone" interleave true
	echo "<primitive id=\"$1\" class=\"ocf\" provider=\"patroute\"" \
	    "type=\"$2\">"
	cat
	echo "</primitive></clone>"
}

# A daemon of ours that fails is started again where it was, however often:
# nothing depends on it. HAProxy's failure takes it from its host for a moment,
# so that the address goes where one runs, which is sooner than a restart.
resources()
{
	daemon=
	echo "<resources>"
	[ "$config" = /etc/patroute/patroute.conf ] || daemon="config $config"
	{
		# shellcheck disable=SC2086 # a name and a value, or none
		parameters patroute-prober $daemon
		meta patroute-prober failure-timeout 30s
		operations patroute-prober 2
	} | clone patroute-prober patroute-prober
	{
		# shellcheck disable=SC2086 # likewise
		parameters patroute-spoa $daemon
		meta patroute-spoa failure-timeout 30s
		operations patroute-spoa 2 30
	} | clone patroute-spoa patroute-spoa
	{
		parameters patroute-haproxy
		meta patroute-haproxy migration-threshold 1 failure-timeout 5s
		operations patroute-haproxy 1 30
	} | clone patroute-haproxy haproxy
	[ -z "$address" ] || address_resource
	echo "</resources>"
}

# Its id is that which it has, where it is there already.
address_resource()
{
	echo "<primitive id=\"$vip\" class=\"ocf\" provider=\"heartbeat\"" \
	    "type=\"IPaddr2\">"
	parameters "$vip" ip "$address" cidr_netmask "$prefix" nic "$nic" \
	    arp_count_refresh 1
	meta "$vip" resource-stickiness "$STICKINESS" migration-threshold 3 \
	    failure-timeout 30s
	operations "$vip" 1
	echo "</primitive>"
}

# order FIRST THEN: where both are to be done; neither waits for the other
# otherwise, nor is taken down with it.
order()
{
	echo "<rsc_order id=\"patroute-order-$2\" kind=\"Optional\"" \
	    "first=\"$1\" then=\"$2\"/>"
}

constraints()
{
	echo "<constraints>"
	[ -z "$apart" ] || hosts_constraint
	order patroute-prober-clone patroute-spoa-clone
	order patroute-spoa-clone patroute-haproxy-clone
	[ -z "$address" ] || address_constraints
	echo "</constraints>"
}

address_constraints()
{
	# The address leaves before HAProxy lets its connections end.
	order patroute-haproxy-clone "$vip"
	cat <<END
<rsc_colocation id="patroute-with-haproxy" score="$HAPROXY_SCORE"
 rsc="$vip" with-rsc="patroute-haproxy-clone"/>
<rsc_location id="patroute-where" rsc="$vip">
<rule id="patroute-where-said" score-attribute="patroute-health">
<expression id="patroute-where-said-is" attribute="patroute-health"
 operation="defined"/></rule>
<rule id="patroute-where-unsaid" score="$UNSAID_SCORE">
<expression id="patroute-where-unsaid-is" attribute="patroute-health"
 operation="not_defined"/></rule>
</rsc_location>
END
}

# Where the cluster has hosts besides the load balancers.
hosts_constraint()
{
	echo '<rsc_location id="patroute-hosts"><resource_set' \
	    'id="patroute-hosts-of">'
	for one in patroute-prober-clone patroute-spoa-clone \
	    patroute-haproxy-clone ${address:+"$vip"}; do
		echo "<resource_ref id=\"$one\"/>"
	done
	echo '</resource_set><rule id="patroute-hosts-no" score="-INFINITY"' \
	    'boolean-op="and">'
	for host in $hosts; do
		echo "<expression id=\"patroute-hosts-$host\"" \
		    "attribute=\"#uname\" operation=\"ne\" value=\"$host\"/>"
	done
	echo '</rule></rsc_location>'
}

properties()
{
	echo '<cluster_property_set id="cib-bootstrap-options">'
	[ -n "$(property no-quorum-policy)" ] ||
	    nv cib-bootstrap-options no-quorum-policy stop
	[ -n "$(property stonith-enabled)" ] || is_fenced ||
	    nv cib-bootstrap-options stonith-enabled false
	echo '</cluster_property_set>'
}

# property NAME: its value, in whatever set.
property()
{
	cib --query --xpath "//crm_config//nvpair[@name='$1']" 2>/dev/null |
	    sed -n 's/.* value="\([^"]*\)".*/\1/p'
}

# By a device, or by the watchdog alone.
is_fenced()
{
	[ -z "$(ids "//primitive[@class='stonith']")" ] || return 0
	[ "$(property have-watchdog)" != true ] || return 0
	case $(property stonith-watchdog-timeout) in
	'' | 0 | 0s) return 1 ;;
	esac
}
