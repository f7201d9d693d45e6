# The prober's sources against real and scripted peers.
add_executable(sources_driver sources_driver.c)
target_link_libraries(sources_driver PRIVATE patroute_sources
	patroute_warnings)
patroute_pytest(wire_sources_sql wire 180 sources_sql.py)
