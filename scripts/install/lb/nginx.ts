import { addressOf, showAddress } from './address.ts';
import type { PairController } from './controllers.ts';
import { ANSWER_LOST, controllerComments, type LbFacts } from './facts.ts';

/**
 * A whole configuration for nginx as it is free to have, which looks at servers only when somebody asks. What
 * it can't do stands at its head, for people choose by that.
 */
export function nginxConfig(facts: LbFacts): string {
  const { pair, controllers, listen, pace } = facts;
  const listens = listen.map((each) => `        listen ${showAddress(each)};`);
  return `# nginx before the pair ${pair}: one URL, which leads to the controller that is active.
# Written by \`understudy install lb nginx\`. Look at it with \`nginx -t -c FILE\`.
#
${controllerComments(facts)}
#
# It finds the active controller by its open port, for only the active one's is open. A switch-over costs no
# request: the old controller sends on until nginx finds its port closed. What it can't do, and HAProxy can:
#   - wait: between two tenures, when both ports are closed, it answers 502 at once;
#   - ask the heartbeats who is active, or notice a lost host before a user has waited for it;
#   - cut off who listens to a controller whose host is lost: a stream hangs until its client gives up;
#   - start while a name among the servers is not known, if names stand here and no addresses;
#   - tell what was not carried out from what may have been: all that fails here is a 502.
#
# Only users come this way. Agents find the active controller by themselves, at the controllers' own URLs.

worker_processes auto;

events {
    worker_connections 8192;
}

http {
    access_log off;

    upstream controllers {
        # What one worker learns all know.
        zone controllers 64k;
        # A server that refused or kept silent is passed over for a second, so that a lost host is not tried
        # with each request. No longer: it may be the next active.
${controllers.map((each) => server(each, 'max_fails=1 fail_timeout=1s')).join('\n')}
        # The same once more, never passed over: else, once both were found closed, the next active would
        # be left alone for that second.
${controllers.map((each) => server(each, 'max_fails=0 backup')).join('\n')}
    }

    server {
${listens.join('\n')}

        # The controllers have limits of their own for what they are sent.
        client_max_body_size 0;

        location / {
            proxy_pass http://controllers;
            proxy_http_version 1.1;
            # A connection to a controller for each request: none is kept to one that ceased to be active.
            proxy_set_header Connection close;
            proxy_set_header Host $http_host;
            proxy_connect_timeout ${pace.connectMs}ms;

            # Another controller is tried when no connection could be made. When a request was sent and the
            # connection broke, nginx repeats GET, HEAD, PUT and DELETE, which do the same when done twice,
            # and never a POST (that would need "non_idempotent"), be there an Idempotency-Key or not. A PUT that
            # is repeated may undo what somebody else has put in between.
            proxy_next_upstream error timeout;
            proxy_next_upstream_tries ${2 * controllers.length};

            # Events and followed logs: each byte at once, and silence is no fault.
            proxy_buffering off;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }

        error_page 502 504 =502 @nobody;
        location @nobody {
            default_type application/json;
            add_header Retry-After 1 always;
            return 502 '${ANSWER_LOST}';
        }
    }
}
`;
}

function server({ controller }: PairController, more: string): string {
  return `        server ${showAddress(addressOf(controller))} ${more};`;
}
