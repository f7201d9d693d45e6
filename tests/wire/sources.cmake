# The prober's sources against real and scripted peers.
add_executable(sources_driver sources_driver.c)
target_link_libraries(sources_driver PRIVATE patroute_sources
	patroute_warnings)
patroute_pytest(wire_sources_sql wire 180 sources_sql.py)
patroute_pytest(wire_sources_etcd wire 240 sources_etcd.py
	sources_etcd_ways.py sources_etcd_open.py)
patroute_pytest(wire_sources_etcd2_users wire 90 sources_etcd2_users.py)
patroute_pytest(wire_sources_rest wire 120 sources_rest.py)
patroute_pytest(wire_sources_resolve wire 60 sources_resolve.py)
