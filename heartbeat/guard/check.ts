import { connect } from 'node:net';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import type { CheckConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import axios from 'axios';

/** Runs one check within its time limit: null when it holds, else what is wrong. Never throws. */
export async function runCheck(check: CheckConfig): Promise<string | null> {
  try {
    if ('http' in check) return await checkHttp(check.http, check.timeoutMs);
    if ('tcp' in check) return await checkTcp(check.tcp, check.timeoutMs);
    return await checkCommand(check.command, check.timeoutMs);
  } catch (error) {
    return messageOf(error);
  }
}

async function checkHttp(url: string, timeoutMs: number): Promise<string | null> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { status } = await axios.get(url, { signal, proxy: false, validateStatus: () => true });
  return status >= 200 && status < 300 ? null : `${url} answers ${status}`;
}

function checkTcp(address: string, timeoutMs: number): Promise<string | null> {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(separator + 1));
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const finish = (problem: string | null) => {
      socket.destroy();
      resolve(problem);
    };
    socket.on('connect', () => finish(null));
    socket.on('timeout', () => finish(`${address} does not accept within ${timeoutMs} ms`));
    socket.on('error', (error) => finish(`${address}: ${messageOf(error)}`));
  });
}

function checkCommand(command: readonly string[], timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawnTied(command, { stdio: ['ignore', 'ignore', 'ignore'] });
    const timer = setTimeout(() => {
      if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve(messageOf(error));
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(null);
      else resolve(`the check command ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}
