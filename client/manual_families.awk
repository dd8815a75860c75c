# The families of functions in the public headers, one for each of their headings ("---- put and take ----"), for millrace.3 and its pages: a line each,
# with tabs between: the page's name, the heading, the header, and the functions with commas between them.

function page_of(header, heading,   part) {
	part = header
	sub(/\.h$/, "", part)
	gsub(/_/, "-", part)
	gsub(/[^a-z]+/, "-", heading)
	return part "-" heading
}
function flush() {
	if (functions)
		print page_of(header, heading) "\t" heading "\t" header "\t" functions
	functions = heading = ""
}

FNR == 1 {
	flush()
	header = FILENAME
	sub(/.*\//, "", header)
}
match($0, /^\/\* ---- .* ----/) {
	flush()
	heading = substr($0, 9, RLENGTH - 13)
}
/^MR_API / && heading && match($0, /[a-z_0-9]+\(/) {
	functions = functions (functions ? ", " : "") substr($0, RSTART, RLENGTH - 1)
}
END { flush() }
