# Makes a C source of the page's files: each an array of bytes, and a table of
# them (page.h). The same files make the same source, wherever and whenever.
#
#   cmake -D OUT=page_files.c -D "FILES=a.html;b.js" -P embed.cmake
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(arrays "")
set(table "")
set(i 0)
foreach(file IN LISTS FILES)
	get_filename_component(name "${file}" NAME)
	get_filename_component(ext "${file}" LAST_EXT)
	string(SUBSTRING "${ext}" 1 -1 ext)
	if(NOT DEFINED type_${ext})
		message(FATAL_ERROR "embed.cmake: ${file} ends in .${ext}, "
			"expected .html, .js or .css")
	endif()
	set(path "/topology/${name}")
	if(name STREQUAL "topology.html")
		set(path "/topology")
	endif()
	file(READ "${file}" bytes HEX)
	file(SHA256 "${file}" sum)
	string(SUBSTRING "${sum}" 0 32 sum)
	string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
	string(APPEND arrays
		"static const unsigned char file_${i}[] = {${bytes}};\n")
	set(type "${type_${ext}}")
	string(APPEND table "    {\"${path}\", \"${type}\", "
		"\"\\\"${sum}\\\"\", file_${i}, sizeof(file_${i})},\n")
	math(EXPR i "${i} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made of prober/page by embed.cmake. */\n"
	"#include \"page.h\"\n\n${arrays}\n"
	"const struct page_file page_files[] = {\n${table}};\n"
	"const size_t page_files_n = ${i};\n")
