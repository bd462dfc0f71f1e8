import type Koa from 'koa';
import { Denials } from '../security/denials.ts';
import { Refusal } from '../work/refusal.ts';
import { admittedOf } from './admission.ts';
import type { AppParts } from './app.ts';

/** How often the same caller is told of, however often he is denied something. */
const TELL_EVERY_MS = 10_000;

/** What somebody is told who says that he is an agent; the details name it. */
const asAgent: readonly string[] = [
  'wrong-agent',
  'certificate-needed',
  'certificate-refused',
  'wrong-certificate',
];

/** Records who asks for what he may not do, or without a token that is valid here. */
export function recordDenials({ context: tenure, state }: AppParts): Koa.Middleware {
  const denials = new Denials({
    everyMs: TELL_EVERY_MS,
    record: (audit) => {
      const { isAway, isFull } = tenure.committer;
      if (!isAway && !isFull) void state.apply({ audits: [audit] });
    },
  });
  return async (context, next) => {
    try {
      await next();
    } catch (error) {
      if (isDenial(error)) {
        const [path = ''] = (context.req.url ?? '').split('?', 1);
        denials.note({
          actor: admittedOf(context)?.caller.name ?? null,
          address: addressOf(context),
          asked: `${context.method} ${path}`,
          asAgent: asAgent.includes(error.code) ? String(error.details) : null,
          at: Math.round(tenure.clock.wallMs()),
        });
      }
      throw error;
    }
  };
}

/** Where a request comes from. */
export function addressOf({ ip }: Pick<Koa.Context, 'ip'>): string {
  return ip.replace(/^::ffff:/, '');
}

function isDenial(error: unknown): error is Refusal {
  const codes = ['forbidden', 'unauthorized', ...asAgent];
  return error instanceof Refusal && codes.includes(error.code);
}
