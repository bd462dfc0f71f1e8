import type Koa from 'koa';

/** The one shape of an error answer. */
export function answerError(
  context: Koa.Context,
  status: number,
  code: string,
  message: string,
): void {
  context.status = status;
  context.body = { error: { code, message } };
}
