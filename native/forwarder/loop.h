// The life of a worker's thread: wait, take batches from its ports in turn, keep house.
#pragma once

#include <stdint.h>

struct control_server;
struct port;
struct worker;

// Runs until the control socket or a signal (read from signal_fd) says stop.
void loop_run(struct worker *worker, struct control_server *control, int signal_fd);
// Puts a port into its slot, in place of the one that is there. The same interface keeps its
// neighbors.
void loop_set_port(struct worker *worker, const struct port *port);
// Throws away what waits in a port's queue; it counts as received, and as stale.
void loop_discard(struct worker *worker, struct port *port);
// Closes a port and forgets its neighbors; nobody else will see what waits in its queue. Nothing happens
// when the slot is empty.
void loop_close_port(struct worker *worker, uint16_t slot);
