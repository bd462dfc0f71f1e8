import { accessSync, constants, existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Cgroup, cgroupPathHere } from '@understudy/agent/executor/cgroup';
import { askOnce } from '@understudy/agent/supervise/ask';
import type { AgentConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import axios from 'axios';
import { type Check, type Finding, ok, problem, warning } from '../finding.ts';

const WITHIN_MS = 3_000;
const MEGABYTE = 1_048_576;
const SPACE_WANTED = 1_024 * MEGABYTE;
const SPACE_NEEDED = 100 * MEGABYTE;

/** What a worker host needs beside a good configuration. */
export function agentChecks(config: AgentConfig): readonly Check[] {
  return [
    {
      name: 'data folder',
      look: async () => [checkFolder(config.data), await checkSpace(config.data)],
    },
    { name: 'cgroup', look: async () => [await checkCgroup()] },
    { name: 'controllers', look: (signal) => checkControllers(config, signal) },
  ];
}

function checkFolder(path: string): Finding {
  const present = nearest(path);
  try {
    accessSync(present, constants.W_OK | constants.X_OK);
    return ok('data folder', present === path ? `${path} can be written` : `${path} can be made`);
  } catch (error) {
    const advice = 'give it to the account of the agent, or set another `data`';
    return problem('data folder', messageOf(error), advice);
  }
}

async function checkSpace(path: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(nearest(path));
  return judgeSpace(bavail * bsize);
}

/** Results and logs wait there while no controller takes them. */
export function judgeSpace(freeBytes: number): Finding {
  const text = `${Math.floor(freeBytes / MEGABYTE)} MB are free`;
  const advice = 'output of attempts waits there while no controller takes it: make room';
  if (freeBytes < SPACE_NEEDED) return problem('data space', text, advice);
  return freeBytes < SPACE_WANTED ? warning('data space', text, advice) : ok('data space', text);
}

/** The folder itself, or the first one above it that is there. */
function nearest(path: string): string {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

async function checkCgroup(): Promise<Finding> {
  const advice =
    'run it by the unit of `understudy install agent` (Delegate=yes) on Linux 5.14 or later';
  // A name of its own: that of the agent is in use while one runs.
  const path = cgroupPathHere(`understudy doctor ${process.pid}`);
  if (path === null) return warning('cgroup', 'there is no cgroup of version 2 here', advice);
  const made = Cgroup.make(path);
  await Cgroup.remove(path);
  if (made !== null) return ok('cgroup', 'nothing of an attempt can escape its end');
  return warning(
    'cgroup',
    'none can be made from here: an attempt may leave something behind',
    advice,
  );
}

async function checkControllers(
  { controllers, token }: AgentConfig,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const asked = await Promise.all(
    controllers.map(async (url) => {
      const answer = await askOnce(url, { token, timeoutMs: WITHIN_MS, signal });
      return { url, isReady: answer.type === 'ready' };
    }),
  );
  const ready = asked.find(({ isReady }) => isReady);
  if (ready === undefined) {
    const advice = 'ask `understudy status` on a controller host, and let port 7300 through';
    return [problem('controllers', `none of ${controllers.join(', ')} is active`, advice)];
  }
  return [ok('controllers', `${ready.url} is active`), await checkToken(ready.url, token, signal)];
}

/** A token for agents may not list them, but whoever has none is not even told that. */
async function checkToken(url: string, token: string, signal: AbortSignal): Promise<Finding> {
  const { status } = await axios.get(`${url}/api/v1/agents`, {
    headers: { authorization: `Bearer ${token}` },
    ...{ signal, timeout: WITHIN_MS, proxy: false, maxRedirects: 0, validateStatus: () => true },
  });
  if (status === 200 || status === 403) return ok('token', 'is known to the controller');
  const advice = 'make one: understudy token create ID --role agent --agent ID';
  return problem('token', `the controller answers ${status}`, advice);
}
