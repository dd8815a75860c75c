# The help of a command (or of the program: its options) as scdoc, for millrace.1. What is indented stays as it is, the rest flows. Of a command's options
# those in `common` are left out, names with spaces between: they are told once.

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
# The option whose words and help have been read.
function tell_option(   name, end) {
	name = words
	sub(/^.*--/, "--", name)
	sub(/ .*/, "", name)
	if (words && index(" " common, " " name " ") == 0) {
		end = match(words, / [A-Z]/) ? " _" substr(words, RSTART + 1) "_" : ""
		if (end)
			words = substr(words, 1, RSTART - 1)
		gsub(/, /, "*, *", words)
		printf "*%s*%s\n\t%s\n\n", words, end, escape(help)
	}
	words = help = ""
}
# A line of an option: its words and the beginning of its help, or more of that.
function option(line,   end) {
	if (match(line, /^  ( -|-|    -)[^ ]*( --[^ ]*)?( [A-Z]+)*/)) {
		end = RLENGTH
		tell_option()
		words = substr(line, 1, end)
		line = substr(line, end + 1)
		gsub(/^ +/, "", words)
	}
	gsub(/^ +/, "", line)
	help = help (help && line ? " " : "") line
}

NR == 1 && sub(/^usage: /, "") { is_command = 1; part = "text"; print "## " $0; next }
/^(Options|Examples|Exit codes|Commands|Environment):$/ { fence(0); tell_option(); part = $1; sub(/:/, "", part); n = 0; next }
part == "text" && /^  / { fence(1); print verbatim(substr($0, 3)); next }
part == "text" { fence(0); print escape($0); next }
part == "Options" && NF { option($0) }
part == "Examples" && is_command && NF { if (!n++) print "Examples:\n"; fence(1); print verbatim(substr($0, 3)) }
END { fence(0); tell_option(); print "" }
