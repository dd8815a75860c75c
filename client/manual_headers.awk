# A public header as scdoc, for millrace.3: its comments flow, what is declared below them stays as it is. A comment that begins at the left margin is
# about what follows; "---- words ----" in it makes a heading.

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
		print (wanted ? "\n```" : "```\n")
	fenced = wanted
}
# A declaration in lines that a terminal has room for.
function declare(line,   at, indent) {
	sub(/^MR_API /, "", line)
	line = verbatim(line)
	while (length(line) > 78) {
		for (at = 78; at > 30 && substr(line, at, 1) != " "; at--)
			;
		if (at == 30)
			break
		print indent substr(line, 1, at - 1)
		line = "        " substr(line, at + 1)
	}
	print line
}
function say(line) {
	if (line ~ /^  /) {
		fence(1)
		print verbatim(substr(line, 3))
	} else {
		fence(0)
		print escape(line)
	}
}

/^\/\*/ && !in_comment {
	fence(0)
	in_comment = 1
	sub(/^\/\* ?/, "")
	if (match($0, /^---- .* ----/)) {
		print "\n## " toupper(substr($0, 6, RLENGTH - 10)) "\n"
		$0 = substr($0, RLENGTH + 2)
	}
	if (!n_comments++)
		print "\n# THE HEADER " toupper(header) "\n"
}
in_comment {
	is_last = sub(/ ?\*\/$/, "")
	sub(/^ \* ?/, "")
	say($0)
	in_comment = !is_last
	next
}
/^#define MR_/ && !/__attribute__/ { fence(1); declare($0); next }
/^#|^extern "C"|^}$/ { next }
NF || depth { fence(1); declare($0); depth += gsub(/{/, "") - gsub(/}/, ""); next }
{ fence(0) }
END { fence(0) }
