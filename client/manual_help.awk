# The help of a command (or of the program: its options) as scdoc, for millrace.1. What is indented stays as it is, the rest flows.

function escape(text) {
	gsub(/[\\_*]/, "\\\\&", text)
	return text ~ /^[-.#|+;\[\]`]/ ? "\\" text : text
}
# Of text that stays as it is, only this has a meaning.
function verbatim(text) {
	gsub(/\\/, "\\\\&", text)
	return text
}
function fence(wanted) {
	if (wanted != fenced)
		print "```"
	fenced = wanted
}
function option(line,   words, help, end) {
	match(line, /^  ( -|-|    -)[^ ]*( --[^ ]*)?( [A-Z]+)*/)
	words = substr(line, 1, RLENGTH)
	help = substr(line, RLENGTH + 1)
	gsub(/^ +/, "", words)
	gsub(/^ +/, "", help)
	end = match(words, / [A-Z]/) ? " _" substr(words, RSTART + 1) "_" : ""
	if (end)
		words = substr(words, 1, RSTART - 1)
	gsub(/, /, "*, *", words)
	printf "*%s*%s\n\t%s\n\n", words, end, escape(help)
}

NR == 1 && sub(/^usage: /, "") { is_command = 1; part = "text"; print "## " $0; next }
/^(Options|Examples|Exit codes|Commands|Environment):$/ { fence(0); part = $1; sub(/:/, "", part); n = 0; next }
part == "text" && /^  / { fence(1); print verbatim(substr($0, 3)); next }
part == "text" { fence(0); print escape($0); next }
# Of a command only its own options: those that all have are told once.
part == "Options" && (!is_command || !/--(url|output|quiet|help) /) && NF { option($0) }
part == "Examples" && is_command && NF { if (!n++) print "Examples:\n"; fence(1); print verbatim(substr($0, 3)) }
END { fence(0); print "" }
