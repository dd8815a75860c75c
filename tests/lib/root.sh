# A fresh Debian 12 in a folder of its own, for scripts: `root_make`, and then `root_run COMMAND` in it. Needs root and debootstrap. MIRROR: where Debian's packages come from, if not where
# apt's do. ROOT_TAR: a tar of such a root, which spares the debootstrap.
root=

root_make() {
	[ "$(id -u)" = 0 ] && { [ -n "${ROOT_TAR:-}" ] || command -v debootstrap >/dev/null; } || {
		echo "skipped: needs root and debootstrap"
		exit 77
	}
	mirror=${MIRROR:-$(apt-get --print-uris download bash | sed -n "s#^'\(.*\)/pool/.*#\1#p" | head -n 1)}
	root=$(mktemp -d)
	trap root_remove EXIT
	chmod 755 "$root"
	if [ -n "${ROOT_TAR:-}" ]; then
		tar -C "$root" -xf "$ROOT_TAR"
	else
		debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" || { cat "$root.log"; exit 1; }
		rm -f "$root.log"
	fi
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	cp -L /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
	mount -t proc proc "$root/proc"
}

root_remove() {
	[ -n "$root" ] || return 0
	umount "$root/proc" 2>/dev/null || umount -l "$root/proc" 2>/dev/null || true
	mountpoint -q "$root/proc" || rm -rf --one-file-system "$root"
}

root_run() { (root_exec "$@"); }

# Takes the place of the shell that calls it: for one in the background, whose process id is the command's then.
root_exec() {
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}
