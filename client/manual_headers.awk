# A public header as scdoc, for millrace.3 and its pages: its comments flow, what is declared below them stays as it is. A comment that begins at the left
# margin is about what follows; "---- words ----" in it is a heading, which begins a family. `family` is the page of the one that is wanted; "": what stands
# before the first heading.

function page_of(heading,   part) {
	part = header
	sub(/\.h$/, "", part)
	gsub(/_/, "-", part)
	gsub(/[^a-z]+/, "-", heading)
	return part "-" heading
}
function escape(text) {
	gsub(/[\\_*]/, "\\\\&", text)
	return text ~ /^[-.#|+;\[\]`]/ ? "\\" text : text
}
# Of text that stays as it is, only this has a meaning.
function verbatim(text) {
	gsub(/\\/, "\\\\&", text)
	return text
}
function write(text) {
	if (at == family)
		print text
}
function fence(wanted) {
	if (wanted != fenced)
		write(wanted ? "\n```" : "```\n")
	fenced = wanted
}
# A declaration in lines that a terminal has room for.
function declare(line,   end, indent) {
	sub(/^MR_API /, "", line)
	line = verbatim(line)
	while (length(line) > 78) {
		for (end = 78; end > 30 && substr(line, end, 1) != " "; end--)
			;
		if (end == 30)
			break
		write(indent substr(line, 1, end - 1))
		line = "        " substr(line, end + 1)
	}
	write(line)
}
function say(line) {
	if (line ~ /^  /) {
		fence(1)
		write(verbatim(substr(line, 3)))
	} else {
		fence(0)
		write(escape(line))
	}
}

/^\/\*/ && !in_comment {
	fence(0)
	in_comment = 1
	sub(/^\/\* ?/, "")
	if (match($0, /^---- .* ----/)) {
		at = page_of(substr($0, 6, RLENGTH - 10))
		$0 = substr($0, RLENGTH + 2)
	}
	if (!n_comments++)
		write("\n# THE HEADER " toupper(header) "\n")
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
