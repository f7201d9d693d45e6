# patroute-spoa against scripted peers, and behind a real HAProxy.
patroute_pytest(wire_spoa_protocol wire 300 spoa_protocol.py spoa_desk.py)
patroute_pytest(wire_spoa_frames wire 120 spoa_frames.py)
patroute_pytest(wire_spoa_waits wire 120 spoa_waits.py)
patroute_pytest(wire_spoa_daemon wire 120 spoa_daemon.py)
patroute_pytest(wire_spoa_tls wire 120 spoa_tls.py)
patroute_pytest(wire_spoa_haproxy wire 300 spoa_haproxy.py spoa_reload.py)
# A second; a turn of 200 handshakes was a tenth of one for everybody.
patroute_pytest(wire_spoa_turn wire 60 spoa_turn.py)
patroute_pytest(wire_spoa_observe wire 60 spoa_observe.py)
patroute_pytest(wire_spoa_held slow 60 spoa_held.py)

# Counts the heap's calls by standing in front of them, as a sanitizer does: so
# not under one, and with the unit tests, which run as released too.
if(CMAKE_BUILD_TYPE MATCHES "^(Debug|RelWithDebInfo)$")
	add_library(malloc_count MODULE malloc_count.c)
	target_link_libraries(malloc_count PRIVATE patroute_warnings)
	patroute_pytest(spoa_malloc unit 120 spoa_malloc.py)
	# A second: a sanitizer's memory says nothing of the agent's.
	patroute_pytest(spoa_tls_memory unit 60 spoa_tls.py::test_c1_memory)
endif()
