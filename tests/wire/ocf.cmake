# Pacemaker's resource agents with the real daemons, HAProxy among them: what
# an agent does wrong, a cluster does at night. Most of the seconds are the
# answers that do not come from what is frozen.
patroute_pytest(wire_ocf_agents wire 300 ocf_agents.py)
patroute_pytest(wire_ocf_haproxy wire 300 ocf_haproxy.py)
