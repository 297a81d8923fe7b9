// SPDX-License-Identifier: Apache-2.0

// A worker's loop: wait, take batches from its ports in turn, keep house.
#pragma once

struct control_server;
struct worker;

// Runs until the control socket or a signal (read from signal_fd) says stop.
void loop_run(struct worker *worker, struct control_server *control, int signal_fd);
