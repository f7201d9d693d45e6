# shellcheck shell=sh
# patroute-health.sh - what the prober's monitor tells the cluster of its host,
# in two transient attributes:
#
#   patroute-health  how well this host routes; patroute-cluster.sh has the
#                    numbers by which the address finds its place. None: there
#                    is no prober to say it
#   patroute-reach   the members that this host reaches, for the other hosts'
#                    monitors to compare with; never in the cluster's base
#
# What is worse for less than DAMPEN seconds moves nothing. Where the cluster's
# tool fails nothing else does.

DAMPEN=5s

# attribute OPTION...
attribute()
{
	timeout 2 attrd_updater "$@" 2>/dev/null
}

# What the other hosts reach, a line each.
others_reach()
{
	attribute --name patroute-reach --query --all |
	    grep -vF " host=\"$(crm_node --name 2>/dev/null)\" " |
	    sed -n 's/.* value="\(.*\)"$/\1/p'
}

# tell_health SCORE REACH
tell_health()
{
	attribute --name patroute-reach --private --update "$2"
	attribute --name patroute-health --delay "$DAMPEN" --update "$1"
}

forget_health()
{
	attribute --name patroute-reach --private --delete
	attribute --name patroute-health --delay "$DAMPEN" --delete
}

# report_health WORD: three lines of patroute-prober --health, or nothing.
report_health()
{
	if [ -n "$1" ]; then
		tell_health "$(echo "$1" | sed -n 1p)" \
		    "$(echo "$1" | sed -n 3p)"
	else
		forget_health
	fi
}
