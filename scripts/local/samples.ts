import { existsSync, writeFileSync } from 'node:fs';
import type { JobInput } from '@understudy/shared/protocol/api';
import type { ApiClient } from '../cli/client/api-client.ts';

/** Jobs to try the system with. */
const samples: readonly JobInput[] = [
  {
    name: 'hello',
    description: 'Says hello; the parameter NAME says to whom.',
    command: [
      'sh',
      '-c',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell fills these in.
      'echo "Hello ${NAME:-world}! Run $UNDERSTUDY_RUN, attempt $UNDERSTUDY_ATTEMPT, term $UNDERSTUDY_TERM."; sleep 1; echo Done.',
    ],
  },
  {
    name: 'every-minute',
    description: 'Writes down when it ran and for which minute.',
    command: ['sh', '-c', 'echo "$(date -u +%T): run for $UNDERSTUDY_SCHEDULED_FOR"'],
    schedule: { cron: '* * * * *' },
  },
];

/** Applies the sample jobs at the first start; what the user makes of them afterwards stays. */
export async function applySamples(api: ApiClient, markerFile: string): Promise<void> {
  if (existsSync(markerFile)) return;
  for (const job of samples) {
    await api.request({ method: 'PUT', path: `/jobs/${job.name}`, body: job });
  }
  writeFileSync(markerFile, `${samples.map((job) => job.name).join('\n')}\n`);
}
