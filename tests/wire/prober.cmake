# patroute-prober itself: with nothing there, with a scripted agent, and with a
# real HAProxy and a real etcd.
patroute_pytest(wire_prober_start wire 180 prober_start.py)
patroute_pytest(wire_prober_feed wire 180 prober_feed.py)
patroute_pytest(wire_prober_metrics wire 60 prober_metrics.py
	-k "not promtool")
# Its package takes 94 MB: by hand.
patroute_pytest(wire_prober_promtool slow 60 prober_metrics.py -k promtool)
patroute_pytest(wire_prober_events wire 90 prober_events.py)
patroute_pytest(wire_prober_page wire 60 prober_page.py)
# In Chromium, which is dear to install: by hand.
patroute_pytest(page_browser slow 300 page_browser.py)
patroute_pytest(wire_prober_control wire 180 prober_control.py)
patroute_pytest(wire_prober_control_lost wire 180 prober_control_lost.py)
patroute_pytest(wire_prober_discovery wire 120 prober_discovery.py)
patroute_pytest(wire_prober_clusters wire 60 prober_clusters.py)
# By hand: 30 s until a member counts as gone.
patroute_pytest(wire_prober_policy slow 180 prober_policy.py)
patroute_pytest(wire_prober_haproxy wire 240 prober_haproxy.py)
# Without any DCS; 20 s, for how often Patroni is asked needs time to show.
patroute_pytest(wire_prober_no_dcs wire 120 prober_no_dcs.py)
patroute_pytest(wire_prober_health wire 90 prober_health.py)
