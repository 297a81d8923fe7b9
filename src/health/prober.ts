// SPDX-License-Identifier: Apache-2.0
/**
 * The probes of all gateways with spec.egressGatewayFailureDetection, following the Model.
 *
 * A probe is (gateway, kind, target). What did not change continues as it was; another interval or
 * timeout is taken up without forgetting when the target last answered.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { FailureDetection } from '../model/model.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import { type ProbeKind, type TargetState, type Verdict, verdictOf } from './probe.ts';
import type { ProbeTransport } from './sockets.ts';
import { type Pace, TargetProber, type TargetProberOptions, type Ways } from './target-prober.ts';

/** A gateway and what is asked of its probes. */
export interface ProbedGateway {
  readonly key: string;
  readonly detection: FailureDetection;
  /** Clients use it: probes that begin now are presumed to be answered, until their timeout. */
  readonly isInUse: boolean;
  /** It stays in use whatever probes say (a takeover); what is presumed does not age meanwhile. */
  readonly isHeld: boolean;
}

export interface ProberOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: ProbeTransport;
  /** By which ways a gateway's networks lead to an address, as of now. */
  waysTo(gatewayKey: string, address: Ipv4): Ways;
  /** A target's state is another one: the verdict on its gateway may be too. */
  changed(gatewayKey: string, kind: ProbeKind, target: string, state: TargetState): void;
  /** A target that does not answer fails for another reason: what the verdict says is another. */
  failureChanged(): void;
}

interface Probe {
  readonly gatewayKey: string;
  readonly kind: ProbeKind;
  readonly target: string;
  readonly prober: TargetProber;
}

export class Prober {
  readonly #options: ProberOptions;
  readonly #probes = new Map<string, Probe>();
  sentCount = 0;
  answeredCount = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Makes exactly these gateways the probed ones; also to be called after routes changed. */
  follow(gateways: readonly ProbedGateway[]): void {
    const wanted = new Set<string>();
    for (const gateway of gateways) {
      for (const [kind, target, pace] of targetsOf(gateway.detection)) {
        const id = `${gateway.key} ${kind} ${target}`;
        wanted.add(id);
        const prober = this.#probes.get(id)?.prober;
        if (!prober) {
          this.#start(id, gateway, kind, target, pace);
          continue;
        }
        prober.setPace(pace);
        if (gateway.isHeld) prober.presumeAgain();
        prober.waysChanged();
      }
    }
    for (const [id, { prober }] of this.#probes) {
      if (wanted.has(id)) continue;
      prober.stop();
      this.#probes.delete(id);
    }
  }

  /** What probes say of each gateway that has some. */
  verdicts(): Map<string, Verdict> {
    const byGateway = Map.groupBy(this.#probes.values(), (probe) => probe.gatewayKey);
    return new Map(
      [...byGateway].map(([key, probes]) => [
        key,
        verdictOf(
          probes.map(({ kind, target, prober }) => ({
            kind,
            target,
            state: prober.state,
            silentMs: prober.silentMs,
            failure: prober.failure,
          })),
        ),
      ]),
    );
  }

  stop(): void {
    this.follow([]);
  }

  #start(id: string, gateway: ProbedGateway, kind: ProbeKind, target: string, pace: Pace): void {
    const { clock, random, transport, waysTo, changed, failureChanged } = this.#options;
    const url = kind === 'HTTP' ? new URL(target) : undefined;
    const options: TargetProberOptions = {
      clock,
      random,
      isInUse: gateway.isInUse,
      resolve: (done) => transport.resolve(url?.hostname ?? target, done),
      waysTo: (address) => waysTo(gateway.key, address),
      attempt: (address, way, handlers) => {
        this.sentCount += 1;
        const counted = {
          ...handlers,
          answered: () => {
            this.answeredCount += 1;
            handlers.answered();
          },
        };
        if (url) return transport.get(url, address, way, counted);
        return transport.ping(address, way, counted);
      },
      changed: () => changed(gateway.key, kind, target, prober.state),
      failureChanged,
    };
    const prober = new TargetProber(options, pace);
    this.#probes.set(id, { gatewayKey: gateway.key, kind, target, prober });
  }
}

function targetsOf({ icmp, http }: FailureDetection): [ProbeKind, string, Pace][] {
  const pings = icmp?.targets.map((address) => formatIpv4(address)) ?? [];
  const urls = http?.targets ?? [];
  return [
    ...pings.map((target): [ProbeKind, string, Pace] => ['ICMP', target, icmp!]),
    ...urls.map((target): [ProbeKind, string, Pace] => ['HTTP', target, http!]),
  ];
}
