import { addressOf, isName, showAddress } from './address.ts';
import type { PairController } from './controllers.ts';
import { ANSWER_LOST, controllerComments, type LbFacts, NOBODY_ACTIVE } from './facts.ts';

/** `http`: requests are looked at, and the heartbeats asked who is active. `tcp`: whose port is open is active. */
export const haproxyChecks = ['http', 'tcp'] as const;

export interface HaproxyOptions extends LbFacts {
  readonly check: (typeof haproxyChecks)[number];
  /** The file with the authority of the heartbeats' certificates, on the balancer's host; null: they speak plain HTTP. */
  readonly ca: string | null;
  /** A page about its state, on loopback. */
  readonly stats: boolean;
  /** It runs in a container: it is nobody special there, and the addresses of names change. */
  readonly container: boolean;
}

/**
 * A whole configuration for HAProxy from 2.4 on. In both forms a request that finds no controller waits for the
 * next one, so a fail-over is a delay and no error. In the form `http` what may be asked twice is asked again
 * when its answer is lost; nothing else ever is. Controllers that speak TLS are reached through it, not by it: it asks
 * the heartbeats, and what users send it does not understand.
 */
export function haproxyConfig(options: HaproxyOptions): string {
  const sections = [
    head(options),
    options.container ? CONTAINER_GLOBAL : GLOBAL,
    seesInside(options) ? httpDefaults(options) : tcpDefaults(options),
    frontend(options),
    knownBackend(options),
    unknownBackend(options),
    ...(options.stats ? [STATS] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** Whether requests can be looked at: what is encrypted for a controller passes through as it is. */
function seesInside({ check, controllers }: HaproxyOptions): boolean {
  return check === 'http' && controllers.every(({ controller }) => !isSecure(controller));
}

function head(options: HaproxyOptions): string {
  const { pair, check, container } = options;
  const form = container ? `${check} --container` : check;
  return `# HAProxy before the pair ${pair}: one URL, which leads to the controller that is active.
# Written by \`understudy install lb haproxy --check ${form}\`. Look at it with \`haproxy -c -f FILE\`.
#
${controllerComments(options)}
#
# Only users come this way. Agents find the active controller by themselves, at the controllers' own URLs.
# HAProxy decides nothing: who is active is the lease, and a controller that is not active has no open port.`;
}

const GLOBAL = `global
    log stdout format raw daemon
    # Leave these out where it is not started as root.
    user haproxy
    group haproxy`;

const CONTAINER_GLOBAL = `global
    log stdout format raw daemon

# Whatever resolves names for this container.
resolvers container
    parse-resolv-conf
    hold valid 1s`;

/** Both forms wait, and for the same times. */
function patience({ pace }: LbFacts): string {
  return `    # A connection is tried again, at the next server, until somebody serves: ${pace.retries} times, each
    # "timeout connect" after the one before. So a request waits up to ${pace.waitMs} ms, which is longer than the pair
    # promises to be without an active.
    timeout connect ${pace.connectMs}ms
    retries ${pace.retries}
    option redispatch 1
    # Streams of events and followed logs say nothing for as long as nothing happens. What a lost host
    # leaves behind is found by probes of the kernel: after ten seconds of silence, three of them.
    timeout client 1h
    timeout server 1h
    option clitcpka
    clitcpka-idle 10s
    clitcpka-intvl 5s
    clitcpka-cnt 3
    option srvtcpka
    srvtcpka-idle 10s
    srvtcpka-intvl 5s
    srvtcpka-cnt 3`;
}

function httpDefaults(options: LbFacts): string {
  return `defaults
    mode http
    log global
    option httplog
    option dontlog-normal
${patience(options)}
    timeout http-request 30s
    timeout http-keep-alive 30s
    # Who went away while his request waited for a controller is forgotten: else the next active would be sent, all
    # at once, what nobody waits for any more. Clients must not close their sending side before the answer.
    option abortonclose
    # A connection to a controller for each request. One that was kept open could lead to a controller
    # that ceased to be active, and whether a request that breaks on it was carried out nobody knows.
    option http-server-close
    # What can be tried again: a request that was not sent. And one that got no answer, but not where
    # the rule "disable-l7-retry" below says that it could be carried out twice.
    retry-on conn-failure empty-response
    http-error status 502 content-type application/json string '${ANSWER_LOST}' hdr Retry-After 1
    http-error status 503 content-type application/json string '${NOBODY_ACTIVE}' hdr Retry-After 1`;
}

function tcpDefaults(options: LbFacts): string {
  return `defaults
    mode tcp
    log global
    option tcplog
    option dontlog-normal
${patience(options)}`;
}

function frontend({ listen }: LbFacts): string {
  const binds = listen.map((each) => {
    const only = each.host.includes(':') ? ' v6only' : '';
    return `    bind ${showAddress(each)}${only}`;
  });
  return ['frontend users', ...binds, CHOICE].join('\n');
}

const CHOICE = `    # The checks know of one controller: it is asked. They know of none, or of more, as right after the start, when all
    # count as well until they were looked at: see "any-open". HAProxy goes on at once to the next of several servers
    # that it takes to be well, and would have spent all its tries before one of them has opened its port.
    use_backend controllers if { nbsrv(controllers) eq 1 }
    default_backend any-open`;

function knownBackend(options: HaproxyOptions): string {
  const { pace, controllers, check } = options;
  return `backend controllers
    balance roundrobin
${seesInside(options) ? `${REPEATS}\n` : ''}${check === 'http' ? httpCheck(options) : TCP_CHECK}
    timeout check ${pace.checkTimeoutMs}ms
    # "on-marked-down": who still hangs on a controller whose host is lost is cut off, and comes again.
    # Two looks in a row must find nothing, for a busy host may miss one; one good look is enough, for
    # being wrong costs no more than another try.
    default-server inter ${pace.checkEveryMs}ms fastinter ${pace.checkFastMs}ms downinter ${pace.checkEveryMs}ms fall 2 rise 1 on-marked-down shutdown-sessions
${named(options)}${controllers.map((each) => checkedServer(each, options)).join('\n')}
    # The same ports without a check, for who has come here and finds that the active is gone.
${openServers(options)}`;
}

/** No server of it is ever taken to be well, so each refusal is followed by a rest. */
function unknownBackend(options: HaproxyOptions): string {
  return `# For the time in which the checks don't know who is active: between two tenures, while they lag behind, and before
# the first look. Whose port is open is active, or sends on to who is: all are tried, one after the other, with a rest
# ("timeout connect") after each refusal, for none of them counts as well ("backup").
backend any-open
    balance roundrobin
${seesInside(options) ? `${REPEATS}\n` : ''}${named(options)}${openServers(options)}`;
}

const REPEATS = `    # Repeated when the answer is lost: what only reads, and what carries a key by which the controllers
    # know it again. A POST without a key never is.
    http-request disable-l7-retry unless { method GET HEAD } or { req.hdr(Idempotency-Key) -m found }`;

function httpCheck({ controllers }: HaproxyOptions): string {
  const verified = controllers.some(({ heartbeat }) => isSecure(heartbeat));
  return verified ? `${HTTP_CHECK}\n${VERIFIED}` : HTTP_CHECK;
}

const VERIFIED = `    # Only a heartbeat that the authority of the pair has signed for is believed. That file is read at the start.`;

const HTTP_CHECK = `    # The heartbeat says 200 while its controller is active and serves. When it says something else the
    # server gets nothing new, but what is under way there may end ("L7OKC"): at a switch-over the old
    # controller answers whom it still holds. Only a heartbeat that does not answer makes a server "down".
    option httpchk
    http-check send meth GET uri /active ver HTTP/1.1 hdr Host understudy
    http-check expect status 200 error-status L7OKC`;

const TCP_CHECK = `    # Whose port is open is active. After a switch-over both are for some seconds: the old one sends on.`;

const NAMES = `    # Names are looked up once, at the start; one that is not found does not keep HAProxy from starting.
    default-server init-addr last,libc,none\n`;

const CONTAINER_NAMES = `    # Names are looked up each second: a container that was started again may have another address.
    default-server resolvers container init-addr none\n`;

function named({ controllers, container }: HaproxyOptions): string {
  if (!controllers.some(({ controller }) => isName(controller))) return '';
  return container ? CONTAINER_NAMES : NAMES;
}

function checkedServer(
  { name, controller, heartbeat }: PairController,
  { check, ca }: HaproxyOptions,
): string {
  const server = `    server ${name} ${showAddress(addressOf(controller))} check`;
  if (check === 'tcp') return server;
  const asked = `${server} addr ${heartbeat.hostname} port ${addressOf(heartbeat).port}`;
  if (!isSecure(heartbeat) || ca === null) return asked;
  const { hostname } = heartbeat;
  // It compares names alone, no addresses.
  const named = isName(heartbeat) ? ` check-sni ${hostname} verifyhost ${hostname}` : '';
  return `${asked} check-ssl verify required ca-file ${quoted(ca)}${named}`;
}

/** A path as one word. */
function quoted(path: string): string {
  return /^[\w./+@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function isSecure({ protocol }: URL): boolean {
  return protocol === 'https:';
}

function openServers({ controllers }: LbFacts): string {
  const servers = controllers.map(
    ({ name, controller }) =>
      `    server ${name}-open ${showAddress(addressOf(controller))} backup`,
  );
  return ['    option allbackups', ...servers].join('\n');
}

const STATS = `# What HAProxy thinks of the controllers, for this host alone.
frontend stats
    mode http
    bind 127.0.0.1:8404
    stats enable
    stats uri /
    stats refresh 5s`;
