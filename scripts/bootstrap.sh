#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that are missing, and nothing else.
#
#   scripts/bootstrap.sh build   what compiling takes
#   scripts/bootstrap.sh run     and what the lab takes
#   scripts/bootstrap.sh image   what compiling and making disk images take
#   scripts/bootstrap.sh guest   and what starting them in QEMU takes
#   scripts/bootstrap.sh test    and what the tests take
#
# Asks dpkg-query first and touches the network only when something is missing. Routing daemons that
# are installed for the lab must not run on this host: services are held back meanwhile, and those
# that come with a package that was not there before are not started at boot either.
set -eu

build='gcc libc6-dev linux-libc-dev'
image="$build mmdebstrap squashfs-tools mtools dosfstools e2fsprogs fdisk zstd grub-common grub-pc-bin
grub-efi-amd64-bin qemu-utils"
guest="$image qemu-system-x86 ovmf openssh-client iproute2"
run="$build iproute2 nftables bird2 iputils-ping procps"
test="$run frr clang-14 clang-format-14 libclang-rt-14-dev iperf3 tcpdump traceroute ethtool
aspell aspell-en openssh-server openssh-client dosfstools mtools"

case "${1:-build}" in
build) wanted=$build ;;
image) wanted=$image ;;
guest) wanted=$guest ;;
run) wanted=$run ;;
test) wanted=$test ;;
*) echo "usage: $0 build|image|guest|run|test" >&2; exit 1 ;;
esac

missing=
services=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] && continue
	missing="$missing $package"
	case $package in
	bird2) services="$services bird.service bird6.service" ;;
	frr) services="$services frr.service" ;;
	iperf3) services="$services iperf3.service" ;;
	openssh-server) services="$services ssh.service" ;;
	esac
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "$0: as root, please: missing$missing" >&2; exit 1; }

# One at a time: what holds services back is one file.
exec 9>/run/lock/egret-bootstrap
flock 9

echo "installing:$missing"
policy=/usr/sbin/policy-rc.d
[ ! -e "$policy" ] || mv "$policy" "$policy.before-egret"
restore() {
	rm -f "$policy"
	[ ! -e "$policy.before-egret" ] || mv "$policy.before-egret" "$policy"
}
trap restore EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
apt='apt-get -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends'
# shellcheck disable=SC2086 # lists of words
$apt install $missing >/dev/null 2>&1 || { $apt update >/dev/null && $apt install $missing >/dev/null; }
for service in $services; do
	systemctl disable "$service" >/dev/null 2>&1 || true
done
