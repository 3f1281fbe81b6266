#!/bin/sh
# Installs what the packages are made with and what the end-to-end tests run on.
set -eu

if [ "$(id -u)" != 0 ]; then
	echo "error: packages can only be installed by root" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends \
	g++ g++-aarch64-linux-gnu git make \
	debootstrap systemd-container util-linux curl lintian qemu-user
