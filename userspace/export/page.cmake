# The parts of page/ become one string, PAGE. Their content security policy names the style and the
# script by their SHA-256, so nothing else runs.

# The base64 of the text's SHA-256.
function(page_hash text out)
  string(SHA256 hex "${text}")
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(result "")
  foreach(at RANGE 0 60 6)  # 3 bytes each; the last 2 have a zero beside them
    string(SUBSTRING "${hex}00" ${at} 6 bytes)
    foreach(shift 18 12 6 0)
      math(EXPR digit "(0x${bytes} >> ${shift}) & 63")
      string(SUBSTRING ${digits} ${digit} 1 character)
      string(APPEND result ${character})
    endforeach()
  endforeach()
  string(SUBSTRING ${result} 0 43 result)
  set(${out} "${result}=" PARENT_SCOPE)
endfunction()

# In their order: each file uses only what stands before it, or what runs later.
set(PAGE_SCRIPTS profile.js state.js stacks.js view.js totals.js layout.js draw.js search.js details.js table.js threads.js
    render.js output.js controls.js main.js)

set(script "\"use strict\";\n(() => {\n")
foreach(name ${PAGE_SCRIPTS})
  file(READ page/${name} part)
  string(APPEND script "${part}")
endforeach()
string(APPEND script "})();\n")
file(READ page/page.css style)
page_hash("${script}" script_hash)
page_hash("${style}" style_hash)

file(READ page/page.html PAGE)
string(REPLACE "{{script_hash}}" "${script_hash}" PAGE "${PAGE}")
string(REPLACE "{{style_hash}}" "${style_hash}" PAGE "${PAGE}")
string(REPLACE "{{style}}" "${style}" PAGE "${PAGE}")
string(REPLACE "{{script}}" "${script}" PAGE "${PAGE}")

configure_file(page_text.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/page_text.cpp @ONLY)
list(TRANSFORM PAGE_SCRIPTS PREPEND page/)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PAGE_SCRIPTS} page/page.css page/page.html
             page_text.cpp.in)
