/** Every reason for which a request is refused, with its HTTP status. */
export const refusals = {
  invalid: 400,
  unauthorized: 401,
  'certificate-needed': 401,
  forbidden: 403,
  'certificate-refused': 403,
  'wrong-certificate': 403,
  'wrong-agent': 403,
  'unknown-job': 404,
  'unknown-run': 404,
  'unknown-agent-id': 404,
  'unknown-token': 404,
  'unknown-secret': 404,
  'unknown-hook': 404,
  'not-found': 404,
  'method-not-allowed': 405,
  'agent-in-use': 409,
  'job-exists': 409,
  'token-exists': 409,
  'secret-in-use': 409,
  'no-keystore': 409,
  'key-missing': 409,
  undecryptable: 409,
  'too-many': 409,
  'run-not-over': 409,
  'unknown-agent': 409,
  'duplicate-agent': 409,
  'late-registration': 409,
  'stale-term': 409,
  'too-slow': 408,
  'too-large': 413,
  'headers-too-large': 431,
  internal: 500,
  'answer-lost': 502,
  'not-active': 503,
  'not-ready': 503,
  'store-away': 503,
} as const;
export type RefusalCode = keyof typeof refusals;

/** A request that is not carried out, for a reason that its sender is told. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly details: unknown;

  constructor(code: RefusalCode, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
