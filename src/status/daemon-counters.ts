// SPDX-License-Identifier: Apache-2.0
/** Counters of egretd itself, in addition to those of the data plane (native/abi.h). docs/counters.md lists them. */

/** What each means. */
export const daemonCounterMeanings = {
  loop_delay_microseconds_max: 'Longest delay of a timer of egretd since it started',
  loop_delay_microseconds_max_recent: 'The same in the last 30 to 60 s (a gauge)',
  loop_delay_microseconds_p99:
    'What 99 of 100 delays did not exceed in the last 30 to 60 s (a gauge)',
  bgp_connections_refused: 'Connections from addresses that the configuration does not name',
  forwarder_deaths: 'Times that a forwarder of this egretd died',
  forwarder_pid: 'Process id of the forwarder (a gauge; 0: none)',
  forwarder_silent_milliseconds: 'Time since the last heartbeat of the forwarder (a gauge)',
  host_overruns:
    "Times the kernel's events of links, addresses and routes overran and were read again in full",
  overlapping_prefixes: 'Pairs of networks of one gateway and a prefix that both have (a gauge)',
  fib_plies_used: 'Pieces of the FIB in use (a gauge)',
  fib_plies_max: 'Pieces of the FIB that there are',
  probes_sent: 'Probes of gateways (egressGatewayFailureDetection)',
  probes_answered: 'Probes of gateways that were answered in time',
} as const;

export type DaemonCounter = keyof typeof daemonCounterMeanings;
