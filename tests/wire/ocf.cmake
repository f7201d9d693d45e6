# Pacemaker's resource agents with the real daemons, HAProxy among them: what
# an agent does wrong, a cluster does at night. 20 s and 9 s on two idle cores
# with sanitizers, most of it the waiting for what is frozen; 50 s and 27 s were
# seen on busy ones.
patroute_pytest(wire_ocf_agents wire 300 ocf_agents.py)
patroute_pytest(wire_ocf_haproxy wire 300 ocf_haproxy.py)
# Pacemaker's scheduler alone, on the cluster that pacemaker/setup makes.
patroute_pytest(wire_ocf_places wire 120 ocf_places.py)
patroute_pytest(wire_ocf_setup wire 300 ocf_setup.py)
