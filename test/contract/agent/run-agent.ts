import { runAgent } from '@understudy/agent/main';
import type { AgentConfig } from '@understudy/shared/runtime/config/types';

/** The agent as a process, with its configuration as an argument. */
const config = JSON.parse(process.argv[2] ?? '') as AgentConfig;
process.exit(await runAgent(config));
